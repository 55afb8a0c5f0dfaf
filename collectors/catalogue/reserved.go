package catalogue

import (
	"strings"
	"sync"

	"github.com/navcloud/binnacle/agent/metric"
)

// ours are the beginnings of names that the agent's own collectors, its scrapes and probes, and its rules have.
var ours = []string{"host_", "riak_", "rabbitmq_", "binnacle_", "probe_", "scrape_", "aws_"}

// Reserved says whether a metric, by its name as Prometheus has it, is a collector's or the agent's own. Who else sends it
// would speak in their name: rules read it, and pages follow.
func Reserved(name string) bool {
	for _, prefix := range ours {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return names()[name]
}

// names are all names of the collectors' metrics; those of systems, such as redis_up, are reserved one by one, since
// applications have good names that begin alike.
var names = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{"up": true, "ALERTS": true, "ALERTS_FOR_STATE": true}
	for _, spec := range All() {
		for _, d := range spec.Metrics {
			out[metric.PromName(d)] = true
		}
	}
	return out
})
