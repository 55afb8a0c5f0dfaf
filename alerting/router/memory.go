package router

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// alarm is what the router knows of one alarm, while it holds and for a while after.
type alarm struct {
	alerting.Alarm
	fp       string
	kind     string
	layer    string
	severity string
	entity   topology.Entity
	known    bool      // entity is in the graph
	size     int       // bytes, about
	members  []*alarm  // of a roll-up; none: it was told
	in       *alarm    // the roll-up of strangers that it is a member of
	first    time.Time // when it was first heard, this time
	ended    time.Time // zero while it holds
	lost     bool      // out of contact
	unheard  bool      // known from an earlier life, not told in this one
	starts   []time.Time
	flapping bool
	novel    bool      // its rule was not seen for a week
	hidden   time.Time // since when another explains it; zero: none does
	noted    bool      // that it is hidden for long

	// Judged anew at each step.
	alone    alerting.Priority // were there no other
	reason   string
	rank     rank
	order    int    // place among the causes, the best first
	silenced string // ID of the silence
	by       *alarm // what explains it
	why      string

	unreplaced bool // a node that is down for long, without a spare
}

func (a *alarm) holds() bool   { return a.ended.IsZero() }
func (a *alarm) derived() bool { return a.members != nil }
func (a *alarm) always() bool  { return a.Labels[alerting.LabelPage] == "always" }
func (a *alarm) never() bool   { return a.Labels[alerting.LabelPage] == "never" }

// service is whose it is: of the label, else of the entity.
func (a *alarm) service() string { return cmp.Or(a.Labels[alerting.LabelService], a.entity.Service) }

// began is when it started, as far as is known.
func (a *alarm) began() time.Time {
	if !a.StartsAt.IsZero() && a.StartsAt.Before(a.first) {
		return a.StartsAt
	}
	return a.first
}

// starts that are kept of one alarm.
const maxStarts = 64

// fire notes that an alarm holds, and says whether that is new.
func (r *Router) fire(in alerting.Alarm) (news bool) {
	fp := in.Fingerprint()
	a := r.alarms[fp]
	switch {
	case a == nil:
		if !r.room(in) {
			r.refused++
			return true
		}
		a = &alarm{fp: fp}
		r.alarms[fp] = a
		r.starts(a, in)
	case !a.holds():
		r.starts(a, in)
	case a.same(in) && r.unknown == 0:
		a.EndsAt, r.senders[sender(in)] = in.EndsAt, r.now
		return false
	}
	n := size(in)
	if a.size > 0 && r.bytes+n-a.size > 2*maxBytes {
		in.Annotations = a.Annotations // told again with more than there is room for
		n = size(in)
	}
	r.bytes += n - a.size
	a.Alarm, a.size, a.lost, a.unheard = in, n, false, false
	r.locate(a)
	r.senders[sender(in)] = r.now
	return true
}

// same says that an alarm is told again as it is known, but for its end.
func (a *alarm) same(in alerting.Alarm) bool {
	return !a.lost && !a.unheard && a.StartsAt.Equal(in.StartsAt) && a.Generator == in.Generator && maps.Equal(a.Annotations, in.Annotations)
}

// maxBytes bounds the texts of all alarms. 20,000 as rules write them have 20 MB.
const maxBytes = 64 << 20

// room says whether one alarm more can be kept. An urgent one finds room when there is none, up to as much again: what is
// urgent is the sender's word.
func (r *Router) room(a alerting.Alarm) bool {
	n, most, bytes := len(r.alarms), r.set.MaxAlarms, maxBytes
	if urgent(a) {
		most, bytes = 2*most, 2*bytes
	}
	return n < most && r.bytes+size(a) <= bytes
}

// size is about how many bytes an alarm takes.
func size(a alerting.Alarm) int {
	n := 512 + len(a.Generator)
	for _, texts := range []map[string]string{a.Labels, a.Annotations} {
		for k, v := range texts {
			n += 32 + len(k) + len(v)
		}
	}
	return n
}

// urgent alarms find room when there is none.
func urgent(a alerting.Alarm) bool {
	kind, impact := a.Labels[alerting.LabelKind], a.Labels[alerting.LabelImpact]
	return kind == "symptom" || kind == "quorum" || impact == "users" || impact == "data" || impact == "quorum" ||
		a.Labels[alerting.LabelPage] == "always" || a.Labels[alerting.LabelPriority] == "P1"
}

// sender is who tells of an alarm: what it has told lately, it would tell again.
func sender(a alerting.Alarm) string {
	return a.Labels[alerting.LabelSource] + "\x00" + cmp.Or(a.Labels["host"], a.Labels["instance"])
}

// week is how long a rule must have been silent in order to be news.
const week = 7 * 24 * time.Hour

// starts counts a start, for flapping, storms and novelty.
func (r *Router) starts(a *alarm, in alerting.Alarm) {
	a.first, a.ended, a.noted = r.now, time.Time{}, false
	a.starts = slices.DeleteFunc(append(a.starts, r.now), func(t time.Time) bool { return r.now.Sub(t) > r.set.Flap.Quiet })
	if len(a.starts) > maxStarts {
		a.starts = a.starts[1:]
	}
	if recent(a.starts, r.now, r.set.Flap.Within) >= r.set.Flap.Starts {
		a.flapping = true
	}
	last, seen := r.rules[in.Rule()]
	a.novel = !seen || r.now.Sub(last) > week
	r.rules[in.Rule()] = r.now
	r.raw = append(r.raw, r.now)
}

func recent(times []time.Time, now time.Time, within time.Duration) int {
	n := 0
	for _, t := range times {
		if now.Sub(t) <= within {
			n++
		}
	}
	return n
}

func (r *Router) locate(a *alarm) {
	a.kind, a.layer = strings.ToLower(a.Labels[alerting.LabelKind]), strings.ToLower(a.Labels[alerting.LabelLayer])
	a.severity = strings.ToLower(a.Labels[alerting.LabelSeverity])
	a.entity, a.known = r.graph.Place(a.Labels)
}

func (r *Router) end(fp string) {
	if a := r.alarms[fp]; a != nil && a.holds() {
		a.ended, a.lost, a.unheard = r.now, false, false
	}
}

// place takes a new graph. Alarms of a node that left it and belonged to a group are over, but for one of which was told
// that nothing replaced it.
func (r *Router) place(g *topology.Graph) {
	old := r.graph
	r.graph = g
	clear(r.reach)
	clear(r.needs)
	for _, id := range g.IDs() {
		if _, was := old.Get(id); !was && old.Len() > 0 {
			r.born[id] = r.now
		}
	}
	maps.DeleteFunc(r.born, func(id string, _ time.Time) bool { _, is := g.Get(id); return !is })
	for _, a := range r.alarms {
		was, ok := old.Get(a.entity.ID)
		if _, is := g.Get(a.entity.ID); ok && !is && was.Group != "" && a.holds() && !a.unreplaced {
			a.ended = r.now
		}
		if a.holds() {
			r.locate(a)
		}
	}
}

// age does what time alone does: contact is lost, flapping calms down, what is over is forgotten.
func (r *Router) age() {
	r.stormy()
	r.unknown = 0
	keep := max(r.set.Resolve.AfterCause, r.set.Flap.Quiet)
	for fp, a := range r.alarms {
		if a.flapping && r.now.Sub(a.starts[len(a.starts)-1]) > r.set.Flap.Quiet {
			a.flapping = false
		}
		if a.holds() && !a.EndsAt.IsZero() && r.passed(a.EndsAt) {
			a.lost = true
		}
		switch {
		case a.unheard && r.quietSender(a):
			a.ended, a.unheard = r.now, false
		case a.unheard:
			r.unknown++
		}
		if a.lost && r.now.Sub(a.EndsAt) > r.set.ForgetLost || !a.holds() && r.now.Sub(a.ended) > keep {
			r.bytes -= a.size
			delete(r.alarms, fp)
		}
	}
	for fp, a := range r.rolled {
		if !a.holds() && r.now.Sub(a.ended) > r.set.Resolve.AfterCause {
			delete(r.rolled, fp)
		}
	}
	for id, s := range r.silences {
		r.at(s.StartsAt)
		if r.passed(s.EndsAt) {
			delete(r.silences, id)
		}
	}
	r.bound()
}

// quietSender says whether who told of a in an earlier life, or told another router, has told of other things since,
// and not of it for as long as resolves are waited for: it would have.
func (r *Router) quietSender(a *alarm) bool {
	heard, ok := r.senders[sender(a.Alarm)]
	return r.passed(a.first.Add(r.set.Start.ListenResolve)) && ok && heard.After(a.first)
}

// memory of what is for novelty, generations and senders.
const maxMemory = 20_000

// bound forgets the oldest of what only grows.
func (r *Router) bound() {
	for _, m := range []map[string]time.Time{r.senders, r.rules} {
		for limit := time.Hour; len(m) > maxMemory; limit /= 2 {
			maps.DeleteFunc(m, func(_ string, t time.Time) bool { return r.now.Sub(t) >= limit })
		}
	}
	for limit := 24 * time.Hour; len(r.past) > maxMemory; limit /= 2 {
		maps.DeleteFunc(r.past, func(_ string, p past) bool { return r.now.Sub(p.closed) >= limit })
	}
}

// live returns the alarms that count, told and rolled up, in a fixed order: those that hold, and those that
// ended so lately that they may still explain.
func (r *Router) live() []*alarm {
	out := make([]*alarm, 0, len(r.alarms)+len(r.rolled))
	for _, m := range []map[string]*alarm{r.alarms, r.rolled} {
		for _, a := range m {
			if a.holds() || r.now.Sub(a.ended) <= r.set.Resolve.AfterCause {
				out = append(out, a)
			}
		}
	}
	slices.SortFunc(out, func(a, b *alarm) int { return cmp.Compare(a.fp, b.fp) })
	return out
}
