package sinks

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
)

// cloudWatchOTLP answers as the endpoint would: it signs what came once more and compares, by a clock of its own.
type cloudWatchOTLP struct {
	t     *testing.T
	ahead time.Duration
	came  int
}

func (c *cloudWatchOTLP) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	answer := func(status int, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Date": {time.Now().Add(c.ahead).UTC().Format(http.TimeFormat)}, "Content-Type": {"application/x-protobuf"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return answer(http.StatusForbidden, "MissingAuthenticationToken")
	}
	if d := time.Now().Add(c.ahead).Sub(at); d.Abs() > mostSkew {
		return answer(http.StatusForbidden, "Signature expired")
	}
	again, _ := http.NewRequest(http.MethodPost, r.URL.String(), bytes.NewReader(body))
	for _, name := range []string{"Content-Type", "Content-Encoding", "User-Agent"} {
		again.Header.Set(name, r.Header.Get(name))
	}
	s := &signer{service: "monitoring", region: "eu-west-1", v4: v4.NewSigner(), keys: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "k"}, nil
	})}
	s.skew.Store(int64(time.Until(at)))
	if err := s.sign(r.Context(), again, body); err != nil {
		c.t.Error(err)
	}
	if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want && again.Header.Get("X-Amz-Date") == r.Header.Get("X-Amz-Date") {
		return answer(http.StatusForbidden, "SignatureDoesNotMatch")
	}
	c.came++
	return answer(http.StatusOK, "")
}

func TestOTLPToCloudWatchIsSigned(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		at := &cloudWatchOTLP{t: t, ahead: ahead}
		o := DefaultOTLP()
		o.URL = "https://monitoring.eu-west-1.amazonaws.com/v1/metrics"
		o.SigV4 = SigV4{Enabled: true, AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.New("k")}
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		sink, err := NewOTLP(o, Env{Node: "n", HTTP: at})
		if err != nil {
			t.Fatal(err)
		}
		var b metric.Batch
		b.Time = time.Now()
		b.Add(&metric.Desc{Name: "x"}, 1)
		err = sink.Write(t.Context(), b.Samples)
		if (err == nil) != (ahead == 0) || IsPermanent(err) {
			t.Errorf("clock %v ahead: %v; want it refused at first, and not for ever", ahead, err)
		}
		if err = sink.Write(t.Context(), b.Samples); err != nil {
			t.Errorf("clock %v ahead, again: %v; want the service's clock learnt", ahead, err)
		}
	}
}

func TestSigV4Settings(t *testing.T) {
	url := "https://monitoring.eu-west-1.amazonaws.com/v1/metrics"
	for name, tc := range map[string]struct {
		url  string
		s    SigV4
		want string
	}{
		"off":             {"http://h/", SigV4{}, ""},
		"CloudWatch":      {url, SigV4{Enabled: true}, ""},
		"Prometheus":      {"https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write", SigV4{Enabled: true}, ""},
		"said":            {"http://h/", SigV4{Enabled: true, Service: "aps", Region: "eu-west-1"}, ""},
		"elsewhere":       {"http://h/", SigV4{Enabled: true}, "sigv4.service"},
		"half a key":      {url, SigV4{Enabled: true, AccessKeyID: "A"}, "want secret_access_key"},
		"id without role": {url, SigV4{Enabled: true, ExternalID: "x"}, "want role_arn"},
		"not switched on": {url, SigV4{Region: "eu-west-1"}, "want enabled: true"},
	} {
		err := HTTPOptions{URL: tc.url, SigV4: tc.s}.Validate()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
	if service, region := (SigV4{}).place("https://aps-workspaces.us-east-1.amazonaws.com/x"); service+" "+region != "aps us-east-1" {
		t.Errorf("signed for %s in %s", service, region)
	}
}
