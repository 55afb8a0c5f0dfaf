package sinks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"github.com/navcloud/binnacle/agent/metric"
)

// awsPutter speaks to CloudWatch through Amazon's SDK.
type awsPutter struct{ client *cw.Client }

func newPutter(o CloudWatch, env Env) (putter, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer {
			// LimitExceeded is not retried by default; its code is not the type's name, since the
			// X-Amzn-Query-Error header overrides it.
			return retry.AddWithErrorCodes(retry.NewStandard(func(s *retry.StandardOptions) {
				s.MaxAttempts, s.MaxBackoff = 3, 5*time.Second
			}), "LimitExceeded", "LimitExceededFault")
		}),
	}
	if o.Region != "" {
		opts = append(opts, config.WithRegion(o.Region))
	}
	if o.AccessKeyID != "" {
		opts = append(opts, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey.Reveal(), "")))
	}
	cfg, err := config.LoadDefaultConfig(context.Background(), opts...) // reads files and environment, calls nobody
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("region: want one, here or in AWS_REGION")
	}
	if env.HTTP != nil {
		// Set afterwards: with AWS_CA_BUNDLE in the environment LoadDefaultConfig refuses a foreign client.
		cfg.HTTPClient = &http.Client{Transport: env.HTTP}
	}
	return awsPutter{cw.NewFromConfig(cfg, func(op *cw.Options) {
		if o.Endpoint != "" {
			op.BaseEndpoint = aws.String(o.Endpoint)
		}
	})}, nil
}

func (p awsPutter) put(ctx context.Context, namespace string, ds []datum) error {
	in := &cw.PutMetricDataInput{Namespace: &namespace, MetricData: make([]types.MetricDatum, len(ds))}
	for i := range ds {
		in.MetricData[i] = ds[i].aws()
	}
	_, err := p.client.PutMetricData(ctx, in)
	return awsError(err)
}

func (d *datum) aws() types.MetricDatum {
	out := types.MetricDatum{
		MetricName: &d.name, Timestamp: &d.at, Unit: awsUnit(d.unit, d.kind), StorageResolution: &d.seconds,
		Values: d.values, Counts: d.counts,
	}
	if d.stats != nil {
		out.StatisticValues = &types.StatisticSet{
			SampleCount: &d.stats.Count, Sum: &d.stats.Sum, Minimum: &d.stats.Min, Maximum: &d.stats.Max,
		}
	} else {
		out.Value = &d.value
	}
	for i := range d.dims {
		out.Dimensions = append(out.Dimensions, types.Dimension{Name: &d.dims[i].Name, Value: &d.dims[i].Value})
	}
	return out
}

func awsUnit(u metric.Unit, k metric.Kind) types.StandardUnit {
	switch {
	case u == metric.Seconds:
		return types.StandardUnitSeconds
	case u == metric.Bytes:
		return types.StandardUnitBytes
	case k == metric.Delta:
		return types.StandardUnitCount
	}
	return types.StandardUnitNone
}

// awsError marks what repeating will not cure: the request's own faults. A wrong key or a missing
// right is not among them, for it is mended elsewhere while the samples wait.
func awsError(err error) error {
	if err == nil {
		return nil
	}
	var re *awshttp.ResponseError
	if errors.As(err, &re) && re.HTTPStatusCode() == http.StatusRequestEntityTooLarge {
		return Permanent(fmt.Errorf("cloudwatch: %w", err))
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "InvalidParameterValue", "InvalidParameterCombination", "MissingParameter", "MissingRequiredParameter",
			"InvalidFormat", "ValidationError", "RequestEntityTooLarge":
			return Permanent(fmt.Errorf("cloudwatch: %w", err))
		}
	}
	return fmt.Errorf("cloudwatch: %w", err)
}
