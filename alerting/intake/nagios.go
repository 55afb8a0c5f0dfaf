package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// CheckResult is what a Nagios plugin found, told by who ran it.
// Source: Monitoring Plugins Development Guidelines (exit codes, "text | perfdata", the first line is the
// summary), read November 2026.
type CheckResult struct {
	Host    string            `json:"host"`    // required
	Service string            `json:"service"` // the check's name; empty: the host's own check
	Exit    int               `json:"exit"`    // 0 OK, 1 warning, 2 critical, 3 unknown
	Output  string            `json:"output"`
	Labels  map[string]string `json:"labels"`  // more of them: service, cluster, kind
	Fresh   string            `json:"fresh"`   // when the next result is due at the latest; 15m. Where it is given, an OK that nothing follows is an alarm
	At      time.Time         `json:"at"`      // now when absent
	Runbook string            `json:"runbook"` // URL
}

const (
	hostCheck    = "HostCheck"
	defaultFresh = 15 * time.Minute
)

const unknownExit = 3

var severities = map[int]string{1: "warning", 2: "critical", 3: "warning"}

// Inputs makes the router's inputs of r. The exit code is in the labels, hence in the identity: a change of
// it ends the alarms of the other codes.
func (r CheckResult) Inputs(now time.Time) ([]alerting.Input, error) {
	if r.Host == "" {
		return nil, errors.New("host: want the name of the host")
	}
	if r.Exit < 0 || r.Exit > 3 {
		return nil, fmt.Errorf("exit: %d is outside 0 to 3", r.Exit)
	}
	fresh, err := r.fresh()
	if err != nil {
		return nil, err
	}
	if r.At.IsZero() || r.At.After(now) {
		r.At = now
	}
	var in []alerting.Input
	for code := 1; code <= 3; code++ {
		a := r.alarm(code)
		if code == r.Exit {
			a.StartsAt, a.EndsAt = r.At, now.Add(fresh)
			in = append(in, alerting.Firing{Alarm: a})
		} else {
			in = append(in, alerting.Ended{Fingerprint: a.Fingerprint()})
		}
	}
	return in, nil
}

// fresh is how long after a result the next one is due at the latest.
func (r CheckResult) fresh() (time.Duration, error) {
	if r.Fresh == "" {
		return defaultFresh, nil
	}
	d, err := words.ParseDuration(r.Fresh)
	if err != nil || d < time.Second || d > 7*24*time.Hour {
		return 0, fmt.Errorf("fresh: want a duration of 1s to 168h, have %q", r.Fresh)
	}
	return d, nil
}

func (r CheckResult) alarm(code int) alerting.Alarm {
	rule := r.Service
	if rule == "" {
		rule = hostCheck
	}
	a := alerting.Alarm{Labels: map[string]string{}, Annotations: map[string]string{}}
	for k, v := range r.Labels {
		if len(a.Labels) < maxLabels/2 && k != "" && v != "" {
			a.Labels[k] = cutLabel(v)
		}
	}
	a.Labels[alerting.LabelRule], a.Labels["instance"] = cutLabel(rule), cutLabel(r.Host)
	a.Labels[alerting.LabelSeverity], a.Labels[alerting.LabelSource] = severities[code], "nagios"
	if code == unknownExit {
		a.Labels["state"] = "unknown"
	}
	if r.Service == "" && a.Labels[alerting.LabelKind] == "" {
		a.Labels[alerting.LabelKind] = "down"
	}
	text, perf := splitOutput(r.Output)
	first, rest, _ := strings.Cut(text, "\n")
	for k, v := range map[string]string{
		alerting.AnnotationSummary: first, "output": rest, "perfdata": perf, alerting.AnnotationRunbook: r.Runbook,
	} {
		if v = strings.TrimSpace(v); v != "" {
			a.Annotations[k] = words.Printed(v[:min(len(v), maxAnnotation)])
		}
	}
	return a
}

// splitOutput parts text from performance data: in the first line they are parted by a bar, and so they are
// once in the lines after it.
func splitOutput(s string) (text, perf string) {
	first, rest, _ := strings.Cut(s, "\n")
	text, perf, _ = strings.Cut(first, "|")
	more, morePerf, _ := strings.Cut(rest, "|")
	if more != "" {
		text += "\n" + more
	}
	return text, strings.TrimSpace(perf + " " + strings.Join(strings.Fields(morePerf), " "))
}

// result is Inputs, and the end of what the same check said before under other labels: who configures a check may add some
// or take them away, and an OK must end the alarm all the same. Labels that differ make it another check.
func (i *Intake) result(c CheckResult, now time.Time) ([]alerting.Input, error) {
	in, err := c.Inputs(now)
	if err != nil {
		return nil, err
	}
	if d, err := c.fresh(); err == nil {
		i.pings.result(c, d, now)
	}
	told := map[string]bool{}
	for _, x := range in {
		switch x := x.(type) {
		case alerting.Firing:
			told[x.Alarm.Fingerprint()] = true
		case alerting.Ended:
			told[x.Fingerprint] = true
		}
	}
	mine := c.alarm(0).Labels
	end := func(a alerting.Alarm) {
		if !sameCheck(mine, a.Labels) {
			return
		}
		if fp := a.Fingerprint(); !told[fp] {
			told[fp] = true
			in = append(in, alerting.Ended{Fingerprint: fp})
		}
	}
	for _, p := range i.opts.View().Problems {
		end(p.Root)
		for _, e := range p.Explained {
			end(e.Alarm)
		}
	}
	return in, nil
}

// sameCheck says whether theirs are the labels of an alarm of the check whose labels are mine.
func sameCheck(mine, theirs map[string]string) bool {
	for k, v := range theirs {
		switch k {
		case alerting.LabelSeverity, "state":
			continue
		case alerting.LabelRule, "instance", alerting.LabelSource:
			if mine[k] != v {
				return false
			}
		default:
			if m, ok := mine[k]; ok && m != v {
				return false
			}
		}
	}
	return theirs[alerting.LabelSource] == mine[alerting.LabelSource]
}

func (i *Intake) postCheck(w http.ResponseWriter, r *http.Request) {
	var c CheckResult
	if err := read(w, r, maxSmall, &c); err != nil {
		i.fail(w, status(err), err)
		return
	}
	in, err := i.result(c, time.Now())
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	i.alarms.Add(1)
	if i.put(w, r, in...) {
		w.WriteHeader(http.StatusAccepted)
	}
}

// Events takes what came by DogStatsD: service checks are results as Nagios has them, and an event is a
// deploy mark where its tags say so (kind:change or a version), else for the charts alone. node is where an
// event without a host came from.
func (i *Intake) Events(ctx context.Context, events []metric.Event, node string) error {
	now := time.Now()
	var in []alerting.Input
	for _, e := range events {
		more, err := i.event(e, node, now)
		if err != nil {
			i.refused.Add(1)
			continue
		}
		in = append(in, more...)
	}
	return i.opts.Put(ctx, in...)
}

func (i *Intake) event(e metric.Event, node string, now time.Time) ([]alerting.Input, error) {
	host := e.Labels.Get("host")
	if host == "" {
		host = node
	}
	switch {
	case e.Check:
		return i.result(checkOf(e, host), now)
	case e.Labels.Get("kind") == "change" || e.Labels.Get("version") != "":
		d := Deploy{
			Service: e.Labels.Get("service"), Version: e.Labels.Get("version"), Entity: e.Labels.Get("entity"),
			By: e.Labels.Get("by"), Text: e.Title, At: e.Time,
		}
		in, err := d.Input(now)
		if err != nil {
			return nil, err
		}
		i.endLater(in)
		return []alerting.Input{in}, nil
	}
	return nil, nil
}

// checkOf is the result of a check that came as an event. Its runbook is no part of what it is.
func checkOf(e metric.Event, host string) CheckResult {
	c := CheckResult{Host: host, Service: e.Title, Exit: exitOf(e.Level), Output: e.Text, Labels: e.Labels.Map(), At: e.Time}
	c.Runbook = c.Labels[alerting.AnnotationRunbook]
	delete(c.Labels, alerting.AnnotationRunbook)
	return c
}

// Results are the inputs of the checks among events, for a node that posts them to its routers.
func Results(events []metric.Event, node string, now time.Time) []alerting.Input {
	var in []alerting.Input
	for _, e := range events {
		host := e.Labels.Get("host")
		if host == "" {
			host = node
		}
		if !e.Check {
			continue
		}
		if more, err := checkOf(e, host).Inputs(now); err == nil { // it has a host and a known state
			in = append(in, more...)
		}
	}
	return in
}

func exitOf(l metric.Level) int {
	if l > metric.Unknown {
		return 0
	}
	return int(l)
}
