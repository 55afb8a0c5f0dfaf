package views

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// trySpan is how far back an alarm is tried.
const trySpan = 7 * 24 * time.Hour

// trial is a query tried as an alarm: how often it would have fired, and the rule to copy.
type trial struct {
	Op, Limit, For string // as they stand in the address
	Asked          bool
	Fault          string
	Says           string
	Rule           string // YAML
	Kept           map[string]string
}

// Ops are the comparisons to choose from.
func (t trial) Ops() []string { return []string{">", ">=", "<", "<="} }

// try reads the question and answers it.
func (p *Pages) try(ctx context.Context, q url.Values, promql string, now time.Time) trial {
	t := trial{Op: cmp.Or(q.Get("op"), ">"), Limit: q.Get("limit"), For: cmp.Or(q.Get("hold"), "5m"), Asked: q.Get("limit") != "", Kept: map[string]string{"q": promql}}
	for _, k := range []string{"last", "from", "to"} {
		if v := q.Get(k); v != "" {
			t.Kept[k] = v
		}
	}
	if !t.Asked {
		return t
	}
	limit, err := strconv.ParseFloat(strings.TrimSpace(t.Limit), 64)
	if err != nil {
		t.Fault = fmt.Sprintf("threshold: want a number, have %q.", words.Cut(t.Limit, dashboards.MaxName))
		return t
	}
	hold, err := words.ParseDuration(t.For)
	if err != nil || hold < 0 || hold > 24*time.Hour {
		t.Fault = fmt.Sprintf("for: want a duration up to a day, have %q.", words.Cut(t.For, dashboards.MaxName))
		return t
	}
	over := map[string]func(float64) bool{
		">": func(v float64) bool { return v > limit }, ">=": func(v float64) bool { return v >= limit },
		"<": func(v float64) bool { return v < limit }, "<=": func(v float64) bool { return v <= limit },
	}[t.Op]
	if over == nil {
		t.Fault = "Want one of >, >=, < and <=."
		return t
	}
	span := keptSpan(p.status(), trySpan, now)
	step := charts.StepOf(span)
	series, err := p.opts.Range(ctx, promql, now.Add(-span).Truncate(step), now.Truncate(step), step)
	if err != nil {
		t.Fault = err.Error()
		return t
	}
	n, alarms, now1 := fired(series, over, hold, step)
	t.Says = fmt.Sprintf("In the last %s it would have fired %s, on %s", words.Duration(span), times(n), words.Plural(alarms, "subject"))
	if now1 > 0 {
		t.Says += fmt.Sprintf("; %d of them fire now", now1)
	}
	t.Says += "."
	if step > hold {
		t.Says += " Looked at every " + words.Duration(step) + ": what was shorter is not counted."
	}
	t.Rule = fmt.Sprintf("groups:\n  - name: mine\n    rules:\n      - alert: MyAlarm\n        expr: %s\n        for: %s\n        labels:\n          severity: warning\n        annotations:\n          summary: \"{{ $value }} on {{ $labels.node }}\"\n          guidance: \"The first thing to do.\"\n", strconv.Quote("("+promql+") "+t.Op+" "+t.Limit), t.For)
	return t
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return words.Number(float64(n)) + " times"
}

// fired counts the times for which a condition was true for at least hold, the series that had one, and those in which it
// is so at the end.
func fired(series []query.Series, over func(float64) bool, hold, step time.Duration) (n, alarms, still int) {
	for _, s := range series {
		var since, last time.Time
		had, open := false, false
		for _, pt := range s.Points {
			gap := !last.IsZero() && pt.T.Sub(last) > 2*step
			if !over(pt.V) || gap {
				since, open = time.Time{}, false
			}
			if last = pt.T; !over(pt.V) {
				continue
			}
			if since.IsZero() {
				since = pt.T
			}
			if !open && pt.T.Sub(since) >= hold {
				open, had = true, true
				n++
			}
		}
		if had {
			alarms++
		}
		if open {
			still++
		}
	}
	return n, alarms, still
}
