package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// ofOthers builds a program that .ci/dev.mod pins, which is none of go.mod's, and runs it with env until the test ends.
func ofOthers(t *testing.T, pkg string, env []string, args ...string) {
	t.Helper()
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("programs of others are started only where BINNACLE_REAL is set")
	}
	path := filepath.Join(t.TempDir(), "standin")
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=.ci/dev.mod", "-tags=kumo", "-o", path, pkg)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), env...)
	if _, err := cmd.StdinPipe(); err != nil { // it lives as long as this is open
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%.8000s", pkg, log.String())
		}
	})
}

// kumo is the emulator, and what the template made in it.
type kumo struct {
	t     *testing.T
	url   string
	names map[string]string // Ref and Fn::GetAtt of the template's resources
}

func startKumo(t *testing.T) *kumo {
	t.Helper()
	host, port, err := net.SplitHostPort(testport.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	ofOthers(t, "./.ci/kumo", []string{"KUMO_HOST=" + host, "KUMO_PORT=" + port})
	k := &kumo{t: t, url: "http://" + net.JoinHostPort(host, port), names: map[string]string{}}
	untilAWS(t, "kumo listens", func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, func() any { return k.url })
	return k
}

// post sends one call as its service's clients do.
func (k *kumo) post(service, kind, target, body string) string {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), http.MethodPost, k.url+"/", strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261130/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=00")
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		k.t.Fatalf("%s %s: %s, %v: %s", service, target+body, resp.Status, err, data)
	}
	return string(data)
}

// json calls an operation of a service that speaks JSON, and returns one field of its answer.
func (k *kumo) json(service, target string, in map[string]any, field string) string {
	k.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		k.t.Fatal(err)
	}
	version := "1.1"
	if service == "sqs" || service == "monitoring" {
		version = "1.0"
	}
	out := map[string]any{}
	if answer := k.post(service, "application/x-amz-json-"+version, target, string(body)); answer != "" {
		if err := json.Unmarshal([]byte(answer), &out); err != nil {
			k.t.Fatalf("%s: %v: %s", target, err, answer)
		}
	}
	text, _ := out[field].(string)
	return text
}

// query calls an operation of a service that speaks the Query protocol.
func (k *kumo) query(service, version, action string, fields ...string) string {
	k.t.Helper()
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return k.post(service, "application/x-www-form-urlencoded", "", form.Encode())
}

// set puts an alarm of CloudWatch into a state.
func (k *kumo) set(name, state string) {
	k.t.Helper()
	k.query("monitoring", "2010-08-01", "SetAlarmState", "AlarmName", name, "StateValue", state, "StateReason", "a test says so")
}

// put makes an alarm of CloudWatch. Its actions go to a topic, if there is one.
func (k *kumo) put(name, topic string, fields ...string) {
	k.t.Helper()
	fields = append(fields, "AlarmName", name, "Statistic", "Maximum", "Period", "60", "EvaluationPeriods", "1", "Threshold", "1",
		"ComparisonOperator", "GreaterThanThreshold", "ActionsEnabled", "true")
	if topic != "" {
		fields = append(fields, "AlarmActions.member.1", topic, "OKActions.member.1", topic)
	}
	k.query("monitoring", "2010-08-01", "PutMetricAlarm", fields...)
}

// left is how many messages of a queue are not deleted yet.
func (k *kumo) left(queue string) string {
	k.t.Helper()
	out := k.post("sqs", "application/x-amz-json-1.0", "AmazonSQS.GetQueueAttributes", `{"QueueUrl":"`+queue+`","AttributeNames":["All"]}`)
	var w struct{ Attributes map[string]string }
	if err := json.Unmarshal([]byte(out), &w); err != nil {
		k.t.Fatal(err)
	}
	return w.Attributes["ApproximateNumberOfMessages"] + "+" + w.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

// resolve puts the names of resources where a template refers to them.
func (k *kumo) resolve(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			return k.names[ref]
		}
		if get, ok := v["Fn::GetAtt"].([]any); ok {
			return k.names[fmt.Sprint(get[0], ".", get[1])]
		}
		if sub, ok := v["Fn::Sub"].(string); ok {
			return strings.NewReplacer("${AWS::Partition}", "aws", "${AWS::AccountId}", "000000000000", "${AWS::Region}", "us-east-1").Replace(sub)
		}
		out := map[string]any{}
		for key, one := range v {
			out[key] = k.resolve(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = k.resolve(v[i])
		}
		return out
	}
	return v
}

// template makes the stack of our template. kumo's CloudFormation reads it and makes none of its resources, so each is made by its
// own service, from the template's own properties.
func (k *kumo) template() {
	k.t.Helper()
	text, err := os.ReadFile("../packaging/aws/binnacle.template.json")
	if err != nil {
		k.t.Fatal(err)
	}
	var tpl struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal(text, &tpl); err != nil {
		k.t.Fatal(err)
	}
	k.query("cloudformation", "2010-05-15", "ValidateTemplate", "TemplateBody", string(text))
	k.query("cloudformation", "2010-05-15", "CreateStack", "StackName", "binnacle", "TemplateBody", string(text), "Capabilities.member.1", "CAPABILITY_IAM")
	listed := k.query("cloudformation", "2010-05-15", "DescribeStackResources", "StackName", "binnacle")
	for _, kind := range []string{"AWS::SQS::Queue", "AWS::Events::Rule", "AWS::SQS::QueuePolicy"} {
		for _, id := range slices.Sorted(maps.Keys(tpl.Resources)) {
			r := tpl.Resources[id]
			if !strings.Contains(listed, "<LogicalResourceId>"+id+"</LogicalResourceId>") {
				k.t.Errorf("the stack has no %s: %s", id, listed)
			}
			if r.Type == kind {
				k.make(id, kind, k.resolve(r.Properties).(map[string]any))
			}
		}
	}
}

// make makes one resource of the template.
func (k *kumo) make(id, kind string, p map[string]any) {
	k.t.Helper()
	text := func(v any) string {
		if s, ok := v.(string); ok {
			return s
		}
		b, err := json.Marshal(v)
		if err != nil {
			k.t.Fatal(err)
		}
		return string(b)
	}
	switch kind {
	case "AWS::SQS::Queue":
		attributes := map[string]string{}
		for name, v := range p {
			attributes[name] = text(v)
		}
		k.names[id] = k.json("sqs", "AmazonSQS.CreateQueue", map[string]any{"QueueName": strings.ToLower(id), "Attributes": attributes}, "QueueUrl")
		k.names[id+".Arn"] = "arn:aws:sqs:us-east-1:000000000000:" + strings.ToLower(id)
	case "AWS::Events::Rule":
		k.names[id+".Arn"] = k.json("events", "AWSEvents.PutRule", map[string]any{"Name": id, "EventPattern": text(p["EventPattern"]), "State": "ENABLED"}, "RuleArn")
		k.json("events", "AWSEvents.PutTargets", map[string]any{"Rule": id, "Targets": p["Targets"]}, "")
	case "AWS::SQS::QueuePolicy":
		for _, queue := range p["Queues"].([]any) {
			k.json("sqs", "AmazonSQS.SetQueueAttributes", map[string]any{"QueueUrl": queue, "Attributes": map[string]string{"Policy": text(p["PolicyDocument"])}}, "")
		}
	}
}

// contributor sends EventBridge what CloudWatch says of one contributor to an alarm.
func (k *kumo) contributor(arn, id, state string) {
	k.t.Helper()
	detail := fmt.Sprintf(`{"alarmName":"many","alarmContributor":{"id":%q,"attributes":{"Team":%q}},"state":{"value":%q,"reason":"Threshold Crossed","timestamp":%q},"configuration":{"metrics":[{"id":"q","expression":"SELECT MAX(Load) FROM \"NavCloud/Load\" GROUP BY Team","returnData":true,"period":60}]}}`,
		id, id, state, time.Now().UTC().Format("2006-01-02T15:04:05.000-0700"))
	k.json("events", "AWSEvents.PutEvents", map[string]any{"Entries": []map[string]any{
		{"Source": "aws.cloudwatch", "DetailType": "CloudWatch Alarm Contributor State Change", "Resources": []string{arn}, "Detail": detail},
		{"Source": "aws.cloudwatch", "DetailType": "Something Else", "Detail": "{}"}, // no rule of ours lets it through
	}}, "")
}

var arnOfTopic = regexp.MustCompile(`arn:aws:sns:[^<]+`)

// TestRealStandInsOfAWS runs the agent against two stand-ins that nobody here wrote: the template in kumo, an alarm from SetAlarmState
// to the page with the default waits, contributors, a restart in between, and a spot notice of Amazon's own metadata mock.
func TestRealStandInsOfAWS(t *testing.T) {
	k, pd := startKumo(t), alertingtest.NewPagerDuty()
	defer pd.Close()
	t.Setenv("AWS_ENDPOINT_URL_AUTO_SCALING", asAWS(t).URL) // which kumo has none of
	k.template()
	queue := k.names["Notices"]
	topic := arnOfTopic.FindString(k.query("sns", "2010-03-31", "CreateTopic", "Name", "alarms"))
	k.query("sns", "2010-03-31", "Subscribe", "TopicArn", topic, "Protocol", "sqs", "Endpoint", k.names["Notices.Arn"])
	k.put("orders-stuck", topic, "Namespace", "Orders", "MetricName", "age")
	k.put("while-away", topic, "Namespace", "AWS/ELB", "MetricName", "HTTPCode_Backend_5XX", "Dimensions.member.1.Name", "LoadBalancerName", "Dimensions.member.1.Value", "www")
	k.put("many", "", "Namespace", "NavCloud/Load", "MetricName", "Load") // its contributors say so themselves
	data := t.TempDir()
	start := func() (*Agent, func()) {
		return run(t, parsed(t, "data: %s\nlisten: %s\ncollect: off\nrules: off\nstore: off\nroute: {pagerduty: {routing_key: 0123456789abcdef0123456789abcdef, events_url: '%s'}, order: {start: {listen_resolve: 2s}, resolve: {quiet: 1s, after_cause: 1s}}}\naws: {region: us-east-1, endpoint: '%s'}\nintake: {aws: {queue: '%s'}}\n",
			data, testport.Free(t), pd.URL(), k.url, queue))
	}
	var a *Agent
	until := func(what string, is func() bool) {
		t.Helper()
		untilAWS(t, what, is, func() any {
			var text strings.Builder
			a.Status().Write(&text)
			return fmt.Sprintf("%+v\nqueue %s\n%s", pd.Incidents(), k.left(queue), &text)
		})
	}
	firing := func(n int) func() bool { return func() bool { return a.route.dispatch.View().Firing == n } }

	a, end := start()
	until("the alarms were asked for", func() bool { return !a.Status().Route.AWS.Reconciled.IsZero() })
	begun := time.Now()
	k.set("orders-stuck", "ALARM")
	until("it pages", func() bool { return len(pd.Pages()) == 1 })
	t.Logf("from SetAlarmState to the page: %v; 30s are promised", time.Since(begun))
	arn := "arn:aws:cloudwatch:us-east-1:000000000000:alarm:many"
	k.set("many", "ALARM")
	k.contributor(arn, "a", "ALARM")
	k.contributor(arn, "b", "ALARM")
	until("a and b fire", firing(3))
	k.contributor(arn, "a", "OK")
	until("b alone fires", firing(2))
	until("nothing is left in the queue", func() bool { return k.left(queue) == "0+0" })
	end()

	k.set("while-away", "ALARM")
	a, end = start()
	defer end()
	until("what came while it was away fires, and b and the first still do", firing(3))
	until("the first pages no second time, and what came meanwhile pages", func() bool { return len(pd.Pages()) > 1 })
	k.set("orders-stuck", "OK")
	k.set("while-away", "OK")
	k.set("many", "OK")
	k.contributor(arn, "b", "OK")
	until("all end", firing(0))
	until("all incidents are resolved", func() bool {
		return !slices.ContainsFunc(pd.Incidents(), func(i alertingtest.Incident) bool { return i.Status != "resolved" })
	})
	keys := map[string]bool{}
	for _, p := range pd.Pages() {
		t.Logf("page: %+v", p)
		if keys[p.Key] {
			t.Errorf("%s paged twice", p.Key)
		}
		keys[p.Key] = true
	}
}

// TestRealMetadataMock: a node reads a spot notice of Amazon's own mock of the metadata service, by IMDSv2 alone.
func TestRealMetadataMock(t *testing.T) {
	host, port, err := net.SplitHostPort(testport.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	mock := "http://" + net.JoinHostPort(host, port)
	ofOthers(t, "github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock", []string{"HOME=" + t.TempDir()},
		"spot", "--hostname", host, "--port", port, "--imdsv2", "--mock-delay-sec", "10")
	untilAWS(t, "the mock listens", func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, func() any { return mock })
	cfg := parsed(t, "data: %s\nlisten: %s\nnode: {name: here}\ncollect: off\nrules: off\nstore: off\nroute: {mode: shadow}\n", t.TempDir(), testport.Free(t))
	a, end := run(t, cfg, func(a *Agent) { a.where = whereabouts{root: onEC2(t, "Amazon EC2"), metadata: mock} })
	defer end()
	say := func() any { return a.Status().Leaving }
	untilAWS(t, "it knows its instance", func() bool { return a.instanceID() != "" }, say)
	there := func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, mock+"/latest/api/token", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", "60")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		token, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, mock+"/latest/meta-data/spot/instance-action", http.NoBody); err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-aws-ec2-metadata-token", string(token))
		if resp, err = http.DefaultClient.Do(req); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	untilAWS(t, "the mock has a notice", there, say)
	begun := time.Now()
	untilAWS(t, "it says that it leaves", func() bool { return strings.Contains(a.Status().Leaving, "AWS takes the spot instance back") }, say)
	t.Logf("from the notice to leaving: %v; 10s are promised; it says %q", time.Since(begun), a.Status().Leaving)
	untilAWS(t, "its alarm is with the router", func() bool { return len(a.route.leaving()) > 0 }, say)
	g, _, err := a.graph(t.Context(), new(fileGraph))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := g.Place(map[string]string{alerting.LabelEntity: "host:here"}); !ok || e.Excused == "" {
		t.Errorf("the host is %+v, %v; want it excused", e, ok)
	}
}
