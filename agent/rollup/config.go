package rollup

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/navcloud/binnacle/agent/store"
)

// Config is the section store.rollups.
type Config struct {
	Off           bool          `yaml:"-"`
	Retention     time.Duration `yaml:"retention"`      // 30d to 1100d
	RetentionSize int64         `yaml:"retention_size"` // bytes; the oldest goes first
	// Series are selectors of PromQL. Where there are more series than max_series, those of the first selectors are kept.
	Series    []string `yaml:"series"`
	MaxSeries int      `yaml:"max_series"` // 1 to 200000
	Note      string   `yaml:"note"`       // shown with charts that reach into it
}

// Default keeps what NavCloud and the systems below it tell for 25 months: a year, the same time of the year before, and what
// it takes to look at it. Left out is what the agent says of itself, and what rules made of the rest.
func Default() Config {
	return Config{
		Retention: 762 * 24 * time.Hour, RetentionSize: 2 << 30, MaxSeries: 2000,
		Series: []string{`{__name__=~"navcloud_.+"}`, `{__name__!~"binnacle_.+|ALERTS|ALERTS_FOR_STATE"}`},
	}
}

const maxSeries = 200_000

// Validate says what is out of bounds.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Retention < 30*24*time.Hour || c.Retention > 1100*24*time.Hour {
		bad("retention: %v is outside 30d to 1100d", c.Retention)
	}
	if c.RetentionSize < 64<<20 {
		bad("retention_size: %d is below 64 MiB (%d)", c.RetentionSize, 64<<20)
	}
	if c.MaxSeries < 1 || c.MaxSeries > maxSeries {
		bad("max_series: %d is outside 1 to %d", c.MaxSeries, maxSeries)
	}
	if len(c.Series) == 0 {
		bad("series: want a selector, or the word off for all of rollups")
	}
	for _, s := range c.Series {
		if _, err := store.Parser().ParseMetricSelector(s); err != nil {
			bad("series: %q: %w", s, err)
		}
	}
	return errors.Join(errs...)
}

// matchers are the selectors, parsed.
func (c Config) matchers() (all [][]*labels.Matcher) {
	for _, s := range c.Series {
		m, err := store.Parser().ParseMetricSelector(s)
		if err != nil {
			continue // Validate said so
		}
		all = append(all, m)
	}
	return all
}
