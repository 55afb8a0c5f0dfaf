package sinks

import (
	"regexp"
	"slices"
	"strings"
)

// Alarms says which rules are kept at CloudWatch as well, as alarms on what this destination ships: they page where binnacle itself
// does not any more.
type Alarms struct {
	From    []string `yaml:"from"`    // names of rules, or all (that can be); empty: none
	Scope   string   `yaml:"scope"`   // group, instance, or both: on which series; the metric's own scope must have them
	Actions []string `yaml:"actions"` // ARNs, of SNS topics most often: notified when a rule fires while binnacle does not page
	Max     int      `yaml:"max"`     // alarms, composites among them; 1 to 5,000
	Tag     string   `yaml:"tag"`     // key=value on each; without it none is changed or deleted
	Apply   bool     `yaml:"apply"`   // whether the router that asks AWS puts and deletes them; else it only plans
}

func defaultAlarms() Alarms { return Alarms{Scope: scopeGroup, Max: 200, Tag: "owner=binnacle"} }

// On says whether any are wanted.
func (a Alarms) On() bool { return len(a.From) > 0 }

// All says whether every rule that can be is meant.
func (a Alarms) All() bool { return slices.Contains(a.From, "all") }

// KeyValue are the tag's.
func (a Alarms) KeyValue() (key, value string) {
	key, value, _ = strings.Cut(a.Tag, "=")
	return key, value
}

// Bounds. Source: CloudWatch API Reference, PutMetricAlarm (5 actions) and Tag, read 30 November 2026.
const (
	maxAlarmActions = 5
	maxAlarmsOut    = 5000
)

// Forms without lengths: a counted repetition takes half a megabyte from the start on.
var (
	tagForm    = regexp.MustCompile(`^[\w .:/+@-]+=[\w .:/+@-]*$`)
	actionForm = regexp.MustCompile(`^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d{12}:.+$`)
)

// Source: CloudWatch API Reference, Tag and PutMetricAlarm, AlarmActions; read 30 November 2026.
const (
	maxTagKey   = 128
	maxTagValue = 256
	maxAction   = 1024
)

func isTag(tag string) bool {
	key, value, _ := strings.Cut(tag, "=")
	return tagForm.MatchString(tag) && !strings.HasPrefix(tag, "aws:") && len(key) <= maxTagKey && len(value) <= maxTagValue
}

func (a Alarms) validate(bad func(string, ...any)) {
	if !slices.Contains([]string{scopeGroup, scopeInstance, scopeBoth}, a.Scope) {
		bad("alarms.scope: %q is none of group, instance, both", a.Scope)
	}
	if a.Max < 1 || a.Max > maxAlarmsOut {
		bad("alarms.max: %d is outside 1 to %d", a.Max, maxAlarmsOut)
	}
	if !isTag(a.Tag) {
		bad("alarms.tag: want KEY=VALUE of letters, digits and .:/+@-, have %q", a.Tag)
	}
	if len(a.Actions) > maxAlarmActions {
		bad("alarms.actions: %d are more than %d", len(a.Actions), maxAlarmActions)
	}
	for _, arn := range a.Actions {
		if len(arn) > maxAction || !actionForm.MatchString(arn) {
			bad("alarms.actions: want an ARN, have %q", arn)
		}
	}
	if a.Apply && !a.On() {
		bad("alarms.apply: alarms.from names no rule")
	}
}

// Beat is the metric that says at CloudWatch that binnacle pages: a router ships it while it sends, whatever the view leaves out.
const Beat = "binnacle_beat"
