package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// verdict is what came, to be compared with what should have.
type verdict struct {
	pages []told // triggers that were accepted, in order
	fails int    // calls that were not
}

func (v *verdict) note(t told) {
	switch {
	case t.result.Outcome != alerting.Accepted:
		v.fails++
	case t.action.Kind == alerting.Trigger:
		v.pages = append(v.pages, t)
	}
}

// judge says what was wrong: first the P1 about the partition, then the P2 about the disk, no other that wakes, and
// all resolved.
func (v *verdict) judge(pd *alertingtest.PagerDuty) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	want := []struct {
		entity, rule string
		priority     alerting.Priority
	}{{"cluster:" + events, "RabbitMQSplitBrain", alerting.P1}, {"node:riak1", "RiakDiskFull", alerting.P2}}
	var wake []alerting.Page
	for _, t := range v.pages {
		if t.action.Page.Priority <= alerting.P2 {
			wake = append(wake, t.action.Page)
		}
	}
	for i, p := range wake {
		switch {
		case i >= len(want):
			bad("a page too many: %s %s [%s]", p.Priority, p.Sentence, p.Rule)
		case p.Priority != want[i].priority || p.Entity != want[i].entity || p.Rule != want[i].rule:
			bad("page %d: want %s %s on %s, have %s %s on %s", i+1, want[i].priority, want[i].rule, want[i].entity, p.Priority, p.Rule, p.Entity)
		}
	}
	if len(wake) < len(want) {
		bad("want %d pages, have %d", len(want), len(wake))
	}
	if n := len(pd.Pages()); n != len(wake) {
		bad("%d pages were sent, %d arrived", len(wake), n)
	}
	for _, in := range pd.Incidents() {
		if in.Status != "resolved" {
			bad("%s: %q is not resolved", in.Status, in.Title)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("the pages did not come as they should: %w", errors.Join(errs...))
}

// finish notes what only a running agent tells.
func (p *play) finish() {
	p.show(context.Background())
	s := p.station.Status()
	var lost []string
	add := func(from string, by map[string]float64) {
		for reason, n := range by {
			if n > 0 && reason != "series_cap" {
				lost = append(lost, fmt.Sprintf("%.0f samples (%s: %s)", n, from, reason))
			}
		}
	}
	for _, k := range s.Sinks {
		add(k.Name, k.Dropped)
	}
	if s.Store != nil {
		add("store", s.Store.Refused)
	}
	slices.Sort(lost)
	p.lost = lost
	p.memory = resident()
}

// last writes the last line, once everything was delivered.
func (p *play) last(cfg agent.Config) {
	bill := p.bill(cfg)
	pages, delays := 0, []string{}
	for _, t := range p.verdict.pages {
		if t.action.Page.Priority <= alerting.P2 {
			pages++
			delays = append(delays, fmt.Sprintf("%s %.0f s", t.action.Page.Priority, delay(t).Seconds()))
		}
	}
	lost := "nothing"
	if len(p.lost) > 0 {
		lost = strings.Join(p.lost, ", ")
	}
	if p.verdict.fails > 0 {
		lost += fmt.Sprintf("; %d calls to the pager failed and were repeated", p.verdict.fails)
	}
	p.screen.end()
	p.screen.say("\n%d raw alarms, %d pages, lost: %s; alarm to page: %s; memory %.0f MiB (7 agents and all stand-ins); CloudWatch $%.2f a month (%d series)",
		len(p.raw), pages, lost, strings.Join(delays, ", "), float64(p.memory)/(1<<20), bill.Total, bill.Series)
}

// bill is the price of what CloudWatch got, over a month.
func (p *play) bill(cfg agent.Config) sinks.Bill {
	o, err := agent.CloudWatchOptions(cfg)
	if err != nil {
		return sinks.Bill{}
	}
	series := map[string]map[string]bool{}
	for _, d := range p.w.cloudwatch.Datums() {
		if series[d.Name] == nil {
			series[d.Name] = map[string]bool{}
		}
		series[d.Name][fmt.Sprint(d.Dimensions)] = true
	}
	var published []sinks.Published
	for name, s := range series {
		published = append(published, sinks.Published{Metric: name, Series: len(s)})
	}
	return sinks.Cost(o, 1, 1, published)
}

// resident is the resident memory of this process in bytes; where there is no /proc, what Go took.
func resident() int64 {
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := bytes.Fields(b); len(f) > 1 {
			if pages, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
