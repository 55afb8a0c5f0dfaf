package aws

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/aws/awstest"
	"github.com/navcloud/binnacle/collectors"
)

// classic is a line of a classic balancer, alb one of an application balancer.
func classic(code, backend string) string {
	target := "10.0.0.1:80"
	if backend == "-" {
		target = "-"
	}
	return fmt.Sprintf("2026-11-30T03:05:00.123456Z www 192.168.131.39:2817 %s 0.000073 0.001048 0.000057 %s %s 0 29 \"GET http://www.example.com:80/a \\\"b\\\" HTTP/1.1\" \"curl/7.38.0\" - -\n", target, code, backend)
}

func alb(code, backend, fault, class string) string {
	return fmt.Sprintf("h2 2026-11-30T03:05:00.123456Z app/www/1 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 %s %s 34 366 \"GET https://www.example.com:443/ HTTP/2.0\" \"curl/7.46.0 (x y)\" ECDHE TLSv1.2 arn:aws:tg \"Root=1-5\" \"www\" \"arn:cert\" 0 2026-11-30T03:05:00.0Z \"forward\" \"-\" %q \"10.0.0.1:80\" \"200\" \"-\" %q TID_1\n", code, backend, fault, class)
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func TestALineOfALog(t *testing.T) {
	for name, tc := range map[string]struct{ line, code, reason string }{
		"well":                        {classic("200", "200"), "200", ""},
		"the target's own error":      {classic("500", "500"), "500", "target"},
		"nobody to ask":               {classic("503", "-"), "503", "no_target"},
		"no connection":               {classic("502", "-"), "502", "no_connection"},
		"the target's word is bad":    {alb("502", "-", "-", "-"), "502", "bad_answer"},
		"the target is slow":          {alb("504", "-", "-", "-"), "504", "target_timeout"},
		"the client went away":        {alb("460", "-", "-", "-"), "460", "client_closed"},
		"a function's fault":          {alb("502", "-", "LambdaTimeout", "-"), "502", "LambdaTimeout"},
		"a request that is no good":   {alb("400", "-", "-", "AmbiguousUri"), "400", "AmbiguousUri"},
		"a code nobody knows":         {alb("599", "-", "-", "-"), "599", "balancer"},
		"a listener without requests": {classic("-", "-"), "none", ""},
	} {
		of, ok := logLine(strings.TrimSpace(tc.line))
		if !ok || of.Code != tc.code || of.Reason != tc.reason {
			t.Errorf("%s: %+v, %v; want %s %q", name, of, ok, tc.code, tc.reason)
		}
	}
	for _, line := range []string{"good morning", "Enable AccessLog for ELB: www at 2026-11-30T03:05:00.123Z", "{}", `"`, "h2 x", "\x00", classic("abc", "200")} {
		if of, ok := logLine(line); ok {
			t.Errorf("%q is %+v; want no request", line, of)
		}
	}
}

const logFolder = "lb/AWSLogs/123456789012/elasticloadbalancing/eu-west-1/"

func logKey(day, name, end string) string {
	return logFolder + day + "/123456789012_elasticloadbalancing_eu-west-1_" + name + "_" + end + "_10.0.0.9_3xy.log"
}

// Each file counts once, whatever comes twice, late or broken, and over a restart; what was there before the first start does not.
func TestAccessLogsAreCountedOnce(t *testing.T) {
	b := newBench(t, 5, "{elb_logs: [{bucket: logs, prefix: lb}]}")
	state := t.TempDir()
	restart := func() {
		t.Helper()
		b.c.env.State, b.c.env.Now = state, func() time.Time { return b.now }
		c, err := Spec.New(b.c.env)
		if err != nil {
			t.Fatal(err)
		}
		b.c = c.(*reader)
	}
	restart()
	put := func(key, body string) { b.fake.Store("logs", awstest.Object{Key: key, At: b.now, Body: body}) }
	b.fake.Store("logs", awstest.Object{Key: logKey("2026/11/30", "www", "20261130T0100Z"), At: b.now.Add(-2 * time.Hour), Body: classic("500", "500")}, // history
		awstest.Object{Key: "lb/AWSLogs/123456789012/ELBAccessLogTestFile", At: b.now, Body: "x"})
	put(logKey("2026/11/30", "www", "20261130T0310Z"), classic("200", "200")+classic("503", "-")+"good morning\n")
	put(logKey("2026/11/30", "app.www.50dc", "20261130T0310Z")+".gz", packed(alb("502", "-", "-", "-")))
	put(logFolder+"2026/11/30/health_check_log_123456789012_elasticloadbalancing_eu-west-1_app.www.50dc_20261130T0310Z_10.0.0.9_3xy.log.gz", "no log of requests")
	b.minutes(1)
	well, none := "aws_elb_log_requests_total{balancer=\"www\",code=\"200\",reason=\"none\"}", "aws_elb_log_requests_total{balancer=\"www\",code=\"503\",reason=\"no_target\"}"
	b.want(well, "1")
	b.want(none, "1")
	b.want(`aws_elb_log_requests_total{balancer="app.www.50dc",code="502",reason="bad_answer"}`, "1")
	b.want(`aws_elb_log_requests_total{balancer="www",code="500",reason="target"}`, "-")
	b.want("aws_elb_log_skipped_total{}", "1")
	b.minutes(11)
	b.want(well, "1")
	restart()
	put(logKey("2026/11/30", "www", "20261130T0320Z"), classic("200", "200")) // while it was away
	b.minutes(6)
	b.want(well, "2")
	b.want(none, "1")
	b.want(`aws_elb_log_files_total{result="read"}`, "3")
	b.want("aws_elb_log_waiting_files{}", "0")
	// Midnight: what comes late for the day before is read, once.
	b.now = time.Date(2026, 12, 1, 0, 10, 0, 0, time.UTC)
	put(logKey("2026/11/30", "www", "20261130T2355Z"), classic("200", "200"))
	put(logKey("2026/12/01", "www", "20261201T0005Z"), classic("200", "200"))
	b.minutes(6)
	b.want(well, "4")
	// A file that is no gzip is tried, then given up and counted; the next one is read all the same.
	put(logKey("2026/12/01", "bad", "20261201T0010Z")+".gz", "no gzip")
	for range 40 {
		_ = b.minute()
	}
	put(logKey("2026/12/01", "www", "20261201T0030Z"), classic("200", "200"))
	b.minutes(6)
	b.want(`aws_elb_log_files_total{result="failed"}`, "1")
	b.want(well, "5")
}

func TestAccessLogsStayWithinTheirBounds(t *testing.T) {
	b := newBench(t, 5, "{elb_logs: [{bucket: logs}]}")
	for n := range 450 {
		b.fake.Store("logs", awstest.Object{Key: strings.TrimPrefix(logKey("2026/11/30", fmt.Sprintf("lb%03d", n), "20261130T0310Z"), "lb/"), At: b.now, Body: classic("200", "200")})
	}
	b.minutes(1)
	b.want(`aws_elb_log_files_total{result="read"}`, "200")
	b.want("aws_elb_log_waiting_files{}", "250")
	b.minutes(2)
	b.want(`aws_elb_log_files_total{result="read"}`, "450")
	var l logs
	for n := range 3 * maxLogCodes {
		l.add(map[logCount]float64{{Balancer: fmt.Sprint(n), Code: "200", Reason: "none"}: 1})
	}
	total := 0.0
	for _, k := range l.kept.Counts {
		total += k.N
	}
	if len(l.kept.Counts) != maxLogCodes+1 || total != 3*maxLogCodes {
		t.Errorf("%d series with %v requests; want %d and all of them", len(l.kept.Counts), total, maxLogCodes+1)
	}
	line := strings.Repeat("x", 3*maxLogLine) + "\n" + classic("200", "200")
	if counts, bad, err := countLog(strings.NewReader(line), "www", false, collectors.Env{}); err != nil || bad != 1 || len(counts) != 1 {
		t.Errorf("a line without end: %v, %d, %v; want it left out, and the next one read", counts, bad, err)
	}
	b.fake.Deny("GetObject", true)
	b.fake.Store("logs", awstest.Object{Key: strings.TrimPrefix(logKey("2026/11/30", "zz", "20261130T0315Z"), "lb/"), At: b.now, Body: classic("200", "200")})
	var err error
	for range 6 {
		err = errors.Join(err, b.minute())
	}
	if err == nil || !strings.Contains(err.Error(), "lacks the right s3:GetObject on logs") {
		t.Errorf("%v; want the right that lacks", err)
	}
	poor := newBench(t, 0.00003, "{elb_logs: [{bucket: logs}]}")
	poor.fake.Store("logs", awstest.Object{Key: strings.TrimPrefix(logKey("2026/11/30", "www", "20261130T0315Z"), "lb/"), At: poor.now, Body: "x"})
	for range 200 {
		_ = poor.minute()
	}
	if checks := poor.c.Checks(); len(checks) != 2 || !errors.Is(checks[1].Err, aws.ErrBudget) {
		t.Errorf("%+v; want that the budget is spent", checks)
	}
}
