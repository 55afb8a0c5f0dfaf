package incidents

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// act makes the action of a want; its route has one unanswered call from then on.
func (d *Desk) act(rt *route, name string, w want) alerting.Action {
	d.serial++
	a := alerting.Action{ID: fmt.Sprintf("%x-%d", d.now.UnixNano(), d.serial), Kind: w.kind, Route: name}
	i := w.incident
	switch w.kind {
	case alerting.Trigger:
		i = d.open(name, w)
		a.Page = d.page(w.item, w.more)
		if n := i.rec.Returns; n > 0 {
			a.Page.Reason += fmt.Sprintf("; it came back %d times within %s", n, words.Compact(d.set.Resolve.ReturnWithin))
		}
		i.rec.Page = a.Page
	case alerting.Retitle:
		a.Page = d.page(w.item, nil)
		i.before, i.headed, i.titled = i.headed, w.item.Head.ID, d.now
		i.said, i.saidAt, i.newsIn = standing(a.Page), d.now, newsFirst
	case alerting.Resolve:
		i.resolving = true
		a.Page = i.rec.Page
	case alerting.Note:
		a.Page, a.Text = i.rec.Page, i.notes[0]
	case alerting.Acknowledge:
		a.Page, a.Text = i.rec.Page, i.ack
	}
	a.Key, a.Record = i.rec.Key, i.rec
	a.Record.Kind, a.Record.Page, a.Record.UpdatedAt, a.Record.Pending = w.kind, a.Page, d.now, ""
	a.Record.Open = w.kind != alerting.Resolve
	a.Record.Stale = i.stale && w.kind != alerting.Retitle
	rt.action, rt.incident = &a, i
	if paced(w.kind) {
		rt.sent = append(rt.sent, d.now)
	}
	return a
}

// paced says that a pager limits the rate of this kind.
func paced(k alerting.ActionKind) bool {
	return k == alerting.Trigger || k == alerting.Resolve || k == alerting.Acknowledge
}

// open finds the incident that a trigger is for, or makes it: one that was tried keeps its key, so that trying
// again is harmless.
func (d *Desk) open(name string, w want) *incident {
	x := w.item
	if i := x.incident; i != nil && i.state == alerting.Sending && !d.mustWake(x) {
		if i.headed != x.Head.ID {
			i.stale = true // should the first try have had its effect
		}
		i.core, i.headed = core(x.Problem), x.Head.ID
		return i
	}
	base := strings.Join([]string{d.set.Fleet, x.Head.Rule(), cmp.Or(x.Head.Entity.ID, x.Head.ID)}, ":")
	generation, returns := d.generation(base)
	i := &incident{core: core(x.Problem), headed: x.Head.ID, titled: d.now, state: alerting.Sending, digest: len(w.more) > 0}
	i.rec = alerting.Record{
		Key: fmt.Sprintf("%s:%d", base, generation), Base: base, Generation: generation, Route: name, OpenedAt: d.now,
		Returns: returns, Page: alerting.Page{Priority: x.Priority},
	}
	if x.Head.Steady {
		i.steady = x.Head.First
	}
	if x.incident != nil {
		i.rec.Follows = x.incident.rec.Key
	}
	if c, ok := d.claimed(x); ok && !i.digest {
		i.rec.AckedBy, i.rec.AckedAt = c.by, c.at
	}
	x.incident = i
	for _, m := range w.more {
		m.incident = i
		i.core = append(i.core, m.Head.ID)
	}
	d.incidents = append(d.incidents, i)
	d.follow(i)
	return i
}

// Result takes the answer to an action.
func (d *Desk) Result(now time.Time, in alerting.Result) {
	d.now = now
	for _, name := range slices.Sorted(maps.Keys(d.routes)) {
		rt := d.routes[name]
		if rt.action == nil || rt.action.ID != in.ActionID {
			continue
		}
		a, i := *rt.action, rt.incident
		rt.action, rt.incident = nil, nil
		switch {
		case in.Outcome == alerting.Accepted:
			d.accepted(rt, a, i)
		case in.Outcome == alerting.Refused:
			d.refused(a, i)
		case !paced(a.Kind):
			if a.Kind == alerting.Retitle {
				i.headed = i.before // else it would pass for sent
			}
			i.tries++
			i.after = now.Add(max(in.After, min(time.Second<<min(i.tries, 5), 30*time.Second)))
		default:
			rt.lost(now, in, d.set.Rate)
		}
	}
}

// lost takes an answer that did not come, or that said to come back later.
func (rt *route) lost(now time.Time, in alerting.Result, set alerting.Rates) {
	if in.Outcome == alerting.Throttled {
		rt.limit, rt.limited = max(1, rt.limit/2), now
		rt.until = now.Add(max(in.After, set.Probe))
		return
	}
	rt.until = now.Add(max(in.After, min(time.Second<<min(rt.fails, 8), set.RetryMax)))
	rt.fails++
}

func (d *Desk) accepted(rt *route, a alerting.Action, i *incident) {
	i.tries = 0
	if paced(a.Kind) {
		rt.fails = 0
	}
	switch a.Kind {
	case alerting.Trigger, alerting.Retitle:
		if i.state != alerting.ClosedState { // else a person closed it while the answer was under way
			d.appears(a, i)
		}
	case alerting.Resolve:
		d.close(i)
	case alerting.Note:
		i.noted()
	case alerting.Acknowledge:
		i.ack = ""
	}
}

// appears notes that the pager shows a page or a new title.
func (d *Desk) appears(a alerting.Action, i *incident) {
	if a.Kind == alerting.Retitle && i.rec.Page.Rule != a.Page.Rule {
		i.note(fmt.Sprintf("New title: %s [%s]. First: %s", a.Page.Sentence, a.Page.Rule, a.Page.Guidance))
	}
	i.rec.Page, i.rec.Kind, i.rec.UpdatedAt, i.rec.Open = a.Record.Page, a.Record.Kind, a.Record.UpdatedAt, true
	i.on(accepted)
	if a.Kind == alerting.Retitle {
		i.stale = false
		return
	}
	if a.Page.Priority <= alerting.P2 {
		d.storm.paged(d.now)
		for _, id := range i.core {
			d.called[id] = d.now
		}
	}
	for _, o := range d.incidents {
		if o.rec.Key == i.rec.Follows && o.rec.SilencedBy != "" {
			o.note("It fires on after the silence: see " + i.rec.Key)
		}
	}
}

// refused takes a refusal: a page is tried again at growing intervals, since a wrong key may be put right; the
// rest is given up. Package pagerduty has tried the plain form by then.
func (d *Desk) refused(a alerting.Action, i *incident) {
	switch a.Kind {
	case alerting.Trigger:
		i.after = d.now.Add(min(time.Minute<<min(i.tries, 4), 10*time.Minute))
		i.tries++
	case alerting.Resolve:
		d.close(i)
	case alerting.Retitle:
		i.deaf = true
	case alerting.Note:
		i.noted()
	case alerting.Acknowledge:
		i.ack = ""
	}
}
