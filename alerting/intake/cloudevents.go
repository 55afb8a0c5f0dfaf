package intake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// word is one thing that AWS told: an event of EventBridge, or a message of a topic.
type word struct {
	form    string // its detail-type, or what stands for one
	alarm   cloudAlarm
	isOne   bool   // alarm is set
	gone    string // ARN of an alarm that was deleted
	at      time.Time
	life    Life
	health  healthEvent
	stack   stackEvent
	marks   []Deploy // what was changed
	service serviceEvent
}

// Life is what became of an instance of a group, or of the wish to have one.
type Life struct {
	Instance, Group, Stack string
	What                   Fate
	Cause                  string // in AWS's words
	At                     time.Time
}

// Fate is what can become of an instance.
type Fate uint8

// The fates.
const (
	Launched Fate = iota + 1
	LaunchFailed
	Leaving // it will end within minutes: Auto Scaling ends it, or AWS takes a spot instance back
	AtRisk  // AWS advises to replace it
	Ended   // Auto Scaling did
	Stopped // or terminated, whoever did it
	EndFailed
	StackEnds // the stack is deleted, and all in it
	StackStays
)

var (
	errUnknownForm = errors.New("a form that is not known")
	errUnreadable  = errors.New("cannot be read")
)

// maxForm bounds what a sender may make us remember of a form's name.
const maxForm = 100

// parseWord reads an event of EventBridge, or the message of a topic, out of its envelopes. came is when it did. errUnknownForm is
// of what can be read and has no meaning here; the form is named in any case.
func parseWord(data []byte, came time.Time) (word, error) {
	var p struct {
		DetailType                    string `json:"detail-type"`
		Time, Region, Account         string
		Resources                     []string
		Detail                        json.RawMessage
		AlarmArn, AlarmName           string
		Event, AutoScalingGroupName   string
		EC2InstanceID                 string `json:"EC2InstanceId"`
		Cause                         string
		LifecycleTransition           string
		ActionExecutedAfterMuteWindow bool
	}
	if err := lenient(data, &p); err != nil {
		return word{form: "no JSON"}, fmt.Errorf("%w: %w", errUnreadable, kindOf(err))
	}
	switch {
	case p.DetailType != "":
		if t, ok := cloudTime(p.Time); ok {
			came = t
		}
		return bridgeWord(p.DetailType, cmp.Or(first(p.Resources), alarmARN(p.Region, p.Account, p.Detail)), p.Detail, came)
	case p.AlarmArn != "" || p.AlarmName != "":
		c, err := parseSNS(data, came)
		if err != nil {
			return word{form: "CloudWatch alarm"}, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return word{form: "CloudWatch alarm", alarm: c, isOne: true, at: c.Changed}, nil
	case p.Event != "" || p.LifecycleTransition != "":
		return scalingWord(cmp.Or(p.Event, p.LifecycleTransition), Life{Instance: p.EC2InstanceID, Group: p.AutoScalingGroupName, Cause: p.Cause, At: came})
	}
	return word{form: "JSON" + keysOf(data)}, errUnknownForm
}

// lenient reads an object of which single fields may have a type that nobody expects: those stay empty, and whoever needs one says so.
// An alarm is not lost for a field that nobody looks at.
func lenient(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) && typ.Field != "" {
		return nil
	}
	return err
}

// keysOf names the first fields of an object that nobody knows, so that a person knows whose it is.
func keysOf(data []byte) string {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(data, &all) // it was read before
	keys := slices.Sorted(maps.Keys(all))
	if len(keys) == 0 {
		return " without fields"
	}
	return " with " + cutForm(strings.Join(keys[:min(len(keys), 3)], ", "))
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// alarmARN is the ARN of the alarm that an event tells of which lists no resources, as emulators and pipes that transform events
// send them; empty: it cannot be made.
// Source: ARN format of CloudWatch alarms, and the partitions of the SDK's endpoints, read November 2026.
func alarmARN(region, account string, detail []byte) string {
	var d struct{ AlarmName string }
	if json.Unmarshal(detail, &d) != nil || d.AlarmName == "" || region == "" || account == "" {
		return ""
	}
	partition := "aws"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":cloudwatch:" + region + ":" + account + ":alarm:" + d.AlarmName
}

func cutForm(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxForm)], "") }

// scalingForms are the notifications of an Auto Scaling group by SNS, and what they mean; 0: nothing.
// Source: Auto Scaling user guide, "Amazon SNS notification options" and "Lifecycle hooks", read November 2026.
var scalingForms = map[string]Fate{
	"autoscaling:EC2_INSTANCE_LAUNCH": Launched, "autoscaling:EC2_INSTANCE_LAUNCH_ERROR": LaunchFailed, "autoscaling:EC2_INSTANCE_TERMINATE": Ended,
	"autoscaling:EC2_INSTANCE_TERMINATE_ERROR": EndFailed, "autoscaling:EC2_INSTANCE_TERMINATING": Leaving, "autoscaling:EC2_INSTANCE_LAUNCHING": 0,
	"autoscaling:TEST_NOTIFICATION": 0,
}

func scalingWord(event string, l Life) (word, error) {
	fate, ok := scalingForms[event]
	w := word{form: cutForm(event), at: l.At}
	if !ok {
		return w, errUnknownForm
	}
	l.What = fate
	w.life = l
	return w, nil
}

// bridgeForms are the events about instances and what they mean; 0: nothing.
// Source: Auto Scaling and EC2 user guides, "Event types", read November 2026.
var bridgeForms = map[string]Fate{
	"EC2 Instance Launch Successful": Launched, "EC2 Instance Launch Unsuccessful": LaunchFailed,
	"EC2 Instance Terminate Successful": Ended, "EC2 Instance Terminate Unsuccessful": EndFailed,
	"EC2 Instance-terminate Lifecycle Action": Leaving, "EC2 Instance-launch Lifecycle Action": 0,
	"EC2 Spot Instance Interruption Warning": Leaving, "EC2 Instance Rebalance Recommendation": AtRisk,
	"EC2 Spot Instance Request Fulfillment": 0, "EC2 Auto Scaling Instance Refresh Checkpoint Reached": 0,
}

// bridgeWord reads an event of EventBridge.
func bridgeWord(kind, resource string, detail []byte, at time.Time) (word, error) {
	w := word{form: cutForm(kind), at: at}
	bad := func(err error) (word, error) { return w, fmt.Errorf("%w: %w", errUnreadable, err) }
	switch kind {
	case "CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change":
		c, err := parseBridged(resource, detail, at)
		if err == nil && strings.Contains(kind, "Contributor") && c.Contributor == "" {
			err = fmt.Errorf("%w: it lacks its contributor", errNotAnAlarm)
		}
		if err != nil {
			return bad(err)
		}
		w.alarm, w.isOne = c, true
		return w, nil
	case "CloudWatch Alarm Configuration Change":
		var d bridged
		if err := lenient(detail, &d); err != nil {
			return bad(err)
		}
		switch d.Operation {
		case "delete":
			if w.gone = resource; resource == "" {
				return bad(fmt.Errorf("%w: it names no alarm", errNotAnAlarm))
			}
		case "create", "update": // its state is told by itself
		default:
			w.form += ": " + cutForm(d.Operation)
			return w, errUnknownForm
		}
		return w, nil
	case "EC2 Instance State-change Notification":
		return stateWord(w, detail)
	case formStack:
		return stackWord(w, detail)
	case formCall:
		return callWord(w, detail)
	case "AWS Health Event", "AWS Health Abuse Event":
		if err := json.Unmarshal(detail, &w.health); err != nil {
			return bad(err)
		}
		if w.health.EventARN == "" {
			return bad(errors.New("a health event without its ARN"))
		}
		return w, nil
	}
	if f, ok := serviceForms[kind]; ok {
		return serviceWord(w, f, resource, detail)
	}
	fate, ok := bridgeForms[kind]
	if !ok {
		return w, errUnknownForm
	}
	var d struct {
		EC2InstanceID        string `json:"EC2InstanceId"`
		InstanceID           string `json:"instance-id"`
		AutoScalingGroupName string
		Cause, StatusMessage string
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return bad(err)
	}
	w.life = Life{Instance: cmp.Or(d.EC2InstanceID, d.InstanceID), Group: d.AutoScalingGroupName, What: fate, Cause: cmp.Or(d.StatusMessage, d.Cause), At: at}
	return w, nil
}

func stateWord(w word, detail []byte) (word, error) {
	var d struct {
		InstanceID string `json:"instance-id"`
		State      string
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return w, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	switch d.State {
	case "stopped", "terminated":
		w.life = Life{Instance: d.InstanceID, What: Stopped, At: w.at}
	case "pending", "running", "stopping", "shutting-down":
	default:
		w.form += ": " + cutForm(d.State)
		return w, errUnknownForm
	}
	return w, nil
}

// healthEvent is one of AWS Health.
// Source: AWS Health user guide, "AWS Health events Amazon EventBridge schema", read November 2026.
type healthEvent struct {
	EventARN         string `json:"eventArn"`
	Service          string `json:"service"`
	TypeCode         string `json:"eventTypeCode"`
	Category         string `json:"eventTypeCategory"` // issue, scheduledChange, accountNotification, investigation
	Status           string `json:"statusCode"`        // open, upcoming, closed
	Region           string `json:"eventRegion"`
	StartTime        string `json:"startTime"`
	Description      []struct{ LatestDescription string }
	EventDescription []struct{ LatestDescription string }   `json:"eventDescription"`
	AffectedEntities []struct{ EntityValue, Status string } `json:"affectedEntities"`
}

// alarm is what an open event asks for: an issue at AWS a look today, a change that is announced a ticket.
func (h healthEvent) alarm(at time.Time) alerting.Alarm {
	priority := map[string]string{"issue": "P3", "investigation": "P3", "scheduledChange": "P4"}[h.Category]
	labels := map[string]string{
		alerting.LabelRule: "AWSHealth", alerting.LabelSource: "aws", alerting.LabelSeverity: "warning", alerting.LabelKind: "config", alerting.LabelLayer: "service",
		alerting.LabelEntity: "aws:" + cutLabel(cmp.Or(h.Service, "account")), alerting.LabelPriority: cmp.Or(priority, "P5"), "event_arn": cutLabel(h.EventARN),
	}
	if h.Region != "" {
		labels["region"] = cutLabel(h.Region)
	}
	if len(h.AffectedEntities) == 1 && strings.HasPrefix(h.AffectedEntities[0].EntityValue, "i-") {
		labels["instance"] = cutLabel(h.AffectedEntities[0].EntityValue)
		labels[alerting.LabelEntity] = "host:" + labels["instance"]
	}
	text := h.TypeCode
	for _, d := range h.EventDescription {
		text = cmp.Or(strings.TrimSpace(d.LatestDescription), text)
	}
	if t, err := time.Parse(time.RFC1123, h.StartTime); err == nil {
		at = t
	}
	if at.After(time.Now()) {
		at = time.Now() // it is announced now
	}
	return alerting.Alarm{
		Labels: labels, StartsAt: at,
		Annotations: map[string]string{
			alerting.AnnotationSummary:  "AWS Health: " + strings.ReplaceAll(strings.ToLower(h.TypeCode), "_", " "),
			alerting.AnnotationGuidance: "Read the event in the AWS Health dashboard: " + h.EventARN, "description": text[:min(len(text), maxAnnotation)],
		},
	}
}

// RuleCannotLaunch is the alarm of a group whose launches fail.
const RuleCannotLaunch = "AutoScalingCannotLaunch"

// cannotLaunch is the alarm of a group that wants an instance and does not get it: nothing replaces what ends.
func cannotLaunch(l Life) alerting.Alarm {
	return alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: RuleCannotLaunch, alerting.LabelSource: "aws", alerting.LabelSeverity: "critical", alerting.LabelPriority: "P2", alerting.LabelKind: "config",
			alerting.LabelLayer: "service", alerting.LabelEntity: "group:" + cutLabel(l.Group), "AutoScalingGroupName": cutLabel(l.Group),
		},
		Annotations: map[string]string{
			alerting.AnnotationSummary:  "Auto Scaling cannot launch instances of " + l.Group,
			alerting.AnnotationGuidance: "Read the group's last activities: aws autoscaling describe-scaling-activities --auto-scaling-group-name " + l.Group + ". Usual causes: a quota, no capacity of the type in the zone, an image or a launch template that is gone.",
			"description":               l.Cause[:min(len(l.Cause), maxAnnotation)],
		},
		StartsAt: l.At,
	}
}

func launchKey(group string) string { return "launch\x00" + group }

// hear makes inputs of a word, and how to take back what was noted of it.
func (w *cloudWatch) hear(x word, now time.Time) ([]alerting.Input, undo) {
	switch {
	case x.isOne:
		return w.input(x.alarm, now)
	case x.gone != "":
		return w.gone(x.gone, x.at, now)
	case x.health.EventARN != "":
		return w.own("health\x00"+x.health.EventARN, x.health.alarm(x.at), !slices.Contains([]string{"closed"}, x.health.Status), x.at, now)
	case x.stack.ID != "":
		return w.stack(x, now)
	case len(x.marks) > 0, x.service.name != "":
		return w.service(x, now)
	case x.life.What == LaunchFailed && x.life.Group != "", x.life.What == Launched && x.life.Group != "":
		return w.own(launchKey(x.life.Group), cannotLaunch(x.life), x.life.What == LaunchFailed, x.life.At, now)
	}
	return nil, func() {}
}

// stack makes inputs of what became of one.
func (w *cloudWatch) stack(x word, now time.Time) (in []alerting.Input, back undo) {
	back = func() {}
	if x.stack.fails() || x.stack.ends() {
		in, back = w.own("stack\x00"+x.stack.ID, x.stack.alarm(x.at), x.stack.fails(), x.at, now)
	}
	if d, ok := x.stack.mark(x.at); ok {
		in = append(in, inputs([]Deploy{d}, now)...)
	}
	return in, back
}

// service makes inputs of what a service said: a change, a failure, or the end of one.
func (w *cloudWatch) service(x word, now time.Time) (in []alerting.Input, back undo) {
	back = func() {}
	if e := x.service; e.fails() || e.ends() {
		in, back = w.own("service\x00"+e.form.rule+"\x00"+e.place+"\x00"+e.subject(), e.alarm(x.at), e.fails(), x.at, now)
	}
	return append(in, inputs(x.marks, now)...), back
}

// own raises or ends an alarm of ours about AWS; the latest word counts.
func (w *cloudWatch) own(key string, a alerting.Alarm, fires bool, at, now time.Time) ([]alerting.Input, undo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := map[string]*cloudState{}
	old, known := w.known[key]
	if known && !at.After(old.Changed) {
		return nil, w.restore(before)
	}
	next := cloudState{ARN: key, State: stateOK, Changed: at, Told: at}
	var in []alerting.Input
	switch {
	case fires:
		if old.Firing != nil {
			a.Labels, a.StartsAt = old.Firing.Labels, old.Firing.StartsAt
		}
		next.State, next.Firing = stateAlarm, &a
		in = append(in, alerting.Firing{Alarm: a})
	case old.Firing != nil:
		in = w.drop(old, now, in)
	}
	w.set(key, next, before)
	return in, w.restore(before)
}
