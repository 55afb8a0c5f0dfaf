package aws

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// world answers the questions of an Account by what they ask for.
type world struct {
	t     *testing.T
	asked []*http.Request
	body  []string
	do    func(r *http.Request, body string) (status int, contentType string, answer []byte)
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}
	w.asked, w.body = append(w.asked, r), append(w.body, body)
	status, kind, answer := w.do(r, body)
	h := http.Header{"Content-Type": {kind}}
	if strings.Contains(kind, "cbor") {
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
}

func alone(t *testing.T) {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"), "AWS_PROFILE": "",
	} {
		t.Setenv(k, v)
	}
}

func open(t *testing.T, c Config, do func(*http.Request, string) (int, string, []byte)) (*Account, *world) {
	t.Helper()
	alone(t)
	w := &world{t: t, do: do}
	a, err := Open(t.Context(), c, Options{Region: "us-east-1", HTTP: w})
	if err != nil {
		t.Fatal(err)
	}
	return a, w
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConfig(t *testing.T) {
	role := "arn:aws:iam::123456789012:role/watch/binnacle"
	for name, tc := range map[string]struct {
		c    Config
		want string
	}{
		"defaults":           {Default(), ""},
		"all":                {Config{Region: "eu-west-1", Profile: "ops", RoleARN: role, ExternalID: "x-1", FIPS: true, DualStack: true, Budget: 20}, ""},
		"of China":           {Config{Region: "cn-north-1", RoleARN: strings.Replace(role, "arn:aws:", "arn:aws-cn:", 1)}, ""},
		"a zone":             {Config{Region: "eu-west-1a"}, "region:"},
		"a user":             {Config{RoleARN: "arn:aws:iam::123456789012:user/x"}, "role_arn:"},
		"an id without role": {Config{ExternalID: "x-1"}, "want role_arn with it"},
		"a bad id":           {Config{RoleARN: role, ExternalID: "x y"}, "external_id:"},
		"a password":         {Config{Endpoint: "http://u:secret@h/"}, "no name and password"},
		"no address":         {Config{Endpoint: "localhost:4566"}, "endpoint:"},
		"two wishes":         {Config{Endpoint: "http://h:1", FIPS: true}, "fips and dual_stack cannot"},
		"a debt":             {Config{Budget: -1}, "budget:"},
		"blanks":             {Config{Profile: " ops"}, "blanks"},
	} {
		err := tc.c.Validate()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows a password", name)
		}
	}
	for url, want := range map[string]string{
		"https://sqs.eu-west-1.amazonaws.com/1/q": "eu-west-1", "https://sqs-fips.us-gov-west-1.amazonaws.com/1/q": "us-gov-west-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/1/q": "cn-north-1", "https://eu-west-2.queue.amazonaws.com/1/q": "eu-west-2", "http://127.0.0.1:1/1/q": "",
	} {
		if got := RegionOf(url); got != want {
			t.Errorf("region of %s is %q; want %q", url, got, want)
		}
	}
}

// Where nobody says a region there is none; the environment's services rule over the section.
func TestOpen(t *testing.T) {
	alone(t)
	if _, err := Open(t.Context(), Default(), Options{}); !errors.Is(err, ErrNoRegion) {
		t.Errorf("no region: %v; want ErrNoRegion", err)
	}
	t.Setenv("AWS_ENDPOINT_URL_SQS", "http://queues.test:1")
	w := &world{t: t, do: func(*http.Request, string) (int, string, []byte) {
		return 200, "application/x-amz-json-1.0", []byte(`{}`)
	}}
	a, err := Open(t.Context(), Config{Region: "eu-west-1", Endpoint: "http://all.test:2", Budget: 1}, Options{HTTP: w})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Receive(t.Context(), "https://sqs.eu-west-1.amazonaws.com/1/q"); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Groups(t.Context())
	if got := w.asked[0].URL.Host + " " + w.asked[1].URL.Host; got != "queues.test:1 all.test:2" {
		t.Errorf("asked %s; want the environment's for SQS, and the section's for the rest", got)
	}
}

func TestRoleIsAssumed(t *testing.T) {
	a, w := open(t, Config{RoleARN: "arn:aws:iam::123456789012:role/r", ExternalID: "e-1", Budget: 1}, func(r *http.Request, _ string) (int, string, []byte) {
		if strings.HasPrefix(r.URL.Host, "sts.") {
			return 200, "text/xml", []byte(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>tok</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
		}
		return 200, "application/x-amz-json-1.0", []byte(`{}`)
	})
	if _, err := a.Receive(t.Context(), "https://sqs.us-east-1.amazonaws.com/1/q"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.body[0], "ExternalId=e-1") || !strings.Contains(w.asked[1].Header.Get("Authorization"), "AKIDROLE") {
		t.Errorf("asked %q, then as %q; want the role with its external ID, and its key", w.body[0], w.asked[1].Header.Get("Authorization"))
	}
}

func TestQueue(t *testing.T) {
	a, w := open(t, Config{Budget: 1}, func(r *http.Request, _ string) (int, string, []byte) {
		switch target := r.Header.Get("X-Amz-Target"); target {
		case "AmazonSQS.ReceiveMessage":
			return 200, "application/x-amz-json-1.0", []byte(`{"Messages":[{"MessageId":"m","ReceiptHandle":"h","Body":"b","MD5OfBody":"92eb5ffee6ae2fec3ad71c777531578f","Attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1796032800123"}}]}`)
		case "AmazonSQS.GetQueueAttributes":
			return 200, "application/x-amz-json-1.0", []byte(`{"Attributes":{"ApproximateNumberOfMessages":"12","ApproximateNumberOfMessagesNotVisible":"3","ApproximateNumberOfMessagesDelayed":"0"}}`)
		default:
			return 200, "application/x-amz-json-1.0", []byte(`{"Failed":[{"Id":"0","Code":"ReceiptHandleIsInvalid","Message":"too late","SenderFault":true}],"Successful":[]}`)
		}
	})
	const queue = "https://sqs.us-east-1.amazonaws.com/1/q"
	ms, err := a.Receive(t.Context(), queue)
	if err != nil || len(ms) != 1 || ms[0].Received != 3 || ms[0].Sent.UnixMilli() != 1796032800123 || ms[0].Body != "b" {
		t.Fatalf("received %+v, %v", ms, err)
	}
	if !strings.Contains(w.body[0], `"WaitTimeSeconds":20`) || !strings.Contains(w.body[0], `"VisibilityTimeout":60`) {
		t.Errorf("asked %s; want a wait of 20 s, and a minute hidden", w.body[0])
	}
	if err := a.Delete(t.Context(), queue, ms); err == nil || !strings.Contains(err.Error(), "ReceiptHandleIsInvalid") {
		t.Errorf("deleted: %v; want what was not", err)
	}
	if w, err := a.Waiting(t.Context(), queue); w.Visible != 12 || err != nil {
		t.Errorf("%+v wait, %v; want 12", w, err)
	}
}

func TestAlarms(t *testing.T) {
	a, _ := open(t, Config{Budget: 1}, func(*http.Request, string) (int, string, []byte) {
		return 200, "application/cbor", file(t, "describe-alarms.response.cbor")
	})
	list, err := a.Alarms(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("%d alarms, %v", len(list), err)
	}
	for _, x := range list {
		if x.Suppressed == "Alarm" {
			continue // the fixture says no more of it
		}
		if x.Name == "" || !strings.HasPrefix(x.ARN, "arn:aws:cloudwatch:") || x.Changed.IsZero() || x.State != "ALARM" || x.Metrics[0].Dimensions[0] != (Dimension{"InstanceId", "i-0a1b2c3d4e5f60001"}) {
			t.Errorf("alarm %+v; want the fixture's", x)
		}
	}
	if a.Spent() != 2*priceAlarms {
		t.Errorf("it cost %v; want two questions: alarms, and what mutes them", a.Spent())
	}
}

// A right that lacks is named, and throttling is retried.
func TestFaults(t *testing.T) {
	a, _ := open(t, Config{Budget: 1}, func(*http.Request, string) (int, string, []byte) {
		return 403, "text/xml", []byte(`<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
	})
	if _, err := a.Groups(t.Context()); err == nil || !Denied(err) || !strings.Contains(err.Error(), "lacks the right autoscaling:DescribeAutoScalingGroups") {
		t.Errorf("%v; want the right that lacks", err)
	}
	tries := 0
	a, _ = open(t, Config{Budget: 1}, func(*http.Request, string) (int, string, []byte) {
		if tries++; tries == 1 {
			return 400, "text/xml", file(t, "error.throttling.400.xml")
		}
		return 200, "text/xml", file(t, "describe-auto-scaling-groups.in-service.xml")
	})
	groups, err := a.Groups(t.Context())
	if err != nil || len(groups) != 1 || groups[0].Desired != 4 || len(groups[0].Members) != 4 || groups[0].Stack == "" || !groups[0].Members[0].Healthy {
		t.Errorf("groups %+v, %v; want one of 4", groups, err)
	}
}

func TestBudget(t *testing.T) {
	a, _ := open(t, Config{Budget: 0}, func(*http.Request, string) (int, string, []byte) {
		return 200, "application/x-amz-json-1.0", []byte(`{}`)
	})
	if _, err := a.Alarms(t.Context()); !errors.Is(err, ErrBudget) {
		t.Errorf("alarms: %v; want ErrBudget", err)
	}
	if _, err := a.Receive(t.Context(), "https://sqs.us-east-1.amazonaws.com/1/q"); err != nil {
		t.Errorf("the queue: %v; want it read whatever it costs", err)
	}
	now := time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	m := meter{now: func() time.Time { return now }, budget: 0.00001}
	if m.may(priceAlarms, 1, false) != nil || m.may(priceAlarms, 1, false) == nil {
		t.Error("want one question in November")
	}
	now = now.Add(2 * time.Hour)
	if err := m.may(priceAlarms, 1, false); err != nil {
		t.Errorf("in December: %v; want another", err)
	}
	m.file = filepath.Join(t.TempDir(), "spent.json")
	m.keep(now)
	again := meter{now: m.now, budget: m.budget, file: m.file}
	if again.recall(); again.spent != m.spent || again.fault != nil || again.may(priceAlarms, 1, false) == nil {
		t.Errorf("after a restart %v is spent, %v; want %v, and nothing more asked", again.spent, again.fault, m.spent)
	}
	now = now.AddDate(0, 1, 0)
	if err := again.may(priceAlarms, 1, false); err != nil {
		t.Errorf("in January: %v; want another", err)
	}
	if err := os.WriteFile(m.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := meter{now: m.now, budget: 1, file: m.file}
	broken.recall()
	if broken.fault == nil || broken.may(priceAlarms, 1, false) != nil || broken.fault != nil {
		t.Errorf("a damaged file: %v; want it said until it is written anew", broken.fault)
	}
	total := 0.0
	for _, i := range Estimate(true, true, 4000) {
		total += i.Dollars
	}
	if total > 5 {
		t.Errorf("with 4000 alarms our questions cost $%.2f; want at most the default budget", total)
	}
}

// An alarm that fires bears the mute rule that keeps its actions back; a rule is asked for once for as long as it is as it was.
func TestMuteRulesInForceAreRead(t *testing.T) {
	a, fake := asked(t, Default())
	fake.Set("calm", "OK", fake.Time())
	fake.Silence("night", true, "fires")
	fake.Silence("later", false, "other")
	fires := func() map[string]string {
		t.Helper()
		list, err := a.Alarms(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, al := range list {
			if al.State == "ALARM" {
				out[al.Name] = al.MutedBy
			}
		}
		return out
	}
	if fires(); fake.Count("ListAlarmMuteRules") != 0 {
		t.Error("mute rules are asked for while nothing fires")
	}
	fake.Set("fires", "ALARM", fake.Time())
	fake.Set("other", "ALARM", fake.Time())
	for range 3 {
		if got := fires(); got["fires"] != "night" || got["other"] != "" {
			t.Errorf("muted by %v; want night for what it mutes now", got)
		}
	}
	if n := fake.Count("GetAlarmMuteRule"); n != 1 {
		t.Errorf("it was asked for %d times; want once", n)
	}
	fake.Deny("ListAlarmMuteRules", true)
	if got := fires(); len(got) != 2 || got["fires"] != "" {
		t.Errorf("without the right: %v; want both, and that nobody knows", got)
	}
}
