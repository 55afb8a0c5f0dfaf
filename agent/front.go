package agent

import (
	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/alerting"
)

// newDoor makes the front door of a configuration. What it refuses of what would have changed something is kept where
// everything else is that people do.
func (a *Agent) newDoor(cfg Config) (*door.Door, error) {
	return door.New(door.Options{
		Config: cfg.Web.Config, Data: a.folder.dir(), Log: a.log.With("part", "web"),
		Refused: func(p alerting.Person, what, why string) {
			if a.route.dispatch != nil {
				a.route.dispatch.ActRefused(p, what, why)
			}
		},
	})
}
