package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/navcloud/binnacle/collectors"
)

// maybe is a field that need not be there, or is no T ("undefined"): then at is nil, since missing is not 0.
type maybe[T any] struct{ at *T }

// UnmarshalJSON takes a T and passes over all else.
func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	var v *T
	if json.Unmarshal(b, &v) != nil {
		v = nil // what was half read is not known either
	}
	m.at = v
	return nil
}

// What the management API says of a node. Of one that is seen as down nearly all is missing. Field names as recorded from 3.10.8.
type nodeInfo struct {
	Name       string          `json:"name"`
	Running    maybe[bool]     `json:"running"`
	Partitions maybe[[]string] `json:"partitions"` // missing since 4.3, which knows none
	Links      []nodeLink      `json:"cluster_links"`
}

type nodeLink struct {
	Name     string         `json:"name"`
	PeerAddr string         `json:"peer_addr"`
	Recv     maybe[float64] `json:"recv_bytes"`
	Send     maybe[float64] `json:"send_bytes"`
}

func (n nodeInfo) runs() bool { return n.Running.at != nil && *n.Running.at }

type overviewInfo struct {
	Node        string         `json:"node"`
	ClusterName string         `json:"cluster_name"`
	Version     string         `json:"rabbitmq_version"`
	Lag         maybe[float64] `json:"statistics_db_event_queue"`
	Totals      struct {
		Queues maybe[int] `json:"queues"`
	} `json:"object_totals"`
}

// askNodes asks who sees whom.
func (r *collector) askNodes(ctx context.Context) (func(), error) {
	r.asksNodes()
	var nodes []nodeInfo
	err := r.getJSON(ctx, "nodes?columns=name,running,partitions,cluster_links", &nodes)
	r.nodesAnswered(err)
	if err != nil {
		return nil, err
	}
	return func() {
		s, now := &r.seen, r.env.Now()
		s.nodesAt = now
		nodes = nodes[:min(len(nodes), maxPeers+1)]
		s.nodes = nodes
		for _, n := range nodes {
			s.member(n.Name, "", now)
		}
		for _, n := range nodes {
			if n.Name == s.name {
				s.locate(n.Links)
			}
		}
		s.unlist(now)
	}, nil
}

// asksNodes notes since when the cluster-wide request waits.
func (r *collector) asksNodes() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen.nodesAsked.IsZero() {
		r.seen.nodesAsked = r.env.Now()
	}
}

// nodesAnswered notes that it does not wait any more; a refusal is an answer too.
func (r *collector) nodesAnswered(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if classify(err) != answerSilent {
		r.seen.nodesAsked = time.Time{}
	}
}

func (r *collector) askOverview(ctx context.Context) (func(), error) {
	var o overviewInfo
	err := r.getJSON(ctx, "overview?columns=node,cluster_name,rabbitmq_version,statistics_db_event_queue,object_totals", &o)
	if err != nil {
		return nil, err
	}
	return func() {
		s := &r.seen
		s.overview, s.overviewTold = o, true
		s.totalQueues = -1
		if o.Totals.Queues.at != nil {
			s.totalQueues = *o.Totals.Queues.at
		}
		r.identify(o.Node, o.ClusterName, o.Version)
	}, nil
}

// identify keeps names that the configuration does not give.
func (r *collector) identify(name, cluster, version string) {
	s := &r.seen
	if r.opt.Name == "" && name != "" {
		s.name = name
		delete(s.peers, name)
	}
	if r.opt.Cluster == "" && cluster != "" && !s.strayed(cluster, r.env.Now()) {
		s.cluster = cluster
	}
	if version != "" {
		s.version = version
	}
}

// askCheck asks one health check. 200 is well, 503 is not, both are answers where they are the broker's own: another's 503,
// such as a proxy's, says nothing. into may be nil where the fact that there was an answer is what counts.
func (r *collector) askCheck(name string, into *bool) func(context.Context) (func(), error) {
	return func(ctx context.Context) (func(), error) {
		failed := false
		err := r.get(ctx, r.api("health/checks/"+name), true, func(status int, body io.Reader) error {
			failed = status == http.StatusServiceUnavailable
			var said struct {
				Status string `json:"status"`
			}
			if err := r.decode(body, &said); err != nil {
				return err
			}
			if want := map[bool]string{false: "ok", true: "failed"}[failed]; said.Status != want {
				return fmt.Errorf("want status %s, have %q", want, said.Status)
			}
			return nil
		}, http.StatusServiceUnavailable)
		if err != nil {
			return nil, err
		}
		return func() {
			if into != nil {
				*into = failed
			}
		}, nil
	}
}

// Bounds of the names told of vhosts that are down. The broker allows names of 255 bytes.
const maxVHosts, maxVHostName = 10, 255

// askVHosts asks which vhosts do not run on this node, though the cluster has them: it lets nobody connect to those. Since
// 3.8.10. Another's 503, such as a proxy's, says nothing of them.
func (r *collector) askVHosts(ctx context.Context) (func(), error) {
	var said struct {
		Status string   `json:"status"`
		Down   []string `json:"virtual-hosts"`
	}
	const path = "health/checks/virtual-hosts"
	if err := r.getJSON(ctx, path, &said, http.StatusServiceUnavailable); err != nil {
		return nil, err
	}
	want := "ok"
	if len(said.Down) > 0 {
		want = "failed"
	}
	if said.Status != want {
		return nil, fmt.Errorf("%s: want status %s with %d names, have %q", path, want, len(said.Down), said.Status)
	}
	return func() { r.seen.vhostsDown = said.Down }, nil
}

// askVHostList asks which vhosts the cluster has: a monitoring user sees all.
func (r *collector) askVHostList(ctx context.Context) (func(), error) {
	var all []struct {
		Name string `json:"name"`
	}
	if err := r.getJSON(ctx, "vhosts?columns=name", &all); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(all))
	for _, v := range all {
		names = append(names, collectors.Label(v.Name))
	}
	return func() { r.seen.kept.listVHosts(names, r.env.Now()) }, nil
}

// pageSize is how much of a list is asked for at once, connectionPages how many pages of connections.
const pageSize, connectionPages = 500, 20

// pagesOf reads a paged list, page by page, and says whether it has more pages than most. An answer without items is no page
// of the broker.
func pagesOf[T any](ctx context.Context, r *collector, path, columns string, most int) (all []T, more bool, err error) {
	for n := 1; ; n++ {
		var page struct {
			Items *[]T `json:"items"`
			Pages int  `json:"page_count"`
		}
		if err := r.getJSON(ctx, fmt.Sprintf("%s?page=%d&page_size=%d&columns=%s", path, n, pageSize, columns), &page); err != nil {
			return nil, false, err
		}
		if page.Items == nil {
			return nil, false, fmt.Errorf("%s: want a page with items, have none", path)
		}
		all = append(all, *page.Items...)
		if n >= page.Pages || n == most {
			return all, page.Pages > n, nil
		}
	}
}

// askConnections counts this node's connections by state: flow control has no metric in the plugin of 3.10. Where the
// broker keeps no statistics (management_agent.disable_metrics_collector) its list has no states, or is empty (4.2): then
// nothing is known of them.
func (r *collector) askConnections(ctx context.Context) (func(), error) {
	type connection struct {
		Node  string        `json:"node"`
		State maybe[string] `json:"state"`
		Host  maybe[string] `json:"peer_host"`
		User  maybe[string] `json:"user"`
	}
	all, _, err := pagesOf[connection](ctx, r, "connections", "node,state,peer_host,user", connectionPages)
	if err != nil {
		return nil, err
	}
	return func() {
		byState := map[string]int{"running": 0, "flow": 0, "blocking": 0, "blocked": 0}
		from := map[connectionsFrom]int{}
		mine, stateless := 0, 0
		for _, c := range all {
			if c.Node != r.seen.name {
				continue
			}
			mine++
			if c.Host.at != nil && c.User.at != nil {
				from[connectionsFrom{host: collectors.Label(*c.Host.at), user: collectors.Label(*c.User.at)}]++
			}
			if c.State.at == nil {
				stateless++
				continue
			}
			if _, known := byState[*c.State.at]; known {
				byState[*c.State.at]++
			}
		}
		r.seen.connections, r.seen.listed, r.seen.stateless = byState, len(all), mine > 0 && stateless == mine
		r.seen.connectionsFrom = most(from)
	}, nil
}

// connectionsFrom is how many connections come from one host as one user.
type connectionsFrom struct {
	host, user string
	n          int
}

// toldFrom is of how many hosts it is told.
const toldFrom = 3

// most are those with the most connections, the most first.
func most(from map[connectionsFrom]int) []connectionsFrom {
	all := make([]connectionsFrom, 0, len(from))
	for c, n := range from {
		c.n = n
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b connectionsFrom) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.host, b.host), cmp.Compare(a.user, b.user))
	})
	return all[:min(len(all), toldFrom)]
}

// exchangeSeen is one configured exchange. In and Out are missing until the first message.
type exchangeSeen struct {
	In, Out  maybe[float64]
	Bindings int
}

// askExchange accounts for one exchange: what came in, what went out, and to how many.
func (r *collector) askExchange(ctx context.Context, i int) (func(), error) {
	x := r.opt.Exchanges[i]
	path := "exchanges/" + vhostPath(x.VHost, x.Name)
	var stats struct {
		MessageStats struct {
			In  maybe[float64] `json:"publish_in"`
			Out maybe[float64] `json:"publish_out"`
		} `json:"message_stats"`
	}
	var bindings []struct{}
	if err := r.getJSON(ctx, path+"?columns=message_stats.publish_in,message_stats.publish_out", &stats); err != nil {
		return nil, err
	}
	if err := r.getJSON(ctx, path+"/bindings/source", &bindings); err != nil {
		return nil, err
	}
	return func() {
		r.seen.exchanges[i] = exchangeSeen{stats.MessageStats.In, stats.MessageStats.Out, len(bindings)}
	}, nil
}
