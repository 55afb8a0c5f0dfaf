package rabbitmq

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// What the management API says of a node. Of one that is seen as down nearly all is missing, and missing is not 0:
// hence the pointers. Field names as recorded from 3.10.8.
type nodeInfo struct {
	Name       string     `json:"name"`
	Running    *bool      `json:"running"`
	Partitions []string   `json:"partitions"`
	Links      []nodeLink `json:"cluster_links"`
}

type nodeLink struct {
	Name     string   `json:"name"`
	PeerAddr string   `json:"peer_addr"`
	Recv     *float64 `json:"recv_bytes"`
	Send     *float64 `json:"send_bytes"`
}

func (n nodeInfo) runs() bool { return n.Running != nil && *n.Running }

type overviewInfo struct {
	Node        string   `json:"node"`
	ClusterName string   `json:"cluster_name"`
	Version     string   `json:"rabbitmq_version"`
	Lag         *float64 `json:"statistics_db_event_queue"`
	Totals      struct {
		Queues *int `json:"queues"`
	} `json:"object_totals"`
}

// lookNodes asks who sees whom.
func (r *collector) lookNodes(ctx context.Context) (func(), error) {
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
			if n.Name != s.name {
				continue
			}
			for _, l := range n.Links {
				if l.PeerAddr != "" {
					s.member(l.Name, net.JoinHostPort(l.PeerAddr, distPort), now)
				}
			}
		}
		s.forget(now)
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

func (r *collector) lookOverview(ctx context.Context) (func(), error) {
	var o overviewInfo
	err := r.getJSON(ctx, "overview?columns=node,cluster_name,rabbitmq_version,statistics_db_event_queue,object_totals", &o)
	if err != nil {
		return nil, err
	}
	return func() {
		s := &r.seen
		s.overview = o
		s.totalQueues = -1
		if o.Totals.Queues != nil {
			s.totalQueues = *o.Totals.Queues
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
	if r.opt.Cluster == "" && cluster != "" {
		s.cluster = cluster
	}
	if version != "" {
		s.version = version
	}
}

// lookCheck asks one health check. 200 is well, 503 is not, both are answers; into may be nil where the fact
// that there was an answer is what counts.
func (r *collector) lookCheck(name string, into *bool) func(context.Context) (func(), error) {
	return func(ctx context.Context) (func(), error) {
		failed := false
		err := r.get(ctx, r.api("health/checks/"+name), true, func(status int, body io.Reader) error {
			failed = status == http.StatusServiceUnavailable
			_, err := io.Copy(io.Discard, body)
			return err
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

// lookVHosts asks which vhosts do not run on this node, though the cluster has them: it lets nobody connect to those. Since
// 3.8.10. Another's 503, such as a proxy's, says nothing of them.
func (r *collector) lookVHosts(ctx context.Context) (func(), error) {
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

// lookConnections counts this node's connections by state: flow control has no metric in the plugin of 3.10. One page
// is a fair sample where there are more.
func (r *collector) lookConnections(ctx context.Context) (func(), error) {
	var page struct {
		Items []struct {
			Node  string `json:"node"`
			State string `json:"state"`
		} `json:"items"`
	}
	if err := r.getJSON(ctx, "connections?page=1&page_size=500&columns=node,state", &page); err != nil {
		return nil, err
	}
	return func() {
		byState := map[string]int{"running": 0, "flow": 0, "blocking": 0, "blocked": 0}
		for _, c := range page.Items {
			if _, known := byState[c.State]; known && c.Node == r.seen.name {
				byState[c.State]++
			}
		}
		r.seen.connections = byState
	}, nil
}

// exchangeSeen is one configured exchange. In and Out are missing until the first message.
type exchangeSeen struct {
	In, Out  *float64
	Bindings int
}

// lookExchange accounts for one exchange: what came in, what went out, and to how many.
func (r *collector) lookExchange(ctx context.Context, i int) (func(), error) {
	x := r.opt.Exchanges[i]
	path := "exchanges/" + vhostPath(x.VHost, x.Name)
	var stats struct {
		MessageStats struct {
			In  *float64 `json:"publish_in"`
			Out *float64 `json:"publish_out"`
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

// queueStateCounts is what only the list of queues says.
type queueStateCounts struct{ noMajority, down, unsynchronised int }

// lookQueueStates reads the list of queues, where that is short, for the ones that lost their home, their majority or
// a mirror. An idle queue has no state at all; that is no fault.
func (r *collector) lookQueueStates(ctx context.Context) (func(), error) {
	var page struct {
		Items []struct {
			Type    string   `json:"type"`
			State   string   `json:"state"`
			Leader  *string  `json:"leader"`
			Online  []string `json:"online"`
			Members []string `json:"members"`
			Mirrors []string `json:"slave_nodes"`
			Synced  []string `json:"synchronised_slave_nodes"`
		} `json:"items"`
	}
	path := fmt.Sprintf("queues?page=1&page_size=%d&columns=type,state,leader,online,members,slave_nodes,synchronised_slave_nodes", manyQueue/2)
	if err := r.getJSON(ctx, path, &page); err != nil {
		return nil, err
	}
	var st queueStateCounts
	for _, q := range page.Items {
		switch {
		case q.Type == "quorum" && len(q.Members) > 0 && (2*len(q.Online) <= len(q.Members) || q.Leader == nil || *q.Leader == ""):
			st.noMajority++
		case strings.Contains("down crashed stopped minority", q.State) && q.State != "":
			st.down++
		case len(q.Synced) < len(q.Mirrors):
			st.unsynchronised++
		}
	}
	return func() { r.seen.queueStates = st }, nil
}
