package words

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// ParseDuration reads a duration as Prometheus writes it (90s, 2h30m, 3d, 1w), else as Go does (1.5h, 1m0.5s). One that is
// too long to be told, 292 years, is an error and not a small one.
func ParseDuration(text string) (time.Duration, error) {
	if d, err := model.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q: want a duration such as 90s, 2h30m or 3d, at most 292y", text)
	}
	return d, nil
}
