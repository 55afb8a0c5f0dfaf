package agent

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/aws/awstest"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// asAWS lets the SDK sign, for a fake.
func asAWS(t *testing.T) *awstest.AWS {
	t.Helper()
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	fake := awstest.New()
	t.Cleanup(fake.Close)
	return fake
}

// What CloudWatch alone sees of a balancer is that balancer's, not the router's that asked.
func TestWhatAWSAloneSeesIsStored(t *testing.T) {
	fake := asAWS(t)
	at := func(v float64) func(string, time.Time) (float64, bool) {
		return func(string, time.Time) (float64, bool) { return v, true }
	}
	dims := map[string]string{"LoadBalancerName": "www"}
	fake.Lay(awstest.Metric{Namespace: "AWS/ELB", Name: "HealthyHostCount", Dimensions: dims, At: at(0)},
		awstest.Metric{Namespace: "AWS/ELB", Name: "UnHealthyHostCount", Dimensions: dims, At: at(3)})
	fake.Group("api", 3, awstest.Member{ID: "i-1", State: "InService"}, awstest.Member{ID: "i-2", State: "Pending"})
	data, listen := t.TempDir(), testport.Free(t)
	cfg := func(section string) Config {
		return parsed(t, "data: %s\nlisten: %s\nnode: {name: r1}\ninterval: 1s\ncollect: {aws: %s}\nrules: off\nroute: {mode: shadow}\naws: {region: eu-west-1, endpoint: '%s'}\n",
			data, listen, section, fake.URL)
	}
	a, end := run(t, cfg("off"))
	defer end()
	if err := a.Reload(t.Context(), cfg("{elb: auto, interval: 1s}"), nil); err != nil { // which needs no restart
		t.Fatal(err)
	}
	seen := func(query string) string {
		series, err := a.store.get().main.Instant(t.Context(), query, time.Now())
		if err != nil || len(series) != 1 {
			return ""
		}
		return fmt.Sprint(series[0].Labels)
	}
	var labels, status string
	for range 1200 {
		var text strings.Builder
		a.Status().Write(&text)
		labels, status = seen(`aws_elb_healthy_hosts == 0`), text.String()
		if labels != "" && seen(`aws_autoscaling_instances{state="in_service"} == 1`) != "" && strings.Contains(status, "group api wants 3, has 1, 1 starting") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !strings.Contains(labels, "www") || strings.Contains(labels, "r1") {
		t.Errorf("labels %s; want the balancer's, and not those of the router that asked", labels)
	}
	// Nobody of the group reports here; then one does, and the other is missing.
	put := func(id string) {
		b := &metric.Batch{Time: time.Now()}
		b.Add(descNodeInfo, 1, "node", "n-"+id, "instance_id", id)
		a.collect.deliverFrom("test", id, b, time.Hour)
	}
	ask := asks(a.store.get().main)
	missing := func() string {
		got, err := health.FindMissing(t.Context(), ask, time.Now())
		return fmt.Sprint(got, err)
	}
	if got := missing(); got != "[] <nil>" {
		t.Errorf("missing %s; want nobody of a group that is not ours", got)
	}
	put("i-1")
	want := "[group api lacks 2 of the instances that it wants i-2 of group api (Pending): its group api starts it] <nil>"
	untilAWS(t, "somebody is missing: "+want, func() bool { return missing() == want }, func() any { return missing() })
	page := func() string {
		resp, err := http.Get("http://" + listen + "/nodes")
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	untilAWS(t, "the page of nodes says so", func() bool {
		text := page()
		return strings.Contains(text, "group api lacks 2 of the instances that it wants") && strings.Contains(text, "i-2 of group api (Pending)")
	}, func() any { return page() })
	untilAWS(t, "what was spent is kept", func() bool {
		kept, err := os.ReadFile(filepath.Join(data, "aws-spent.json"))
		return err == nil && strings.Contains(string(kept), `"dollars":`)
	}, func() any { return data })
}

// Each right that lacks is named by check --live, and the others are found to be there.
func TestCheckLiveNamesTheRightThatLacks(t *testing.T) {
	cfg, fake := atCloudWatch(t, "scope: group")
	more := parsed(t, "collect: {aws: {elb: auto, s3_age: [{bucket: backups}]}}\nintake: {aws: {queue: '%s'}}\nroute: {mode: shadow}\n", fake.Queue("q"))
	cfg.Collect, cfg.Intake, cfg.Route = more.Collect, more.Intake, more.Route
	fake.Send("q", "x")
	fake.Store("backups", awstest.Object{Key: "x", Size: 1})
	for operation, right := range map[string]string{
		"": "", "GetQueueAttributes": "sqs:GetQueueAttributes", "DeleteMessageBatch": "sqs:DeleteMessage", "DescribeAlarms": "cloudwatch:DescribeAlarms", "ListMetrics": "cloudwatch:ListMetrics",
		"GetMetricData": "cloudwatch:GetMetricData", "DeleteAlarms": "cloudwatch:DeleteAlarms", "ListAlarmMuteRules": "cloudwatch:ListAlarmMuteRules", "ListObjectsV2": "s3:ListBucket on backups", "DescribeAutoScalingGroups": "autoscaling:DescribeAutoScalingGroups",
	} {
		fake.Deny(operation, true)
		lacks, fine := 0, 0
		for _, f := range liveAWS(t.Context(), cfg) {
			switch {
			case f.Level == pagerduty.Fine:
				fine++
			case right != "" && strings.Contains(f.Text, "the role lacks the right "+right):
				lacks++
			default:
				t.Errorf("without %q: %s", operation, f.Text)
			}
		}
		if (lacks > 0) != (right != "") || fine < 4 {
			t.Errorf("without %q: %d say what lacks, %d are fine", operation, lacks, fine)
		}
		fake.Deny(operation, false)
	}
	if fake.Left("q") != 1 || len(fake.Alarms()) != 0 {
		t.Errorf("%d messages and %d alarms are left; want the one, and none", fake.Left("q"), len(fake.Alarms()))
	}
}

// Without keys, or where the role is refused, that is said once, in place of the answer to each question.
func TestCheckLiveSaysOnceThatNobodyAsks(t *testing.T) {
	fake := asAWS(t)
	cfg := parsed(t, "aws: {region: eu-west-1, endpoint: '%s', role_arn: 'arn:aws:iam::123456789012:role/other'}\nintake: {aws: {queue: '%s'}}\nroute: {mode: shadow}\n", fake.URL, fake.Queue("q"))
	once := func(want string) {
		t.Helper()
		found := liveAWS(t.Context(), cfg)
		if len(found) != 1 || found[0].Level != pagerduty.Defeats || !strings.Contains(found[0].Text, want) {
			t.Errorf("%+v; want once %q", found, want)
		}
	}
	once("AssumeRole")
	cfg.AWS.RoleARN = ""
	for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(k, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	once("no credentials")
}
