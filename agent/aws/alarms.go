package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// ReconcileEvery is how often what AWS says of all alarms is held against what came.
const ReconcileEvery = 5 * time.Minute

// Bounds of DescribeAlarms. Source: CloudWatch API Reference, read November 2026; the quota of 9 calls a second is the account's.
const (
	alarmsAPage = 100
	alarmsLimit = 2 * time.Minute // for all pages
	alarmsPause = 200 * time.Millisecond
	maxAlarms   = 20_000
)

// actionDescribe is what reconciling asks, and what it is priced as.
const actionDescribe = "cloudwatch:DescribeAlarms"

// Dimension is one of a metric.
type Dimension struct{ Name, Value string }

// Metric is what an alarm watches, or a part of it.
type Metric struct {
	Namespace, Name string
	Dimensions      []Dimension
	Expression      string
}

// Alarm is what CloudWatch says of an alarm, or of one contributor to it, now.
type Alarm struct {
	Name, ARN, Description string
	State                  string // OK, ALARM, INSUFFICIENT_DATA
	Reason                 string
	Changed                time.Time // when it got into that state
	Metrics                []Metric
	Disabled               bool   // its actions are
	Suppressed             string // by what: Alarm, WaitPeriod, ExtensionPeriod; empty: it is not
	MutedBy                string // the mute rule that keeps its actions back; empty: none is known
	Contributor            string // empty: the alarm itself
	Attributes             map[string]string
	Several                bool // contributors speak for it
}

// ErrPart is joined to what is wrong with a part of an answer, the rest of which counts.
var ErrPart = errors.New("the rest was asked for")

// Alarms are all of the account and region, with the contributors of those that have any. With ErrPart the list is whole but for
// contributors that could not be asked for.
func (a *Account) Alarms(ctx context.Context) ([]Alarm, error) {
	ctx, cancel := context.WithTimeout(ctx, alarmsLimit)
	defer cancel()
	var out []Alarm
	var part error
	calls := 0
	defer func() { a.Reserve(actionDescribe, AMonth(priceAlarms, calls, ReconcileEvery)) }()
	in := &cw.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}, MaxRecords: aws.Int32(alarmsAPage)}
	err := a.paged(ctx, func() bool { return len(out) < maxAlarms }, func(token *string) (next *string, err error) {
		calls++
		in.NextToken = token
		page, err := a.alarms.DescribeAlarms(ctx, in)
		if err != nil {
			return nil, wrap(actionDescribe, err)
		}
		if skew, ok := awsmiddleware.GetAttemptSkew(page.ResultMetadata); ok {
			a.skew.Store(int64(skew))
		}
		for i := range page.MetricAlarms {
			m := metricAlarm(&page.MetricAlarms[i])
			if m.Several && m.State == "ALARM" && part == nil { // after a refusal each further one would be refused too
				calls++
				more, err := a.contributors(ctx, m)
				if err != nil {
					part = fmt.Errorf("%w; %w", err, ErrPart)
				}
				out = append(out, more...)
			}
			out = append(out, m)
		}
		for i := range page.CompositeAlarms {
			out = append(out, compositeAlarm(&page.CompositeAlarms[i]))
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return a.withMutes(ctx, out), part
}

// withMutes says of the alarms that fire which mute rule keeps them back.
func (a *Account) withMutes(ctx context.Context, list []Alarm) []Alarm {
	if !slices.ContainsFunc(list, func(al Alarm) bool { return al.State == "ALARM" }) {
		return list
	}
	muted := a.mutedAlarms(ctx)
	for i := range list {
		list[i].MutedBy = muted[list[i].Name]
	}
	return list
}

// Skew is how far CloudWatch's clock is ahead of ours, as its last list of alarms says by the second; 0 before the first.
func (a *Account) Skew() time.Duration { return time.Duration(a.skew.Load()) }

// paged asks page by page, a call of priceAlarms each, until there is none more or more says that it is enough. ask gets the token of a
// page, and returns that of the next.
func (a *Account) paged(ctx context.Context, more func() bool, ask func(token *string) (next *string, err error)) error {
	for token := (*string)(nil); more(); {
		if err := a.spent.may(priceAlarms, 1, false); err != nil {
			return err
		}
		next, err := ask(token)
		if err != nil {
			return err
		}
		if token = next; aws.ToString(token) == "" {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(alarmsPause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// contributors are the parts of an alarm over many series that breach now.
func (a *Account) contributors(ctx context.Context, m Alarm) ([]Alarm, error) {
	var out []Alarm
	in := &cw.DescribeAlarmContributorsInput{AlarmName: &m.Name}
	err := a.paged(ctx, func() bool { return len(out) < maxAlarms }, func(token *string) (next *string, err error) {
		in.NextToken = token
		page, err := a.alarms.DescribeAlarmContributors(ctx, in)
		if err != nil {
			return nil, wrap("cloudwatch:DescribeAlarmContributors", err)
		}
		for _, c := range page.AlarmContributors {
			one := m
			one.Several, one.State = false, "ALARM"
			one.Contributor, one.Attributes, one.Reason = aws.ToString(c.ContributorId), c.ContributorAttributes, aws.ToString(c.StateReason)
			one.Changed = aws.ToTime(c.StateTransitionedTimestamp)
			out = append(out, one)
		}
		return page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func metricAlarm(m *types.MetricAlarm) Alarm {
	a := Alarm{
		Name: aws.ToString(m.AlarmName), ARN: aws.ToString(m.AlarmArn), Description: aws.ToString(m.AlarmDescription), State: string(m.StateValue),
		Reason: aws.ToString(m.StateReason), Disabled: m.ActionsEnabled != nil && !*m.ActionsEnabled, Several: m.EvaluationCriteria != nil,
	}
	a.Changed = aws.ToTime(m.StateTransitionedTimestamp)
	if a.Changed.IsZero() {
		a.Changed = aws.ToTime(m.StateUpdatedTimestamp)
	}
	if m.MetricName != nil {
		a.Metrics = append(a.Metrics, Metric{aws.ToString(m.Namespace), *m.MetricName, dimensions(m.Dimensions), ""})
	}
	for _, q := range m.Metrics {
		one := Metric{Expression: aws.ToString(q.Expression)}
		if s := q.MetricStat; s != nil && s.Metric != nil {
			one.Namespace, one.Name, one.Dimensions = aws.ToString(s.Metric.Namespace), aws.ToString(s.Metric.MetricName), dimensions(s.Metric.Dimensions)
		}
		a.Several = a.Several || strings.Contains(strings.ToUpper(one.Expression), "GROUP BY")
		a.Metrics = append(a.Metrics, one)
	}
	return a
}

func compositeAlarm(m *types.CompositeAlarm) Alarm {
	a := Alarm{
		Name: aws.ToString(m.AlarmName), ARN: aws.ToString(m.AlarmArn), Description: aws.ToString(m.AlarmDescription), State: string(m.StateValue),
		Reason: aws.ToString(m.StateReason), Disabled: m.ActionsEnabled != nil && !*m.ActionsEnabled, Suppressed: string(m.ActionsSuppressedBy),
	}
	a.Changed = aws.ToTime(m.StateTransitionedTimestamp)
	if a.Changed.IsZero() {
		a.Changed = aws.ToTime(m.StateUpdatedTimestamp)
	}
	return a
}

func dimensions(in []types.Dimension) []Dimension {
	out := make([]Dimension, 0, len(in))
	for _, d := range in {
		out = append(out, Dimension{aws.ToString(d.Name), aws.ToString(d.Value)})
	}
	slices.SortFunc(out, func(a, b Dimension) int { return strings.Compare(a.Name, b.Name) })
	return out
}
