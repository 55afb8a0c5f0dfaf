package services

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// What Elasticsearch and OpenSearch say of a cluster, and of the node that is asked. Source: elastic.co, "Cluster health", "Nodes stats" and "Cluster
// state" 7.17 and 8.15; opensearch.org 2.17, read 30 November 2026. Not seen on a real server.
var (
	esHealth   = &metric.Desc{Name: "elasticsearch_health", Help: "1 for the health of the cluster, as the master has it: green, yellow, red"}
	esNodes    = &metric.Desc{Name: "elasticsearch_nodes", Help: "Nodes of the cluster: all, data"}
	esShards   = &metric.Desc{Name: "elasticsearch_shards", Help: "Shards: active, primary, relocating, initializing, unassigned"}
	esPending  = &metric.Desc{Name: "elasticsearch_pending_tasks", Help: "Changes of the cluster that wait for the master"}
	esTaskWait = &metric.Desc{Name: "elasticsearch_task_wait_seconds", Unit: metric.Seconds, Help: "Wait of the oldest change; a master that makes no changes may stay green"}
	esBlocked  = &metric.Desc{Name: "elasticsearch_read_only_indices", Help: "Indices that refuse writes for want of disk (read_only_allow_delete)"}
	esHeap     = &metric.Desc{Name: "elasticsearch_heap_bytes", Unit: metric.Bytes, Help: "Heap of the node: used, limit; used rises and falls with each collection of garbage"}
	esDisk     = &metric.Desc{Name: "elasticsearch_disk_bytes", Unit: metric.Bytes, Help: "Disk of the node's data: total, available"}
	esRejected = &metric.Desc{Name: "elasticsearch_rejected_total", Kind: metric.Counter, Help: "Requests that the node refused since a queue was full, by thread pool"}
	esTrips    = &metric.Desc{Name: "elasticsearch_breaker_trips_total", Kind: metric.Counter, Help: "Requests that the node refused for want of memory, by breaker"}
	esOps      = &metric.Desc{Name: "elasticsearch_operations_total", Kind: metric.Counter, Help: "Operations of the node: index, query, fetch, get"}
	esOpTime   = &metric.Desc{Name: "elasticsearch_operation_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Time of the node's operations: index, query, fetch, get"}
	esDocs     = &metric.Desc{Name: "elasticsearch_documents", Help: "Documents on the node"}
	esStart    = &metric.Desc{Name: "elasticsearch_start_time_seconds", Unit: metric.Seconds, Help: "When the node's process started"}
)

// Elasticsearch is asked by HTTP, and so is OpenSearch.
var Elasticsearch = system{
	name: "elasticsearch", schemes: map[string]string{"http": "9200", "https": "9200"},
	found: "http://127.0.0.1:9200", missing: `write collect.elasticsearch: {url: "https://127.0.0.1:9200", user: binnacle, password: "${file:...}", ca_file: ...}, with a user of the cluster privilege monitor`,
	descs: []*metric.Desc{
		esHealth, esNodes, esShards, esPending, esTaskWait, esBlocked, esHeap, esDisk, esRejected, esTrips, esOps, esOpTime, esDocs, esStart,
	},
	look: lookElasticsearch,
}.spec()

// lookElasticsearch asks the node what it knows, and then the master: a node that is cut off still shows the last health it heard of.
func lookElasticsearch(ctx context.Context, t *target, b *batch) error {
	base := strings.TrimRight(t.URL, "/")
	bare := len(b.base)
	named := func(cluster string) { b.base = append(b.base[:bare:bare], "cluster_name", cluster) }
	if cluster, ok := t.memory.(string); ok {
		named(cluster) // it is the same one while it does not answer
	}
	var local esHealthAnswer
	if err := t.json(ctx, base+"/_cluster/health?local=true", &local); err != nil {
		return err
	}
	if local.ClusterName == "" {
		return fmt.Errorf("_cluster/health: want cluster_name")
	}
	cluster := collectors.Label(local.ClusterName)
	named(cluster)
	t.memory = cluster
	esNode(ctx, t, base, b)
	a, err := t.page(ctx, base+"/_cluster/health?timeout=1s&master_timeout=1s", nil)
	if err != nil {
		return err
	}
	var health esHealthAnswer
	switch {
	case a.code == http.StatusServiceUnavailable:
		return inState(stateNoQuorum, "the node knows no master: %.200s", a.body)
	case a.code != http.StatusOK && a.code != http.StatusRequestTimeout:
		return a.unexpected()
	case json.Unmarshal(a.body, &health) != nil:
		return fmt.Errorf("_cluster/health: want JSON, have %.60q", a.body)
	case health.TimedOut && local.Status == "green" && health.Status == "":
		return inState(stateNoQuorum, "the master does not answer; the node itself still calls the cluster green")
	}
	health.add(b)
	var state struct {
		Blocks struct {
			Indices map[string]map[string]json.RawMessage `json:"indices"`
		} `json:"blocks"`
	}
	if err := t.json(ctx, base+"/_cluster/state/blocks?local=true", &state); err != nil {
		return nil // a user of few rights may not see it; all else was seen
	}
	n := 0.0
	for _, blocks := range state.Blocks.Indices {
		if _, readOnly := blocks["12"]; readOnly { // INDEX_READ_ONLY_ALLOW_DELETE_BLOCK
			n++
		}
	}
	b.add(esBlocked, n)
	return nil
}

// json asks for an object.
func (t *target) json(ctx context.Context, u string, into any) error {
	text, err := t.get(ctx, u)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("want JSON, have %.60q: %w", text, err)
	}
	return nil
}

// number is a figure that may be a text: with no data node left a share is "NaN". What is no number is not there.
type number struct{ v *float64 }

func (n *number) UnmarshalJSON(b []byte) error {
	if v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64); err == nil && v == v {
		n.v = &v
	}
	return nil
}

func (n number) add(b *batch, d *metric.Desc, times float64, kv ...string) {
	if n.v != nil {
		b.add(d, *n.v*times, kv...)
	}
}

type esHealthAnswer struct {
	ClusterName string `json:"cluster_name"`
	Status      string `json:"status"`
	TimedOut    bool   `json:"timed_out"`
	Nodes       number `json:"number_of_nodes"`
	DataNodes   number `json:"number_of_data_nodes"`
	Primary     number `json:"active_primary_shards"`
	Active      number `json:"active_shards"`
	Relocating  number `json:"relocating_shards"`
	Starting    number `json:"initializing_shards"`
	Unassigned  number `json:"unassigned_shards"`
	Pending     number `json:"number_of_pending_tasks"`
	Wait        number `json:"task_max_waiting_in_queue_millis"`
}

func (h *esHealthAnswer) add(b *batch) {
	if h.Status != "" {
		b.add(esHealth, 1, "status", collectors.Label(strings.ToLower(h.Status)))
	}
	h.Nodes.add(b, esNodes, 1, "kind", "all")
	h.DataNodes.add(b, esNodes, 1, "kind", "data")
	h.Active.add(b, esShards, 1, "state", "active")
	h.Primary.add(b, esShards, 1, "state", "primary")
	h.Relocating.add(b, esShards, 1, "state", "relocating")
	h.Starting.add(b, esShards, 1, "state", "initializing")
	h.Unassigned.add(b, esShards, 1, "state", "unassigned")
	h.Pending.add(b, esPending, 1)
	h.Wait.add(b, esTaskWait, 1e-3)
}

type esNodeAnswer struct {
	JVM struct {
		Uptime number `json:"uptime_in_millis"`
		Mem    struct {
			Used number `json:"heap_used_in_bytes"`
			Max  number `json:"heap_max_in_bytes"`
		} `json:"mem"`
	} `json:"jvm"`
	FS struct {
		Total struct {
			Total     number `json:"total_in_bytes"`
			Available number `json:"available_in_bytes"`
		} `json:"total"`
	} `json:"fs"`
	Pools map[string]struct {
		Rejected number `json:"rejected"`
	} `json:"thread_pool"`
	Breakers map[string]struct {
		Tripped number `json:"tripped"`
	} `json:"breakers"`
	Indices struct {
		Docs     map[string]number `json:"docs"`
		Indexing map[string]number `json:"indexing"`
		Get      map[string]number `json:"get"`
		Search   map[string]number `json:"search"`
	} `json:"indices"`
}

// esNode asks for the figures of the node itself; a node without them has its health all the same.
func esNode(ctx context.Context, t *target, base string, b *batch) {
	var answer struct {
		Nodes map[string]esNodeAnswer `json:"nodes"`
	}
	if err := t.json(ctx, base+"/_nodes/_local/stats/jvm,fs,indices,thread_pool,breaker", &answer); err != nil || len(answer.Nodes) != 1 {
		return
	}
	for _, n := range answer.Nodes {
		n.JVM.Mem.Used.add(b, esHeap, 1, "state", "used")
		n.JVM.Mem.Max.add(b, esHeap, 1, "state", "limit")
		n.FS.Total.Total.add(b, esDisk, 1, "state", "total")
		n.FS.Total.Available.add(b, esDisk, 1, "state", "available")
		for _, pool := range []string{"write", "bulk", "search", "get"} {
			n.Pools[pool].Rejected.add(b, esRejected, 1, "pool", pool)
		}
		for name, breaker := range n.Breakers {
			breaker.Tripped.add(b, esTrips, 1, "breaker", collectors.Label(name))
		}
		i := n.Indices
		for op, f := range map[string][2]number{
			"index": {i.Indexing["index_total"], i.Indexing["index_time_in_millis"]}, "get": {i.Get["total"], i.Get["time_in_millis"]},
			"query": {i.Search["query_total"], i.Search["query_time_in_millis"]}, "fetch": {i.Search["fetch_total"], i.Search["fetch_time_in_millis"]},
		} {
			f[0].add(b, esOps, 1, "op", op)
			f[1].add(b, esOpTime, 1e-3, "op", op)
		}
		i.Docs["count"].add(b, esDocs, 1)
		if up := n.JVM.Uptime.v; up != nil {
			b.add(esStart, float64(b.Time.Unix())-float64(int(*up/1000)))
		}
	}
}
