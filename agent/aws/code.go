package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Bounds of writing alarms. Source: CloudWatch API Reference, PutMetricAlarm, PutCompositeAlarm and DeleteAlarms, and "CloudWatch
// service quotas" (3 puts a second for the account), read 30 November 2026.
const (
	MaxChildren = 100 // alarms in one rule of a composite
	MaxName     = 255
	MaxText     = 1024
	PutEvery    = time.Second // for Apply
	deletesARun = 10
)

// Code is an alarm of CloudWatch as we want it, or have it: on one metric, or a composite of others.
type Code struct {
	Name, Description string
	Metric            Metric
	Stat, Op          string // Maximum; >, >=, <, <=
	Threshold         float64
	Period            time.Duration
	Of                int    // periods that are looked at, all of which must breach
	Missing           string // how a period without data counts: missing, breaching
	Rule              string // of a composite, empty for others
	Actions           []string
}

// operators as CloudWatch writes them.
var operators = map[string]types.ComparisonOperator{
	">": types.ComparisonOperatorGreaterThanThreshold, ">=": types.ComparisonOperatorGreaterThanOrEqualToThreshold,
	"<": types.ComparisonOperatorLessThanThreshold, "<=": types.ComparisonOperatorLessThanOrEqualToThreshold,
}

// Coded are the alarms whose names begin with prefix, as CloudWatch has them.
func (a *Account) Coded(ctx context.Context, prefix string) ([]Code, error) {
	ctx, cancel := context.WithTimeout(ctx, alarmsLimit)
	defer cancel()
	var out []Code
	in := &cw.DescribeAlarmsInput{
		AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}, MaxRecords: aws.Int32(alarmsAPage), AlarmNamePrefix: &prefix,
	}
	err := a.paged(ctx, func() bool { return len(out) < maxAlarms }, func(token *string) (next *string, err error) {
		in.NextToken = token
		page, err := a.alarms.DescribeAlarms(ctx, in)
		if err != nil {
			return nil, wrap(actionDescribe, err)
		}
		for _, m := range page.MetricAlarms {
			c := Code{
				Name: aws.ToString(m.AlarmName), Description: aws.ToString(m.AlarmDescription), Stat: string(m.Statistic), Threshold: aws.ToFloat64(m.Threshold),
				Metric: Metric{Namespace: aws.ToString(m.Namespace), Name: aws.ToString(m.MetricName), Dimensions: dimensions(m.Dimensions)},
				Period: time.Duration(aws.ToInt32(m.Period)) * time.Second, Of: int(aws.ToInt32(m.EvaluationPeriods)), Missing: aws.ToString(m.TreatMissingData), Actions: m.AlarmActions,
			}
			for op, name := range operators {
				if name == m.ComparisonOperator {
					c.Op = op
				}
			}
			out = append(out, c)
		}
		for _, m := range page.CompositeAlarms {
			out = append(out, Code{Name: aws.ToString(m.AlarmName), Description: aws.ToString(m.AlarmDescription), Rule: aws.ToString(m.AlarmRule), Actions: m.AlarmActions})
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Same says whether nothing has to be put.
func (c Code) Same(o Code) bool {
	x, _ := json.Marshal(c.normal())
	y, _ := json.Marshal(o.normal())
	return string(x) == string(y)
}

// normal is a Code in which what means the same is the same.
func (c Code) normal() Code {
	c.Metric.Dimensions = slices.Clone(c.Metric.Dimensions)
	slices.SortFunc(c.Metric.Dimensions, func(a, b Dimension) int { return strings.Compare(a.Name, b.Name) })
	c.Actions = slices.Sorted(slices.Values(c.Actions))
	if len(c.Metric.Dimensions) == 0 {
		c.Metric.Dimensions = nil
	}
	return c
}

// Tag is the mark of the alarms that are ours to change.
type Tag struct{ Key, Value string }

// ErrNotOurs says that an alarm has a name of ours and not our tag: it is not touched.
var ErrNotOurs = errors.New("it has not our tag")

// tagged says whether an alarm that there is has our tag.
func (a *Account) tagged(ctx context.Context, arn string, tag Tag) error {
	if err := a.spent.may(priceAlarms, 1, false); err != nil {
		return err
	}
	out, err := a.alarms.ListTagsForResource(ctx, &cw.ListTagsForResourceInput{ResourceARN: &arn})
	if err != nil {
		return wrap("cloudwatch:ListTagsForResource", err)
	}
	for _, t := range out.Tags {
		if aws.ToString(t.Key) == tag.Key && aws.ToString(t.Value) == tag.Value {
			return nil
		}
	}
	return ErrNotOurs
}

// arnOf asks for the ARN of an alarm; empty: there is none.
func (a *Account) arnOf(ctx context.Context, name string) (string, error) {
	if err := a.spent.may(priceAlarms, 1, false); err != nil {
		return "", err
	}
	out, err := a.alarms.DescribeAlarms(ctx, &cw.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return "", wrap(actionDescribe, err)
	}
	for _, m := range out.MetricAlarms {
		return aws.ToString(m.AlarmArn), nil
	}
	for _, m := range out.CompositeAlarms {
		return aws.ToString(m.AlarmArn), nil
	}
	return "", nil
}

// ours says whether an alarm may be put or deleted: there is none of its name, or it has our tag.
func (a *Account) ours(ctx context.Context, name string, tag Tag) error {
	arn, err := a.arnOf(ctx, name)
	if err != nil || arn == "" {
		return err
	}
	return a.tagged(ctx, arn, tag)
}

// Put makes or overwrites an alarm that is ours.
func (a *Account) Put(ctx context.Context, c Code, tag Tag) error {
	if err := a.ours(ctx, c.Name, tag); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	tags := []types.Tag{{Key: &tag.Key, Value: &tag.Value}}
	if c.Rule != "" {
		_, err := a.alarms.PutCompositeAlarm(ctx, &cw.PutCompositeAlarmInput{
			AlarmName: &c.Name, AlarmRule: &c.Rule, AlarmDescription: &c.Description, AlarmActions: c.Actions, OKActions: c.Actions, ActionsEnabled: aws.Bool(true), Tags: tags,
		})
		return wrapName(c.Name, "cloudwatch:PutCompositeAlarm", err)
	}
	in := &cw.PutMetricAlarmInput{
		AlarmName: &c.Name, AlarmDescription: &c.Description, Namespace: &c.Metric.Namespace, MetricName: &c.Metric.Name, Statistic: types.Statistic(c.Stat),
		ComparisonOperator: operators[c.Op], Threshold: &c.Threshold, Period: aws.Int32(int32(c.Period / time.Second)), EvaluationPeriods: aws.Int32(int32(c.Of)),
		DatapointsToAlarm: aws.Int32(int32(c.Of)), TreatMissingData: &c.Missing, AlarmActions: c.Actions, OKActions: c.Actions, ActionsEnabled: aws.Bool(true), Tags: tags,
	}
	for _, d := range c.Metric.Dimensions {
		in.Dimensions = append(in.Dimensions, types.Dimension{Name: &d.Name, Value: &d.Value})
	}
	_, err := a.alarms.PutMetricAlarm(ctx, in)
	return wrapName(c.Name, "cloudwatch:PutMetricAlarm", err)
}

// Drop deletes an alarm that is ours.
func (a *Account) Drop(ctx context.Context, name string, tag Tag) error {
	if err := a.ours(ctx, name, tag); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err := a.alarms.DeleteAlarms(ctx, &cw.DeleteAlarmsInput{AlarmNames: []string{name}})
	return wrapName(name, "cloudwatch:DeleteAlarms", err)
}

func wrapName(name, action string, err error) error {
	if err = wrap(action, err); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Change is what has to be done so that CloudWatch has what is wanted.
type Change struct {
	Put    []Code
	Drop   []string
	Kept   []string // not wanted, and not dropped now: why, in words
	Same   int
	Over   []string // wanted, and beyond the most that there may be
	Prices float64  // of all that is wanted, in dollars a month

	Mute   []Mute   // mute rules to put, when their alarms are there
	Unmute []MuteAt // and to delete
}

// Prices of an alarm in us-east-1, in dollars a month. Source: as above, read 21 September 2026.
const (
	priceAlarm     = 0.10
	priceComposite = 0.50
)

// Diff compares what is wanted with what there is, at most limit alarms. An alarm on an instance that Auto Scaling still has (alive)
// is not dropped for want of data; gone says whether that is known at all.
func Diff(want, have []Code, limit int, instance string, alive map[string]bool, known bool) Change {
	var c Change
	there := map[string]Code{}
	for _, h := range have {
		there[h.Name] = h
	}
	wanted := map[string]bool{}
	for i, w := range want {
		if i >= limit {
			c.Over = append(c.Over, w.Name)
			wanted[w.Name] = true // what is there already is left alone
			continue
		}
		wanted[w.Name] = true
		c.Prices += price(w)
		if h, ok := there[w.Name]; ok && w.Same(h) {
			c.Same++
			continue
		}
		c.Put = append(c.Put, w)
	}
	// Composites go before what is in them.
	slices.SortStableFunc(have, func(a, b Code) int { return cmp.Compare(len(b.Rule), len(a.Rule)) })
	for _, h := range have {
		if wanted[h.Name] {
			continue
		}
		if why := h.stays(instance, alive, known); why != "" {
			c.Kept = append(c.Kept, h.Name+": "+why)
			continue
		}
		if len(c.Drop) == deletesARun {
			c.Kept = append(c.Kept, fmt.Sprintf("%s: the next run deletes it (%d a run at most)", h.Name, deletesARun))
			continue
		}
		c.Drop = append(c.Drop, h.Name)
	}
	return c
}

// stays says why an alarm that nobody wants is not dropped.
func (c Code) stays(instance string, alive map[string]bool, known bool) string {
	for _, d := range c.Metric.Dimensions {
		switch {
		case d.Name != instance:
		case !known:
			return "Auto Scaling did not say whether " + d.Value + " is gone"
		case alive[d.Value]:
			return d.Value + " is there, and reports nothing"
		}
	}
	return ""
}

func price(c Code) float64 {
	if c.Rule != "" {
		return priceComposite
	}
	return priceAlarm
}

// Apply does what a Change says, one each interval. It goes on after an alarm that is refused; the error has all.
func (a *Account) Apply(ctx context.Context, c Change, tag Tag, every time.Duration) (done int, err error) {
	var errs []error
	one := func(err error) bool {
		if err == nil {
			done++
		} else {
			errs = append(errs, err)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			errs = append(errs, ctx.Err())
			return false
		}
		return !Denied(err)
	}
	for _, do := range c.steps(ctx, a, tag) {
		if !one(do()) {
			break
		}
	}
	return done, errors.Join(errs...)
}

// steps are what has to be done, in order: an alarm before what mutes it, and the other way for what goes.
func (c Change) steps(ctx context.Context, a *Account, tag Tag) (out []func() error) {
	for _, p := range c.Put {
		out = append(out, func() error { return a.Put(ctx, p, tag) })
	}
	for _, m := range c.Mute {
		out = append(out, func() error { return a.PutMute(ctx, m, tag) })
	}
	for _, m := range c.Unmute {
		out = append(out, func() error { return a.DropMute(ctx, m, tag) })
	}
	for _, d := range c.Drop {
		out = append(out, func() error { return a.Drop(ctx, d, tag) })
	}
	return out
}

// Steps is how many there are.
func (c Change) Steps() int { return len(c.Put) + len(c.Drop) + len(c.Mute) + len(c.Unmute) }

// CloudFormation is a template with the alarms.
func CloudFormation(want []Code, tag Tag) ([]byte, error) {
	resources := map[string]any{}
	ids := map[string]string{}
	for i, c := range want {
		ids[c.Name] = fmt.Sprintf("Alarm%03d", i+1)
	}
	for _, c := range want {
		p := map[string]any{"AlarmName": c.Name, "AlarmDescription": c.Description, "Tags": []any{map[string]string{"Key": tag.Key, "Value": tag.Value}}}
		if len(c.Actions) > 0 {
			p["AlarmActions"], p["OKActions"] = c.Actions, c.Actions
		}
		r := map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": p}
		if c.Rule != "" {
			r["Type"], p["AlarmRule"] = "AWS::CloudWatch::CompositeAlarm", c.Rule
			var first []string
			for _, name := range slices.Sorted(maps.Keys(ids)) {
				if strings.Contains(c.Rule, `"`+name+`"`) {
					first = append(first, ids[name])
				}
			}
			r["DependsOn"] = first
		} else {
			dims := []any{}
			for _, d := range c.Metric.Dimensions {
				dims = append(dims, map[string]string{"Name": d.Name, "Value": d.Value})
			}
			for k, v := range map[string]any{
				"Namespace": c.Metric.Namespace, "MetricName": c.Metric.Name, "Dimensions": dims, "Statistic": c.Stat, "ComparisonOperator": operators[c.Op], "Threshold": c.Threshold,
				"Period": int(c.Period / time.Second), "EvaluationPeriods": c.Of, "DatapointsToAlarm": c.Of, "TreatMissingData": c.Missing,
			} {
				p[k] = v
			}
		}
		resources[ids[c.Name]] = r
	}
	return json.MarshalIndent(map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Description": "Alarms of binnacle's rules", "Resources": resources}, "", "  ")
}

// Cut is an alarm's name or text as CloudWatch takes it: ASCII, of a length.
func Cut(text string, most int) string {
	out := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, text)
	return out[:min(len(out), most)]
}
