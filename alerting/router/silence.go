package router

import (
	"maps"
	"slices"

	"github.com/navcloud/binnacle/alerting"
)

// silence adds, replaces or ends one.
func (r *Router) silence(in alerting.Silence) {
	if !in.EndsAt.After(r.now) {
		delete(r.silences, in.ID)
		return
	}
	r.silences[in.ID] = &in
}

// silencer returns the ID of the silence that covers a now, the least where several do.
func (r *Router) silencer(a *alarm) string {
	best := ""
	for id, s := range r.silences {
		if s.Active(r.now) && s.Covers(a.Labels, a.fp) && (best == "" || id < best) {
			best = id
		}
	}
	return best
}

func (r *Router) sortedSilences() []alerting.Silence {
	var out []alerting.Silence
	for _, id := range slices.Sorted(maps.Keys(r.silences)) {
		s := *r.silences[id]
		s.Matchers, s.Alarms = slices.Clone(s.Matchers), slices.Clone(s.Alarms)
		out = append(out, s)
	}
	return out
}
