package words

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// ParseDuration reads a duration as people write it: in Prometheus' form (90m, 1d12h, 2w, 1y), else in Go's (1.5h, -10m).
// One that does not fit into a time.Duration, which ends at 292 years, is an error and not another duration.
// Source: Prometheus documentation, "Configuration", <duration>, read 30 November 2026.
func ParseDuration(text string) (time.Duration, error) {
	if d, err := model.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("want a duration such as 90m, 2h30m or 3d, have %q", text)
	}
	return d, nil
}
