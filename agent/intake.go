package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/reading"
)

// IntakeConfig is about what others send to a router, and how their alarms are read. Nothing in it is needed: the defaults know
// the public packs.
type IntakeConfig struct {
	intake.Config `yaml:",inline"`

	UnknownSeverity string            `yaml:"unknown_severity"` // P1 to P5, of severities that nobody knows and of none at all
	ReplicaLabels   []string          `yaml:"replica_labels"`   // tell copies of one sender apart, beside those that are usual
	Map             []reading.Mapping `yaml:"map"`              // relabel_configs, each with severity, kind, priority for what it matches
}

func defaultIntake() IntakeConfig { return IntakeConfig{UnknownSeverity: "P2"} }

// Validate says what is out of bounds.
func (c IntakeConfig) Validate() error {
	errs := []error{c.Config.Validate()}
	if alerting.ParsePriority(c.UnknownSeverity) == 0 {
		errs = append(errs, fmt.Errorf("unknown_severity: have %q, want P1 to P5", c.UnknownSeverity))
	}
	for n, m := range c.Map {
		if err := m.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("map[%d]: %w", n, err))
		}
	}
	return errors.Join(errs...)
}

// replicas are the labels that tell copies of one sender apart.
func (c IntakeConfig) replicas() []string { return append(reading.ReplicaLabels(), c.ReplicaLabels...) }

// Senders listens from now on to the senders that must be heard.
func (c IntakeConfig) Senders(now time.Time) intake.Senders {
	return intake.NewSenders(c.Heartbeats, c.replicas(), now)
}

// reader reads alarms as the section says.
func (c IntakeConfig) reader() *reading.Reader {
	return reading.New(reading.Settings{
		UnknownSeverity: alerting.ParsePriority(c.UnknownSeverity), ReplicaLabels: c.replicas(), Map: c.Map,
	})
}

// RouterSettings are those of a router: its waits and limits, its routes, and how it reads alarms of others.
func (c Config) RouterSettings() alerting.Settings {
	set := c.Route.Settings()
	set.Read = c.Intake.reader().Read
	return set
}
