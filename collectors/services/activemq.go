package services

import (
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// What ActiveMQ Classic says of itself. Source: activemq.apache.org, "JMX", 5.17, read 30 November 2026. Its Health says Good with a store that is
// full, and is left out; totals of the broker count its own advisories.
var (
	activemqUse      = &metric.Desc{Name: "activemq_usage_ratio", Unit: metric.Ratio, Help: "Use of a limit of the broker: store, memory, temp; at 1 producers are held, without an error"}
	activemqConns    = &metric.Desc{Name: "activemq_connections", Help: "Connections of clients"}
	activemqMessages = &metric.Desc{Name: "activemq_queue_messages", Help: "Messages of a queue, those that were handed out and not acknowledged among them"}
	activemqInFlight = &metric.Desc{Name: "activemq_queue_inflight", Help: "Messages of a queue that were handed out and not acknowledged"}
	activemqConsumer = &metric.Desc{Name: "activemq_queue_consumers", Help: "Consumers of a queue"}
	activemqIn       = &metric.Desc{Name: "activemq_queue_enqueued_total", Kind: metric.Counter, Help: "Messages put into a queue"}
	activemqOut      = &metric.Desc{Name: "activemq_queue_dequeued_total", Kind: metric.Counter, Help: "Messages acknowledged"}
	activemqExpired  = &metric.Desc{Name: "activemq_queue_expired_total", Kind: metric.Counter, Help: "Messages that expired"}
	activemqBlocked  = &metric.Desc{Name: "activemq_queue_blocked_sends_total", Kind: metric.Counter, Help: "Sends that were held for want of room"}
	activemqSlave    = &metric.Desc{Name: "activemq_slave", Help: "1 while the broker waits for the lock of another one"}

	activemqDescs = []*metric.Desc{
		activemqUse, activemqConns, activemqMessages, activemqInFlight, activemqConsumer, activemqIn, activemqOut, activemqExpired, activemqBlocked, activemqSlave,
	}
	activemqReads = reads(
		[]string{"org.apache.activemq:type=Broker,brokerName=*", "MemoryPercentUsage", "StorePercentUsage", "TempPercentUsage", "CurrentConnectionsCount", "Slave"},
		[]string{
			"org.apache.activemq:type=Broker,brokerName=*,destinationType=Queue,destinationName=*",
			"QueueSize", "ConsumerCount", "EnqueueCount", "DequeueCount", "InFlightCount", "ExpiredCount", "BlockedSends",
		},
	)
)

// maxQueues bounds the queues of a broker: a queue for each client would be a series for each client.
const maxQueues = 1000

func activemq(beans []bean, b *batch) error {
	full, queues := false, 0
	for _, x := range beans {
		_, isQueue := x.keys["destinationName"]
		switch {
		case x.keys["type"] != "Broker" || x.keys["service"] != "":
		case isQueue:
			if queues++; queues > maxQueues {
				continue
			}
			for attribute, d := range map[string]*metric.Desc{
				"QueueSize": activemqMessages, "InFlightCount": activemqInFlight, "ConsumerCount": activemqConsumer, "EnqueueCount": activemqIn,
				"DequeueCount": activemqOut, "ExpiredCount": activemqExpired, "BlockedSends": activemqBlocked,
			} {
				x.add(b, d, attribute, 1, "queue", x.label("destinationName"))
			}
		default:
			for use, attribute := range map[string]string{"memory": "MemoryPercentUsage", "store": "StorePercentUsage", "temp": "TempPercentUsage"} {
				x.add(b, activemqUse, attribute, 0.01, "limit", use)
				v, _ := x.number(attribute)
				full = full || v >= 100 && use != "memory"
			}
			x.add(b, activemqConns, "CurrentConnectionsCount", 1)
			b.bool(activemqSlave, strings.TrimSpace(string(x.values["Slave"])) == "true")
		}
	}
	if full {
		return inState(stateFull, "its store is full: producers are held, without an error")
	}
	return nil
}
