package sinks

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/navcloud/binnacle/agent/secret"
)

// SigV4 signs requests for AWS: CloudWatch's OTLP endpoint, https://monitoring.REGION.amazonaws.com/v1/metrics, or a workspace of
// Managed Prometheus. What is empty comes from the SDK's own chain, or from the URL.
type SigV4 struct {
	Enabled         bool          `yaml:"enabled"`
	Region          string        `yaml:"region"`  // the URL's when empty
	Service         string        `yaml:"service"` // monitoring, aps; the URL's when empty
	Profile         string        `yaml:"profile"`
	RoleARN         string        `yaml:"role_arn"` // assumed with what the chain finds
	ExternalID      string        `yaml:"external_id"`
	AccessKeyID     string        `yaml:"access_key_id"` // with the secret key
	SecretAccessKey secret.Secret `yaml:"secret_access_key"`
}

// awsHost are the hosts whose requests are signed for their own service and region. Source: CloudWatch user guide, "OTLP Endpoints";
// Managed Prometheus user guide, "Remote write"; read 30 November 2026.
var awsHost = regexp.MustCompile(`^(monitoring|aps-workspaces)(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$`)

// place is the service and the region that requests to address are signed for.
func (s SigV4) place(address string) (service, region string) {
	service, region = s.Service, s.Region
	if u, err := url.Parse(address); err == nil {
		if m := awsHost.FindStringSubmatch(u.Hostname()); m != nil {
			service, region = cmp.Or(service, map[string]string{"monitoring": "monitoring", "aps-workspaces": "aps"}[m[1]]), cmp.Or(region, m[2])
		}
	}
	return service, region
}

func (s SigV4) validate(address string, login bool) error {
	if !s.Enabled {
		if s != (SigV4{}) {
			return errors.New("sigv4: want enabled: true with it")
		}
		return nil
	}
	var errs []error
	service, region := s.place(address)
	if service == "" {
		errs = append(errs, errors.New("sigv4.service: the URL is none of CloudWatch's or Managed Prometheus': want the service to sign for"))
	}
	if region == "" {
		errs = append(errs, errors.New("sigv4.region: the URL names none"))
	}
	if (s.AccessKeyID == "") != s.SecretAccessKey.IsZero() {
		errs = append(errs, errors.New("sigv4.access_key_id: want secret_access_key with it, or neither"))
	}
	if s.ExternalID != "" && s.RoleARN == "" {
		errs = append(errs, errors.New("sigv4.external_id: want role_arn with it"))
	}
	if login {
		errs = append(errs, errors.New("sigv4: it signs in the place where another login stands: want one of them"))
	}
	return errors.Join(errs...)
}

// signer signs requests. It may be used by many goroutines.
type signer struct {
	service, region string
	keys            aws.CredentialsProvider
	v4              *v4.Signer
	skew            atomic.Int64 // how far the service's clock is ahead of ours
}

// newSigner reads files and environment, and asks nobody. tr reaches STS; nil: the network.
func newSigner(s SigV4, address string, tr http.RoundTripper) (*signer, error) {
	if !s.Enabled {
		return nil, nil
	}
	out := &signer{v4: v4.NewSigner()}
	out.service, out.region = s.place(address)
	opts := []func(*config.LoadOptions) error{config.WithRegion(out.region)}
	if s.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(s.Profile))
	}
	if s.AccessKeyID != "" {
		opts = append(opts, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey.Reveal(), "")))
	}
	cfg, err := config.LoadDefaultConfig(context.Background(), opts...)
	if err != nil {
		return nil, fmt.Errorf("sigv4: %w", err)
	}
	if tr != nil {
		cfg.HTTPClient = &http.Client{Transport: tr}
	}
	out.keys = cfg.Credentials
	if s.RoleARN != "" {
		out.keys = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), s.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "binnacle"
			if s.ExternalID != "" {
				o.ExternalID = &s.ExternalID
			}
		}))
	}
	return out, nil
}

// sign signs a request with this body. Its headers must not be changed after it.
func (s *signer) sign(ctx context.Context, req *http.Request, body []byte) error {
	if s == nil {
		return nil
	}
	keys, err := s.keys.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("sigv4: %w", err)
	}
	hash := sha256.Sum256(body)
	return s.v4.SignHTTP(ctx, keys, req, hex.EncodeToString(hash[:]), s.service, s.region, time.Now().Add(time.Duration(s.skew.Load())))
}

// mostSkew is how far clocks may differ before AWS refuses a signature; from half of it on ours is corrected.
// Source: IAM user guide, "Troubleshoot signed requests" (5 min), read 30 November 2026.
const mostSkew = 5 * time.Minute

// learn takes the service's clock from an answer that refused a request.
func (s *signer) learn(resp *http.Response) {
	if s == nil || resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
		return
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if d := time.Until(at); d.Abs() > mostSkew/2 {
			s.skew.Store(int64(d))
		}
	}
}
