package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// cloudTime is how CloudWatch writes times: not RFC 3339.
const cloudTime = "2006-01-02T15:04:05.000-0700"

// cloudAlarm is an alarm's change of state, by SNS or by EventBridge.
// Source: CloudWatch user guide, "Alarm events and EventBridge", and notifications as received; read
// November 2026. Fields that are not used here are left alone.
type cloudAlarm struct {
	Name        string
	ARN         string
	Description string
	State, Old  string
	Reason      string
	Changed     time.Time
	Dimensions  map[string]string
	Tags        map[string]string
	Children    []string // ARNs, of a composite
}

var errNotAnAlarm = errors.New("not a CloudWatch alarm")

// parseCloudWatch reads the message of an SNS notification, or an event of EventBridge.
func parseCloudWatch(data []byte) (cloudAlarm, error) {
	var probe struct {
		AlarmArn   string
		DetailType string `json:"detail-type"`
	}
	if err := json.Unmarshal(data, &probe); err != nil {
		return cloudAlarm{}, fmt.Errorf("%w: %w", errNotAnAlarm, err)
	}
	switch {
	case probe.DetailType == "CloudWatch Alarm State Change":
		return parseEventBridge(data)
	case probe.AlarmArn != "":
		return parseSNS(data)
	}
	return cloudAlarm{}, errNotAnAlarm
}

type dimension struct{ Name, Value string }

func parseSNS(data []byte) (cloudAlarm, error) {
	var m struct {
		AlarmName, AlarmArn, AlarmDescription, NewStateValue, OldStateValue, NewStateReason, StateChangeTime string
		Trigger                                                                                              struct {
			Dimensions []dimension
			Metrics    []struct {
				MetricStat struct {
					Metric struct{ Dimensions []dimension }
				}
			}
		}
		TriggeringChildren []struct{ Arn string }
		AlarmTags          json.RawMessage
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return cloudAlarm{}, fmt.Errorf("%w: %w", errNotAnAlarm, err)
	}
	c := cloudAlarm{
		Name: m.AlarmName, ARN: m.AlarmArn, Description: m.AlarmDescription, State: m.NewStateValue, Old: m.OldStateValue,
		Reason: m.NewStateReason, Dimensions: map[string]string{}, Tags: tags(m.AlarmTags),
	}
	for _, d := range m.Trigger.Dimensions {
		c.Dimensions[d.Name] = d.Value
	}
	for _, x := range m.Trigger.Metrics {
		for _, d := range x.MetricStat.Metric.Dimensions {
			c.Dimensions[d.Name] = d.Value
		}
	}
	for _, x := range m.TriggeringChildren {
		c.Children = append(c.Children, x.Arn)
	}
	return c.checked(m.StateChangeTime)
}

func parseEventBridge(data []byte) (cloudAlarm, error) {
	type state struct{ Value, Reason, Timestamp string }
	var m struct {
		Resources []string
		Detail    struct {
			AlarmName            string
			State, PreviousState state
			Configuration        struct {
				Description string
				Metrics     []struct {
					MetricStat struct {
						Metric struct{ Dimensions map[string]string }
					}
				}
			}
			AlarmTags json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return cloudAlarm{}, fmt.Errorf("%w: %w", errNotAnAlarm, err)
	}
	d := m.Detail
	c := cloudAlarm{
		Name: d.AlarmName, Description: d.Configuration.Description, State: d.State.Value, Old: d.PreviousState.Value,
		Reason: d.State.Reason, Dimensions: map[string]string{}, Tags: tags(d.AlarmTags),
	}
	if len(m.Resources) > 0 {
		c.ARN = m.Resources[0]
	}
	for _, x := range d.Configuration.Metrics {
		for k, v := range x.MetricStat.Metric.Dimensions {
			c.Dimensions[k] = v
		}
	}
	return c.checked(d.State.Timestamp)
}

// checked refuses what cannot be placed in time or told apart.
func (c cloudAlarm) checked(changed string) (cloudAlarm, error) {
	var err error
	if c.Changed, err = time.Parse(cloudTime, changed); err != nil {
		return c, fmt.Errorf("%w: time of the change: %w", errNotAnAlarm, err)
	}
	if c.Name == "" || !strings.HasPrefix(c.ARN, "arn:") {
		return c, fmt.Errorf("%w: it lacks a name or an ARN", errNotAnAlarm)
	}
	if !slices.Contains([]string{"ALARM", "OK", "INSUFFICIENT_DATA"}, c.State) {
		return c, fmt.Errorf("%w: state %q", errNotAnAlarm, c.State)
	}
	return c, nil
}

// tags reads both forms that are in use: a list of Key and Value, and an object.
func tags(raw json.RawMessage) map[string]string {
	out := map[string]string{}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return out
	}
	var list []struct{ Key, Value string }
	if json.Unmarshal(raw, &list) == nil {
		for _, t := range list {
			out[t.Key] = t.Value
		}
		return out
	}
	_ = json.Unmarshal(raw, &out) // of another form: none
	return out
}

// alarm places it: tags of the alarm may carry our labels, its dimensions tell the instance.
func (c cloudAlarm) alarm() alerting.Alarm {
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: cutLabel(c.Name), alerting.LabelSource: "cloudwatch", alerting.LabelSeverity: "critical", "alarm_arn": cutLabel(c.ARN),
		},
		Annotations: map[string]string{alerting.AnnotationSummary: c.Name, "reason": c.Reason},
		StartsAt:    c.Changed,
	}
	if c.Description != "" {
		a.Annotations[alerting.AnnotationSummary] = c.Description
	}
	if id := c.Dimensions["InstanceId"]; id != "" {
		a.Labels["instance"] = cutLabel(id)
	}
	if name := c.Dimensions["LoadBalancerName"]; name != "" {
		a.Labels["elb"] = cutLabel(name)
	}
	for _, name := range ours {
		if v := c.Tags[name]; v != "" && name != alerting.LabelRule && name != alerting.LabelSource {
			a.Labels[name] = cutLabel(v)
		}
	}
	if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels[alerting.LabelSeverity]) {
		a.Labels[alerting.LabelSeverity] = "critical"
	}
	for name, v := range map[string]string{alerting.AnnotationRunbook: c.Tags["runbook_url"], alerting.AnnotationGuidance: c.Tags["guidance"]} {
		if v != "" {
			a.Annotations[name] = v
		}
	}
	if len(c.Children) > 0 {
		a.Annotations["children"] = strings.Join(c.Children[:min(len(c.Children), 20)], " ")
	}
	return a
}

// maxCloud bounds the alarms whose state is remembered.
const maxCloud = 20_000

// cloudWatch brings changes of state into order: they come at least once, and late.
type cloudWatch struct {
	mu    sync.Mutex
	known map[string]cloudState // by ARN
}

type cloudState struct {
	changed time.Time
	firing  alerting.Alarm // the zero Alarm: it is not
}

func (w *cloudWatch) forget(arn string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.known, arn)
}

// input returns nil for what says nothing new. INSUFFICIENT_DATA is neither good nor bad news: what fired
// is out of contact from then on, what did not never pages for it.
func (w *cloudWatch) input(c cloudAlarm) alerting.Input {
	w.mu.Lock()
	defer w.mu.Unlock()
	old, ok := w.known[c.ARN]
	if ok && !c.Changed.After(old.changed) {
		return nil
	}
	if w.known == nil || len(w.known) >= maxCloud {
		w.known = map[string]cloudState{}
	}
	next := cloudState{changed: c.Changed}
	var in alerting.Input
	switch c.State {
	case "ALARM":
		next.firing = c.alarm()
		in = alerting.Firing{Alarm: next.firing}
	case "OK":
		fp := c.alarm().Fingerprint()
		if old.firing.Labels != nil {
			fp = old.firing.Fingerprint() // its tags may have changed since
		}
		in = alerting.Ended{Fingerprint: fp}
	default:
		next.firing = old.firing
		if old.firing.Labels != nil {
			lost := old.firing
			lost.EndsAt = c.Changed
			in = alerting.Firing{Alarm: lost}
		}
	}
	w.known[c.ARN] = next
	return in
}
