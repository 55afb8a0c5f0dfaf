package incidents

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Snapshot keeps how the problems stand since the last Advance. What it returns makes the views of them, at any time and beside the
// desk's further work: it has copies of what the desk changes, and what it shares nobody changes.
func (d *Desk) Snapshot() func() []alerting.ProblemView {
	items, m := d.items, d.moment
	long := map[string]bool{} // what is hidden for longer than the limit, by ID
	for id, h := range d.hiding {
		if d.now.Sub(h.since) > d.set.HiddenFor {
			long[id] = true
		}
	}
	var out []alerting.ProblemView
	for _, x := range items {
		out = append(out, d.stands(x))
	}
	return func() []alerting.ProblemView {
		for n, x := range items {
			m.complete(&out[n], x, long)
		}
		return out
	}
}

// stands is what the desk may change later.
func (d *Desk) stands(x *item) alerting.ProblemView {
	pv := alerting.ProblemView{
		ID: x.ID, Route: d.route(x), State: x.state, Until: x.until, Priority: x.Priority, Reason: x.Reason,
		Since: x.Since, Note: noteOf(x), Awake: x.Awake, SilencedBy: d.silencer(x),
	}
	if x.behind != nil {
		pv.Behind = x.behind.ID
	}
	if i := x.incident; i != nil {
		pv.Key, pv.AckedBy = i.rec.Key, i.rec.AckedBy
	} else if c, ok := d.claimed(x); ok {
		pv.AckedBy = c.by
	}
	return pv
}

// complete adds what stays as it is.
func (m moment) complete(pv *alerting.ProblemView, x *item, long map[string]bool) {
	pv.Page, pv.Root, pv.Ended, pv.Read = m.page(x, nil), x.Root.Alarm, !x.Root.Firing(), readOf(x.Root)
	for _, v := range x.Members {
		if v == x.Root || v.Group() || !v.Firing() {
			continue
		}
		pv.Explained = append(pv.Explained, alerting.ExplainedAlarm{
			Alarm: v.Alarm, Read: readOf(v), Why: whyOf(v, x.Root), Since: v.Began(), Lost: v.Lost || v.Unheard, Priority: v.Alone, Silenced: v.Silenced,
			Over15: long[v.ID],
		})
	}
}

// whyOf is the sentence that says why an alarm is explained. Where the root explains it by way of another alarm, it names that.
func whyOf(v, root *alerting.Verdict) string {
	if v.By == nil || v.By == root || v.By.Group() {
		return v.Why
	}
	return v.Why + ", and " + root.Rule() + " explains " + v.By.Rule()
}

// silencer is who silenced a problem: what its root is covered by, else what the incident was.
func (d *Desk) silencer(x *item) string {
	if x.Root.Silence != "" {
		return d.in.Silences[x.Root.Silence].CreatedBy
	}
	if x.covered && x.state == alerting.SilencedState {
		return x.incident.rec.SilencedBy
	}
	return ""
}

func noteOf(x *item) string {
	switch {
	case x.Root.Annotations[alerting.AnnotationNotSeen] != "":
		return x.Root.Annotations[alerting.AnnotationNotSeen]
	case x.Root.Flapping:
		return fmt.Sprintf("flapping: %d starts", len(x.Root.Starts))
	case x.Root.Unheard:
		return "not heard since the restart"
	case x.Root.Lost:
		return "lost contact: not repeated since " + x.Root.EndsAt.UTC().Format(time.TimeOnly)
	case x.incident != nil && x.incident.state == alerting.ClosedState:
		return "closed at the pager by " + x.incident.rec.ClosedBy + ", still firing"
	case x.incident != nil && x.incident.state == alerting.Sending:
		return "the pager has not accepted it yet"
	}
	return ""
}

// readOf is how an alarm of others was read; of a group alarm, how its spokesman was.
func readOf(v *alerting.Verdict) string {
	if r := v.Spokesman().Reading; r != nil {
		return r.Says()
	}
	return ""
}
