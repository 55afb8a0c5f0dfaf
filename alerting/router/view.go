package router

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// View returns what the router thinks since its last Step. It shares nothing with the router.
func (r *Router) View() alerting.View {
	v := alerting.View{At: r.now, Storm: r.storm, Refused: r.refused, Silences: r.sortedSilences()}
	for _, a := range r.alarms {
		if a.holds() {
			v.Firing++
			if a.lost || a.unheard {
				v.Lost++
			}
		}
	}
	for _, p := range r.problems {
		v.Problems = append(v.Problems, r.viewOf(p))
	}
	return v
}

func (r *Router) viewOf(p *problem) alerting.ProblemView {
	pv := alerting.ProblemView{
		ID: p.id, Route: r.route(p), State: p.state, Until: p.until, Priority: p.priority, Reason: p.reason,
		Page: r.page(p, nil), Root: p.root.Alarm.Clone(), Since: p.since, Note: r.noteOf(p),
	}
	pv.Page.Explained = copies(pv.Page.Explained)
	if p.behind != nil {
		pv.Behind = p.behind.id
	}
	if i := p.incident; i != nil {
		pv.Key, pv.AckedBy = i.rec.Key, i.rec.AckedBy
	} else if c, ok := r.claimed(p); ok {
		pv.AckedBy = c.by
	}
	if s := r.silences[p.root.silenced]; s != nil {
		pv.SilencedBy = s.CreatedBy
	}
	for _, a := range p.members {
		if a == p.root || a.derived() || !a.holds() {
			continue
		}
		pv.Explained = append(pv.Explained, alerting.ExplainedAlarm{
			Alarm: a.Alarm.Clone(), Why: a.why, Since: a.began(), Lost: a.lost || a.unheard,
			Over15: !a.hidden.IsZero() && r.now.Sub(a.hidden) > r.set.HiddenFor,
		})
	}
	return pv
}

func (r *Router) noteOf(p *problem) string {
	switch {
	case p.root.flapping:
		return fmt.Sprintf("flapping: %d starts", len(p.root.starts))
	case p.root.unheard:
		return "not heard since the restart"
	case p.root.lost:
		return "lost contact: nobody has told of it since " + p.root.EndsAt.UTC().Format(time.TimeOnly)
	case p.incident != nil && p.incident.closedBy != "":
		return "closed at the pager by " + p.incident.closedBy + ", and still there"
	case p.incident != nil && p.incident.tried:
		return "the pager has not taken it yet"
	}
	return ""
}

// Why says what became of an alarm, in sentences. It is empty for one that is not known.
func (r *Router) Why(fingerprint string) string {
	a := r.alarms[fingerprint]
	if a == nil {
		return ""
	}
	p := r.byAlarm[fingerprint]
	switch {
	case p == nil:
		return a.Rule() + " ended at " + a.ended.UTC().Format(time.TimeOnly)
	case a.silenced != "":
		return a.Rule() + " is covered by silence " + a.silenced
	case a.by != nil:
		return fmt.Sprintf("%s is explained by %s, as %s. %s", a.Rule(), summary(a.by), a.why, r.fate(p))
	}
	return fmt.Sprintf("%s is a root: nothing that it needs is known to have failed. %s", a.Rule(), r.fate(p))
}

func (r *Router) fate(p *problem) string {
	text := fmt.Sprintf("The problem %q is %s (%s) and %s", summary(p.head), p.priority, p.reason, p.state)
	if !p.until.IsZero() {
		text += " until " + p.until.UTC().Format(time.TimeOnly)
	}
	if p.behind != nil {
		text += ", behind " + summary(p.behind.head)
	}
	if p.incident != nil {
		text += ", as " + p.incident.rec.Key
	}
	return text + "."
}

func copies(in []alerting.Alarm) []alerting.Alarm {
	out := make([]alerting.Alarm, len(in))
	for i, a := range in {
		out[i] = a.Clone()
	}
	return out
}
