package router

import (
	"maps"
	"slices"

	"github.com/navcloud/binnacle/alerting"
)

// View returns what the router thinks since its last Step.
func (r *Router) View() alerting.View { return r.Snapshot()() }

// Snapshot keeps what the router thinks since its last Step. What it returns makes the View of that, once, and may do so beside
// further steps. A View shares nothing with the router that anybody changes.
func (r *Router) Snapshot() func() alerting.View {
	v := alerting.View{At: r.now, Storm: r.desk.Storm(), Refused: r.memory.refused}
	for _, id := range slices.Sorted(maps.Keys(r.memory.silences)) {
		s := r.memory.silences[id]
		s.Matchers, s.Alarms = slices.Clone(s.Matchers), slices.Clone(s.Alarms)
		v.Silences = append(v.Silences, s)
	}
	for _, f := range r.memory.alarms {
		if f.Firing() {
			v.Firing++
			if f.Lost || f.Unheard {
				v.Lost++
			}
		}
	}
	refused, problems := r.refusals(), r.desk.Snapshot()
	return func() alerting.View {
		v.Problems = problems()
		for n, no := range refused {
			v.Problems[n].Refused = no
		}
		return v
	}
}

// maxRoots bounds the problems of which is said why they are not explained by each other: the worst ones.
const maxRoots = 50

// refusals are for each of the worst problems why its root is not explained by the roots of the others.
func (r *Router) refusals() [][]alerting.Refusal {
	ps := r.found.Problems[:min(maxRoots, len(r.found.Problems))]
	out := make([][]alerting.Refusal, len(ps))
	for n, p := range ps {
		for _, o := range ps {
			if no, ok := r.found.Refused(p.Root, o.Root); ok {
				out[n] = append(out[n], no)
			}
		}
	}
	return out
}
