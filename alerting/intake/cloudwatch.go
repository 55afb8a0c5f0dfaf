package intake

import (
	"bytes"
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

// cloudTimes are the forms in which CloudWatch and what stands in for it write times; the first is what AWS sends.
// Source: notifications and events as received, read November 2026.
var cloudTimes = []string{"2006-01-02T15:04:05.999999999-0700", time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999-07:00"}

func cloudTime(text string) (time.Time, bool) {
	for _, form := range cloudTimes {
		if t, err := time.Parse(form, text); err == nil && t.Year() > 2000 {
			return t, true
		}
	}
	return time.Time{}, false
}

// The states of an alarm.
const (
	stateAlarm = "ALARM"
	stateOK    = "OK"
	stateBlind = "INSUFFICIENT_DATA"
)

// cloudAlarm is an alarm's state, or that of one contributor to it: by SNS, by EventBridge, or as AWS was asked.
// Source: CloudWatch user guide, "Alarm events and EventBridge", and notifications as received; read
// November 2026. Fields that are not used here are left alone.
type cloudAlarm struct {
	Name        string
	ARN         string
	Description string
	State, Old  string
	Reason      string
	Changed     time.Time
	Guessed     bool      // Changed is when it came, since its own time cannot be read
	Told        time.Time // when AWS said so, which tells two words on one change apart
	Metrics     []cloudMetric
	Tags        map[string]string
	Children    []string // ARNs, of a composite
	Contributor string   // of an alarm over many series: which of them
	Attributes  map[string]string
	Muted       cloudMute
}

// cloudMetric is what it watches, or a part of that.
type cloudMetric struct {
	Namespace, Name string
	Dimensions      map[string]string
}

// cloudMute is who keeps its actions back, and until when; the zero time: nobody knows.
type cloudMute struct {
	By    string
	Until time.Time
}

// key tells alarms apart whose state is kept.
func (c cloudAlarm) key() string {
	if c.Contributor == "" {
		return c.ARN
	}
	return c.ARN + "\x00" + c.Contributor
}

var errNotAnAlarm = errors.New("not a CloudWatch alarm")

type dimension struct{ Name, Value string }

// parseSNS reads the message of a notification. came is when it did.
func parseSNS(data []byte, came time.Time) (cloudAlarm, error) {
	type metric struct {
		Namespace, MetricName string
		Dimensions            []dimension
	}
	var m struct {
		AlarmName, AlarmArn, AlarmDescription, NewStateValue, OldStateValue, NewStateReason, StateChangeTime string
		Trigger                                                                                              struct {
			metric
			Metrics []struct {
				MetricStat struct{ Metric metric }
			}
		}
		TriggeringChildren     []struct{ Arn string }
		AlarmTags              json.RawMessage
		AlarmContributorID     string `json:"AlarmContributorId"`
		AlarmContributorAttrs  any    `json:"AlarmContributorAttributes"`
		ActionsSuppressedBy    string
		ActionsSuppressedUntil string
	}
	if err := lenient(data, &m); err != nil {
		return cloudAlarm{}, fmt.Errorf("%w: %w", errNotAnAlarm, err)
	}
	c := cloudAlarm{
		Name: m.AlarmName, ARN: m.AlarmArn, Description: m.AlarmDescription, State: m.NewStateValue, Old: m.OldStateValue,
		Reason: m.NewStateReason, Tags: tags(m.AlarmTags), Contributor: m.AlarmContributorID, Attributes: attributesOf(m.AlarmContributorAttrs),
	}
	list := []metric{m.Trigger.metric}
	for _, x := range m.Trigger.Metrics {
		list = append(list, x.MetricStat.Metric)
	}
	for _, x := range list {
		dims := map[string]string{}
		for _, d := range x.Dimensions {
			dims[d.Name] = d.Value
		}
		c.addMetric(cloudMetric{x.Namespace, x.MetricName, dims})
	}
	for _, x := range m.TriggeringChildren {
		c.Children = append(c.Children, x.Arn)
	}
	if m.ActionsSuppressedBy != "" {
		c.Muted.By = m.ActionsSuppressedBy
		c.Muted.Until, _ = cloudTime(m.ActionsSuppressedUntil)
	}
	return c.checked(m.StateChangeTime, came)
}

// bridged is the detail of an event about an alarm.
type bridged struct {
	AlarmName            string
	State, PreviousState struct {
		Value, Reason, ReasonData, Timestamp string
		ActionsSuppressedBy                  string
	}
	AlarmContributor struct {
		ID         string
		Attributes map[string]any
	}
	Configuration struct {
		Description                      string
		ActionsSuppressor                string
		ActionsSuppressorWaitPeriod      int
		ActionsSuppressorExtensionPeriod int
		ActionsEnabled                   *bool
		Metrics                          []struct {
			MetricStat struct {
				Metric struct {
					Namespace, Name string
					Dimensions      map[string]string
				}
			}
		}
	}
	MuteDetail struct{ MutedByArn, MuteWindowEnd string }
	AlarmTags  json.RawMessage
	Operation  string
}

// parseBridged reads an event's detail about the alarm with this ARN.
func parseBridged(arn string, detail []byte, came time.Time) (cloudAlarm, error) {
	var d bridged
	if err := lenient(detail, &d); err != nil {
		return cloudAlarm{}, fmt.Errorf("%w: %w", errNotAnAlarm, err)
	}
	c := cloudAlarm{
		Name: d.AlarmName, ARN: arn, Description: d.Configuration.Description, State: d.State.Value, Old: d.PreviousState.Value, Reason: d.State.Reason,
		Tags: tags(d.AlarmTags), Contributor: d.AlarmContributor.ID, Attributes: attributesOf(map[string]any(d.AlarmContributor.Attributes)),
	}
	for _, x := range d.Configuration.Metrics {
		m := x.MetricStat.Metric
		c.addMetric(cloudMetric{m.Namespace, m.Name, m.Dimensions})
	}
	var reason struct{ TriggeringAlarms []struct{ Arn string } }
	if json.Unmarshal([]byte(d.State.ReasonData), &reason) == nil {
		for _, x := range reason.TriggeringAlarms {
			c.Children = append(c.Children, x.Arn)
		}
	}
	c, err := c.checked(d.State.Timestamp, came)
	if err != nil {
		return c, err
	}
	c.Muted = d.muted(c.Changed)
	return c, nil
}

// muted is who keeps the alarm's actions back.
func (d bridged) muted(at time.Time) cloudMute {
	if d.MuteDetail.MutedByArn != "" {
		until, _ := cloudTime(d.MuteDetail.MuteWindowEnd)
		_, name, _ := strings.Cut(d.MuteDetail.MutedByArn, "alarm-mute-rule:")
		return cloudMute{byMuteRule + cmp.Or(name, d.MuteDetail.MutedByArn), until}
	}
	c := d.Configuration
	switch by := d.State.ActionsSuppressedBy; by {
	case "":
	case "WaitPeriod":
		return cloudMute{"the wait for " + cmp.Or(c.ActionsSuppressor, "its suppressor"), at.Add(time.Duration(c.ActionsSuppressorWaitPeriod) * time.Second)}
	case "ExtensionPeriod":
		return cloudMute{"what follows " + cmp.Or(c.ActionsSuppressor, "its suppressor"), at.Add(time.Duration(c.ActionsSuppressorExtensionPeriod) * time.Second)}
	default:
		return cloudMute{cmp.Or(c.ActionsSuppressor, by), time.Time{}}
	}
	if c.ActionsEnabled != nil && !*c.ActionsEnabled {
		return cloudMute{By: actionsOff}
	}
	return cloudMute{}
}

// Who keeps actions back.
const (
	actionsOff = "its actions are switched off"
	byMuteRule = "the mute rule " // and its name
)

func (c *cloudAlarm) addMetric(m cloudMetric) {
	if m.Name != "" || m.Namespace != "" || len(m.Dimensions) > 0 {
		c.Metrics = append(c.Metrics, m)
	}
}

// checked refuses what cannot be told apart or has no state that is known. What cannot be placed in time came now: an alarm is
// not lost for the form of its date.
func (c cloudAlarm) checked(changed string, came time.Time) (cloudAlarm, error) {
	if c.Name == "" || !strings.HasPrefix(c.ARN, "arn:") {
		return c, fmt.Errorf("%w: it lacks a name or an ARN", errNotAnAlarm)
	}
	if !slices.Contains([]string{stateAlarm, stateOK, stateBlind}, c.State) {
		return c, fmt.Errorf("%w: state %q", errNotAnAlarm, c.State)
	}
	at, ok := cloudTime(changed)
	c.Changed, c.Guessed, c.Told = at, !ok, came
	if !ok {
		c.Changed = came
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

// attributesOf are the values of an object that are texts or can be written as such.
func attributesOf(v any) map[string]string {
	m, _ := v.(map[string]any)
	out := map[string]string{}
	for k, v := range m {
		switch v := v.(type) {
		case nil, map[string]any, []any:
		case string:
			out[k] = v
		default:
			out[k] = fmt.Sprint(v)
		}
	}
	return out
}

// dimensions are those on which all metrics that name them agree, and what is said of the others.
func (c cloudAlarm) dimensions() (agreed map[string]string, differ []string) {
	agreed = map[string]string{}
	values := map[string][]string{}
	for _, m := range c.Metrics {
		for k, v := range m.Dimensions {
			if !slices.Contains(values[k], v) {
				values[k] = append(values[k], v)
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if vs := values[k]; len(vs) == 1 {
			agreed[k] = vs[0]
		} else {
			differ = append(differ, k+"="+strings.Join(vs[:min(len(vs), 20)], ", "))
		}
	}
	return agreed, differ
}

// scaling says that the alarm is a spring of Application Auto Scaling or an Auto Scaling policy, which drives the number of
// instances and asks nobody: its low one is in ALARM whenever a fleet idles.
// Source: Auto Scaling user guide, "Target tracking scaling policies" (names and descriptions of the alarms), read November 2026.
func (c cloudAlarm) scaling() bool {
	return strings.HasPrefix(c.Name, "TargetTracking-") && (strings.Contains(c.Name, "-AlarmHigh-") || strings.Contains(c.Name, "-AlarmLow-")) ||
		strings.HasPrefix(c.Description, "DO NOT EDIT OR DELETE. For TargetTrackingScaling")
}

// metric is the one that heads it: the first with a name.
func (c cloudAlarm) metric() cloudMetric {
	for _, m := range c.Metrics {
		if m.Name != "" {
			return m
		}
	}
	return cloudMetric{}
}

// maxPlaces bounds the labels that dimensions and attributes become.
const maxPlaces = 20

// places are the labels that tell what the alarm is about, by the names that AWS gives them, which alerting/reading knows. What
// has a meaning of ours is not a dimension's to say, but for where something is.
func (c cloudAlarm) places() (labels map[string]string, differ []string) {
	dims, differ := c.dimensions()
	labels = map[string]string{}
	for _, from := range []map[string]string{dims, c.Attributes} {
		for _, k := range slices.Sorted(maps.Keys(from)) {
			name := cutName(k)
			if slices.Contains(ours, name) && !slices.Contains([]string{"instance", "host", "node", alerting.LabelService, alerting.LabelCluster}, name) {
				name = "dimension_" + name
			}
			if v := from[k]; v != "" && name != "" && len(labels) < maxPlaces {
				labels[name] = cutLabel(v)
			}
		}
	}
	for name, from := range map[string]string{"instance": "InstanceId", "elb": "LoadBalancerName", "az": "AvailabilityZone"} {
		if v := labels[from]; v != "" {
			labels[name] = v
		}
	}
	if m := c.metric(); strings.HasPrefix(m.Namespace, "AWS/") {
		labels["namespace"], labels["metric"] = cutLabel(m.Namespace), cutLabel(m.Name)
	}
	return labels, differ
}

// ownRule says of an alarm that binnacle made of a rule (agent.PlanAlarms names it binnacle/FLEET/RULE/...) that it is that rule's: the
// rule itself pages, and CloudWatch saying the same is for the record. The beat that CloudWatch misses while we are here to hear
// of it is not: nobody would notice that we are gone.
func (c cloudAlarm) ownRule(labels map[string]string) {
	parts := strings.SplitN(c.Name, "/", 4)
	if len(parts) < 4 || parts[0] != "binnacle" {
		return
	}
	labels["alarm_name"] = cutLabel(c.Name)
	switch parts[2] {
	case "beat":
		labels[alerting.LabelRule], labels[alerting.LabelSeverity], labels[alerting.LabelPriority] = "CloudWatchMissesBeat", "warning", "P3"
	case "paging":
		labels[alerting.LabelRule], labels[alerting.LabelSeverity], labels[alerting.LabelPriority] = "CloudWatchPages", "info", "P4"
	default:
		labels[alerting.LabelRule], labels[alerting.LabelSeverity], labels[alerting.LabelPriority] = cutLabel(parts[2]), "info", "P5"
		labels[alerting.LabelPage] = "never"
	}
}

// alarm makes ours of it. Its tags may carry our labels.
func (c cloudAlarm) alarm() alerting.Alarm {
	labels, differ := c.places()
	labels[alerting.LabelRule], labels[alerting.LabelSource], labels["alarm_arn"] = cutLabel(c.Name), "cloudwatch", cutLabel(c.ARN)
	labels[alerting.LabelSeverity] = "critical"
	if at := strings.SplitN(c.ARN, ":", 6); len(at) == 6 && at[3] != "" && at[4] != "" {
		labels["aws_account"] = cutLabel(at[4] + "/" + at[3]) // alarms of two accounts or regions are about two places
	}
	if c.Contributor != "" {
		labels["alarm_contributor"] = cutLabel(c.Contributor)
	}
	c.ownRule(labels)
	if c.scaling() {
		labels[alerting.LabelSeverity], labels[alerting.LabelPage] = "info", "never"
	}
	for _, name := range ours {
		if v := c.Tags[name]; v != "" && name != alerting.LabelRule && name != alerting.LabelSource {
			labels[name] = cutLabel(v)
		}
	}
	notes := map[string]string{
		alerting.AnnotationSummary: cmp.Or(c.Description, c.Name), "reason": c.Reason, alerting.AnnotationRunbook: c.Tags["runbook_url"],
		alerting.AnnotationGuidance: c.Tags["guidance"], "children": strings.Join(c.Children[:min(len(c.Children), 20)], " "), "dimensions": strings.Join(differ, "; "),
	}
	for k, v := range notes {
		if len(v) > maxAnnotation {
			v = v[:maxAnnotation]
		}
		if notes[k] = strings.ToValidUTF8(v, "\ufffd"); v == "" {
			delete(notes, k)
		}
	}
	return alerting.Alarm{Labels: labels, Annotations: notes, StartsAt: c.Changed}
}
