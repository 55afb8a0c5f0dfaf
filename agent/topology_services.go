package agent

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/agent/inventory"
	"github.com/navcloud/binnacle/agent/store"
)

// What the edges of servers beside NavCloud are made of. An hour, so that an agent that starts during an outage knows what
// stood where before it.
const (
	queryListens   = `max by (node, system, server, group, part, address) (max_over_time(service_listens[1h]))`
	queryNeeds     = `max by (node, system, server, group, part, address, on) (max_over_time(service_needs[1h]))`
	queryUses      = `max by (node, port, address) (max_over_time(connections_uses[1h]))`
	queryAddresses = `max by (node, address) (max_over_time(connections_address[1h]))`
	queryProbes    = `max by (node, probe, target) (max_over_time(probe_up[10m]))`
)

// servicesOf asks the store for them.
func servicesOf(ctx context.Context, s *store.Store, now time.Time) (out inventory.Services, err error) {
	if s == nil {
		return out, nil
	}
	for _, q := range []struct {
		query string
		into  *[]inventory.Edge
	}{{queryListens, &out.Listens}, {queryNeeds, &out.Needs}, {queryUses, &out.Uses}, {queryAddresses, &out.Addresses}} {
		series, err := s.Instant(ctx, q.query, now)
		if err != nil {
			return out, err
		}
		for _, s := range series {
			of := s.Labels.Get
			*q.into = append(*q.into, inventory.Edge{
				Node: of("node"), System: of("system"), Server: of("server"), Group: of("group"), Part: of("part"), Port: of("port"),
				Address: of("address"), On: of("on"),
			})
		}
	}
	series, err := s.Instant(ctx, queryProbes, now)
	for _, s := range series {
		out.Probes = append(out.Probes, inventory.Probe{Node: s.Labels.Get("node"), Name: s.Labels.Get("probe"), Target: s.Labels.Get("target")})
	}
	return out, err
}
