package router

import (
	"maps"
	"slices"

	"github.com/navcloud/binnacle/alerting"
)

// View returns what the router thinks since its last Step. It shares nothing with the router.
func (r *Router) View() alerting.View {
	v := alerting.View{At: r.now, Storm: r.desk.Storm(), Refused: r.memory.refused, Problems: r.desk.View()}
	r.refusals(v.Problems)
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
	return v
}

// maxRoots bounds the problems of which is said why they are not explained by each other: the worst ones.
const maxRoots = 50

// refusals adds to each problem why its root is not explained by the roots of the others.
func (r *Router) refusals(views []alerting.ProblemView) {
	ps := r.found.Problems[:min(maxRoots, len(r.found.Problems))]
	for n, p := range ps {
		for _, o := range ps {
			if no, ok := r.found.Refused(p.Root, o.Root); ok {
				views[n].Refused = append(views[n].Refused, no)
			}
		}
	}
}
