package aws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// MayDelete tries the right to delete messages of a queue by a receipt that is none. Whether it may receive cannot be tried: a
// message that is taken counts towards the dead letters.
func (a *Account) MayDelete(ctx context.Context, queue string) error {
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	_, err := a.queues.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{
		QueueUrl: &queue, Entries: []types.DeleteMessageBatchRequestEntry{{Id: aws.String("0"), ReceiptHandle: aws.String("none")}},
	})
	return denial("sqs:DeleteMessage", err)
}

// MayDrop tries the right to delete alarms by the name of one that there is not.
func (a *Account) MayDrop(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	_, err := a.alarms.DeleteAlarms(ctx, &cw.DeleteAlarmsInput{AlarmNames: []string{name}})
	return denial("cloudwatch:DeleteAlarms", err)
}

// denial is what of an answer says that a right lacks, or that nobody answered. What AWS says of a thing that is none is fine.
func denial(action string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && !Denied(err) && api.ErrorFault() == smithy.FaultClient {
		return nil
	}
	return wrap(action, err)
}
