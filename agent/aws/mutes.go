package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Bounds of alarm mute rules. Source: CloudWatch API Reference, PutAlarmMuteRule and Schedule, read 30 November 2026.
const (
	MaxMuted  = 100 // alarms of one
	mutesPage = 50
	maxMutes  = 500
	// mutesAsked is how many that are in force are asked for what they mute, each time.
	mutesAsked = 20
)

// Mute is an alarm mute rule: the actions of alarms are kept back for a time, once.
type Mute struct {
	Name, Description string
	Start, End        time.Time // by the minute
	Alarms            []string  // MaxMuted at most
}

// MuteAt is a mute rule that CloudWatch has.
type MuteAt struct {
	Name, ARN string
	Updated   time.Time
}

// Mutes are the mute rules whose names begin with prefix.
func (a *Account) Mutes(ctx context.Context, prefix string) ([]MuteAt, error) {
	return a.mutes(ctx, prefix, nil)
}

func (a *Account) mutes(ctx context.Context, prefix string, statuses []types.AlarmMuteRuleStatus) (out []MuteAt, err error) {
	ctx, cancel := context.WithTimeout(ctx, alarmsLimit)
	defer cancel()
	in := &cw.ListAlarmMuteRulesInput{MaxRecords: aws.Int32(mutesPage), Statuses: statuses}
	err = a.paged(ctx, func() bool { return len(out) < maxMutes }, func(token *string) (next *string, err error) {
		in.NextToken = token
		page, err := a.alarms.ListAlarmMuteRules(ctx, in)
		if err != nil {
			return nil, wrap("cloudwatch:ListAlarmMuteRules", err)
		}
		for _, s := range page.AlarmMuteRuleSummaries {
			one := MuteAt{ARN: aws.ToString(s.AlarmMuteRuleArn), Updated: aws.ToTime(s.LastUpdatedTimestamp)}
			_, one.Name, _ = strings.Cut(one.ARN, ":alarm-mute-rule:")
			if one.Name != "" && strings.HasPrefix(one.Name, prefix) {
				out = append(out, one)
			}
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PutMute makes a mute rule with our tag.
func (a *Account) PutMute(ctx context.Context, m Mute, tag Tag) error {
	if err := a.spent.may(priceAlarms, 1, false); err != nil {
		return err
	}
	start := m.Start.UTC()
	if soon := a.spent.now().UTC().Truncate(time.Minute).Add(2 * time.Minute); start.Before(soon) {
		start = soon // it is open already: a schedule in the past would never begin
	}
	minutes := int(m.End.Sub(start) / time.Minute)
	if minutes < 1 {
		return nil // it is over before it could begin
	}
	_, err := a.alarms.PutAlarmMuteRule(ctx, &cw.PutAlarmMuteRuleInput{
		Name: &m.Name, Description: &m.Description, MuteTargets: &types.MuteTargets{AlarmNames: m.Alarms}, Tags: []types.Tag{{Key: &tag.Key, Value: &tag.Value}},
		Rule: &types.Rule{Schedule: &types.Schedule{
			Expression: aws.String("at(" + start.Format("2006-01-02T15:04") + ")"), Duration: aws.String(fmt.Sprintf("PT%dM", minutes)), Timezone: aws.String("UTC"),
		}},
	})
	return wrapName(m.Name, "cloudwatch:PutAlarmMuteRule", err)
}

// DropMute deletes a mute rule that has our tag.
func (a *Account) DropMute(ctx context.Context, m MuteAt, tag Tag) error {
	if err := a.tagged(ctx, m.ARN, tag); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	_, err := a.alarms.DeleteAlarmMuteRule(ctx, &cw.DeleteAlarmMuteRuleInput{AlarmMuteRuleName: &m.Name})
	return wrapName(m.Name, "cloudwatch:DeleteAlarmMuteRule", err)
}

// DiffMutes compares by name, which says all of a mute rule: those to put, and those that nobody wants, as many as one run deletes.
func DiffMutes(want []Mute, have []MuteAt) (put []Mute, drop []MuteAt) {
	for _, m := range want {
		if !slices.ContainsFunc(have, func(h MuteAt) bool { return h.Name == m.Name }) {
			put = append(put, m)
		}
	}
	for _, h := range have {
		if len(drop) < deletesARun && !slices.ContainsFunc(want, func(m Mute) bool { return m.Name == h.Name }) {
			drop = append(drop, h)
		}
	}
	return put, drop
}

// mutedAlarms are the names of the alarms that mute rules of anybody mute now, and by which. Where nobody may ask, or no answer
// comes, there are none: the alarm pages.
func (a *Account) mutedAlarms(ctx context.Context) map[string]string {
	a.mutedLock.Lock()
	defer a.mutedLock.Unlock()
	list, err := a.mutes(ctx, "", []types.AlarmMuteRuleStatus{types.AlarmMuteRuleStatusActive})
	if err != nil {
		return nil
	}
	out := map[string]string{}
	known := map[MuteAt][]string{}
	for _, m := range list[:min(len(list), mutesAsked)] {
		names, asked := a.muted[m]
		if !asked {
			if a.spent.may(priceAlarms, 1, false) != nil {
				break
			}
			rule, err := a.alarms.GetAlarmMuteRule(ctx, &cw.GetAlarmMuteRuleInput{AlarmMuteRuleName: &m.Name})
			if err != nil || rule.MuteTargets == nil {
				continue
			}
			names = rule.MuteTargets.AlarmNames
		}
		known[m] = names
		for _, name := range names {
			out[name] = m.Name
		}
	}
	a.muted = known
	return out
}
