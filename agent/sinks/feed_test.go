package sinks_test

import (
	"sync"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

var feeders sync.Map // by queue

// feed hands samples to q as an agent would; calls for one queue share a registry of series.
func feed(q *sinks.Queue, samples []metric.Sample) {
	put, _ := feeders.LoadOrStore(q, sinkstest.Feed(q))
	put.(func([]metric.Sample))(samples)
}
