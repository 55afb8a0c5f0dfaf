package incidents

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// incident is what was opened at the pager, under one dedup key.
type incident struct {
	rec    alerting.Record
	state  alerting.State // see transitions; empty: it is over
	core   []string       // IDs of the alarms that make it: the head, its root, what users notice
	digest bool           // it opened low for several problems at once: a digest

	resolving bool            // its resolve is under way: it does not come back
	quiet     time.Time       // since when nothing of it fires; zero: something does
	keep      time.Time       // it comes and goes: open until then at least
	eased     time.Time       // since when nothing as grave as its page fires; zero: something does
	due       time.Time       // when it would have been resolved, had nothing lesser held it open
	spent     bool            // what it called for was over, something lesser held it open, and an outage began since
	steady    time.Time       // start of the phase of which it was said that what came and went has come to stay
	ack       string          // acknowledgement that the pager must hear of
	hidden    time.Time       // last note of what has been hidden for long
	known     map[string]bool // alarms that a person knew of who closed it
	headed    string          // ID of the alarm that heads what was last sent
	before    string          // the one before it, until a new title was accepted
	titled    time.Time       // when the title last changed
	stale     bool            // the pager may show another title than rec.Page has
	deaf      bool            // the pager refused the title
	notes     []string        // to be sent
	said      string          // how it stands, as last noted
	saidAt    time.Time
	newsIn    time.Duration // after saidAt
	after     time.Time     // nothing is sent for it before
	tries     int
}

// past is what is kept of an incident that was resolved, by the key without its generation.
type past struct {
	generation int
	closed     time.Time
	returns    int
}

// match binds incidents to problems, and moves each to the state that its alarms are in. The problem that has an incident's
// head has the incident; of several incidents of one problem the worst speaks for it, the others stay until their own alarms
// are quiet.
func (d *Desk) match() {
	d.incidents = slices.DeleteFunc(d.incidents, (*incident).closed)
	slices.SortFunc(d.incidents, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(a.rec.Page.Priority, b.rec.Page.Priority), a.rec.OpenedAt.Compare(b.rec.OpenedAt), cmp.Compare(a.rec.Key, b.rec.Key))
	})
	d.bindAll()
	for _, i := range d.incidents {
		d.observe(i)
		d.ease(i)
	}
	for _, x := range d.items {
		if x.covered && x.incident.spent {
			x.covered = false
		}
	}
	d.incidents = slices.DeleteFunc(d.incidents, func(i *incident) bool {
		over, at := d.finished(i)
		d.wake.Add(at)
		return over
	})
	for _, x := range d.items {
		if i := x.incident; i != nil && x.covered && !i.digest && x.Awake {
			i.core = core(x.Problem)
		}
	}
}

func (d *Desk) bindAll() {
	for _, i := range d.incidents {
		d.follow(i)
	}
	for _, i := range d.incidents {
		if !i.resolving && len(d.followed[i.rec.Key]) == 0 {
			d.bind(i)
		}
	}
}

// follow notes that an incident goes on with another one.
func (d *Desk) follow(i *incident) {
	if key := i.rec.Follows; key != "" {
		d.followed[key] = append(d.followed[key], i)
	}
}

// bind gives an incident to the problem of its head; where that sleeps and another one of the incident's is awake, to that.
func (d *Desk) bind(i *incident) {
	var best *item
	for _, id := range i.core {
		x := d.byAlarm(id)
		if x == nil || x.incident != nil {
			continue
		}
		if i.digest {
			d.give(i, x)
		} else if best == nil || !best.Awake && x.Awake {
			best = x
		}
	}
	if best != nil {
		d.give(i, best)
	}
}

// give notes that an incident is open for a problem, and whether it covers all of it.
func (d *Desk) give(i *incident, x *item) {
	x.incident = i
	outgrown, at := d.outgrown(x)
	d.wake.Add(at)
	x.covered = i.state != alerting.Sending && !outgrown
	if i.keep = (time.Time{}); !x.Flapping {
		return
	}
	for _, v := range x.Members {
		if v.Flapping && i.steady.Before(v.First) {
			i.keep = later(i.keep, v.First.Add(d.set.Flap.Within))
		}
	}
}

// observe moves an incident to the state that its alarms are in.
func (d *Desk) observe(i *incident) {
	what, by := d.seen(i)
	switch {
	case what != calmed:
		i.quiet = time.Time{}
	case i.quiet.IsZero():
		i.quiet = d.now
	}
	changed := i.on(what)
	if i.state != alerting.SilencedState || what != silenced {
		return
	}
	i.rec.SilencedBy, i.rec.SilencedUntil = by.CreatedBy, by.EndsAt
	if !changed {
		return
	}
	i.ack = "silenced by " + cmp.Or(by.CreatedBy, "somebody") + " until " + by.EndsAt.UTC().Format("2 Jan 15:04 UTC")
	i.note("Acknowledged: " + i.ack)
	i.rec = i.rec.Acknowledge(alerting.Acked{By: by.CreatedBy, Pager: true}, d.now)
}

// seen says what the alarms of an incident do, and by which silence they are quiet.
func (d *Desk) seen(i *incident) (what event, by alerting.Silence) {
	what = calmed
	for _, id := range i.core {
		x := d.byAlarm(id)
		switch {
		case x == nil:
		case x.Awake && (x.incident == i || d.in.Firing(id)):
			if d.repeated(x) {
				return fires, by
			}
			what = unsent
		case what == calmed:
			if q := d.quietBy(x, id); q != "" {
				what, by = silenced, d.in.Silences[q]
			}
		}
	}
	return what, by
}

// quietBy is the silence that covers the alarm with this ID in x, while it fires; empty: none does.
func (d *Desk) quietBy(x *item, id string) string {
	if v := d.in.Find(id); v != nil && v.Of == x.Problem && v.Firing() && v.Silenced {
		return v.Silence
	}
	return ""
}

// repeated says that a sender still repeats something serious in x.
func (d *Desk) repeated(x *item) bool {
	if x.repeats == unasked {
		x.repeats = no
		if slices.ContainsFunc(x.Members, func(v *alerting.Verdict) bool { return v.Serious && !v.Lost }) {
			x.repeats = yes
		}
	}
	return x.repeats == yes
}

// maxCore bounds the alarms that make an incident.
const maxCore = 64

// core are the IDs of the alarms that make a problem, the head first.
func core(p *alerting.Problem) []string {
	out := []string{p.Head.ID}
	for _, v := range p.Members {
		if v != p.Head && (v == p.Root || v.Serious || v.Joined.Leads) && len(out) < maxCore {
			out = append(out, v.ID)
		}
	}
	for _, m := range p.Head.Parts {
		if len(out) < maxCore {
			out = append(out, m.ID)
		}
	}
	return out
}

// outgrown reports whether x needs a new incident because its current one can no longer alert anyone: what a person
// acknowledged or closed stays silent whatever is sent, what opened at low urgency cannot wake, and where titles are refused
// only a new one can. at is when time alone makes it so.
func (d *Desk) outgrown(x *item) (yes bool, at time.Time) {
	i := x.incident
	if !x.Awake || i.state == alerting.Sending {
		return false, at
	}
	silent := i.silent()
	switch {
	case i.rec.SilencedBy != "": // and it is not any more
		return true, at
	case x.Priority > alerting.P2:
		return false, at
	case x.Priority < i.rec.Page.Priority:
		return silent || i.deaf || i.spent || d.afresh(x), at
	case silent && x.Head.Steady && !i.steady.Equal(x.Head.First):
		return true, at
	case i.state == alerting.ClosedState:
		return d.reopens(x)
	}
	return false, at
}

// silent says that whatever is sent for an incident wakes nobody.
func (i *incident) silent() bool {
	return i.rec.AckedBy != "" || i.state == alerting.ClosedState || i.rec.Page.Priority >= alerting.P3
}

// afresh says that what makes a problem worse than its page began long after that was sent: a new title wakes nobody.
func (d *Desk) afresh(x *item) bool {
	return slices.ContainsFunc(x.Members, func(v *alerting.Verdict) bool {
		return outage(v) && v.Alone == x.Priority && v.Began().Sub(x.incident.rec.OpenedAt) > growsFor
	})
}

// reopens says that what a person closed must be notified anew: another alarm joined it, or it is a P1 that its sender repeats
// still. What is out of contact is not.
func (d *Desk) reopens(x *item) (yes bool, at time.Time) {
	i := x.incident
	urgent := false
	for _, v := range x.Members {
		if !v.Serious || v.Lost || v.Unheard {
			continue
		}
		if !v.Group() && !i.known[v.ID] {
			return true, at
		}
		urgent = urgent || v.Alone == alerting.P1
	}
	if !urgent || d.set.Resolve.Reopen == 0 {
		return false, at
	}
	at = i.rec.ClosedAt.Add(d.set.Resolve.Reopen)
	return d.come(at), at
}

// finished says whether an incident can be forgotten, and when time alone will make it so.
func (d *Desk) finished(i *incident) (yes bool, at time.Time) {
	switch {
	case i.state != alerting.ClosedState:
		return false, at
	case slices.ContainsFunc(d.followed[i.rec.Key], (*incident).shown):
		return true, at
	case i.quiet.IsZero():
		return false, at
	}
	at = i.quiet.Add(closedFor)
	return d.come(at), at
}

// resolvable says whether an incident has been quiet for long enough, or goes on as another one; and when time alone will make
// it so.
func (d *Desk) resolvable(i *incident) (yes bool, at time.Time) {
	if i.resolving {
		return true, at
	}
	if d.replaced(i) {
		return len(i.notes) == 0 || i.tries > 0, at // the link first
	}
	if i.quiet.IsZero() || !i.open() {
		return false, at
	}
	at = d.until(i)
	return d.come(at), at
}

// until is when an incident that is quiet is resolved, should it stay so.
func (d *Desk) until(i *incident) time.Time {
	at := later(i.quiet.Add(d.set.Resolve.Quiet), i.keep)
	if !d.listen.IsZero() {
		at = later(at, d.listen.Add(d.set.Start.ListenResolve))
	}
	return at
}

// replaced says that the silence of an incident ended, and that a new generation of it is open.
func (d *Desk) replaced(i *incident) bool {
	if i.rec.SilencedBy == "" || !i.shown() {
		return false
	}
	return slices.ContainsFunc(d.followed[i.rec.Key], func(o *incident) bool { return o.rec.Base == i.rec.Base && o.shown() })
}

// generation is the next one of a key, and how often what it names has come back lately.
func (d *Desk) generation(base string) (generation, returns int) {
	last, ok := d.past[base]
	generation = last.generation
	if ok && d.now.Sub(last.closed) <= d.set.Resolve.ReturnWithin {
		returns = last.returns + 1
	}
	for _, i := range d.incidents {
		if i.rec.Base == base {
			generation = max(generation, i.rec.Generation)
		}
	}
	return generation + 1, returns
}

// closed says that it is resolved at the pager.
func (i *incident) closed() bool { return i.state == "" }

// close keeps what must be known of an incident that is over.
func (d *Desk) close(i *incident) {
	d.over(i)
	d.remember(i.rec.Base, past{i.rec.Generation, d.now, i.rec.Returns})
	i.rec.Open, i.resolving, i.state = false, false, ""
}

// remember keeps the newest generation of a key.
func (d *Desk) remember(base string, p past) {
	if p.generation >= d.past[base].generation {
		d.past[base] = p
	}
}

// maxPast bounds the keys whose generations are known.
const maxPast = 20_000

// forgetPast drops the oldest where there are too many, and calls that count no more.
func (d *Desk) forgetPast() {
	for id, at := range d.called {
		if d.now.Sub(at) >= calledFor {
			delete(d.called, id)
		}
	}
	for limit := 24 * time.Hour; len(d.past) > maxPast; limit /= 2 {
		for base, p := range d.past {
			if d.now.Sub(p.closed) >= limit {
				delete(d.past, base)
			}
		}
	}
}
