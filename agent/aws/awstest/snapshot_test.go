package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// The files *.snap are the wire bytes by which AWS tests its own SDK for Go (aws-sdk-go-v2, service/cloudwatch v1.75.4 and service/sqs
// v1.52.9, Apache License 2.0); error.*.cbor are derived from the API's reference.

// recorded is the head and body of a snapshot.
func recorded(t *testing.T, name string) (head string, body []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	// A request has a blank line after its first one, too.
	parts := bytes.SplitN(data, []byte("\n\n"), 3)
	if strings.HasPrefix(string(data), "POST ") {
		return string(parts[0]) + "\n" + string(parts[1]), parts[2]
	}
	return string(parts[0]), bytes.Join(parts[1:], []byte("\n\n"))
}

// kinds are what each place of a value holds, by its path; of a list all elements together.
func kinds(v any, path string, into map[string]string) {
	switch v := v.(type) {
	case cbor.Map:
		for k, e := range v {
			kinds(e, path+"."+k, into)
		}
		into[path] = "map"
	case cbor.List:
		for _, e := range v {
			kinds(e, path+"[]", into)
		}
		into[path] = "list"
	case cbor.String:
		into[path] = "text"
	case cbor.Bool:
		into[path] = "bool"
	case *cbor.Tag:
		into[path] = fmt.Sprint("tag ", v.ID)
	default:
		if _, err := cbor.AsFloat64(v.(cbor.Value)); err == nil {
			into[path] = "number"
		}
	}
}

// ask sends a body as the SDK would, in CBOR.
func ask(t *testing.T, a *AWS, op string, in cbor.Value) (int, http.Header, cbor.Value) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, a.URL+cloudWatchPath+op, bytes.NewReader(cbor.Encode(in)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x")
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) == 0 {
		return resp.StatusCode, resp.Header, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		t.Fatalf("%s: %v: %q", op, err, body)
	}
	return resp.StatusCode, resp.Header, v
}

// laid is a fake with one of everything, on two pages.
func laid(t *testing.T) *AWS {
	t.Helper()
	a := New()
	t.Cleanup(a.Close)
	for _, name := range []string{"m", "n"} {
		a.Lay(Metric{Namespace: "N", Name: name, Dimensions: map[string]string{"D": "v"}, At: func(string, time.Time) (float64, bool) { return 1.5, true }})
	}
	a.Page(1)
	a.Set("one", "ALARM", time.Now(), Contributor{"c1", map[string]string{"k": "v"}, time.Now()}, Contributor{"c2", map[string]string{"k": "w"}, time.Now()})
	a.Own("two", "owner", "x")
	a.Silence("theirs", true, "one")
	a.Silence("theirs as well", true, "two")
	return a
}

// What the fake answers has the shapes of what AWS answers, and nothing that AWS does not have.
func TestAnswersHaveTheShapesOfAWS(t *testing.T) {
	now := float64(time.Now().Unix())
	stat := cbor.Map{"Metric": cbor.Map{"Namespace": cbor.String("N"), "MetricName": cbor.String("m"), "Dimensions": cbor.List{cbor.Map{"Name": cbor.String("D"), "Value": cbor.String("v")}}}, "Period": cbor.Uint(60), "Stat": cbor.String("Sum")}
	query := func(id string) cbor.Value { return cbor.Map{"Id": cbor.String(id), "MetricStat": stat} }
	put := cbor.Map{
		"AlarmName": cbor.String("p"), "MetricName": cbor.String("m"), "Namespace": cbor.String("N"), "Statistic": cbor.String("Maximum"), "ComparisonOperator": cbor.String("GreaterThanThreshold"),
		"Threshold": cbor.Float64(1), "Period": cbor.Uint(60), "EvaluationPeriods": cbor.Uint(3), "Dimensions": cbor.List{cbor.Map{"Name": cbor.String("D"), "Value": cbor.String("v")}},
	}
	mute := cbor.Map{
		"Name": cbor.String("r"), "Rule": cbor.Map{"Schedule": cbor.Map{"Expression": cbor.String(time.Now().UTC().Add(time.Hour).Format("at(2006-01-02T15:04)")), "Duration": cbor.String("PT90M"), "Timezone": cbor.String("UTC")}},
		"MuteTargets": cbor.Map{"AlarmNames": cbor.List{cbor.String("one")}}, "Tags": cbor.List{cbor.Map{"Key": cbor.String("owner"), "Value": cbor.String("x")}},
	}
	a := laid(t)
	for op, in := range map[string]cbor.Map{
		"PutMetricAlarm": put, "DeleteAlarms": {"AlarmNames": cbor.List{cbor.String("none")}}, "PutAlarmMuteRule": mute, "DeleteAlarmMuteRule": {"AlarmMuteRuleName": cbor.String("none")},
	} {
		if status, header, v := ask(t, a, op, in); status != 200 || v != nil || header.Get("Content-Type") != "" {
			t.Fatalf("%s: %d %v; want nothing, as AWS has it", op, status, v)
		}
		if _, body := recorded(t, op+".response.snap"); len(body) > 0 {
			t.Errorf("%s: AWS answers %q", op, body)
		}
	}
	for op, in := range map[string]cbor.Map{
		"ListMetrics":               {"Namespace": cbor.String("N"), "RecentlyActive": cbor.String("PT3H")},
		"GetMetricData":             {"StartTime": &cbor.Tag{ID: 1, Value: cbor.Float64(now - 600)}, "EndTime": &cbor.Tag{ID: 1, Value: cbor.Float64(now)}, "MetricDataQueries": cbor.List{query("q0"), query("q1")}},
		"DescribeAlarms":            {"AlarmTypes": cbor.List{cbor.String("MetricAlarm"), cbor.String("CompositeAlarm")}, "AlarmNames": cbor.List{cbor.String("p"), cbor.String("one")}},
		"DescribeAlarmContributors": {"AlarmName": cbor.String("one")},
		"ListTagsForResource":       {"ResourceARN": cbor.String(arn("two"))},
		"ListAlarmMuteRules":        {"Statuses": cbor.List{cbor.String("ACTIVE")}, "MaxRecords": cbor.Uint(50)},
		"GetAlarmMuteRule":          {"AlarmMuteRuleName": cbor.String("theirs")},
	} {
		head, body := recorded(t, op+".response.snap")
		want := map[string]string{}
		v, err := cbor.Decode(body)
		if err != nil {
			t.Fatalf("%s: %v in %q", op, err, head)
		}
		kinds(v, "", want)
		asked := map[string]string{}
		_, body = recorded(t, op+".request.snap")
		if v, err = cbor.Decode(body); err != nil {
			t.Fatal(op, err)
		}
		kinds(v, "", asked)
		ours := map[string]string{}
		kinds(in, "", ours)
		for path, kind := range ours {
			if asked[path] != kind {
				t.Errorf("%s asks with %s as %s; AWS has %q there", op, path, kind, asked[path])
			}
		}
		for more := true; more; {
			status, header, v := ask(t, a, op, in)
			if status != 200 || header.Get("Smithy-Protocol") != "rpc-v2-cbor" || header.Get("Content-Type") != "application/cbor" {
				t.Fatalf("%s: %d, %v: %v", op, status, header, v)
			}
			got := map[string]string{}
			kinds(v, "", got)
			for path, kind := range got {
				if strings.Contains(path, "EvaluationCriteria") || strings.Contains(path, "ContributorAttributes.") { // a union of several, and keys of anybody
					continue
				}
				if want[path] != kind {
					t.Errorf("%s answers %s as %s; AWS has %q there", op, path, kind, want[path])
				}
			}
			next, has := v.(cbor.Map)["NextToken"]
			if more = has; has {
				in["NextToken"] = next
			}
		}
	}
}

// Errors have the type, the status, the key of the message and the header that AWS gives them; a token that it did not give is one.
func TestErrorsHaveTheShapesOfAWS(t *testing.T) {
	for code, tc := range map[string]struct{ file, kind string }{
		"LimitExceeded": {"LimitExceededFault.error.snap", "Sender"}, "InternalServiceError": {"InternalServiceFault.error.snap", "Receiver"},
		"InvalidParameterValue": {"InvalidParameterValueException.error.snap", "Sender"}, "MissingRequiredParameter": {"MissingRequiredParameterException.error.snap", "Sender"},
		"InvalidNextToken": {"InvalidNextToken.error.snap", "Sender"}, "Throttling": {"error.throttling.400.cbor", "Sender"},
	} {
		status, body := 400, []byte(nil)
		if strings.HasSuffix(tc.file, ".snap") {
			head, b := recorded(t, tc.file)
			if body = b; strings.HasPrefix(head, "500") {
				status = 500
			}
		} else {
			b, err := os.ReadFile(filepath.Join("testdata", tc.file))
			if err != nil {
				t.Fatal(err)
			}
			body = b
		}
		v, err := cbor.Decode(body)
		if err != nil {
			t.Fatal(code, err)
		}
		want := map[string]string{}
		kinds(v, "", want)
		name := strings.TrimPrefix(string(v.(cbor.Map)["__type"].(cbor.String)), "com.amazonaws.cloudwatch#")
		a := laid(t)
		a.Fail(Fault{Action: "ListMetrics", Status: status, Code: code})
		got, header, answer := ask(t, a, "ListMetrics", cbor.Map{})
		have := map[string]string{}
		kinds(answer, "", have)
		if got != status || fmt.Sprint(have) != fmt.Sprint(want) || string(answer.(cbor.Map)["__type"].(cbor.String)) != "com.amazonaws.cloudwatch#"+name || header.Get("X-Amzn-Query-Error") != code+";"+tc.kind {
			t.Errorf("%s: %d %v %v; want %d %v %s", code, got, answer, header, status, want, name)
		}
	}
	if status, header, v := ask(t, laid(t), "ListMetrics", cbor.Map{"NextToken": cbor.String("made up")}); status != 400 || !strings.HasPrefix(header.Get("X-Amzn-Query-Error"), "InvalidNextToken") {
		t.Errorf("a token that nobody gave: %d, %v", status, v)
	}
}

// SQS speaks JSON, and the same operations of CloudWatch do.
func TestJSON(t *testing.T) {
	a := laid(t)
	a.Queue("q")
	a.Send("q", "x")
	post := func(target, body string) (int, map[string]any) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, a.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var out map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(target, err)
		}
		return resp.StatusCode, out
	}
	if status, out := post("GraniteServiceVersion20100801.ListMetrics", `{"Namespace":"N"}`); status != 200 || len(out["Metrics"].([]any)) != 1 || out["NextToken"] == nil {
		t.Errorf("ListMetrics in JSON: %d %v", status, out)
	}
	for _, op := range []string{"GetQueueUrl", "GetQueueAttributes", "DeleteMessageBatch"} {
		_, body := recorded(t, "sqs."+op+".response.snap")
		var want map[string]any
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(op, err)
		}
		in := map[string]string{
			"GetQueueUrl": `{"QueueName":"q"}`, "GetQueueAttributes": `{"QueueUrl":"http://h/1/q","AttributeNames":["All"]}`,
			"DeleteMessageBatch": `{"QueueUrl":"http://h/1/q","Entries":[{"Id":"0","ReceiptHandle":"q-1/1"},{"Id":"1","ReceiptHandle":"forged"}]}`,
		}[op]
		status, got := post("AmazonSQS."+op, in)
		for k, v := range got {
			if fmt.Sprintf("%T", v) != fmt.Sprintf("%T", want[k]) {
				t.Errorf("%s: %d: %s is %T; AWS has %T", op, status, k, v, want[k])
			}
			list, _ := v.([]any)
			theirs, _ := want[k].([]any)
			for i := range list {
				for field := range list[i].(map[string]any) {
					if _, ok := theirs[0].(map[string]any)[field]; !ok {
						t.Errorf("%s: %s has %s, and AWS has not", op, k, field)
					}
				}
			}
		}
	}
	_, body := recorded(t, "sqs.QueueDoesNotExist.error.snap")
	if status, got := post("AmazonSQS.ReceiveMessage", `{"QueueUrl":"http://h/1/none"}`); status != 400 || got["__type"] != "com.amazonaws.sqs#QueueDoesNotExist" || !bytes.Contains(body, []byte("QueueDoesNotExist")) {
		t.Errorf("no queue: %d %v", status, got)
	}
}
