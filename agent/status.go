package agent

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/series"
)

// Status returns the truth as of now.
func (a *Agent) Status() health.Status {
	a.mu.Lock()
	cfg, fault, loaded, leaving := a.cfg, a.fault, a.loaded, a.leaving
	a.mu.Unlock()
	s := health.Status{
		At: time.Now(), Version: a.hooks.Version, Node: cfg.nodeName(), Begun: a.begun, Listen: cfg.Listen, Loaded: loaded, Leaving: leaving,
		Data: a.folder.dir(), DataShared: a.folder.everybodys(), Parts: a.roster.list(),
	}
	if err := a.folder.fault(); err != nil {
		s.DataError = err.Error()
	}
	for _, r := range a.damage.Current(s.At) {
		s.Damaged = append(s.Damaged, r.String())
	}
	if fault != nil {
		s.Reload = fault.Error()
	}
	for _, r := range []role{a.store, a.route, a.routers, a.web, a.rules, a.ship, a.collect} {
		r.status(&s)
	}
	secret.RedactAll(&s) // errors of others are among it
	return s
}

// maxLost is how many series that lost samples are named.
const maxLost = 5

func lostSeries(named []series.Loss) []string {
	var out []string
	for _, l := range named[:min(len(named), maxLost)] {
		text := fmt.Sprintf("%s lost %.0f samples (%s", l.Name, l.Count, l.Reason)
		if l.Why != "" {
			text += ": " + l.Why
		}
		out = append(out, text+")")
	}
	return out
}
