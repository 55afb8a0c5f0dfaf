package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Bounds of reading a queue. Source: SQS API Reference, ReceiveMessage and DeleteMessageBatch, read November 2026.
const (
	PollWait     = 20 * time.Second // the longest that SQS waits for a message
	maxBatch     = 10
	receiveLimit = PollWait + 15*time.Second
	deleteLimit  = 10 * time.Second
	hidden       = 60 // seconds in which nobody else gets what was received
)

// Message is one of a queue.
type Message struct {
	ID, Receipt, Body string
	Sent              time.Time
	Received          int // times, this one among them
}

// Receive waits up to PollWait for messages, ten at most. None is no error.
func (a *Account) Receive(ctx context.Context, queue string) ([]Message, error) {
	if err := a.spent.may(priceQueue, 1, true); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, receiveLimit)
	defer cancel()
	out, err := a.queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &queue, MaxNumberOfMessages: maxBatch, WaitTimeSeconds: int32(PollWait / time.Second), VisibilityTimeout: hidden,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return nil, wrap("sqs:ReceiveMessage", err)
	}
	ms := make([]Message, 0, len(out.Messages))
	for _, m := range out.Messages {
		one := Message{ID: aws.ToString(m.MessageId), Receipt: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body)}
		one.Received, _ = strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
		if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
			one.Sent = time.UnixMilli(ms)
		}
		ms = append(ms, one)
	}
	return ms, nil
}

// Delete takes messages that were received out of their queue. Those that it could not come again.
func (a *Account) Delete(ctx context.Context, queue string, ms []Message) error {
	if len(ms) == 0 {
		return nil
	}
	if err := a.spent.may(priceQueue, 1, true); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &queue}
	for i := range ms {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &ms[i].Receipt})
	}
	out, err := a.queues.DeleteMessageBatch(ctx, in)
	if err != nil {
		return wrap("sqs:DeleteMessage", err)
	}
	var errs []error
	for _, f := range out.Failed {
		errs = append(errs, fmt.Errorf("sqs:DeleteMessage: %s: %s", aws.ToString(f.Code), aws.ToString(f.Message)))
	}
	return errors.Join(errs...)
}

// Waiting is how many messages of a queue wait, are with a reader, and are kept back; about.
type Waiting struct{ Visible, InFlight, Delayed float64 }

// Waiting asks how a queue stands, which needs sqs:GetQueueAttributes.
func (a *Account) Waiting(ctx context.Context, queue string) (Waiting, error) {
	if err := a.spent.may(priceQueue, 1, false); err != nil {
		return Waiting{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	var w Waiting
	want := map[types.QueueAttributeName]*float64{
		types.QueueAttributeNameApproximateNumberOfMessages: &w.Visible, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &w.InFlight,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed: &w.Delayed,
	}
	out, err := a.queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: slices.Sorted(maps.Keys(want))})
	if err != nil {
		return Waiting{}, wrap("sqs:GetQueueAttributes", err)
	}
	for name, into := range want {
		if *into, err = strconv.ParseFloat(out.Attributes[string(name)], 64); err != nil {
			return Waiting{}, fmt.Errorf("sqs:GetQueueAttributes: %s: want a number, have %q", name, out.Attributes[string(name)])
		}
	}
	return w, nil
}

// QueueURL is the address of a queue of this account by its name.
func (a *Account) QueueURL(ctx context.Context, name string) (string, error) {
	if err := a.spent.may(priceQueue, 1, false); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	out, err := a.queues.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", wrap("sqs:GetQueueUrl", err)
	}
	return aws.ToString(out.QueueUrl), nil
}
