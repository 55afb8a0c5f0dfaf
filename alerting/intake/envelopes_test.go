package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/alerting"
)

// asText is a message as a string of JSON.
func asText(t *testing.T, message string) string {
	t.Helper()
	data, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// byTopic is a message in the envelope of a topic.
func byTopic(t *testing.T, message string) string {
	t.Helper()
	return `{"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu-west-1:123456789012:t","Message":` + asText(t, message) + `,"Timestamp":"2026-11-29T10:00:01Z"}`
}

// An alarm is taken out of whatever it was sent in; one letter that cannot be read does not keep the others back.
func TestEnvelopesAreOpened(t *testing.T) {
	const raw = `{"AlarmName":"x","AlarmArn":"` + oneARN + `","NewStateValue":"ALARM","StateChangeTime":"2026-11-29T10:00:00.000+0000"}`
	bridged := event("CloudWatch Alarm State Change", oneARN+"2", `{"alarmName":"y","state":{"value":"ALARM","timestamp":"2026-11-29T10:00:00.000+0000"}}`)
	deep := raw
	for range maxEnvelopes + 1 {
		deep = byTopic(t, deep)
	}
	for name, tc := range map[string]struct {
		text string
		want int   // alarms
		err  error // nil: all was taken
	}{
		"raw delivery":                      {raw, 1, nil},
		"a topic":                           {byTopic(t, raw), 1, nil},
		"an event by a topic":               {byTopic(t, bridged), 1, nil},
		"a topic by another one":            {byTopic(t, byTopic(t, raw)), 1, nil},
		"a topic by another one, thrice":    {byTopic(t, byTopic(t, byTopic(t, raw))), 1, nil},
		"deeper than anybody sends":         {deep, 0, errUnknownForm},
		"a string":                          {asText(t, raw), 1, nil},
		"a string within a topic":           {byTopic(t, asText(t, bridged)), 1, nil},
		"a list, as a pipe hands it on":     {"[" + raw + "," + bridged + "]", 2, nil},
		"a list with a letter that is half": {"[" + raw + `,{"AlarmName":"z"},` + bridged + "]", 2, errUnreadable},
		"records of SQS":                    {`{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":` + asText(t, raw) + `},{"body":` + asText(t, bridged) + `}]}`, 2, nil},
		"records of SNS":                    {`{"Records":[{"EventSource":"aws:sns","Sns":` + byTopic(t, raw) + `}]}`, 1, nil},
		"a record of SQS, as of a pipe":     {`[{"messageId":"1","eventSource":"aws:sqs","body":` + asText(t, bridged) + `}]`, 1, nil},
		"a notification of S3":              {`{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"b"}}}]}`, 0, errUnknownForm},
		"a test of S3":                      {`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`, 0, errUnknownForm},
		"a text that no topic carried":      {"good morning", 0, errUnreadable},
		"a budget's text by a topic":        {byTopic(t, "AWS Budget Notification November 30, 2026\nDear AWS Customer"), 0, errUnknownForm},
		"a word that somebody typed":        {byTopic(t, "test"), 0, errUnknownForm},
		"half of a message":                 {bridged[:len(bridged)/2], 0, errUnreadable},
		"what is packed":                    {"H4sIAAAAAAAA/6tWSkksSQQA1ZqwEAwAAAA=", 0, errUnreadable},
		"nothing":                           {"", 0, errUnreadable},
		"an empty list":                     {"[]", 0, errUnreadable},
		"a number":                          {"17", 0, errUnreadable},
		"a message of 256 KB":               {strings.Replace(raw, `"AlarmName"`, `"AlarmDescription":"`+strings.Repeat("x", 256<<10)+`","AlarmName"`, 1), 1, nil},
	} {
		b := newBoard()
		c := cloudOf(t, b, "")
		if err := c.hears(t.Context(), []byte(tc.text), time.Now()); !errors.Is(err, tc.err) || tc.err == nil && err != nil {
			t.Errorf("%s: %v; want %v", name, err, tc.err)
		}
		if b.count() != tc.want {
			t.Errorf("%s: %d alarms; want %d", name, b.count(), tc.want)
		}
		for _, f := range c.list() {
			if strings.Contains(f.Detail, "struct {") || len(f.Name) > 2*maxForm {
				t.Errorf("%s: shown as %q: %q; want words", name, f.Name, f.Detail)
			}
		}
	}
	if n := len(letters([]byte("["+strings.Repeat(raw+",", 500)+raw+"]"), time.Now())); n != maxLetters {
		t.Errorf("%d letters of one message; want at most %d", n, maxLetters)
	}
}

// A clock of ours that is wrong by ten minutes loses no alarm: what AWS dates and when it was asked are held against each other by AWS's clock.
func TestAClockThatIsWrongLosesNothing(t *testing.T) {
	for _, skew := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			b := newBoard()
			c := cloudOf(t, b, "")
			q := &CloudQueue{ask: &fakeQueue{}, cloud: c, open: func() []alerting.Record { return nil }}
			theirs := func(d time.Duration) time.Time { return time.Now().Add(skew + d) }
			part := func(id string, at time.Time) string {
				return event("CloudWatch Alarm Contributor State Change", oneARN, fmt.Sprintf(`{"alarmName":"x","alarmContributor":{"id":%q,"attributes":{"k":%q}},"state":{"value":"ALARM","timestamp":%q}}`, id, id, at.UTC().Format(time.RFC3339Nano)))
			}
			ask := func(list ...aws.Alarm) {
				t.Helper()
				q.ask = &fakeQueue{alarms: list, skew: skew}
				if err := q.reconcile(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c.tell(t, part("a", theirs(-time.Minute)))
			for _, in := range b.got {
				if f, ok := in.(alerting.Firing); ok && f.Alarm.StartsAt.After(time.Now()) {
					t.Errorf("it starts at %v, which is to come", f.Alarm.StartsAt)
				}
			}
			calm := aws.Alarm{Name: "x", ARN: oneARN, State: stateOK, Changed: theirs(-time.Hour)}
			ask(calm) // its contributor is calm by now
			if b.count() != 0 {
				t.Fatalf("%d fire; want none: AWS has it calm", b.count())
			}
			c.tell(t, part("a", theirs(time.Minute)))
			if b.count() != 1 {
				t.Fatalf("%d fire; want the contributor that breaches anew", b.count())
			}
			ask(calm) // of before it
			if b.count() != 1 {
				t.Errorf("%d fire; want it to stay: it began after AWS was asked", b.count())
			}
		})
	}
}

// Alarms of two accounts, or of two regions, are about two places, whatever their names.
func TestAlarmsSayWhoseTheyAre(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu": "123456789012/eu-west-1", "arn:aws-cn:cloudwatch:cn-north-1:2:alarm:a:b": "2/cn-north-1", "arn:x": "",
	} {
		if got := (cloudAlarm{Name: "cpu", ARN: arn}).alarm().Labels["aws_account"]; got != want {
			t.Errorf("%s: account %q; want %q", arn, got, want)
		}
	}
}

// An alarm whose event was lost is found with the mute rule that keeps it back: it is shown and pages nobody, until that ends. What an event
// said of the same mute, with its end, stays.
func TestAMuteRuleIsFoundWithTheAlarm(t *testing.T) {
	b := newBoard()
	c := cloudOf(t, b, "")
	q := &CloudQueue{cloud: c, open: func() []alerting.Record { return nil }}
	since := time.Now().Add(-time.Hour)
	ask := func(by string) {
		t.Helper()
		q.ask = &fakeQueue{alarms: []aws.Alarm{{Name: "x", ARN: oneARN, State: stateAlarm, Changed: since, MutedBy: by}}}
		if err := q.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask("night")
	if b.count() != 1 || len(b.silences) != 1 {
		t.Fatalf("%d fire, %d silences; want it silenced", b.count(), len(b.silences))
	}
	n := len(b.got)
	ask("night")
	if len(b.got) != n {
		t.Errorf("the same again says %+v", b.got[n:])
	}
	ask("")
	s, ok := b.got[len(b.got)-1].(alerting.Firing)
	if !ok || s.Alarm.Rule() != "x" {
		t.Errorf("inputs %+v; want it told anew once nothing mutes it", b.got[n:])
	}
	var ended bool
	for _, in := range b.got[n:] {
		sil, is := in.(alerting.Silenced)
		ended = ended || is && !sil.Silence.EndsAt.After(time.Now())
	}
	if !ended {
		t.Errorf("inputs %+v; want its silence ended", b.got[n:])
	}
}
