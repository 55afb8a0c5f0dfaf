package router

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/diagnosis"
)

// What time does to the memory, and what a step reads of it.

// elapse does what time alone does: silences end, alarms lose contact, end or are forgotten; and notes in each Fact that counts what is
// remembered of it. at is when time alone does more.
func (m *memory) elapse(now time.Time, notified map[string]alerting.Notified) (at time.Time) {
	w := alerting.Wake{Now: now}
	maps.DeleteFunc(m.silences, func(_ string, s alerting.Silence) bool { return !s.EndsAt.After(now) })
	active := m.active(&w)
	m.unknown, m.lost = 0, 0
	m.ids, m.fresh = diagnosis.Merge(m.ids, m.fresh, cmp.Compare[string]), nil
	known := m.ids[:0]
	for _, id := range m.ids {
		was := m.alarms[id]
		f, forget := m.age(&w, was)
		if forget {
			m.forget(f)
			continue
		}
		known = append(known, id)
		if f.Unheard {
			m.unknown++
		}
		if f.Lost {
			m.lost++
		}
		if m.counts(now, f, notified) {
			f = m.recall(now, f, active, notified)
		}
		if f != was {
			m.alarms[id] = f
		}
	}
	m.ids = known
	for n, f := range m.groups {
		m.groups[n] = m.recall(now, f, nil, notified)
	}
	m.bound(now)
	return w.At
}

// facts are those that count now, by ID.
func (m *memory) facts(now time.Time, notified map[string]alerting.Notified) []*alerting.Fact {
	out := make([]*alerting.Fact, 0, len(m.ids))
	for _, id := range m.ids {
		if f := m.alarms[id]; m.counts(now, f, notified) {
			out = append(out, f)
		}
	}
	return out
}

// counts says that an alarm fires, or ended so lately that it may still explain.
func (m *memory) counts(now time.Time, f *alerting.Fact, notified map[string]alerting.Notified) bool {
	return f.Firing() || now.Sub(f.Ended) <= m.set.Resolve.AfterCause || notified[f.ID].Open || f.Joined.Leads && now.Sub(f.Ended) <= diagnosis.LingerMost
}

// active are the silences that cover alarms now, in the order of their IDs. w learns when that changes.
func (m *memory) active(w *alerting.Wake) (out []alerting.Silence) {
	for _, id := range slices.Sorted(maps.Keys(m.silences)) {
		s := m.silences[id]
		w.Add(s.StartsAt)
		w.Add(s.EndsAt)
		if s.Active(w.Now) {
			out = append(out, s)
		}
	}
	return out
}

// age does to an alarm what time alone does: it loses contact, calms down, is over, or can be forgotten.
func (m *memory) age(w *alerting.Wake, f *alerting.Fact) (next *alerting.Fact, forget bool) {
	calm := f.Flapping && w.Now.Sub(f.Starts[len(f.Starts)-1]) > m.set.Flap.Quiet
	lost, ended := f.Lost, false
	if f.Firing() {
		lost, ended = m.contact(w, f)
	}
	if calm || ended || lost != f.Lost {
		f = clone(f)
		f.Lost, f.Flapping = lost, f.Flapping && !calm
		if ended {
			f = over(f, w.Now)
			m.sending.forget(f.ID)
		}
	}
	keep := max(m.set.Resolve.AfterCause, m.set.Flap.Within)
	return f, f.Lost && w.Now.Sub(f.EndsAt) > m.set.ForgetLost || !f.Firing() && w.Now.Sub(f.Ended) > keep
}

// contact says whether an alarm that fires has lost contact, and whether its senders' silence about it has ended it.
func (m *memory) contact(w *alerting.Wake, f *alerting.Fact) (lost, ended bool) {
	lost = f.Lost
	if !f.EndsAt.IsZero() {
		w.Add(f.EndsAt)
		lost = lost || !f.EndsAt.After(w.Now)
	}
	if f.Unheard && m.sentOthers(w, f) {
		return lost, true
	}
	if lost {
		var again time.Time
		ended, again = m.sending.standing(w.Now, f.ID)
		w.Add(again)
	}
	return lost, ended
}

// clone is a copy that may be changed.
func clone(f *alerting.Fact) *alerting.Fact {
	next := *f
	return &next
}

// sentOthers says whether who sent f in an earlier life, or to another router, has sent others since, and not f for as long
// as resolves are waited for: it would have.
func (m *memory) sentOthers(w *alerting.Wake, f *alerting.Fact) bool {
	due := f.First.Add(max(m.set.Start.ListenResolve, f.Keeps()))
	w.Add(due)
	heard, ok := m.origins[origin(f.Alarm)]
	return !due.After(w.Now) && ok && heard.After(f.First)
}

// recall adds to a fact what is remembered of it from the step before, and the silence that covers it now.
func (m *memory) recall(now time.Time, f *alerting.Fact, active []alerting.Silence, notified map[string]alerting.Notified) *alerting.Fact {
	past, silence, until := f.Past, f.Silence, f.SilencedUntil
	past.Notified = notified[f.ID]
	if f.Reading != nil && m.vain != nil {
		past.Vain = m.vain(now, f.ID, f.Reading.Rule, f.Reading.Scope)
	}
	if !f.Group() {
		silence, until = "", time.Time{}
		for _, s := range active {
			if !s.Covers(f.Labels, f.ID) && (len(s.Alarms) == 0 || !slices.Contains(s.Alarms, f.Fingerprint())) {
				continue
			}
			silence = cmp.Or(silence, s.ID)
			if end := s.Until(alerting.P1); end.After(until) {
				until = end
			}
		}
	}
	if past != f.Past || silence != f.Silence || !until.Equal(f.SilencedUntil) {
		f = clone(f)
		f.Past, f.Silence, f.SilencedUntil = past, silence, until
	}
	return f
}
