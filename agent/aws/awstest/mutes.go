package awstest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Mute is an alarm mute rule as the fake has it.
type Mute struct {
	Name, Expression, Duration string
	Alarms                     []string
	Active                     bool
	Tags                       map[string]string

	updated time.Time
}

func muteARN(name string) string {
	return "arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:" + name
}

// Mutes are all mute rules, by name.
func (a *AWS) Mutes() map[string]Mute {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]Mute{}
	for n, m := range a.mutes {
		out[n] = *m
	}
	return out
}

// Silence lays out a mute rule, which somebody else made.
func (a *AWS) Silence(name string, active bool, alarms ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mutes[name] = &Mute{Name: name, Expression: "cron(0 2 * * SUN)", Duration: "PT2H", Alarms: alarms, Active: active, updated: a.now()}
}

// The forms of a schedule that we write. Source: CloudWatch API Reference, Schedule, read 30 November 2026.
var (
	muteExpression = regexp.MustCompile(`^at\(\d{4}-\d\d-\d\dT\d\d:\d\d\)$`)
	muteDuration   = regexp.MustCompile(`^PT[1-9]\d{0,4}M$`)
)

func (a *AWS) putMute(in map[string]any) (map[string]any, *failure) {
	rule, _ := in["Rule"].(map[string]any)
	schedule, _ := rule["Schedule"].(map[string]any)
	targets, _ := in["MuteTargets"].(map[string]any)
	m := &Mute{Name: text(in, "Name"), Expression: text(schedule, "Expression"), Duration: text(schedule, "Duration"), Tags: map[string]string{}, updated: a.now()}
	for _, n := range list(targets, "AlarmNames") {
		m.Alarms = append(m.Alarms, fmt.Sprint(n))
	}
	at, err := time.Parse("at(2006-01-02T15:04)", m.Expression)
	switch {
	case m.Name == "" || len(m.Name) > 255:
		return nil, &failure{400, "ValidationError", "Name must be 1 to 255 characters"}
	case !muteExpression.MatchString(m.Expression) || err != nil || at.Before(a.now().Add(-time.Minute)) || !muteDuration.MatchString(m.Duration):
		return nil, &failure{400, "ValidationError", "schedule " + m.Expression + " " + m.Duration}
	case len(m.Alarms) == 0 || len(m.Alarms) > 100:
		return nil, &failure{400, "ValidationError", "1 to 100 alarms"}
	}
	for _, n := range m.Alarms {
		if a.alarms[n] == nil {
			return nil, &failure{400, "ValidationError", "no alarm " + n}
		}
	}
	for _, t := range maps(in, "Tags") {
		m.Tags[text(t, "Key")] = text(t, "Value")
	}
	a.mutes[m.Name] = m
	return nil, nil // AWS answers nothing
}

func (a *AWS) deleteMute(in map[string]any) (map[string]any, *failure) {
	delete(a.mutes, text(in, "AlarmMuteRuleName"))
	return nil, nil // AWS answers nothing
}

func (m *Mute) status() string {
	if m.Active {
		return "ACTIVE"
	}
	return "SCHEDULED"
}

func (m *Mute) kind() string {
	if strings.HasPrefix(m.Expression, "cron") {
		return "RECURRING"
	}
	return "ONE_TIME"
}

func (a *AWS) listMutes(in map[string]any) (map[string]any, *failure) {
	var names []string
	for n, m := range a.mutes {
		if wanted := list(in, "Statuses"); len(wanted) == 0 || slices.Contains(wanted, any(m.status())) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	from, to, next, fail := a.page(in, len(names), 50)
	if fail != nil {
		return nil, fail
	}
	out := []any{}
	for _, n := range names[from:to] {
		m := a.mutes[n]
		out = append(out, map[string]any{"AlarmMuteRuleArn": muteARN(n), "LastUpdatedTimestamp": m.updated, "MuteType": m.kind(), "Status": m.status()})
	}
	return map[string]any{"AlarmMuteRuleSummaries": out, "NextToken": next}, nil
}

func (a *AWS) getMute(in map[string]any) (map[string]any, *failure) {
	m := a.mutes[text(in, "AlarmMuteRuleName")]
	if m == nil {
		return nil, &failure{404, "ResourceNotFoundException", "no mute rule " + text(in, "AlarmMuteRuleName")}
	}
	alarms := []any{}
	for _, n := range m.Alarms {
		alarms = append(alarms, n)
	}
	return map[string]any{
		"Name": m.Name, "AlarmMuteRuleArn": muteARN(m.Name), "LastUpdatedTimestamp": m.updated, "MuteType": m.kind(), "Status": m.status(),
		"MuteTargets": map[string]any{"AlarmNames": alarms}, "Rule": map[string]any{"Schedule": map[string]any{"Expression": m.Expression, "Duration": m.Duration}},
	}, nil
}
