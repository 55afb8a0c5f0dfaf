package incidents

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// View returns how the problems stand since the last Advance. It shares nothing with the desk.
func (d *Desk) View() []alerting.ProblemView {
	var out []alerting.ProblemView
	for _, x := range d.items {
		out = append(out, d.view(x))
	}
	return out
}

func (d *Desk) view(x *item) alerting.ProblemView {
	pv := alerting.ProblemView{
		ID: x.ID, Route: d.route(x), State: x.state, Until: x.until, Priority: x.Priority, Reason: x.Reason,
		Page: d.page(x, nil), Root: x.Root.Clone(), Read: readOf(x.Root), Since: x.Since, Note: noteOf(x), Awake: x.Awake,
	}
	for n, a := range pv.Page.Explained {
		pv.Page.Explained[n] = a.Clone()
	}
	if x.behind != nil {
		pv.Behind = x.behind.ID
	}
	if i := x.incident; i != nil {
		pv.Key, pv.AckedBy = i.rec.Key, i.rec.AckedBy
	} else if c, ok := d.claimed(x); ok {
		pv.AckedBy = c.by
	}
	pv.SilencedBy = d.silencer(x)
	for _, v := range x.Members {
		if v == x.Root || v.Group() || !v.Firing() {
			continue
		}
		h := d.hiding[v.ID]
		pv.Explained = append(pv.Explained, alerting.ExplainedAlarm{
			Alarm: v.Clone(), Read: readOf(v), Why: v.Why, Since: v.Began(), Lost: v.Lost || v.Unheard, Priority: v.Alone, Silenced: v.Quiet,
			Over15: h != nil && d.now.Sub(h.since) > d.set.HiddenFor,
		})
	}
	return pv
}

// silencer is who silenced a problem: what its root is covered by, else what the incident was.
func (d *Desk) silencer(x *item) string {
	if x.Root.Silence != "" {
		return d.in.Silences[x.Root.Silence].CreatedBy
	}
	if x.told && x.state == alerting.Quiet {
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
	case x.incident != nil && x.incident.state == alerting.Resolved:
		return "closed at the pager by " + x.incident.rec.ClosedBy + ", still firing"
	case x.incident != nil && x.incident.state == alerting.Sending:
		return "the pager has not taken it yet"
	}
	return ""
}

// readOf is how an alarm of others was read; of a group alarm, how its spokesman was.
func readOf(v *alerting.Verdict) string {
	if len(v.Parts) > 0 {
		v = v.Parts[0]
	}
	if v.Reading == nil {
		return ""
	}
	return v.Reading.Says()
}
