package router

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/diagnosis"
	"github.com/navcloud/binnacle/alerting/topology"
)

// memory is what the router remembers of alarms, group alarms, silences and senders. A Fact in it is never changed: what
// changes is a new Fact in its place, so that the stages may keep those of the last step.
type memory struct {
	set      alerting.Settings
	walks    *diagnosis.Walks          // the graph
	born     map[string]time.Time      // when a subject came into the graph, of those that came later
	alarms   map[string]*alerting.Fact // by fingerprint
	ids      []string                  // of alarms, in order, but for
	fresh    []string                  // those that came since the last step
	bytes    int                       // of them, about
	groups   []*alerting.Fact          // group alarms, by name
	silences map[string]alerting.Silence
	origins  map[string]time.Time // when each source and host was last sent of: all that is known of alarms of an earlier life
	sending  senders
	identity identity
	last     alerting.Reading // of the alarm with the fingerprint lastRead, so that a new one is read once
	lastRead string
	rules    map[string]time.Time // last start of each rule, for novelty
	passed   []alerting.Passed    // alarms of others that would have woken a person and ended lately, in order
	refused  int                  // alarms that found no room
	lost     int                  // alarms out of contact: any batch of their sender may end them
	unknown  int                  // alarms of an earlier life that nobody has repeated yet: any word of a sender may end them

	vain func(now time.Time, id, rule, scope string) alerting.Vain // what became of the pages of an alarm and its rule; nil: nobody knows
}

func newMemory(s alerting.Settings) *memory {
	return &memory{
		set: s, walks: diagnosis.NewWalks(nil), born: map[string]time.Time{}, alarms: map[string]*alerting.Fact{},
		silences: map[string]alerting.Silence{}, origins: map[string]time.Time{}, sending: newSenders(), identity: newIdentity(), rules: map[string]time.Time{},
	}
}

// maxStarts are kept of one alarm.
const maxStarts = 64

// fire notes that an alarm fires. It says whether that is news, and whether it began now.
func (m *memory) fire(now time.Time, in alerting.Alarm, by string) (news, began bool) {
	id, continues := m.id(now, in)
	was := m.alarms[id]
	if was == nil && !m.room(in) {
		m.refused++
		return true, false
	}
	m.origins[origin(in)] = now
	in.EndsAt = m.sending.fires(now, id, by, in.EndsAt)
	if was != nil && !continues && same(was, in) && m.unknown == 0 {
		again := clone(was)
		again.EndsAt = in.EndsAt
		m.alarms[id] = again
		return false, false
	}
	f := &alerting.Fact{ID: id}
	if was != nil {
		*f = *was
		if m.bytes+size(in)-size(was.Alarm) > 2*maxBytes {
			in.Annotations = was.Annotations // repeated with more than there is room for
		}
	}
	switch {
	case continues:
		goOn(f)
	case was == nil || !was.Firing():
		m.start(now, f, in)
		began = true
	}
	f.Alarm, f.Lost, f.Unheard = in, false, false
	m.locate(f)
	m.keep(f)
	return true, began
}

// goesOn says that an alarm that just ended did not: it fires since before that end. So it looks where one server of a pair evaluates a
// rule before the other, and both have one address. Times of senders are held against each other, as their clocks may be wrong.
func goesOn(now time.Time, was *alerting.Fact, in alerting.Alarm) bool {
	return !was.Firing() && now.Sub(was.Ended) <= oneEvaluation && !was.StartsAt.IsZero() && !in.StartsAt.IsZero() &&
		in.StartsAt.Sub(was.StartsAt) < was.Ended.Sub(was.First)
}

// goOn takes the end of an alarm back.
func goOn(f *alerting.Fact) {
	if !f.Firing() {
		f.Phases = f.Phases[:max(len(f.Phases)-1, 0)] // it is no phase yet
	}
	f.Ended = time.Time{}
}

// same says that an alarm that fires is repeated as it is known, but for its end.
func same(f *alerting.Fact, in alerting.Alarm) bool {
	return f.Firing() && !f.Lost && !f.Unheard && f.StartsAt.Equal(in.StartsAt) && f.Generator == in.Generator && maps.Equal(f.Annotations, in.Annotations)
}

// maxBytes bounds the texts of all alarms. 20,000 as rules write them have 20 MB.
const maxBytes = 64 << 20

// room says whether one alarm more can be kept. An urgent one finds room when there is none, up to as much again: what is
// urgent is the sender's word.
func (m *memory) room(a alerting.Alarm) bool {
	n, most, bytes := len(m.alarms), m.set.MaxAlarms, maxBytes
	if urgent(a) {
		most, bytes = 2*most, 2*bytes
	}
	return n < most && m.bytes+size(a) <= bytes
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

// keep puts a fact into memory whose alarm is new, or reads otherwise than before.
func (m *memory) keep(f *alerting.Fact) {
	if was := m.alarms[f.ID]; was != nil {
		m.bytes -= size(was.Alarm)
	} else {
		m.fresh = append(m.fresh, f.ID)
	}
	m.bytes += size(f.Alarm)
	m.alarms[f.ID] = f
}

// forget drops a fact.
func (m *memory) forget(f *alerting.Fact) {
	m.bytes -= size(f.Alarm)
	delete(m.alarms, f.ID)
	m.forgetIdentity(f)
	m.sending.forget(f.ID)
}

// urgent alarms find room when there is none.
func urgent(a alerting.Alarm) bool {
	return alerting.Grave(a.Labels) || a.Always() || alerting.ParsePriority(a.Labels[alerting.LabelPriority]) == alerting.P1
}

// origin is where an alarm comes from by its labels: what was sent of it lately would be repeated.
func origin(a alerting.Alarm) string {
	return a.Labels[alerting.LabelSource] + "\x00" + cmp.Or(a.Labels["host"], a.Labels["instance"])
}

// week is how long a rule must not have fired in order to be novel.
const week = 7 * 24 * time.Hour

// start counts a start of an alarm, for flapping and novelty.
func (m *memory) start(now time.Time, f *alerting.Fact, in alerting.Alarm) {
	if !f.Ended.IsZero() && now.Sub(f.Ended) > diagnosis.LingerMost {
		f.Joined = alerting.Joined{}
	}
	if len(f.Starts) > 0 && now.Sub(f.Starts[len(f.Starts)-1]) >= m.set.Flap.Within {
		f.Starts, f.Phases = nil, nil
	}
	f.First, f.Ended = now, time.Time{}
	f.Starts = append(slices.Clone(f.Starts), now)
	if len(f.Starts) > maxStarts {
		f.Starts = f.Starts[1:]
	}
	f.Flapping = len(f.Starts) >= m.set.Flap.Starts
	last, seen := m.rules[in.Rule()]
	f.Novel = !seen || now.Sub(last) > week
	m.rules[in.Rule()] = now
}

// locate reads what the labels say.
func (m *memory) locate(f *alerting.Fact) {
	f.Kind, f.Layer = strings.ToLower(f.Labels[alerting.LabelKind]), strings.ToLower(f.Labels[alerting.LabelLayer])
	f.ReadLabels()
	f.Entity, f.Known = m.walks.Graph.Place(f.Labels)
	m.read(f)
}

// end notes that an alarm ended, as its sender says. It returns whether that is news.
func (m *memory) end(now time.Time, id, by string) bool {
	raw := id
	if was := m.identity.of[raw]; was != "" {
		id = was
	}
	f := m.alarms[id]
	if f == nil || !f.Firing() || f.Fingerprint() != raw || !m.sending.ends(now, id, by) {
		return false
	}
	m.alarms[id] = over(f, now)
	m.pass(m.alarms[id])
	m.sending.forget(id)
	return true
}

// maxPhases are kept of one alarm.
const maxPhases = 5

// over is an alarm that ended.
func over(f *alerting.Fact, now time.Time) *alerting.Fact {
	f = clone(f)
	f.Ended, f.Lost, f.Unheard = now, false, false
	f.Phases = append(slices.Clone(f.Phases), now.Sub(f.First))
	if len(f.Phases) > maxPhases {
		f.Phases = f.Phases[1:]
	}
	return f
}

// silence adds, replaces or ends one.
func (m *memory) silence(now time.Time, s alerting.Silence) {
	if !s.EndsAt.After(now) {
		delete(m.silences, s.ID)
		return
	}
	m.silences[s.ID] = s
}

// place takes a new graph. Alarms of a node that left it and belonged to a group are over, but for one of which a page
// says that nothing replaced it.
func (m *memory) place(now time.Time, g *topology.Graph, last []*alerting.Verdict) {
	old := m.walks.Graph
	m.walks = diagnosis.NewWalks(g)
	for _, id := range g.IDs() {
		if _, was := old.Get(id); !was && old.Len() > 0 {
			m.born[id] = now
		}
	}
	maps.DeleteFunc(m.born, func(id string, _ time.Time) bool { _, is := g.Get(id); return !is })
	unreplaced := map[string]bool{}
	for _, v := range last {
		unreplaced[v.ID] = v.Unreplaced
	}
	for id, f := range m.alarms {
		if !f.Firing() {
			continue
		}
		moved := clone(f)
		was, ok := old.Get(f.Entity.ID)
		if _, is := g.Get(f.Entity.ID); ok && !is && was.Group != "" && !unreplaced[id] {
			moved = over(f, now)
		} else {
			m.locate(moved)
		}
		m.alarms[id] = moved
	}
}

// remember keeps what the next step needs of this one.
func (m *memory) remember(found diagnosis.Result) {
	m.groups = found.Groups
	for _, v := range found.Alarms {
		past := v.Past
		past.Problem, past.Led = "", false
		if v.Of != nil {
			past.Problem, past.Led = v.Of.ID, v == v.Of.Root || v == v.Of.Head
		}
		if past == v.Past && !found.Anew[v] {
			continue
		}
		f := clone(v.Fact)
		f.Past = past
		if v.Group() {
			n, _ := m.group(v.ID)
			m.groups[n] = f
		} else {
			m.alarms[v.ID] = f
		}
	}
}

// group finds a group alarm by its name.
func (m *memory) group(id string) (int, bool) {
	return slices.BinarySearchFunc(m.groups, id, func(f *alerting.Fact, id string) int { return cmp.Compare(f.ID, id) })
}

// firing says whether the alarm or group alarm with this ID fires.
func (m *memory) firing(id string) bool {
	if f := m.alarms[id]; f != nil {
		return f.Firing()
	}
	n, ok := m.group(id)
	return ok && m.groups[n].Firing()
}

// restore adds alarms of an earlier life that fire until somebody says otherwise.
func (m *memory) restore(behind []alerting.Alarm) {
	for _, a := range behind {
		if id := a.Fingerprint(); m.alarms[id] == nil {
			m.keep(&alerting.Fact{ID: id, Alarm: a, Unheard: true})
		}
	}
}

// unheard places what was restored, once there is a time.
func (m *memory) unheard(now time.Time) {
	for id, f := range m.alarms {
		if f.Unheard && f.First.IsZero() {
			placed := clone(f)
			placed.First = now
			m.locate(placed)
			m.alarms[id] = placed
		}
	}
}

// maxMemory bounds what is kept for novelty, and of senders.
const maxMemory = 20_000

// bound forgets the oldest of what only grows.
func (m *memory) bound(now time.Time) {
	for _, by := range []map[string]time.Time{m.origins, m.rules} {
		for limit := time.Hour; len(by) > maxMemory; limit /= 2 {
			maps.DeleteFunc(by, func(_ string, t time.Time) bool { return now.Sub(t) >= limit })
		}
	}
	for limit := time.Hour; len(m.sending.known) > maxMemory; limit /= 2 {
		maps.DeleteFunc(m.sending.known, func(_ string, s sender) bool { return now.Sub(s.last) >= limit })
	}
}
