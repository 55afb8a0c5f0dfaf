package awstest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// alarm is one of CloudWatch.
type alarm struct {
	name, state string
	changed     time.Time
	composite   bool
	shape       map[string]any // as it was put
	tags        map[string]string
	parts       []Contributor
}

// Contributor is a part of an alarm over many series that breaches.
type Contributor struct {
	ID         string
	Attributes map[string]string
	At         time.Time
}

// Alarm is an alarm as the fake has it.
type Alarm struct {
	Name, ARN, State string
	Composite        bool
	Shape            map[string]any // as it was put
	Tags             map[string]string
}

func arn(name string) string { return "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:" + name }

// Alarms are all, by name.
func (a *AWS) Alarms() map[string]Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]Alarm{}
	for n, al := range a.alarms {
		out[n] = Alarm{n, arn(n), al.state, al.composite, al.shape, al.tags}
	}
	return out
}

// Set sets the state of an alarm, which is made where there is none; parts are its contributors. It returns the event by which
// EventBridge tells it.
func (a *AWS) Set(name, state string, at time.Time, parts ...Contributor) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	al := a.alarms[name]
	if al == nil {
		al = &alarm{name: name, shape: map[string]any{"AlarmName": name, "MetricName": "m", "Namespace": "N"}}
		a.alarms[name] = al
	}
	old := al.state
	al.state, al.changed, al.parts = state, at, parts
	if len(parts) > 0 {
		al.shape["EvaluationCriteria"] = map[string]any{"PromQLCriteria": map[string]any{"Query": "up == 0"}}
	}
	form := "2006-01-02T15:04:05.000-0700"
	return fmt.Sprintf(`{"version":"0","id":"%s-%d","detail-type":"CloudWatch Alarm State Change","source":"aws.cloudwatch","account":"123456789012","time":%q,"region":"eu-west-1","resources":[%q],"detail":{"alarmName":%q,"state":{"value":%q,"reason":"as told","timestamp":%q},"previousState":{"value":%q},"configuration":{"metrics":[]}}}`,
		name, at.UnixNano(), at.UTC().Format(time.RFC3339), arn(name), name, state, at.UTC().Format(form), old)
}

// Own makes an alarm with a tag.
func (a *AWS) Own(name, key, value string) {
	a.Set(name, "OK", a.Time())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alarms[name].tags = map[string]string{key: value}
}

func (a *AWS) describeAlarms(in map[string]any) (map[string]any, *failure) {
	types := list(in, "AlarmTypes")
	if len(types) == 0 {
		types = []any{"MetricAlarm"} // composites are left out where nobody asks for them
	}
	most := describeAPage
	if n := int(number(in, "MaxRecords")); n > 0 {
		if n > describeAPage {
			return nil, invalid("MaxRecords must be at most 100")
		}
		most = n
	}
	var names []string
	for n, al := range a.alarms {
		kind := "MetricAlarm"
		if al.composite {
			kind = "CompositeAlarm"
		}
		wanted := list(in, "AlarmNames")
		if slices.Contains(types, any(kind)) && strings.HasPrefix(n, text(in, "AlarmNamePrefix")) && (len(wanted) == 0 || slices.Contains(wanted, any(n))) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	from, to, next, fail := a.page(in, len(names), most)
	if fail != nil {
		return nil, fail
	}
	metric, composite := []any{}, []any{}
	for _, n := range names[from:to] {
		al := a.alarms[n]
		s := map[string]any{"AlarmArn": arn(n), "StateValue": al.state, "StateReason": "as told", "StateUpdatedTimestamp": al.changed, "StateTransitionedTimestamp": al.changed, "ActionsEnabled": true}
		for k, v := range al.shape {
			switch n, _ := v.(float64); k {
			case "Tags":
			case "Period", "EvaluationPeriods", "DatapointsToAlarm":
				s[k] = int(n)
			default:
				s[k] = v
			}
		}
		if al.composite {
			composite = append(composite, s)
		} else {
			metric = append(metric, s)
		}
	}
	return map[string]any{"MetricAlarms": metric, "CompositeAlarms": composite, "NextToken": next}, nil
}

func (a *AWS) describeContributors(in map[string]any) (map[string]any, *failure) {
	al := a.alarms[text(in, "AlarmName")]
	if al == nil {
		return nil, &failure{404, "ResourceNotFound", "no alarm " + text(in, "AlarmName")}
	}
	from, to, next, fail := a.page(in, len(al.parts), describeAPage)
	if fail != nil {
		return nil, fail
	}
	out := []any{}
	for _, p := range al.parts[from:to] {
		attributes := map[string]any{}
		for k, v := range p.Attributes {
			attributes[k] = v
		}
		out = append(out, map[string]any{"ContributorId": p.ID, "ContributorAttributes": attributes, "StateReason": "as told", "StateTransitionedTimestamp": p.At})
	}
	return map[string]any{"AlarmContributors": out, "NextToken": next}, nil
}

var operators = []string{"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"}

func (a *AWS) putMetricAlarm(in map[string]any) (map[string]any, *failure) {
	name := text(in, "AlarmName")
	period, n, m := number(in, "Period"), number(in, "EvaluationPeriods"), number(in, "DatapointsToAlarm")
	switch {
	case name == "" || len(name) > 255:
		return nil, &failure{400, "ValidationError", "AlarmName must be 1 to 255 characters"}
	case !slices.Contains(operators, text(in, "ComparisonOperator")):
		return nil, &failure{400, "ValidationError", "ComparisonOperator " + text(in, "ComparisonOperator")}
	case text(in, "MetricName") == "" || text(in, "Namespace") == "":
		return nil, &failure{400, "ValidationError", "MetricName and Namespace must not be null"}
	case (text(in, "Statistic") == "") == (text(in, "ExtendedStatistic") == ""):
		return nil, &failure{400, "InvalidParameterCombination", "Exactly one of Statistic and ExtendedStatistic must be specified"}
	case period != 10 && period != 20 && period != 30 && (period < 60 || int(period)%60 != 0):
		return nil, &failure{400, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"}
	case n < 1 || m > n || period*n > maxEvaluations || period < 3600 && period*n > 24*3600:
		return nil, &failure{400, "ValidationError", "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)"}
	case len(list(in, "AlarmActions")) > 5 || len(list(in, "Dimensions")) > 30 || len(text(in, "AlarmDescription")) > 1024:
		return nil, &failure{400, "LimitExceeded", "too many actions or dimensions, or too long a description"}
	}
	a.put(name, in, false)
	return nil, nil // AWS answers nothing
}

func (a *AWS) putCompositeAlarm(in map[string]any) (map[string]any, *failure) {
	name, rule := text(in, "AlarmName"), text(in, "AlarmRule")
	if name == "" || rule == "" || len(rule) > 10_240 || strings.Count(rule, "ALARM(") > 100 {
		return nil, &failure{400, "ValidationError", "AlarmRule of at most 10240 characters and 100 alarms"}
	}
	for i, part := range strings.Split(rule, `ALARM("`) {
		child, _, _ := strings.Cut(part, `"`)
		if i > 0 && a.alarms[child] == nil {
			return nil, &failure{400, "ValidationError", "AlarmRule names no alarm " + child}
		}
	}
	a.put(name, in, true)
	return nil, nil // AWS answers nothing
}

// put overwrites all of an alarm, but tags, which count when it is made.
func (a *AWS) put(name string, in map[string]any, composite bool) {
	old := a.alarms[name]
	al := &alarm{name: name, state: "INSUFFICIENT_DATA", changed: a.now(), composite: composite, shape: in, tags: map[string]string{}}
	if old != nil {
		al.state, al.changed, al.tags = old.state, old.changed, old.tags
	} else {
		for _, t := range maps(in, "Tags") {
			al.tags[text(t, "Key")] = text(t, "Value")
		}
	}
	a.alarms[name] = al
}

func (a *AWS) deleteAlarms(in map[string]any) (map[string]any, *failure) {
	names := list(in, "AlarmNames")
	composites := 0
	for _, n := range names {
		if al := a.alarms[fmt.Sprint(n)]; al != nil && al.composite {
			composites++
		}
	}
	if len(names) > deleteACall || composites > 1 {
		return nil, &failure{400, "ValidationError", "at most 100 alarms, of them one composite"}
	}
	for _, n := range names {
		for other, al := range a.alarms {
			if al.composite && other != n && strings.Contains(text(al.shape, "AlarmRule"), fmt.Sprintf("%q", n)) {
				return nil, &failure{400, "ValidationError", fmt.Sprintf("alarm %v is in the rule of %s", n, other)}
			}
		}
	}
	for _, n := range names {
		delete(a.alarms, fmt.Sprint(n))
	}
	return nil, nil // AWS answers nothing
}

func (a *AWS) listTags(in map[string]any) (map[string]any, *failure) {
	_, name, _ := strings.Cut(text(in, "ResourceARN"), ":alarm:")
	_, mute, _ := strings.Cut(text(in, "ResourceARN"), ":alarm-mute-rule:")
	var tags map[string]string
	switch al, m := a.alarms[name], a.mutes[mute]; {
	case m != nil:
		tags = m.Tags
	case al != nil:
		tags = al.tags
	default:
		return nil, &failure{404, "ResourceNotFoundException", "no alarm " + name + mute}
	}
	out := []any{}
	for _, k := range keys(tags) {
		out = append(out, map[string]any{"Key": k, "Value": tags[k]})
	}
	return map[string]any{"Tags": out}, nil
}
