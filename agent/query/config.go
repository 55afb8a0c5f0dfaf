package query

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds one question in PromQL, so that a page or a dashboard cannot starve the agent. Rules have the same bounds,
// but that of CPU.
type Config struct {
	Timeout    time.Duration `yaml:"timeout"`     // of a question and of a rule's expression; 1s to 2m
	MaxSamples int           `yaml:"max_samples"` // in memory for one question, 16 bytes each and as much again in the answer; 100000 to 50000000
	CPU        time.Duration `yaml:"cpu"`         // of the processor, for a question of a person or a dashboard. 0: 800ms, and as much for each 2,000 series of the store, at most 5s; else 100ms to 2m
}

// Default returns the defaults: 1,000 series of 1,000 points.
func Default() Config {
	return Config{Timeout: 20 * time.Second, MaxSamples: 1_000_000}
}

// What a question may use where nobody says: garbage collection has room below a second in a store of an agent's own series. A
// panel over 20 machines' node_exporter for a day takes up to 0.5 s, one with a window of an hour 1.0 s (BENCHMARKS), and twice
// as many machines twice as much.
const (
	leastCPU  = 800 * time.Millisecond
	mostCPU   = 5 * time.Second
	perSeries = leastCPU / 2000
)

// Spends is how much CPU time a question may use in a store of so many series.
func (c Config) Spends(series uint64) time.Duration {
	if c.CPU > 0 {
		return c.CPU
	}
	return min(max(leastCPU, time.Duration(min(series, 1<<20))*perSeries), mostCPU)
}

// Validate says what is out of bounds. The upper ones are the defaults of a Prometheus server (query.timeout, query.max-samples;
// source: prometheus.io, "Command line: prometheus", read 30 November 2026).
func (c Config) Validate() error {
	var errs []error
	if c.Timeout < time.Second || c.Timeout > 2*time.Minute {
		errs = append(errs, fmt.Errorf("timeout: %v is outside 1s to 2m", c.Timeout))
	}
	if c.MaxSamples < 100_000 || c.MaxSamples > 50_000_000 {
		errs = append(errs, fmt.Errorf("max_samples: %d is outside 100000 to 50000000", c.MaxSamples))
	}
	if c.CPU != 0 && (c.CPU < 100*time.Millisecond || c.CPU > 2*time.Minute) {
		errs = append(errs, fmt.Errorf("cpu: %v is outside 100ms to 2m", c.CPU))
	}
	return errors.Join(errs...)
}
