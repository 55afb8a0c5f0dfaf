package api

import (
	"fmt"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
)

// telemetry is what the node counts. Names are StatsD's; tags node, az and stack are on each.
//
//	navcloud.info                gauge   always 1; tag version
//	navcloud.depends             gauge   always 1; tag dep: rabbitmq, riak, where it uses them
//	navcloud.alive               count   seconds of service, one each second
//	navcloud.stopped             count   1 at an orderly end
//	navcloud.streams.open        gauge   streams open now
//	navcloud.streams.limit       gauge   connections that the balancer can hold, over all nodes
//	navcloud.streams.opened      count
//	navcloud.streams.closed      count   tag reason: client, shutdown, slow, error, timeout
//	navcloud.heartbeats.sent     count
//	navcloud.heartbeats.late     count   of those sent, the ones that came over 1 s after half the balancer's idle time-out
//	navcloud.events.published    count   changes that users made on this node
//	navcloud.events.received     count   changes that reached this node, its own included: published, over all nodes
//	navcloud.events.expected     count   streams of this node that a received change was for
//	navcloud.events.delivered    count   of those, the streams that it was written to
//	navcloud.events.dropped      count   tag reason: slow, closed, broker (outbox full or lost at the end), malformed
//	navcloud.fanout.latency      timer   from the change to the last stream of this node (needs clocks in step)
//	navcloud.store.latency       timer   tag op: get, put; failures included
//	navcloud.store.operations    count   tag op; failures included
//	navcloud.store.errors        count   tag op
//	navcloud.broker.connected    gauge   1 while events go to the other nodes and come from them
//	navcloud.broker.errors       count   tag op: connect, lost, publish (one for each event that found no connection or was refused)
//	navcloud.http.requests       count   tags route: trips, favourites, stream, other; code
type telemetry struct {
	c statsd.ClientInterface
}

func newTelemetry(cfg Config) (*telemetry, error) {
	if cfg.StatsD == "" {
		return &telemetry{&statsd.NoOpClient{}}, nil
	}
	c, err := statsd.New(cfg.StatsD,
		statsd.WithNamespace("navcloud."),
		statsd.WithTags([]string{"node:" + cfg.Node, "az:" + cfg.AZ, "stack:" + cfg.Stack}),
		statsd.WithoutTelemetry(),
		statsd.WithoutOriginDetection(),
	)
	if err != nil {
		return nil, fmt.Errorf("statsd %s: %w", cfg.StatsD, err)
	}
	return &telemetry{c}, nil
}

// The client's errors are of arguments (none of ours are wrong) or of a closed client: nothing to act on.

func (t *telemetry) count(name string, n int, tags ...string) {
	if n != 0 {
		_ = t.c.Count(name, int64(n), tags, 1)
	}
}

func (t *telemetry) gauge(name string, v float64, tags ...string) { _ = t.c.Gauge(name, v, tags, 1) }

func (t *telemetry) timing(name string, d time.Duration, tags ...string) {
	_ = t.c.Timing(name, max(d, 0), tags, 1)
}

func (t *telemetry) close() { _ = t.c.Close() }
