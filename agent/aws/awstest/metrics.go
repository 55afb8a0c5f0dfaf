package awstest

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Metric is one of CloudWatch, with the values of its minutes.
type Metric struct {
	Namespace, Name string
	Dimensions      map[string]string
	At              func(stat string, minute time.Time) (v float64, ok bool) // nil: it reports nothing
	Status          string                                                   // of its answer; empty: Complete
}

// Take takes the metrics of a namespace that have a dimension with this value away.
func (a *AWS) Take(value string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.metrics = slices.DeleteFunc(a.metrics, func(m Metric) bool {
		for _, v := range m.Dimensions {
			if v == value {
				return true
			}
		}
		return false
	})
}

// Lay adds metrics to what CloudWatch has.
func (a *AWS) Lay(ms ...Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.metrics = append(a.metrics, ms...)
}

func dimensionsOf(list []map[string]any) map[string]string {
	out := map[string]string{}
	for _, d := range list {
		out[text(d, "Name")] = text(d, "Value")
	}
	return out
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// Limits. Source: CloudWatch API Reference, ListMetrics and GetMetricData, read 30 November 2026.
const (
	metricsAPage   = 500
	queriesACall   = 500
	pointsACall    = 100_800
	describeAPage  = 100
	deleteACall    = 100
	maxEvaluations = 7 * 24 * 3600 // seconds of all periods of an alarm
)

func (a *AWS) listMetrics(in map[string]any) (map[string]any, *failure) {
	if r := text(in, "RecentlyActive"); r != "" && r != "PT3H" {
		return nil, invalid("The parameter RecentlyActive must be PT3H")
	}
	filter := dimensionsOf(maps(in, "Dimensions"))
	var found []any
	for _, m := range a.metrics {
		if ns := text(in, "Namespace"); ns != "" && ns != m.Namespace {
			continue
		}
		if n := text(in, "MetricName"); n != "" && n != m.Name {
			continue
		}
		if slices.ContainsFunc(keys(filter), func(k string) bool { return m.Dimensions[k] != filter[k] }) {
			continue
		}
		found = append(found, m.shape())
	}
	from, to, next, fail := a.page(in, len(found), metricsAPage)
	if fail != nil {
		return nil, fail
	}
	return map[string]any{"Metrics": found[from:to], "NextToken": next}, nil
}

func keys(m map[string]string) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (m Metric) shape() map[string]any {
	dims := []any{}
	for _, k := range keys(m.Dimensions) {
		dims = append(dims, map[string]any{"Name": k, "Value": m.Dimensions[k]})
	}
	return map[string]any{"Namespace": m.Namespace, "MetricName": m.Name, "Dimensions": dims}
}

var idForm = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]{0,254}$`)

func (a *AWS) getMetricData(in map[string]any) (map[string]any, *failure) {
	qs := maps(in, "MetricDataQueries")
	start, end := number(in, "StartTime"), number(in, "EndTime")
	switch {
	case len(qs) == 0:
		return nil, &failure{400, "MissingRequiredParameter", "The parameter MetricDataQueries is required."}
	case len(qs) > queriesACall:
		return nil, &failure{400, "ValidationError", "The collection MetricDataQueries must not have a size greater than 500."}
	case start >= end:
		return nil, &failure{400, "ValidationError", "The parameter StartTime must be less than the parameter EndTime."}
	}
	seen := map[string]bool{}
	var results []any
	points := 0
	for _, q := range qs {
		id := text(q, "Id")
		if !idForm.MatchString(id) || seen[id] {
			return nil, &failure{400, "ValidationError", "The value " + id + " for parameter MetricDataQueries.member.Id is invalid."}
		}
		seen[id] = true
		r, n, fail := a.result(id, q, start, end)
		if fail != nil {
			return nil, fail
		}
		points += n
		results = append(results, r)
	}
	if points > pointsACall {
		return nil, invalid("more than %d data points", pointsACall)
	}
	// Pages are by points at AWS; by queries here, which a reader has to bear as well.
	from, to, next, fail := a.page(in, len(results), queriesACall)
	if fail != nil {
		return nil, fail
	}
	return map[string]any{"MetricDataResults": results[from:to], "NextToken": next, "Messages": []any{}}, nil
}

// result answers one query.
func (a *AWS) result(id string, q map[string]any, start, end float64) (map[string]any, int, *failure) {
	stat, _ := q["MetricStat"].(map[string]any)
	want, _ := stat["Metric"].(map[string]any)
	period := int64(number(stat, "Period"))
	s := text(stat, "Stat")
	switch {
	case stat == nil:
		return nil, 0, invalid("The fake computes no Expression")
	case period != 1 && period != 5 && period != 10 && period != 20 && period != 30 && (period <= 0 || period%60 != 0):
		return nil, 0, invalid("Period must be 1, 5, 10, 20, 30, or a multiple of 60")
	case !slices.Contains([]string{"Sum", "Average", "Maximum", "Minimum", "SampleCount"}, s) && !strings.HasPrefix(s, "p"):
		return nil, 0, &failure{400, "ValidationError", "The value " + s + " for parameter MetricDataQueries.member.1.MetricStat.Stat is not supported."}
	}
	var times, values []any
	status := "Complete"
	for _, m := range a.metrics {
		if m.Namespace != text(want, "Namespace") || m.Name != text(want, "MetricName") || !same(m.Dimensions, dimensionsOf(maps(want, "Dimensions"))) {
			continue
		}
		if m.Status != "" {
			status = m.Status
		}
		if m.At == nil || status == "InternalError" || status == "Forbidden" {
			continue
		}
		for t := int64(end-1) / 60 * 60; t >= int64(start)/60*60; t -= 60 {
			if v, ok := m.At(s, time.Unix(t, 0).UTC()); ok {
				times, values = append(times, time.Unix(t, 0)), append(values, v)
			}
		}
	}
	if times == nil {
		times, values = []any{}, []any{}
	}
	return map[string]any{"Id": id, "Label": text(want, "MetricName"), "StatusCode": status, "Timestamps": times, "Values": values}, len(times), nil
}
