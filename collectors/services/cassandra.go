package services

import (
	"encoding/json"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// What a node of Cassandra says, of itself and of the others. Source: cassandra.apache.org 4.1, "Metrics" and StorageServiceMBean, read 30
// November 2026; not seen on a real server. Its rates and quantiles fade over minutes, and are left out.
var (
	cassandraMode     = &metric.Desc{Name: "cassandra_mode", Help: "1 for the node's mode: normal, joining, leaving, moving, decommissioned, drained"}
	cassandraLive     = &metric.Desc{Name: "cassandra_nodes", Help: "Nodes as this one sees them: live, unreachable"}
	cassandraRequests = &metric.Desc{Name: "cassandra_requests_total", Kind: metric.Counter, Help: "Requests that the node coordinated: read, write"}
	cassandraErrors   = &metric.Desc{Name: "cassandra_request_errors_total", Kind: metric.Counter, Help: "Requests that failed, by op and reason: timeouts, unavailables (too few replicas), failures"}
	cassandraDropped  = &metric.Desc{Name: "cassandra_dropped_messages_total", Kind: metric.Counter, Help: "Messages that were dropped for their age, by kind"}
	cassandraCompact  = &metric.Desc{Name: "cassandra_pending_compactions", Help: "Compactions that wait"}
	cassandraHints    = &metric.Desc{Name: "cassandra_hints_total", Kind: metric.Counter, Help: "Hints written for nodes that were away"}
	cassandraLoad     = &metric.Desc{Name: "cassandra_load_bytes", Unit: metric.Bytes, Help: "Data of the node"}
	cassandraFaults   = &metric.Desc{Name: "cassandra_exceptions_total", Kind: metric.Counter, Help: "Exceptions that nobody caught"}

	cassandraDescs = []*metric.Desc{
		cassandraMode, cassandraLive, cassandraRequests, cassandraErrors, cassandraDropped, cassandraCompact, cassandraHints, cassandraLoad, cassandraFaults,
	}
	cassandraReads = reads(
		[]string{"org.apache.cassandra.db:type=StorageService", "OperationMode", "LiveNodes", "UnreachableNodes"},
		[]string{"org.apache.cassandra.metrics:type=ClientRequest,scope=Read,name=*", "Count"},
		[]string{"org.apache.cassandra.metrics:type=ClientRequest,scope=Write,name=*", "Count"},
		[]string{"org.apache.cassandra.metrics:type=DroppedMessage,scope=*,name=Dropped", "Count"},
		[]string{"org.apache.cassandra.metrics:type=Compaction,name=PendingTasks", "Value"},
		[]string{"org.apache.cassandra.metrics:type=Storage,name=*", "Count"},
	)
)

func cassandra(beans []bean, b *batch) error {
	mode := ""
	for _, x := range beans {
		switch x.keys["type"] {
		case "StorageService":
			var live, gone []string
			_ = json.Unmarshal(x.values["OperationMode"], &mode) // what is no text, or no list, is not there
			if json.Unmarshal(x.values["LiveNodes"], &live) == nil && live != nil {
				b.add(cassandraLive, float64(len(live)), "state", "live")
			}
			if json.Unmarshal(x.values["UnreachableNodes"], &gone) == nil && gone != nil {
				b.add(cassandraLive, float64(len(gone)), "state", "unreachable")
			}
		case "ClientRequest":
			op := map[string]string{"Read": "read", "Write": "write"}[x.keys["scope"]]
			switch name := x.keys["name"]; name {
			case "Latency":
				x.add(b, cassandraRequests, "Count", 1, "op", op)
			case "Timeouts", "Unavailables", "Failures":
				x.add(b, cassandraErrors, "Count", 1, "op", op, "reason", strings.ToLower(name))
			}
		case "DroppedMessage":
			x.add(b, cassandraDropped, "Count", 1, "message", x.label("scope"))
		case "Compaction":
			x.add(b, cassandraCompact, "Value", 1)
		case "Storage":
			if d := map[string]*metric.Desc{"TotalHints": cassandraHints, "Load": cassandraLoad, "Exceptions": cassandraFaults}[x.keys["name"]]; d != nil {
				x.add(b, d, "Count", 1)
			}
		}
	}
	if mode != "" {
		b.add(cassandraMode, 1, "mode", strings.ToLower(mode))
	}
	if m := strings.ToLower(mode); m == "joining" || m == "starting" {
		return inState(stateStarting, "it joins the cluster")
	}
	return nil
}
