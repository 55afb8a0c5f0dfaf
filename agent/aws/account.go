package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// Account asks AWS as the section says. It may be used by many goroutines.
type Account struct {
	alarms  *cloudwatch.Client
	queues  *sqs.Client
	groups  *autoscaling.Client
	objects lister
	regions sync.Map // of buckets that are elsewhere, by name
	keys    aws.CredentialsProvider
	spent   meter
	skew    atomic.Int64 // of CloudWatch's clock

	mutedLock sync.Mutex
	muted     map[MuteAt][]string // alarms of the mute rules in force, as they were asked for last
}

// ErrNoRegion says that nobody said which region to ask.
var ErrNoRegion = errors.New("region: want one in aws.region or AWS_REGION; this is no instance that knows")

// Options are what an Account needs beside its section.
type Options struct {
	Region string            // where the section and the environment name none
	HTTP   http.RoundTripper // nil: the network
	Now    func() time.Time  // nil: the clock
	Spent  string            // the file in which what was spent outlives a restart; empty: it does not

	backoff time.Duration // at most, between tries; 0: 5 s
}

// Open makes an Account. It reads files and environment and asks nobody: what is wrong with a key shows itself in the first
// question.
func Open(ctx context.Context, c Config, o Options) (*Account, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(s *retry.StandardOptions) { s.MaxAttempts, s.MaxBackoff = 3, cmp.Or(o.backoff, 5*time.Second) })
		}),
	}
	add := func(is bool, f func(*config.LoadOptions) error) {
		if is {
			opts = append(opts, f)
		}
	}
	add(c.Region != "", config.WithRegion(c.Region))
	add(c.Profile != "", config.WithSharedConfigProfile(c.Profile))
	add(c.FIPS, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	add(c.DualStack, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = o.Region
	}
	if cfg.Region == "" {
		return nil, ErrNoRegion
	}
	if c.Endpoint != "" {
		cfg.BaseEndpoint = &c.Endpoint // set afterwards, so that the environment's address of one service rules over it
	}
	if o.HTTP != nil {
		cfg.HTTPClient = &http.Client{Transport: o.HTTP} // set afterwards: with AWS_CA_BUNDLE LoadDefaultConfig refuses a foreign one
	}
	if c.RoleARN != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), c.RoleARN, func(a *stscreds.AssumeRoleOptions) {
			a.RoleSessionName = "binnacle"
			if c.ExternalID != "" {
				a.ExternalID = &c.ExternalID
			}
		}))
	}
	a := &Account{alarms: cloudwatch.NewFromConfig(cfg), queues: sqs.NewFromConfig(cfg), groups: autoscaling.NewFromConfig(cfg), objects: newLister(cfg), keys: cfg.Credentials}
	a.spent.now, a.spent.budget = time.Now, c.Budget
	if o.Now != nil {
		a.spent.now = o.Now
	}
	a.spent.file = o.Spent
	a.spent.recall()
	return a, nil
}

// Known says whether AWS can be asked as anybody: that keys are found, and the role, if one is configured, may be taken on.
func (a *Account) Known(ctx context.Context) error {
	if a.keys == nil {
		return errNoKeys
	}
	if _, err := a.keys.Retrieve(ctx); err != nil {
		return fmt.Errorf("%w: %w", errNoKeys, err)
	}
	return nil
}

var errNoKeys = errors.New("no credentials: none in the environment, ~/.aws, the role of the pod, task or instance that work, or aws.role_arn is refused")

// Denied says which right is missing: err is the answer of AWS to action, as IAM writes it. Empty: that is not what is wrong.
func Denied(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException":
		return true
	}
	return false
}

// wrap names the right that a question needs.
func wrap(action string, err error) error {
	switch {
	case err == nil:
		return nil
	case Denied(err):
		return fmt.Errorf("the role lacks the right %s: %w", action, err)
	}
	return fmt.Errorf("%s: %w", action, err)
}
