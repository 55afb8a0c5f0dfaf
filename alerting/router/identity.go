package router

import (
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// oneEvaluation is how long after an alarm ended its successor may begin, where a label of both carries what was measured or
// where the exporter is: one or two intervals of usual rules.
const oneEvaluation = 90 * time.Second

// mostNames bounds the fingerprints of one Fact that are remembered: a label that carries what was measured has another value each
// minute for as long as the alarm fires.
const mostNames = 64

// identity is what the router remembers of alarms under several fingerprints. A Fact keeps the ID that it had first; one whose
// changing label changes goes on under it. Silences and the API see the labels as they are now.
type identity struct {
	of     map[string]string   // fingerprint to the ID of the Fact, where they differ
	by     map[string][]string // the other way round
	facts  map[string][]string // what stays of the labels, to IDs
	ending map[string]bool     // fingerprints that end in this step: a successor may come before the end in one batch
}

func newIdentity() identity {
	return identity{of: map[string]string{}, by: map[string][]string{}, facts: map[string][]string{}, ending: map[string]bool{}}
}

// rename notes that the alarm with this fingerprint is the Fact with this ID.
func (i *identity) rename(raw, id string) {
	if i.of[raw] == id {
		return
	}
	i.of[raw] = id
	i.by[id] = append(i.by[id], raw)
	if was := i.by[id]; len(was) > mostNames {
		if i.of[was[0]] == id {
			delete(i.of, was[0])
		}
		i.by[id] = slices.Delete(was, 0, 1)
	}
}

// forget drops the fingerprints of a Fact.
func (i *identity) forget(id string) {
	for _, raw := range i.by[id] {
		if i.of[raw] == id {
			delete(i.of, raw)
		}
	}
	delete(i.by, id)
}

// id is the ID of an alarm's Fact, and whether it goes on with that of a predecessor, or with itself.
func (m *memory) id(now time.Time, in alerting.Alarm) (id string, continues bool) {
	raw := in.Fingerprint()
	id = raw
	if was := m.identity.of[raw]; was != "" {
		id = was
	}
	if f := m.alarms[id]; f != nil {
		if f.Fingerprint() == raw {
			return id, goesOn(now, f, in)
		}
		if m.ended(now, f) {
			return id, true
		}
		if id == raw { // its Fact went on under other labels, and both fire: they are two
			id = raw + "+"
		} else {
			id = raw
		}
		m.identity.rename(raw, id)
		return id, false
	}
	if foreign := (&alerting.Fact{Alarm: in}); !foreign.Foreign() || in.Labels[alerting.LabelKind] != "" {
		return id, false
	}
	m.last = m.set.Read(in)
	m.lastRead = raw
	key := m.last.Identity
	for _, was := range m.identity.facts[key] {
		if f := m.alarms[was]; f != nil && m.ended(now, f) {
			m.identity.rename(raw, was)
			return was, true
		}
	}
	m.identity.facts[key] = append(m.identity.facts[key], id)
	return id, false
}

// ended says that an alarm ended in this batch or within one evaluation, so that another under its identity follows it.
func (m *memory) ended(now time.Time, f *alerting.Fact) bool {
	return !f.Firing() && now.Sub(f.Ended) <= oneEvaluation || f.Firing() && m.identity.ending[f.Fingerprint()]
}

// forgetIdentity drops what is known of a Fact's identity.
func (m *memory) forgetIdentity(f *alerting.Fact) {
	if f.Reading == nil {
		return
	}
	key := f.Reading.Identity
	ids := slices.DeleteFunc(m.identity.facts[key], func(id string) bool { return id == f.ID })
	if m.identity.facts[key] = ids; len(ids) == 0 {
		delete(m.identity.facts, key)
	}
	m.identity.forget(f.ID)
}

// endings notes which alarms end in this step.
func (m *memory) endings(in []alerting.Input) {
	clear(m.identity.ending)
	for _, i := range in {
		if e, ok := i.(alerting.Ended); ok {
			m.identity.ending[e.Fingerprint] = true
		}
	}
}
