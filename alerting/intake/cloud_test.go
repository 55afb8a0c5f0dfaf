package intake

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/reading"
)

// cloudOf is an intake of AWS with a board behind it, remembering in folder.
func cloudOf(t *testing.T, b *board, folder string) *cloud {
	t.Helper()
	return openCloud(Options{
		Put: b.put, Folder: folder, Config: Config{AWS: AWSConfig{Queue: "https://sqs.eu-west-1.amazonaws.com/1/q"}}, Log: slog.New(slog.DiscardHandler),
		Damaged: func(r damage.Report) { t.Errorf("damaged: %+v", r) },
	})
}

func awsCase(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/aws", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (c *cloud) tell(t *testing.T, text string) {
	t.Helper()
	if err := c.hears(t.Context(), []byte(text), time.Now()); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// One alarm over several series: what one of them says is not another's, over a restart too.
func TestContributorsAreToldApart(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b, folder := newBoard(), t.TempDir()
		c := cloudOf(t, b, folder)
		for _, name := range []string{"contributor-1-a-alarm.sns-message.json", "contributor-2-b-alarm.sns-message.json", "contributor-3-a-ok.sns-message.json"} {
			c.tell(t, string(awsCase(t, name)))
			if c.keep(); restart {
				c = cloudOf(t, b, folder)
			}
		}
		if b.count() != 1 {
			t.Fatalf("restart %v: %d alarms; want that of b alone", restart, b.count())
		}
		for _, a := range b.alarms {
			if a.Labels["Team"] != "b" || a.Labels["alarm_contributor"] != "2868f7dcc58a8caf" {
				t.Errorf("labels %v; want b's", a.Labels)
			}
		}
		// EventBridge tells the same change once more.
		before := len(b.got)
		c.tell(t, string(awsCase(t, "contributor-b-alarm.eventbridge.json")))
		if len(b.got) != before {
			t.Errorf("the same change by another way: %+v", b.got[before:])
		}
	}
}

func event(kind, arn, detail string) string {
	return fmt.Sprintf(`{"version":"0","id":"x","detail-type":%q,"source":"aws.cloudwatch","time":"2026-11-29T10:00:05Z","resources":[%q],"detail":%s}`, kind, arn, detail)
}

const oneARN = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x"

func stateOf(state, at, more string) string {
	return event("CloudWatch Alarm State Change", oneARN, fmt.Sprintf(`{"alarmName":"x","state":{"value":%q,"reason":"r","timestamp":%q}%s}`, state, at, more))
}

// The alarm as a whole does not ring beside its contributors, whichever came first, and rings where no contributor is told.
func TestTheWholeStepsBackBehindItsContributors(t *testing.T) {
	part := event("CloudWatch Alarm Contributor State Change", oneARN,
		`{"alarmName":"x","alarmContributor":{"id":"c1","attributes":{"Team":"a","n":3}},"state":{"value":"ALARM","timestamp":"2026-11-29T10:00:00.200+0000"}}`)
	whole := stateOf("ALARM", "2026-11-29T10:00:00.123+0000", "")
	for name, words := range map[string][]string{"whole first": {whole, part}, "part first": {part, whole}, "whole alone": {whole}} {
		b := newBoard()
		c := cloudOf(t, b, "")
		for _, w := range words {
			c.tell(t, w)
		}
		if b.count() != 1 {
			t.Errorf("%s: %d alarms; want 1", name, b.count())
		}
		c.tell(t, stateOf("OK", "2026-11-29T10:09:00.000+0000", ""))
		if b.count() != 0 {
			t.Errorf("%s: %d alarms after the whole is OK; want 0", name, b.count())
		}
	}
}

func TestMutedIsShownAndSilenced(t *testing.T) {
	far := time.Now().Add(2 * time.Hour).UTC().Format("2006-01-02T15:04:05.000+0000")
	at := time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04:05.000+0000")
	for name, more := range map[string]string{
		"mute rule":  `,"muteDetail":{"mutedByArn":"arn:aws:cloudwatch:us-east-1:1:alarm-mute-rule:nightly","muteWindowEnd":"` + far + `"}`,
		"suppressor": `,"configuration":{"actionsSuppressor":"deploy"}`,
	} {
		b := newBoard()
		c := cloudOf(t, b, "")
		text := stateOf("ALARM", at, more)
		if name == "suppressor" {
			text = strings.Replace(text, `"reason":"r"`, `"reason":"r","actionsSuppressedBy":"Alarm"`, 1)
		}
		c.tell(t, text)
		if len(b.got) != 2 || b.count() != 1 {
			t.Fatalf("%s: %+v; want a silence and then the alarm", name, b.got)
		}
		s, ok := b.got[0].(alerting.Silenced)
		fp := b.got[1].(alerting.Firing).Alarm.Fingerprint()
		if !ok || !s.Silence.Covers(nil, fp) || !s.Silence.Active(time.Now()) || s.Silence.CreatedBy != "CloudWatch" {
			t.Errorf("%s: silence %+v; want one of %s by CloudWatch", name, s.Silence, fp)
		}
		// The window ends, and AWS carries the actions out late: the same change, told again.
		c.tell(t, fmt.Sprintf(`{"Type":"Notification","TopicArn":%q,"Timestamp":%q,"Message":%q}`, ourTopic, time.Now().Add(time.Minute).UTC().Format(time.RFC3339),
			`{"AlarmName":"x","AlarmArn":"`+oneARN+`","NewStateValue":"ALARM","StateChangeTime":"`+at+`","ActionExecutedAfterMuteWindow":true,"Trigger":{}}`))
		if got := b.silences[s.Silence.ID]; got.EndsAt.After(time.Now()) {
			t.Errorf("%s: the silence ends %v; want it over", name, got.EndsAt)
		}
	}
	// Muted in the past, and a wait that is over, are not muted.
	for _, name := range []string{"muted.eventbridge.json", "composite-suppressed.eventbridge.json"} {
		b := newBoard()
		cloudOf(t, b, "").tell(t, string(awsCase(t, name)))
		if b.count() != 1 || len(b.silences) != 0 {
			t.Errorf("%s: %+v; want the alarm, whose mute was over long ago", name, b.got)
		}
	}
}

// What the cases ask: each form is taken, and its subject read.
func TestFormsAndSubjects(t *testing.T) {
	message := func(name, trigger, more string) string {
		return fmt.Sprintf(`{"AlarmName":%q,"AlarmArn":"arn:aws:cloudwatch:eu-west-1:1:alarm:y","NewStateValue":"ALARM","StateChangeTime":"2026-11-29T10:00:00.123+0000","Trigger":%s%s}`, name, trigger, more)
	}
	dims := func(namespace string, kv ...string) string {
		var list []string
		for n := 0; n < len(kv); n += 2 {
			list = append(list, fmt.Sprintf(`{"name":%q,"value":%q}`, kv[n], kv[n+1]))
		}
		return fmt.Sprintf(`{"Namespace":%q,"MetricName":"M","Dimensions":[%s]}`, namespace, strings.Join(list, ","))
	}
	for name, tc := range map[string]struct{ text, subject string }{
		"unicode":     {message("Störung läuft 🔥 \"x\"", dims("AWS/EC2", "InstanceId", "i-0abc"), ""), "node:i-0abc"},
		"ALB":         {message("5xx", dims("AWS/ApplicationELB", "LoadBalancer", "app/navcloud/50dc6c495c0c9188", "TargetGroup", "targetgroup/api/1"), ""), "route:app/navcloud/50dc6c495c0c9188"},
		"NLB":         {message("nlb", dims("AWS/NetworkELB", "LoadBalancer", "net/edge/1"), ""), "route:net/edge/1"},
		"ELB":         {message("elb", dims("AWS/ELB", "LoadBalancerName", "edge"), ""), "route:edge"},
		"RDS":         {message("db", dims("AWS/RDS", "DBInstanceIdentifier", "prod-1"), ""), "database:prod-1"},
		"DynamoDB":    {message("t", dims("AWS/DynamoDB", "TableName", "streams"), ""), "database:streams"},
		"SQS":         {message("q", dims("AWS/SQS", "QueueName", "high"), ""), "queue:high"},
		"group":       {message("asg", dims("AWS/AutoScaling", "AutoScalingGroupName", "api"), ""), "workload:api"},
		"Lambda":      {message("l", dims("AWS/Lambda", "FunctionName", "resize"), ""), "route:resize"},
		"EBS":         {message("v", dims("AWS/EBS", "VolumeId", "vol-1"), ""), "device:vol-1"},
		"capitals":    {string(awsCase(t, "kumo-alarm-0.sns-message.json")), "node:i-0abc"},
		"anomaly":     {message("ad", `{"ThresholdMetricId":"ad1","Metrics":[{"Id":"m1","MetricStat":{"Metric":{"Namespace":"AWS/EC2","MetricName":"M","Dimensions":[{"name":"InstanceId","value":"i-9"}]}}},{"Id":"ad1","Expression":"B(m1)"}]}`, ""), "node:i-9"},
		"tags":        {message("tg", `{}`, `,"AlarmTags":[{"Key":"severity","Value":"warning"},{"Key":"service","Value":"navcloud"}]`), "service:navcloud"},
		"no millis":   {strings.Replace(message("nm", `{}`, ""), ".123", "", 1), ""},
		"Z":           {strings.Replace(message("z", `{}`, ""), "+0000", "Z", 1), ""},
		"another day": {strings.Replace(message("n", `{}`, ""), "2026-11-29T10:00:00.123+0000", "yesterday", 1), ""},
		"no trigger":  {`{"AlarmName":"c","AlarmArn":"arn:aws:cloudwatch:eu-west-1:1:alarm:y","NewStateValue":"ALARM","StateChangeTime":"2026-11-29T10:00:00.123+0000","AlarmRule":"ALARM(x)"}`, ""},
	} {
		b := newBoard()
		c := cloudOf(t, b, "")
		c.tell(t, tc.text)
		if b.count() != 1 {
			t.Errorf("%s: %d alarms; want 1", name, b.count())
			continue
		}
		a := b.got[0].(alerting.Firing).Alarm
		r := reading.New(reading.Settings{UnknownSeverity: alerting.P2}).Read(a)
		if got := r.Subject.Kind + ":" + r.Subject.Name; tc.subject != "" && got != tc.subject {
			t.Errorf("%s: it is about %q; want %q (labels %v)", name, got, tc.subject, a.Labels)
		}
		if a.StartsAt.IsZero() || a.StartsAt.After(time.Now()) {
			t.Errorf("%s: it starts at %v", name, a.StartsAt)
		}
	}
}

// An alarm over two instances is about neither alone.
func TestDimensionsThatDifferAreNotGuessed(t *testing.T) {
	c := cloudAlarm{Name: "m", ARN: oneARN, State: stateAlarm, Metrics: []cloudMetric{
		{"AWS/EC2", "CPUUtilization", map[string]string{"InstanceId": "i-1", "Stack": "prod"}}, {"AWS/EC2", "CPUUtilization", map[string]string{"InstanceId": "i-2", "Stack": "prod"}},
	}}
	a := c.alarm()
	if a.Labels["instance"] != "" || a.Labels["InstanceId"] != "" || a.Labels["Stack"] != "prod" || a.Annotations["dimensions"] != "InstanceId=i-1, i-2" {
		t.Errorf("labels %v, dimensions %q; want no instance and both named", a.Labels, a.Annotations["dimensions"])
	}
}

// What drives a fleet's size is in ALARM all night, and asks nobody.
func TestAlarmsOfTargetTrackingPageNobody(t *testing.T) {
	a := cloudAlarm{Name: "TargetTracking-api-AlarmLow-0c3e1d1a", ARN: oneARN, State: stateAlarm}.alarm()
	if a.Labels[alerting.LabelSeverity] != "info" || !a.Never() {
		t.Errorf("labels %v; want info, and no page", a.Labels)
	}
}

// Over a restart: the end finds its start though the tags have changed, a replay starts nothing, what fired fires on.
func TestCloudWatchOverARestart(t *testing.T) {
	b, folder := newBoard(), t.TempDir()
	c := cloudOf(t, b, folder)
	tagged := func(state, at, service string) string {
		return stateOf(state, at, `,"alarmTags":{"service":"`+service+`"}`)
	}
	c.tell(t, tagged("ALARM", "2026-11-29T10:00:00.000+0000", "a"))
	c.tell(t, tagged("ALARM", "2026-11-29T10:01:00.000+0000", "b")) // another reason, another tag: one alarm
	c.keep()
	if b.count() != 1 {
		t.Fatalf("%d alarms; want 1", b.count())
	}
	c = cloudOf(t, b, folder)
	if in := c.state.repeat(); len(in) != 1 || !in[0].(alerting.Firing).Alarm.StartsAt.Equal(time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("after a start %+v; want the alarm that fired, since 10:00", in)
	}
	n := len(b.got)
	c.tell(t, tagged("INSUFFICIENT_DATA", "2026-11-29T10:02:00.000+0000", "b"))
	if lost, ok := b.got[n].(alerting.Firing); !ok || lost.Alarm.EndsAt.IsZero() {
		t.Errorf("without data %+v; want it out of contact", b.got[n:])
	}
	c.tell(t, tagged("OK", "2026-11-29T10:03:00.000+0000", "c"))
	if b.count() != 0 {
		t.Errorf("%d alarms after OK; want 0", b.count())
	}
	c.keep()
	c = cloudOf(t, b, folder)
	n = len(b.got)
	c.tell(t, tagged("ALARM", "2026-11-29T10:00:00.000+0000", "a"))
	if len(b.got) != n {
		t.Errorf("a replay of an old change: %+v", b.got[n:])
	}
	if err := os.WriteFile(filepath.Join(folder, cloudFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var told []damage.Report
	openCloud(Options{Put: b.put, Folder: folder, Config: Config{AWS: AWSConfig{Queue: "q"}}, Damaged: func(r damage.Report) { told = append(told, r) }})
	if len(told) != 1 || told[0].Aside == "" {
		t.Errorf("a damaged file: %+v; want that it is told, and where it is", told)
	}
}

// A file that is lost loses no alarm: the incident knows it.
func TestOpenIncidentsAreRecalled(t *testing.T) {
	b := newBoard()
	c := cloudOf(t, b, "")
	c.tell(t, stateOf("ALARM", "2026-11-29T10:00:00.000+0000", `,"alarmTags":{"service":"a"}`))
	a := b.got[0].(alerting.Firing).Alarm
	other := cloudOf(t, b, "")
	other.state.recall([]alerting.Record{{Page: alerting.Page{Explained: []alerting.Alarm{a, {Labels: map[string]string{"alertname": "y"}}}}}})
	other.tell(t, stateOf("OK", "2026-11-29T10:03:00.000+0000", ""))
	if b.count() != 0 {
		t.Errorf("%d alarms; want the one ended whose start another router took", b.count())
	}
}

func TestDeletedAlarmsEnd(t *testing.T) {
	b := newBoard()
	c := cloudOf(t, b, "")
	c.tell(t, stateOf("ALARM", "2026-11-29T10:00:00.000+0000", ""))
	c.tell(t, event("CloudWatch Alarm Configuration Change", oneARN, `{"alarmName":"x","operation":"update"}`))
	if b.count() != 1 {
		t.Fatal("an update ended it")
	}
	c.tell(t, event("CloudWatch Alarm Configuration Change", oneARN, `{"alarmName":"x","operation":"delete"}`))
	if b.count() != 0 {
		t.Error("it fires though it was deleted")
	}
}

// What CloudWatch says of an alarm that was made of a rule is for the record; that it misses the beat is not.
func TestAlarmsMadeOfRules(t *testing.T) {
	b := newBoard()
	c := cloudOf(t, b, t.TempDir())
	event := func(name string) string {
		return fmt.Sprintf(`{"detail-type":"CloudWatch Alarm State Change","resources":["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:%[1]s"],"detail":{"alarmName":%[1]q,"state":{"value":"ALARM","timestamp":"2026-11-30T10:00:00.000+0000"},"configuration":{"metrics":[{"metricStat":{"metric":{"namespace":"NavCloud","name":"host_load1","dimensions":{"InstanceId":"i-1"}}}}]}}}`, name)
	}
	for name, want := range map[string]string{
		"binnacle/prod/HostBusy/api,i-1/0f": "HostBusy P5 never", "binnacle/prod/beat/api/1f": "CloudWatchMissesBeat P3 ", "binnacle/prod/paging/api/1": "CloudWatchPages P4 ", "binnacle/x": "binnacle/x  ", "binnacles/prod/HostBusy/1": "binnacles/prod/HostBusy/1  ",
	} {
		c.tell(t, event(name))
		found := false
		for _, a := range b.alarms {
			if strings.HasSuffix(a.Labels["alarm_arn"], ":"+name) {
				found = true
				if got := a.Rule() + " " + a.Labels[alerting.LabelPriority] + " " + a.Labels[alerting.LabelPage]; got != want || a.Labels["instance"] != "i-1" {
					t.Errorf("%s is %q of %s; want %q of i-1", name, got, a.Labels["instance"], want)
				}
			}
		}
		if !found {
			t.Errorf("%s made no alarm", name)
		}
	}
}
