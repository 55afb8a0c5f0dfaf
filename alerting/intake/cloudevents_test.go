package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Nothing is answered and forgotten: what is not known is counted by its form and shown.
func TestUnknownFormsAreCounted(t *testing.T) {
	b := newBoard()
	c := cloudOf(t, b, "")
	for text, want := range map[string]error{
		event("CloudWatch Dashboard Change", "arn:x", `{}`):                                                       errUnknownForm,
		event("CloudWatch Alarm Configuration Change", oneARN, `{"operation":"paint"}`):                           errUnknownForm,
		event("EC2 Instance State-change Notification", "arn:x", `{"instance-id":"i-1","state":"bored"}`):         errUnknownForm,
		stateOf("EVALUATION_ERROR", "2026-11-29T10:00:00.000+0000", ""):                                           errUnreadable,
		event("CloudWatch Alarm State Change", "", `{"alarmName":"x","state":{"value":"ALARM"}}`):                 errUnreadable,
		event("CloudWatch Alarm Contributor State Change", oneARN, `{"alarmName":"x","state":{"value":"ALARM"}}`): errUnreadable,
		event("CloudWatch Alarm State Change", oneARN, `"x"`):                                                     errUnreadable,
		`{"Type":"Notification","TopicArn":"arn:t","Message":"good morning"}`:                                     errUnknownForm,
		`{"Type":"UnsubscribeConfirmation","TopicArn":"arn:t"}`:                                                   errUnknownForm,
		`{"Service":"Amazon S3","Event":"s3:TestEvent"}`:                                                          errUnknownForm,
		`{"Records":[]}`: errUnknownForm,
		`good morning`:   errUnreadable,
		`[]`:             errUnreadable,
	} {
		if err := c.hears(t.Context(), []byte(text), time.Now()); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", text, err, want)
		}
	}
	total := uint64(0)
	for _, f := range c.list() {
		if total += f.Count; f.Result == resultTaken {
			t.Errorf("taken: %+v", f)
		}
	}
	if total != 13 || len(b.got) != 0 {
		t.Errorf("%d counted, inputs %+v; want all 13 and none", total, b.got)
	}
	for n := range 3 * maxForms {
		_ = c.hears(t.Context(), []byte(event(fmt.Sprintf("Kind %d %s", n, strings.Repeat("x", 500)), "", `{}`)), time.Now())
	}
	if list := c.list(); len(list) > maxForms+3 || !slices.ContainsFunc(list, func(f CloudForm) bool { return f.Name == formOthers }) {
		t.Errorf("%d forms are remembered; want a bound, and the others together", len(list))
	}
}

func TestLivesOfInstances(t *testing.T) {
	var lives []Life
	b := newBoard()
	c := cloudOf(t, b, "")
	c.lives = func(l Life) { lives = append(lives, l) }
	for name, want := range map[string]Fate{
		"autoscaling.terminate-lifecycle-action.json": Leaving, "autoscaling.terminate-successful.json": Ended,
		"ec2-spot-interruption-warning.json": Leaving, "ec2-state-change.terminated.json": Stopped,
	} {
		data, err := os.ReadFile(filepath.Join("testdata/eventbridge", name))
		if err != nil {
			t.Fatal(err)
		}
		lives = nil
		c.tell(t, string(data))
		if len(lives) != 1 || lives[0].What != want || !strings.HasPrefix(lives[0].Instance, "i-") || lives[0].At.IsZero() {
			t.Errorf("%s: %+v; want fate %d of an instance", name, lives, want)
		}
	}
	if len(b.got) != 0 {
		t.Errorf("inputs %+v; want none: nobody is paged for what Auto Scaling does", b.got)
	}
	data, _ := os.ReadFile("testdata/sns/autoscaling.instance-terminate.json")
	lives = nil
	c.tell(t, string(data))
	if len(lives) != 1 || lives[0].What != Ended || lives[0].Instance != "i-0a1b2c3d4e5f60099" {
		t.Errorf("by SNS %+v; want its end", lives)
	}
}

func TestAGroupThatCannotLaunchIsAnAlarm(t *testing.T) {
	launch := func(what, at string) string {
		return fmt.Sprintf(`{"detail-type":"EC2 Instance Launch %s","source":"aws.autoscaling","time":%q,"resources":[],"detail":{"AutoScalingGroupName":"api","StatusMessage":"no capacity","EC2InstanceId":""}}`, what, at)
	}
	b := newBoard()
	c := cloudOf(t, b, "")
	c.tell(t, launch("Successful", "2026-11-29T10:05:00Z"))
	c.tell(t, launch("Unsuccessful", "2026-11-29T10:00:00Z")) // late
	if b.count() != 0 {
		t.Fatal("a failure before a launch that went well is an alarm")
	}
	c.tell(t, launch("Unsuccessful", "2026-11-29T10:06:00Z"))
	c.tell(t, launch("Unsuccessful", "2026-11-29T10:07:00Z"))
	if b.count() != 1 {
		t.Fatalf("%d alarms; want 1", b.count())
	}
	a := b.got[0].(alerting.Firing).Alarm
	if a.Rule() != RuleCannotLaunch || a.Labels[alerting.LabelPriority] != "P2" || a.Annotations["description"] != "no capacity" {
		t.Errorf("alarm %+v", a)
	}
	c.tell(t, launch("Successful", "2026-11-29T10:09:00Z"))
	if b.count() != 0 {
		t.Error("it fires after a launch")
	}
}

func TestAWSHealth(t *testing.T) {
	h := func(status, at string) string {
		return fmt.Sprintf(`{"detail-type":"AWS Health Event","source":"aws.health","time":%q,"resources":[],"detail":{"eventArn":"arn:aws:health:e","service":"EC2","eventTypeCode":"AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED","eventTypeCategory":"scheduledChange","statusCode":%q,"startTime":"Sat, 05 Dec 2026 15:00:00 GMT","eventDescription":[{"language":"en_US","latestDescription":"It is retired."}],"affectedEntities":[{"entityValue":"i-0abc"}]}}`, at, status)
	}
	b := newBoard()
	c := cloudOf(t, b, "")
	c.tell(t, h("upcoming", "2026-11-29T10:00:00Z"))
	if b.count() != 1 {
		t.Fatalf("%d alarms; want 1", b.count())
	}
	a := b.got[0].(alerting.Firing).Alarm
	if a.Labels[alerting.LabelPriority] != "P4" || a.Labels["instance"] != "i-0abc" || a.StartsAt.After(time.Now()) {
		t.Errorf("alarm %+v; want a ticket about the instance, since now", a)
	}
	c.tell(t, h("closed", "2026-11-30T10:00:00Z"))
	if b.count() != 0 {
		t.Error("it fires after it was closed")
	}
}

// The forms that queues deliver, as recorded: envelopes, raw messages, late and double ones.
func TestMessagesOfAQueue(t *testing.T) {
	for name, want := range map[string]int{
		"receive-message.eventbridge.json": 0, "receive-message.sns-wrapped.json": 0, "receive-message.raw-delivery.json": 0,
		"receive-message.out-of-order-and-duplicate.json": 0, "receive-message.poison.json": 1, "receive-message.empty.json": 0,
		// These carry an alarm without an ARN: the envelope is read, what is in it is not.
		"recorded.fauxqs-2.4.1.receive-message.sns-wrapped.json": 1, "recorded.moto-5.2.4.dev.receive-message.sns-wrapped.json": 1,
	} {
		data, err := os.ReadFile(filepath.Join("testdata/sqs", name))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Messages []struct{ Body string } }
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		b, bad := newBoard(), 0
		c := cloudOf(t, b, "")
		for _, m := range doc.Messages {
			if err := c.hears(context.Background(), []byte(m.Body), time.Now()); err != nil && !errors.Is(err, errUnknownForm) {
				bad++
			}
		}
		if (bad > 0) != (want > 0) {
			t.Errorf("%s: %d cannot be read: %+v", name, bad, c.list())
		}
		t.Logf("%s: %d messages, %d inputs, %d fire", name, len(doc.Messages), len(b.got), b.count())
	}
}

// Whatever the template of packaging asks EventBridge for is a form that is taken.
func TestTheTemplateAsksForWhatIsTaken(t *testing.T) {
	data, err := os.ReadFile("../../packaging/aws/binnacle.template.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				EventPattern struct {
					Kinds []string `json:"detail-type"`
				}
			}
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, r := range doc.Resources {
		for _, kind := range r.Properties.EventPattern.Kinds {
			asked[kind] = true
			if _, err := parseWord([]byte(event(kind, oneARN, `{"eventArn":"arn:h","alarmName":"x","operation":"update","stack-id":"arn:aws:cloudformation:eu-west-1:1:stack/s/1","status-details":{"status":"UPDATE_COMPLETE"},"eventName":"ChangeResourceRecordSets","application":"a","pipeline":"p","resourceArn":"arn:r","SourceIdentifier":"db","Message":"m","InstanceRefreshId":"r","AutoScalingGroupName":"g","alarmContributor":{"id":"c"},"state":{"value":"OK","timestamp":"2026-11-29T10:00:00Z"}}`)), time.Now()); err != nil &&
				!slices.Contains([]string{"EC2 Instance State-change Notification", "CodeDeploy Deployment State-change Notification", "CodePipeline Pipeline Execution State Change", "Backup Job State Change"}, kind) { // whose state is no object
				t.Errorf("%s: %v; want a form that is taken", kind, err)
			}
		}
	}
	for kind, fate := range bridgeForms {
		if fate != 0 && !asked[kind] {
			t.Errorf("the template does not ask for %s", kind)
		}
	}
	for kind := range serviceForms {
		if !asked[kind] {
			t.Errorf("the template does not ask for %s", kind)
		}
	}
	for _, kind := range []string{"CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change", "CloudWatch Alarm Configuration Change", "AWS Health Event", "EC2 Instance State-change Notification", formStack, formCall} {
		if !asked[kind] {
			t.Errorf("the template does not ask for %s", kind)
		}
	}
}

// An event that lists no resources is not lost: its account, region and name say whose it is.
func TestAnEventWithoutResourcesIsTheAlarmThatItNames(t *testing.T) {
	b := newBoard()
	c := cloudOf(t, b, "")
	said := func(kind, region, detail string) string {
		return fmt.Sprintf(`{"detail-type":%q,"region":%q,"account":"123456789012","time":"2026-11-29T10:00:00Z","detail":%s}`, kind, region, detail)
	}
	c.tell(t, said("CloudWatch Alarm State Change", "cn-north-1", `{"alarmName":"x","state":{"value":"ALARM","timestamp":"2026-11-29T10:00:00.000+0000"}}`))
	if f, ok := b.got[0].(alerting.Firing); len(b.got) != 1 || !ok || f.Alarm.Labels["alarm_arn"] != "arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:x" {
		t.Fatalf("inputs %+v; want one that fires, by its ARN", b.got)
	}
	c.tell(t, said("CloudWatch Alarm Configuration Change", "cn-north-1", `{"operation":"delete","alarmName":"x"}`))
	if _, ok := b.got[len(b.got)-1].(alerting.Ended); !ok {
		t.Errorf("inputs %+v; want it ended", b.got)
	}
	if err := c.hears(t.Context(), []byte(`{"detail-type":"CloudWatch Alarm Configuration Change","detail":{"operation":"delete"}}`), time.Now()); !errors.Is(err, errUnreadable) {
		t.Errorf("a deletion of no alarm: %v; want that it cannot be read", err)
	}
}
