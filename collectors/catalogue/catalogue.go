// Package catalogue lists the collectors. A collector that is not in its list does not exist.
package catalogue

import (
	"slices"
	"strings"

	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/aws"
	"github.com/navcloud/binnacle/collectors/exec"
	"github.com/navcloud/binnacle/collectors/graphite"
	"github.com/navcloud/binnacle/collectors/host"
	"github.com/navcloud/binnacle/collectors/logs"
	"github.com/navcloud/binnacle/collectors/probe"
	"github.com/navcloud/binnacle/collectors/rabbitmq"
	"github.com/navcloud/binnacle/collectors/riak"
	"github.com/navcloud/binnacle/collectors/scrape"
	"github.com/navcloud/binnacle/collectors/services"
	"github.com/navcloud/binnacle/collectors/statsd"
)

// All returns the collectors in order of name.
func All() []collectors.Spec {
	list := append(append(host.Specs(), services.Specs()...), aws.Spec, exec.Spec, graphite.Spec, logs.Spec, probe.Spec, rabbitmq.Spec, riak.Spec, scrape.Spec, collectors.Self, statsd.Spec)
	slices.SortFunc(list, func(a, b collectors.Spec) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Lookup returns the collector of a name.
func Lookup(name string) (collectors.Spec, bool) {
	list := All()
	i := slices.IndexFunc(list, func(s collectors.Spec) bool { return s.Name == name })
	if i < 0 {
		return collectors.Spec{}, false
	}
	return list[i], true
}
