package intake

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Alarms of every kind are taken, also with fields of a form that nobody expects, and say what they are about as far as they do.
func TestAlarmsOfEveryKind(t *testing.T) {
	state := `"state":{"value":"ALARM","reason":"Threshold Crossed","timestamp":"2026-11-29T10:00:00.000+0000"}`
	for name, tc := range map[string]struct {
		text  string
		label string // one that it must have, as name=value; empty: none
	}{
		"a composite": {event("CloudWatch Alarm State Change", oneARN, `{"alarmName":"x",`+state+`,"configuration":{"alarmRule":"ALARM(a) AND NOT ALARM(b)"}}`), ""},
		"an anomaly's band": {event("CloudWatch Alarm State Change", oneARN, `{"alarmName":"x",`+state+`,"configuration":{"metrics":[
			{"id":"m1","metricStat":{"metric":{"namespace":"AWS/SQS","name":"ApproximateAgeOfOldestMessage","dimensions":{"QueueName":"orders"}},"period":60,"stat":"Maximum"},"returnData":true},
			{"id":"ad1","expression":"ANOMALY_DETECTION_BAND(m1, 2)","label":"band","returnData":true}]}}`), "QueueName=orders"},
		"metric math": {event("CloudWatch Alarm State Change", oneARN, `{"alarmName":"x",`+state+`,"configuration":{"metrics":[
			{"id":"e1","expression":"m1/m2","returnData":true},
			{"id":"m1","metricStat":{"metric":{"namespace":"AWS/ELB","name":"HTTPCode_Backend_5XX","dimensions":{"LoadBalancerName":"www"}},"period":60,"stat":"Sum"},"returnData":false},
			{"id":"m2","metricStat":{"metric":{"namespace":"AWS/ELB","name":"RequestCount","dimensions":{"LoadBalancerName":"www"}},"period":60,"stat":"Sum"},"returnData":false}]}}`), "LoadBalancerName=www"},
		"a contributor of Metrics Insights":     {event("CloudWatch Alarm Contributor State Change", oneARN, `{"alarmName":"x","alarmContributor":{"id":"1","attributes":{"InstanceId":"i-1"}},`+state+`}`), "InstanceId=i-1"},
		"a log's":                               {event("CloudWatch Alarm State Change", oneARN, `{"alarmName":"x",`+state+`,"configuration":{"logQuery":{"queryString":"fields @message","logGroupIdentifiers":["/app"]}}}`), ""},
		"resources as a text":                   {`{"detail-type":"CloudWatch Alarm State Change","region":"eu-west-1","account":"123456789012","resources":"x","time":1764410400,"detail":{"alarmName":"x",` + state + `}}`, ""},
		"numbers as texts":                      {event("CloudWatch Alarm State Change", oneARN, `{"alarmName":"x",`+state+`,"configuration":{"actionsSuppressorWaitPeriod":"120","actionsEnabled":"true","metrics":{}}}`), ""},
		"by SNS, with a trigger that is a text": {`{"AlarmName":"x","AlarmArn":"` + oneARN + `","NewStateValue":"ALARM","StateChangeTime":1764410400,"Trigger":"composite","TriggeringChildren":{}}`, ""},
	} {
		b := newBoard()
		c := cloudOf(t, b, "")
		if err := c.hears(t.Context(), []byte(tc.text), time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f, ok := b.got[len(b.got)-1].(alerting.Firing)
		if k, v, _ := strings.Cut(tc.label, "="); !ok || f.Alarm.Labels[k] != v {
			t.Errorf("%s: %+v; want it firing, with %s", name, b.got, tc.label)
		}
	}
}

// What other services say is counted by a name that tells a person whose it is, and fires nothing.
func TestWordsOfOtherServicesAreNamed(t *testing.T) {
	b := newBoard()
	c := cloudOf(t, b, "")
	for text, form := range map[string]string{
		event("ECS Task State Change", "arn:x", `{"lastStatus":"STOPPED"}`):          "ECS Task State Change",
		event("GuardDuty Finding", "arn:x", `{"severity":8}`):                        "GuardDuty Finding",
		event("RDS DB Snapshot Event", "arn:x", `{"EventID":"RDS-EVENT-0042"}`):      "RDS DB Snapshot Event",
		event("Budget Threshold", "arn:x", `{}`):                                     "Budget Threshold",
		event("Scheduled Event", "arn:x", `{}`):                                      "Scheduled Event",
		`{"Event Source":"db-instance","Event Time":"2026-11-30","Source ID":"db1"}`: "JSON with Event Source, Event Time, Source ID",
		`{"ElastiCache:SnapshotComplete":"cache-1"}`:                                 "JSON with ElastiCache:SnapshotComplete",
		`{"Records":[{"eventSource":"aws:s3"}]}`:                                     "JSON with Records",
		`{}`:                                                                         "JSON without fields",
		fmt.Sprintf(`{"%s":1}`, strings.Repeat("x", 5000)):                           "JSON with " + strings.Repeat("x", maxForm),
	} {
		if err := c.hears(t.Context(), []byte(text), time.Now()); !errors.Is(err, errUnknownForm) {
			t.Errorf("%.80s: %v; want a form that is not known", text, err)
		}
		found := false
		for _, f := range c.list() {
			found = found || f.Name == form && f.Result == resultUnknown
		}
		if !found {
			t.Errorf("%.80s: %+v; want it counted as %q", text, c.list(), form)
		}
	}
	if len(b.got) != 0 {
		t.Errorf("inputs %+v; want none", b.got)
	}
}
