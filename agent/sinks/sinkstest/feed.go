package sinkstest

import (
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

// Feed returns a function that hands samples to q as an agent would, each call being one collection of one source.
func Feed(q interface{ Put(u series.Update) }) func(samples []metric.Sample) {
	r := series.New(series.Options{})
	return func(samples []metric.Sample) {
		var at time.Time
		for _, s := range samples {
			if s.Time.After(at) {
				at = s.Time
			}
		}
		q.Put(r.Resolve("test", at, nil, samples))
	}
}
