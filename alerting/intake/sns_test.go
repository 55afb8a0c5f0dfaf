package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

const ourTopic = "arn:aws:sns:us-east-1:123456789012:navcloud-prod-alarms"

// amazon serves the certificate that signed the fixtures and takes confirmations.
type amazon struct {
	t         *testing.T
	fetched   int
	confirmed int
}

func (a *amazon) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte("<ok/>")
	switch {
	case r.URL.Host == "sns.us-east-1.amazonaws.com" && strings.HasSuffix(r.URL.Path, ".pem"):
		a.fetched++
		var err error
		if body, err = os.ReadFile("testdata/sns/test-signing-cert.pem"); err != nil {
			a.t.Fatal(err)
		}
	case r.URL.Host == "sns.us-east-1.amazonaws.com":
		a.confirmed++
	default:
		a.t.Errorf("fetched %s", r.URL)
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(body)), Header: http.Header{}}, nil
}

func newSNS(t *testing.T, b *board, at string) (*SNS, *amazon) {
	t.Helper()
	now, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	a := &amazon{t: t}
	s := newTopics(SNSConfig{Topics: []string{ourTopic}}, &cloud{put: b.put, log: slog.New(slog.DiscardHandler), forms: map[string]*CloudForm{}}, a, slog.New(slog.DiscardHandler))
	s.now = func() time.Time { return now }
	return s, a
}

func postSNS(t *testing.T, s *SNS, name string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/sns", name))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(data)))
	return w.Code
}

func TestSNSTakesAlarmsAndRefusesAttacks(t *testing.T) {
	for name, tc := range map[string]struct {
		at     string
		status int
		inputs int
	}{
		"alarm.metric.alarm.json":                            {"2026-11-21T00:15:08Z", 200, 1},
		"alarm.elb-spillover.legacy-fields.json":             {"2026-11-21T00:16:00Z", 200, 1},
		"alarm.long-name.truncated-subject.json":             {"2026-11-21T00:16:00Z", 200, 1},
		"alarm.metric-math.alarm.json":                       {"2026-11-21T00:17:00Z", 200, 1},
		"alarm.composite.alarm.json":                         {"2026-11-21T00:16:00Z", 200, 1},
		"alarm.metric.alarm-with-tags.UNVERIFIED-SHAPE.json": {"2026-11-21T00:16:00Z", 200, 1},
		"alarm.metric.ok.sigv1.json":                         {"2026-11-21T00:23:00Z", 200, 1},
		// It did not fire before: nothing to say.
		"alarm.metric.insufficient-data.terminated-instance.json":          {"2026-11-21T00:31:00Z", 200, 0},
		"autoscaling.instance-terminate.json":                              {"2026-11-21T00:30:00Z", 200, 0},
		"autoscaling.test-notification.json":                               {"2026-11-20T09:01:00Z", 200, 0},
		"unsubscribe-confirmation.json":                                    {"2026-11-20T09:00:00Z", 200, 0},
		"attack.tampered-message.json":                                     {"2026-11-21T00:16:00Z", 403, 0},
		"attack.cert-host-suffix.json":                                     {"2026-11-21T00:16:00Z", 403, 0},
		"attack.cert-http.json":                                            {"2026-11-21T00:16:00Z", 403, 0},
		"attack.other-topic-validly-signed.json":                           {"2026-11-21T00:16:00Z", 403, 0},
		"recorded.moto-5.2.4.dev.http-notification.signature-invalid.json": {"2026-11-21T00:16:00Z", 403, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard()
			s, _ := newSNS(t, b, tc.at)
			if code := postSNS(t, s, name); code != tc.status || len(b.got) != tc.inputs {
				t.Errorf("%d, inputs %+v; want %d, %d", code, b.got, tc.status, tc.inputs)
			}
		})
	}
}

func TestSNSReadsTheAlarm(t *testing.T) {
	b := newBoard()
	s, a := newSNS(t, b, "2026-11-21T00:16:00Z")
	postSNS(t, s, "alarm.metric.alarm.json")
	f := b.got[0].(alerting.Firing).Alarm
	for name, want := range map[string]string{
		"alertname": "navcloud-prod/riak/i-0a1b2c3d4e5f60001/node-get-fsm-p95", "instance": "i-0a1b2c3d4e5f60001", "source": "cloudwatch", "severity": "critical",
	} {
		if f.Labels[name] != want {
			t.Errorf("%s = %q; want %q", name, f.Labels[name], want)
		}
	}
	if f.Annotations["summary"] != "Riak get FSM p95. Runbook: riak-slow-get" || f.StartsAt.UnixMilli() != 1795220107123 {
		t.Errorf("alarm %+v; want its description, and its start at 00:15:07.123", f)
	}
	// Told again it says nothing new, and the end ends it. The certificate was fetched once.
	postSNS(t, s, "alarm.metric.alarm.json")
	later := s.now().Add(7 * time.Minute)
	s.now = func() time.Time { return later }
	postSNS(t, s, "alarm.metric.ok.sigv1.json")
	postSNS(t, s, "alarm.metric.alarm.json") // late
	if len(b.got) != 2 || len(b.alarms) != 0 || a.fetched != 1 {
		t.Errorf("inputs %+v, %d alarms, %d fetches; want a start and an end, 0, 1", b.got, len(b.alarms), a.fetched)
	}
}

func TestSNSOldMessagesAreReplays(t *testing.T) {
	b := newBoard()
	s, _ := newSNS(t, b, "2026-11-21T02:16:00Z")
	if code := postSNS(t, s, "alarm.metric.alarm.json"); code != 403 {
		t.Errorf("a message of two hours ago: %d; want 403", code)
	}
	s, _ = newSNS(t, b, "2026-11-21T00:16:00Z")
	s.cfg.RequireV2 = true
	if code := postSNS(t, s, "alarm.metric.ok.sigv1.json"); code != 403 {
		t.Errorf("a SHA1 signature where SHA256 is required: %d; want 403", code)
	}
}

func TestSNSConfirmsOurTopicsOnly(t *testing.T) {
	for name, want := range map[string]int{
		"subscription-confirmation.json": 1, "subscription-confirmation.sigv1.json": 1, "attack.subscribe-url-host.json": 0,
	} {
		s, a := newSNS(t, newBoard(), "2026-11-20T09:00:00Z")
		if code := postSNS(t, s, name); code != 200 || a.confirmed != want {
			t.Errorf("%s: %d, %d confirmed; want 200, %d", name, code, a.confirmed, want)
		}
	}
}

// What the router had no room for counts when SNS repeats it.
func TestSNSRepeatsCountAfterAFullRouter(t *testing.T) {
	b := newBoard()
	s, _ := newSNS(t, b, "2026-11-21T00:16:00Z")
	s.cloud.put = func(context.Context, ...alerting.Input) error { return errors.New("full") }
	if code := postSNS(t, s, "alarm.metric.alarm.json"); code != http.StatusServiceUnavailable {
		t.Errorf("%d; want 503", code)
	}
	s.cloud.put = b.put
	postSNS(t, s, "alarm.metric.alarm.json")
	if len(b.alarms) != 1 {
		t.Errorf("%d alarms; want 1", len(b.alarms))
	}
}

func TestEventBridgeReadsTheSame(t *testing.T) {
	for name, want := range map[string]struct{ instance, severity, children string }{
		"alarm-state-change.metric.json":               {"i-0a1b2c3d4e5f60001", "critical", ""},
		"alarm-state-change.composite-suppressed.json": {"", "critical", ""},
		"alarm-state-change.with-tags.json":            {"i-0a1b2c3d4e5f60001", "page", ""},
	} {
		data, err := os.ReadFile(filepath.Join("testdata/eventbridge", name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := letters(data, time.Now())[0].read()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := w.alarm
		a := c.alarm()
		if a.Labels["instance"] != want.instance || a.Labels["severity"] != want.severity || c.State != "ALARM" || a.StartsAt.IsZero() {
			t.Errorf("%s: %+v; want %+v in state ALARM", name, a, want)
		}
	}
}

func TestInsufficientDataIsOutOfContactNotOver(t *testing.T) {
	var w cloudWatch
	c := cloudAlarm{Name: "n", ARN: "arn:x", State: "ALARM", Changed: time.Unix(100, 0)}
	one := func(c cloudAlarm) alerting.Input {
		in, _ := w.input(c, c.Changed)
		return in[0]
	}
	first := one(c).(alerting.Firing)
	c.State, c.Changed = "INSUFFICIENT_DATA", time.Unix(200, 0)
	lost, ok := one(c).(alerting.Firing)
	if !ok || lost.Alarm.Fingerprint() != first.Alarm.Fingerprint() || !lost.Alarm.EndsAt.Equal(c.Changed) {
		t.Errorf("input %+v; want the alarm, out of contact since 200", lost)
	}
	c.State, c.Changed, c.Tags = "OK", time.Unix(300, 0), map[string]string{"service": "new"}
	if got, want := one(c), (alerting.Ended{Fingerprint: first.Alarm.Fingerprint()}); got != want {
		t.Errorf("input %+v; want %+v", got, want)
	}
}

func FuzzCloudWatch(f *testing.F) {
	for _, glob := range []string{"testdata/sns/*.json", "testdata/eventbridge/*.json", "testdata/aws/*.json"} {
		names, _ := filepath.Glob(glob)
		for _, n := range names {
			data, _ := os.ReadFile(n)
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := letters(data, time.Unix(1e9, 0))[0].read()
		if len(w.form) > 2*maxForm+10 {
			t.Errorf("a form of %d bytes", len(w.form))
		}
		if err != nil || !w.isOne {
			return
		}
		if a := w.alarm.alarm(); len(a.Labels) > maxLabels || a.Rule() == "" || a.StartsAt.IsZero() || len(a.Labels["alarm_arn"]) > maxLabelValue {
			t.Errorf("alarm %+v; want a rule, a start and short labels", a)
		}
	})
}

// The endpoint is there where topics are configured, and nowhere else.
func TestSNSIsServed(t *testing.T) {
	for n, want := range []int{404, 403} {
		var c Config
		c.SNS.Topics = []string{ourTopic}[:n]
		b := newBoard()
		code, text := call(t, muxOf(New(Options{Put: b.put, View: b.view, Config: c})), "POST", PathSNS, `{"Type":"Notification","TopicArn":"arn:aws:sns:x:1:other"}`)
		if code != want {
			t.Errorf("%d topics: %d %s, want %d", n, code, text, want)
		}
	}
}
