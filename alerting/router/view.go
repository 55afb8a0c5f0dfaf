package router

import (
	"maps"
	"slices"

	"github.com/navcloud/binnacle/alerting"
)

// View returns what the router thinks since its last Step. It shares nothing with the router.
func (r *Router) View() alerting.View {
	v := alerting.View{At: r.now, Storm: r.desk.Storm(), Refused: r.memory.refused, Problems: r.desk.View()}
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
