package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Kind is how the use of a pool moves.
type Kind string

// Demand comes and goes with the day and the week; what Fills only grows until somebody makes room.
const (
	Demand Kind = "demand"
	Fills  Kind = "fills"
)

// Pool describes something that can run out. Use, Limit and Nodes are PromQL; where Use gives several series, each is a
// pool of its own, but that those which differ in az alone are one.
type Pool struct {
	Name     string // snake_case
	Title    string
	Unit     string // of use and limit: bytes, a plural noun, or a rate
	Kind     Kind
	Use      string
	Limit    string  // its labels are among those of Use; empty where Declared is the limit
	Nodes    string  // that share the pool; empty: it does not grow by nodes
	PerNode  bool    // the limit is of one node: times Nodes
	Zoned    bool    // the limit is spread over zones, and a lost zone takes its part with it
	Floor    bool    // use has to stay above limit, as what is left on a disk has
	Action   string  // what gives room
	Declared float64 // limit that was configured; 0: none

	LeadTime time.Duration // how long it takes to make room; 0: as configured for all
}

// Built-in pools: what agents of this project collect. Those without Limit are shown once their limit is declared.
func Pools() []Pool {
	return []Pool{
		{
			Name: "balancer", Title: "Connections of the balancer", Unit: "streams", Kind: Demand,
			Use: `sum by (stack, az) (navcloud_streams_open)`, Limit: `max by (stack) (navcloud_streams_limit > 0)`,
			Action: "raise the balancer's limit or put a second one beside it",
		}, {
			Name: "streams_per_node", Title: "Streams that the nodes hold", Unit: "streams", Kind: Demand, PerNode: true, Zoned: true,
			Use: `sum by (stack, az) (navcloud_streams_open)`, Nodes: `count by (stack, az) (count by (stack, az, node) (navcloud_streams_open))`,
			Action: "add nodes to the group",
		}, {
			Name: "disk", Title: "Disk", Unit: "bytes", Kind: Fills,
			Use: `max by (node, az, mountpoint) (host_filesystem_size_bytes - host_filesystem_available_bytes)`, Limit: `max by (node, mountpoint) (host_filesystem_size_bytes)`,
			Action: "make room or grow the volume",
		}, {
			Name: "memory", Title: "Memory", Unit: "bytes", Kind: Demand,
			Use: `max by (node, az) (host_memory_total_bytes - host_memory_available_bytes)`, Limit: `max by (node) (host_memory_total_bytes)`,
			Action: "take a larger machine or find what grows",
		}, {
			Name: "file_handles", Title: "File handles", Unit: "handles", Kind: Demand,
			// A kernel of 64 bits allows 2^63-1, which is no limit.
			Use: `max by (node, az) (host_file_handles and on (node) host_file_handles_limit < 9e18)`, Limit: `max by (node) (host_file_handles_limit < 9e18)`,
			Action: "raise fs.file-max or find who leaks them",
		}, {
			Name: "rabbitmq_processes", Title: "Erlang processes of RabbitMQ", Unit: "processes", Kind: Demand,
			Use: `max by (cluster, node, az) (rabbitmq_erlang_processes_used)`, Limit: `max by (cluster, node) (rabbitmq_erlang_processes_limit)`,
			Action: "raise +P, or have fewer connections, channels and queues on the node",
		}, {
			Name: "riak_processes", Title: "Erlang processes of Riak", Unit: "processes", Kind: Demand,
			Use: `max by (cluster, node, az) (riak_erlang_processes)`, Action: "raise erlang.process_limit in riak.conf",
		}, {
			Name: "riak_operations", Title: "Riak operations", Unit: "operations/s", Kind: Demand, PerNode: true, Zoned: true,
			Use: `sum by (cluster, az) (rate(riak_node_ops_total[5m]))`, Nodes: `count by (cluster, az) (count by (cluster, az, node) (riak_node_ops_total))`,
			Action: "add nodes to the cluster: handoff takes hours to days",
		}, {
			Name: "riak_keys", Title: "Keys of Riak in memory", Unit: "keys", Kind: Fills, PerNode: true,
			Use: `sum by (cluster, az) (riak_bitcask_keys)`, Nodes: `count by (cluster, az) (count by (cluster, az, node) (riak_bitcask_keys))`,
			Action: "add nodes to the cluster or expire keys: bitcask holds every key in memory",
		}, {
			Name: "riak_disk", Title: "Disk of Riak", Unit: "bytes", Kind: Fills,
			Use: `max by (cluster, node, az) (riak_data_size_bytes - riak_data_available_bytes)`, Limit: `max by (cluster, node) (riak_data_size_bytes)`,
			Action: "add nodes to the cluster or grow the volumes, while there is room for handoff",
		}, {
			Name: "rabbitmq_memory", Title: "Memory of RabbitMQ", Unit: "bytes", Kind: Demand,
			Use: `max by (cluster, node, az) (rabbitmq_process_resident_memory_bytes)`, Limit: `max by (cluster, node) (rabbitmq_resident_memory_limit_bytes)`,
			Action: "drain queues, take a larger machine, or raise vm_memory_high_watermark: at the limit publishers are blocked",
		}, {
			Name: "rabbitmq_disk", Title: "Disk that RabbitMQ has left", Unit: "bytes", Kind: Fills, Floor: true,
			Use: `max by (cluster, node, az) (rabbitmq_disk_space_available_bytes)`, Limit: `max by (cluster, node) (rabbitmq_disk_space_available_limit_bytes)`,
			Action: "drain queues or grow the volume: below the limit publishers are blocked",
		}, {
			Name: "rabbitmq_files", Title: "File handles of RabbitMQ", Unit: "handles", Kind: Demand,
			Use: `max by (cluster, node, az) (rabbitmq_process_open_fds)`, Limit: `max by (cluster, node) (rabbitmq_process_max_fds)`,
			Action: "raise LimitNOFILE of the service",
		},
	}
}

// Sample is one value of an answer to a query.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Zone is a part of a pool's reading.
type Zone struct {
	Name              string
	Use, Limit, Nodes float64
}

// Reading is how full a pool is now.
type Reading struct {
	Labels map[string]string // without az
	Zones  []Zone            // by name; one without a name where there are none
	Limit  float64
}

// Key tells one instance of a pool from another.
func (r Reading) Key() string { return key(r.Labels) }

func key(labels map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k != "az" && k != "__name__" && k != "pool" {
			fmt.Fprintf(&b, "%s=%q,", k, labels[k])
		}
	}
	return b.String()
}

// Read joins the answers of a pool's queries. What has no limit is left out.
func (p Pool) Read(use, limit, nodes []Sample) []Reading {
	by := map[string]*Reading{}
	for _, u := range use {
		if math.IsNaN(u.Value) || math.IsInf(u.Value, 0) {
			continue
		}
		k := key(u.Labels)
		r := by[k]
		if r == nil {
			r = &Reading{Labels: maps.Clone(u.Labels)}
			delete(r.Labels, "az")
			by[k] = r
		}
		z := Zone{Name: u.Labels["az"], Use: u.Value, Nodes: 1}
		if p.Nodes != "" {
			z.Nodes = matching(nodes, u.Labels)
		}
		switch {
		case p.Declared > 0:
			z.Limit = p.Declared
		case p.Limit != "":
			z.Limit = matching(limit, u.Labels)
		}
		if p.PerNode {
			z.Limit *= z.Nodes
		}
		r.Zones = append(r.Zones, z)
	}
	var out []Reading
	for _, k := range slices.Sorted(maps.Keys(by)) {
		r := by[k]
		slices.SortFunc(r.Zones, func(a, b Zone) int { return cmp.Compare(a.Name, b.Name) })
		for _, z := range r.Zones {
			if p.PerNode || p.Zoned {
				r.Limit += z.Limit
			} else {
				r.Limit = max(r.Limit, z.Limit) // one limit for all zones
			}
		}
		if r.Limit > 0 && !math.IsInf(r.Limit, 0) {
			out = append(out, *r)
		}
	}
	return out
}

// matching returns the value of the first sample whose labels are all among labels, 0 of none.
func matching(samples []Sample, labels map[string]string) float64 {
	for _, s := range samples {
		all := true
		for k, v := range s.Labels {
			all = all && (k == "__name__" || labels[k] == v)
		}
		if all {
			return s.Value
		}
	}
	return 0
}

// Together makes the uses of zones, each the most that its zone had, add up to no more than whole says that all had at once: what moved
// from one zone to another would count twice. Zones then share it as they do in now. Both are answers by the labels of the reading.
func (r *Reading) Together(now, whole []Sample) {
	most, each, sum := matching(whole, r.Labels), r.Use(), 0.0
	if len(r.Zones) < 2 || most <= 0 || each <= most {
		return
	}
	shares := make([]float64, len(r.Zones))
	for i, z := range r.Zones {
		in := maps.Clone(r.Labels)
		in["az"] = z.Name
		shares[i] = matching(now, in)
		sum += shares[i]
	}
	for i := range r.Zones {
		if sum > 0 {
			r.Zones[i].Use = most * shares[i] / sum
		} else {
			r.Zones[i].Use *= most / each
		}
	}
}

// Use is that of all zones.
func (r Reading) Use() float64 { return r.sum(func(z Zone) float64 { return z.Use }) }

// Nodes is that of all zones.
func (r Reading) Nodes() float64 { return r.sum(func(z Zone) float64 { return z.Nodes }) }

func (r Reading) sum(of func(Zone) float64) (sum float64) {
	for _, z := range r.Zones {
		sum += of(z)
	}
	return sum
}

// Largest is the zone with the most of the limit; false where the pool is in one zone alone.
func (r Reading) Largest() (Zone, bool) {
	if len(r.Zones) < 2 {
		return Zone{}, false
	}
	return slices.MaxFunc(r.Zones, func(a, b Zone) int { return cmp.Compare(a.Limit, b.Limit) }), true
}

// Fullest returns the n readings with the least room, or all.
func (p Pool) Fullest(readings []Reading, n int) []Reading {
	if len(readings) <= n {
		return readings
	}
	out := slices.Clone(readings)
	slices.SortStableFunc(out, func(a, b Reading) int {
		return cmp.Compare(cmp.Or(p.buffer(a.Limit, a.Use()), math.Inf(1)), cmp.Or(p.buffer(b.Limit, b.Use()), math.Inf(1)))
	})
	return out[:n]
}
