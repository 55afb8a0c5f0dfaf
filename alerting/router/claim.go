package router

import (
	"cmp"
	"maps"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// claim says that a person took a problem that nobody was paged for yet. Its page still goes out, so that whoever is on
// call can see it, and is acknowledged as it does.
type claim struct {
	by string
	at time.Time
}

// claim notes who took a problem, by the fingerprint of its root, or that it was given back.
func (r *Router) claim(p *problem, in alerting.Acked) {
	delete(r.claims, p.root.fp)
	if !in.Undo {
		r.claims[p.root.fp] = claim{cmp.Or(in.By, "somebody"), r.now}
	}
}

// claimed returns who took a problem before its page: the problem may have found another root since.
func (r *Router) claimed(p *problem) (claim, bool) {
	for _, a := range p.members {
		if c, ok := r.claims[a.fp]; ok {
			return c, true
		}
	}
	return claim{}, false
}

// forgetClaims drops those of problems that are over.
func (r *Router) forgetClaims() {
	maps.DeleteFunc(r.claims, func(fp string, _ claim) bool { return r.byAlarm[fp] == nil })
}
