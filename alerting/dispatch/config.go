package dispatch

import (
	"errors"
	"fmt"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
)

// Mode says what becomes of decisions.
type Mode string

// The modes.
const (
	On     Mode = "on"     // carried out
	Low    Mode = "low"    // carried out, all at low urgency; the pager sees to that
	Shadow Mode = "shadow" // written into the ledger and taken as carried out
	Off    Mode = "off"    // taken as carried out, for the board alone
)

// Config are the settings of delivery.
type Config struct {
	Mode        Mode          `yaml:"mode"`
	LedgerWait  time.Duration `yaml:"ledger_wait"`  // at most, for a decision to be durable before its call; 10ms to 10s
	SecondAfter time.Duration `yaml:"second_after"` // a P1 that nobody took delivery of goes to the second channel; 30s to 1h
	Heartbeat   Heartbeat     `yaml:"heartbeat"`
}

// Heartbeat tells a dead-man's switch outside that the router lives. The URL is a secret: who knows it
// can keep the switch from ringing.
type Heartbeat struct {
	URL      secret.Secret `yaml:"url"`
	Interval time.Duration `yaml:"interval"` // 10s to 1h
}

// DefaultConfig is what an empty section means.
func DefaultConfig() Config {
	return Config{Mode: On, LedgerWait: 2 * time.Second, SecondAfter: 2 * time.Minute, Heartbeat: Heartbeat{Interval: time.Minute}}
}

// Validate says what is out of bounds.
func (c Config) Validate() error {
	var errs []error
	switch c.Mode {
	case On, Low, Shadow, Off:
	default:
		errs = append(errs, fmt.Errorf("mode: %q is none of on, low, shadow, off", c.Mode))
	}
	for _, b := range []struct {
		name       string
		v, min, to time.Duration
	}{
		{"ledger_wait", c.LedgerWait, 10 * time.Millisecond, 10 * time.Second},
		{"second_after", c.SecondAfter, 30 * time.Second, time.Hour},
		{"heartbeat.interval", c.Heartbeat.Interval, 10 * time.Second, time.Hour},
	} {
		if b.v < b.min || b.v > b.to {
			errs = append(errs, fmt.Errorf("%s: %v is outside %v to %v", b.name, b.v, b.min, b.to))
		}
	}
	return errors.Join(errs...)
}
