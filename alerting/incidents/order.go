package incidents

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/navcloud/binnacle/alerting"
)

// DefaultRoute is where alarms go that no other route is for.
const DefaultRoute = "default"

// route is the name of the way on which x is notified.
func (d *Desk) route(x *item) string {
	if x.incident != nil && !x.incident.digest && !d.mustWake(x) {
		return x.incident.rec.Route
	}
	if name := d.routeTo(x); name != "" {
		return name
	}
	if x.Priority >= alerting.P3 && d.set.LowRoute != "" {
		return d.set.LowRoute
	}
	if d.set.RouteBy == nil {
		return DefaultRoute
	}
	return cmp.Or(d.set.RouteBy(x.Head.Labels), DefaultRoute)
}

// routeTo is the route that the configuration has for x by its labels, its priority and the time; empty: none.
func (d *Desk) routeTo(x *item) string {
	if d.set.RouteTo == nil {
		return ""
	}
	return d.set.RouteTo(x.Head.Labels, x.Priority, d.now)
}

// mustWake says that what was sent, or tried, on a route that wakes nobody must wake somebody now.
func (d *Desk) mustWake(x *item) bool {
	if x.covered || x.Priority > alerting.P2 {
		return false
	}
	rec := x.incident.rec
	if d.set.LowRoute != "" && rec.Route == d.set.LowRoute {
		return true
	}
	to := d.routeTo(x)
	return to != "" && to != rec.Route && rec.Page.Priority >= alerting.P3
}

// want is one thing that could be sent now. The least class goes first; within one the worst problem does.
type want struct {
	class    int
	kind     alerting.ActionKind
	item     *item
	incident *incident
	more     []*item // of a digest
}

const (
	classTriggerP1 = iota
	classTitleP1
	classTriggerP2
	classAcknowledge
	classTitle
	classResolve
	classTriggerP3
	classNote
)

// wants is what each route could send now, by its name.
type wants map[string][]want

// gather finds all that could be sent now: triggers that are due, changes of title, resolves and notes.
func (d *Desk) gather() wants {
	out := wants{}
	digest := map[string]int{} // place of the trigger that the P3 of a route join
	for _, x := range d.items {
		name := d.route(x)
		if x.covered {
			d.wantTitle(out, name, x)
		} else if d.turn(x) {
			wantPage(out, digest, name, x)
		}
	}
	for _, x := range d.items {
		name := d.route(x)
		if n, ok := digest[name]; ok && d.soon(x) {
			out[name][n].more = append(out[name][n].more, x)
		}
	}
	for _, i := range d.incidents {
		d.wantRest(out, i)
	}
	return out
}

// turn says that a problem waits for nothing but its turn at the pager.
func (d *Desk) turn(x *item) bool {
	if x.state != alerting.Waiting && x.state != alerting.Sending || !x.until.IsZero() {
		return false
	}
	if i := x.incident; i != nil && i.state == alerting.Sending && !d.come(i.after) {
		d.wake.Add(i.after)
		return false
	}
	return true
}

// soon says that a P3 waits for its time, which is near, so that it goes with a P3 whose turn has come.
func (d *Desk) soon(x *item) bool {
	waits := x.state == alerting.Waiting || x.state == alerting.Held
	return waits && !x.covered && x.incident == nil && x.Awake && !x.board && x.Priority >= alerting.P3 && x.until.After(d.now) && x.until.Sub(d.now) <= digestSoon && x.Head.Firing()
}

// wantPage adds a trigger, or lets a P3 join the digest of its route.
func wantPage(out wants, digest map[string]int, name string, x *item) {
	if x.Priority >= alerting.P3 && x.incident == nil {
		if n, ok := digest[name]; ok {
			out[name][n].more = append(out[name][n].more, x)
			return
		}
		digest[name] = len(out[name])
	}
	out[name] = append(out[name], want{class: triggerClass(x.Priority), kind: alerting.Trigger, item: x})
}

func triggerClass(p alerting.Priority) int {
	switch p {
	case alerting.P1:
		return classTriggerP1
	case alerting.P2:
		return classTriggerP2
	}
	return classTriggerP3
}

// wantTitle adds a change of title, where an open incident should say something else.
func (d *Desk) wantTitle(out wants, name string, x *item) {
	if !x.incident.shown() {
		return
	}
	yes, at := d.retitled(x)
	d.wake.Add(at)
	if !yes {
		return
	}
	w := want{class: classTitle, kind: alerting.Retitle, item: x, incident: x.incident}
	if x.Priority == alerting.P1 {
		w.class = classTitleP1
	}
	out[name] = append(out[name], w)
}

// wantRest adds the resolve, the acknowledgement or the next note of an incident.
func (d *Desk) wantRest(out wants, i *incident) {
	name := i.rec.Route
	yes, at := d.resolvable(i)
	d.wake.Add(at)
	switch {
	case yes:
		out[name] = append(out[name], want{class: classResolve, kind: alerting.Resolve, incident: i})
	case i.ack != "" && i.shown():
		out[name] = append(out[name], want{class: classAcknowledge, kind: alerting.Acknowledge, incident: i})
	case len(i.notes) > 0 && i.shown() && d.come(i.after):
		out[name] = append(out[name], want{class: classNote, kind: alerting.Note, incident: i})
	case len(i.notes) > 0 && i.shown():
		d.wake.Add(i.after)
	}
}

// retitled says whether an open incident should say something else: a better cause, or what users still notice when
// the cause is over. Other leftovers do not change it. at is when time alone will make it so.
func (d *Desk) retitled(x *item) (yes bool, at time.Time) {
	i := x.incident
	worse := x.Priority < i.rec.Page.Priority
	switch {
	case !x.Awake || i.deaf || i.digest:
		return false, at
	case !d.come(i.after):
		return false, i.after
	case i.stale || worse:
		return true, at
	case leftover(x):
		return false, at
	case heads(x.Head, i.headed):
		return d.reworded(x)
	case x.Head == x.Root && !x.Head.Group():
		return true, at
	case outlives(x.Head) && !d.in.Firing(i.headed):
		at = i.titled.Add(retitlePace)
		return d.come(at), at
	}
	return false, at
}

// reworded says whether the alarm of our own that heads an incident names something else by now: another node is cut off than the one
// that was. Figures alone change no title. The longer an incident is open, the longer its title stays.
func (d *Desk) reworded(x *item) (yes bool, at time.Time) {
	i, own := x.incident, x.Head == x.Root && x.Head.ID == x.incident.headed && !x.Head.Group() && !x.Head.Foreign()
	was, is := i.rec.Page.Broken, x.broken()
	if !own || !x.Head.Firing() || was == "" || is == was || maps.Equal(names(is), names(was)) {
		return false, at
	}
	at = i.titled.Add(max(rewordPace, i.titled.Sub(i.rec.OpenedAt)))
	return d.come(at), at
}

// names are the words of a sentence that begin with a letter.
func names(sentence string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.FieldsFunc(sentence, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:()", r) }) {
		if r, _ := utf8.DecodeRuneInString(w); unicode.IsLetter(r) {
			out[w] = true
		}
	}
	return out
}

// leftover says that what is left of an incident of other people's alarms is less grave than what it says: its title stays.
func leftover(x *item) bool {
	return x.Root.Foreign() && !x.Root.Known && x.Priority > x.incident.rec.Page.Priority
}

// outlives says that users notice it, whatever becomes of its cause.
func outlives(v *alerting.Verdict) bool {
	return v.Symptom && v.Alone <= alerting.P2 && v.Layer != "edge"
}

// heads says that the alarm with this ID is v, or stands behind it.
func heads(v *alerting.Verdict, id string) bool {
	return v.ID == id || slices.Contains(v.Members, id)
}

// route is the way to one on-call: one action unanswered at most, and no more in a minute than the pager takes.
type route struct {
	action   *alerting.Action // unanswered
	incident *incident
	sent     []time.Time // events of the last minute
	limit    int         // events a minute, now
	limited  time.Time   // when limit last changed
	until    time.Time   // no events before
	fails    int         // answers lost in a row
}

// send chooses for each route what goes out next. It is decided anew each time, so that order, title and priority
// are those of the moment.
func (d *Desk) send() []alerting.Action {
	all := d.gather()
	var out []alerting.Action
	for _, name := range slices.Sorted(maps.Keys(all)) {
		rt := d.routes[name]
		if rt == nil {
			rt = &route{limit: d.set.Rate.PerMinute}
			d.routes[name] = rt
		}
		if rt.action != nil {
			continue
		}
		list := all[name]
		slices.SortStableFunc(list, func(a, b want) int { return cmp.Compare(a.class, b.class) })
		rt.recover(d.now, d.set.Rate)
		for _, w := range list {
			yes, at := rt.allows(d.now, d.set.Rate, w)
			d.wake.Add(at)
			if yes {
				out = append(out, d.act(rt, name, w))
				break
			}
		}
	}
	return out
}

// recover forgets what was sent more than a minute ago, and gives back the rate that a pager had cut.
func (rt *route) recover(now time.Time, set alerting.Rates) {
	rt.sent = slices.DeleteFunc(rt.sent, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if rt.limit < set.PerMinute && now.Sub(rt.limited) >= time.Minute {
		rt.limit, rt.limited = min(set.PerMinute, rt.limit*2), now
	}
}

// allows says whether the limits let it go now, or when they will. Room is kept for P1 and for resolves.
func (rt *route) allows(now time.Time, set alerting.Rates, w want) (yes bool, at time.Time) {
	if !paced(w.kind) {
		return true, at
	}
	if rt.until.After(now) {
		return false, rt.until
	}
	limit := rt.limit
	if w.class != classTriggerP1 && w.kind != alerting.Resolve {
		limit -= min(set.Reserve, limit/2)
	}
	if len(rt.sent) < limit {
		return true, at
	}
	return false, rt.sent[0].Add(time.Minute)
}
