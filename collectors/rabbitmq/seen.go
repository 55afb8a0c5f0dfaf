package rabbitmq

import (
	"net"
	"slices"
	"strings"
	"time"
)

// leftAfter is for how long the cluster must not have listed a node until that counts as having left it.
const leftAfter = 15 * time.Second

// maxPeers bounds what one answer makes us dial and tell. Clusters have three to seven nodes; the guide to
// clustering advises against dozens. Source: rabbitmq.com/docs/clustering, read November 2026.
const maxPeers = 100

// brokerSeen is what the checks found, and what has to be remembered from one to the next. All of it is
// guarded by collector.mu.
type brokerSeen struct {
	name, cluster, version string // as configured, else as learnt

	recalled bool // cluster is known from an earlier life
	kept     keptThings

	process  processSeen
	handling string            // what the node does in a partition, empty where its configuration can't be read
	inOrder  bool              // the service manager says that it stopped the service, and it ended well
	ports    map[string]answer // amqp, management, prometheus, distribution

	peers map[string]*peerSeen
	odd   map[string]time.Time // since when nodes of other names than the brokers' are linked: tools, most of them

	nodes           []nodeInfo
	nodesAt         time.Time          // when they were told
	alone           bool               // they are this node alone, though it had peers
	nodesAsked      time.Time          // since when they are asked for without an answer; zero when there was one
	plugin          map[string]float64 // by family, summed over its series
	links           map[string]float64 // erlang_vm_dist_node_state by peer
	distQueue       map[string]float64 // bytes waiting by peer
	overview        overviewInfo
	overviewTold    bool // at least once
	totalQueues     int  // of the cluster; -1: not told
	alarms          alarmsTold
	quorumCritical  bool
	mirrorCritical  bool
	vhostsDown      []string
	connections     map[string]int // of this node, by state
	listed          int            // connections of the cluster in the list
	connectionsFrom []connectionsFrom
	stateless       bool // those of this node have no state
	queues          queuesSeen
	queueStates     queueStateCounts
	exchanges       []exchangeSeen

	appRestarts, vmRestarts float64
	reset                   resetWatch

	state    nodeState
	evidence []string
	since    time.Time // of state
	ranAs    string    // process that was last seen running
	watching time.Time // since when we watch
	views    []string  // sides told lately, newest last
	events   []stateChange
}

// peerSeen is another node of the cluster as this one sees it.
type peerSeen struct {
	addr       string    // where its distribution port is; empty: resolve the host of its name
	configured bool      // by name; never forgotten
	fixed      bool      // by address as well
	listed     time.Time // when the cluster last listed it
	tcp        answer
	triedAt    time.Time
	silentTCP  int // connects in a row without an answer
	silentAt   time.Time
	queue      float64 // bytes waiting at the last check
	grew       int     // checks in a row at which queue had grown
}

func (s *brokerSeen) init(o Options) {
	s.name, s.cluster = o.Name, o.Cluster
	s.peers = map[string]*peerSeen{}
	s.totalQueues = -1
	s.kept.init(o)
	s.exchanges = make([]exchangeSeen, len(o.Exchanges))
	for _, text := range o.Peers {
		name, addr, _ := strings.Cut(text, "=")
		if name == s.name {
			continue
		}
		s.peers[name] = &peerSeen{addr: addr, configured: true, fixed: addr != ""}
	}
}

// Erlang nodes that commands and shells start for themselves: they link to a broker for as long as they run.
// Source: rabbitmq-cli (rabbitmqcli-PID-NODE, before 3.7.0 rabbitmq-cli-NN), OTP remsh and rem-, rabbitmq-server's prelaunch
// node; read 30 November 2026.
var tools = []string{"rabbitmqcli", "rabbitmq-cli", "rabbitmq_cli", "remsh", "rem-", "rabbit_prelaunch", "observer", "debugger"}

func isTool(name string) bool {
	return slices.ContainsFunc(tools, func(t string) bool { return strings.HasPrefix(name, t) })
}

// oddFor is how long a node of another name must be linked before it counts as a member: no command runs for so long.
const oddFor = 10 * time.Minute

// dropTools takes out of links what is linked and no member: the nodes of commands, and those of other names than this
// broker's that have not been linked for long. The brokers of a cluster have one name before the @, as a rule.
func (s *brokerSeen) dropTools(links map[string]float64, now time.Time) {
	mine, _, _ := strings.Cut(s.name, "@")
	for name := range s.odd {
		if _, linked := links[name]; !linked {
			delete(s.odd, name)
		}
	}
	for name := range links {
		local, _, _ := strings.Cut(name, "@")
		tool := isTool(name)
		if !tool && (s.name == "" || local == mine || s.peers[name] != nil) {
			continue
		}
		if s.odd == nil {
			s.odd = map[string]time.Time{}
		}
		if s.odd[name].IsZero() && len(s.odd) < maxPeers {
			s.odd[name] = now
		}
		if tool || s.odd[name].IsZero() || now.Sub(s.odd[name]) < oddFor {
			delete(links, name)
		}
	}
}

// member notes that the cluster lists a node, at addr where that is known.
func (s *brokerSeen) member(name, addr string, now time.Time) {
	if name == "" || name == s.name {
		return
	}
	p := s.peers[name]
	if p == nil {
		if len(s.peers) >= maxPeers {
			return
		}
		p = &peerSeen{}
		s.peers[name] = p
	}
	p.listed = now
	if addr != "" && !p.fixed {
		p.addr = addr
	}
}

// locate keeps the addresses of members that links tell. That there is a link makes no member: the statistics of one to a node
// that was forgotten stay for a minute or two.
func (s *brokerSeen) locate(links []nodeLink) {
	for _, l := range links {
		if p := s.peers[l.Name]; p != nil && !p.fixed && l.PeerAddr != "" {
			p.addr = net.JoinHostPort(l.PeerAddr, distPort)
		}
	}
}

// unlist drops learnt peers that the cluster does not list any more: they left it, or somebody had them forgotten
// (rabbitmqctl forget_cluster_node). That is the word of a list in which others stand that were members before, or of a node
// that listed them itself since it started. One that comes back with an empty disk lists itself alone, as a cluster of its own:
// whom it does not know any more is missed until somebody says otherwise.
func (s *brokerSeen) unlist(now time.Time) {
	s.alone = true
	for name, p := range s.peers {
		if p.listed.Equal(now) && name != s.name {
			s.alone = false
		}
	}
	begun := s.begun(now)
	for name, p := range s.peers {
		if name == s.name {
			delete(s.peers, name)
			continue
		}
		if p.configured || now.Sub(p.listed) < leftAfter || s.alone && (begun.IsZero() || p.listed.Before(begun)) {
			continue
		}
		delete(s.peers, name)
	}
}

// begun is when the virtual machine of this node started; zero where that is not known.
func (s *brokerSeen) begun(now time.Time) time.Time {
	up := s.plugin["rabbitmq_erlang_uptime_seconds"]
	if up == 0 {
		return time.Time{}
	}
	return now.Add(-time.Duration(up * float64(time.Second)))
}

// unlisted is how many peers are expected that the newest list of this node does not name.
func (s *brokerSeen) unlisted() (n int) {
	for _, p := range s.peers {
		if p.listed.Before(s.nodesAt) {
			n++
		}
	}
	return n
}

// strayed says that a name of a cluster is not taken over: the node runs without those that it had, or has not listed them since
// it started (with an empty disk it knows no user, and refuses to list), so that it may be another
// cluster's now, and what is missed is missed by its old name.
func (s *brokerSeen) strayed(cluster string, now time.Time) bool {
	return s.cluster != "" && s.cluster != cluster && len(s.peers) > 0 && (s.nodes == nil || s.alone || s.nodesAt.Before(s.begun(now)))
}

// peerNames are the expected peers in order.
func (s *brokerSeen) peerNames() []string {
	names := make([]string, 0, len(s.peers))
	for n := range s.peers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// dialAddress is where a peer's distribution port answers. Learnt addresses are kept, so that names need no
// resolving while the network is in trouble.
func (p *peerSeen) dialAddress(name string) string {
	if p.addr != "" {
		return p.addr
	}
	_, host, ok := strings.Cut(name, "@")
	if !ok {
		host = name
	}
	return net.JoinHostPort(host, distPort)
}

// distPort is the distribution port unless configured: the AMQP port and 20000.
// Source: rabbitmq.com/docs/networking, read November 2026.
const distPort = "25672"

// elected says whether this node is the one that asks for what is the same on every node: the first by name
// of those it sees running. In a cut each side has one.
func (s *brokerSeen) elected() bool {
	if s.name == "" {
		return false
	}
	for _, n := range s.nodes {
		if n.runs() && n.Name < s.name {
			return false
		}
	}
	return true
}

// sees says whether this node sees a peer running.
func (s *brokerSeen) sees(peer string) bool {
	for _, n := range s.nodes {
		if n.Name == peer {
			return n.runs()
		}
	}
	return false
}

// noStates reports whether the broker keeps no statistics, so that connections say nothing: they have no state, or the list
// is empty though the node has some.
func (s *brokerSeen) noStates() bool {
	return s.stateless || s.listed == 0 && s.connections != nil && s.plugin["rabbitmq_connections"] > 0
}

// clusterSilent is how long the node has let a request wait that all of its cluster has to answer.
func (s *brokerSeen) clusterSilent(now time.Time) time.Duration {
	if s.nodesAsked.IsZero() {
		return 0
	}
	return now.Sub(s.nodesAsked)
}

// side is this node and those that it sees running and not split from it, joined by "+". It is "" when it has no view.
func (s *brokerSeen) side() string {
	var names, split []string
	for _, n := range s.nodes {
		if n.Name == s.name && n.Partitions.at != nil {
			split = *n.Partitions.at
		}
	}
	for _, n := range s.nodes {
		if n.runs() && !slices.Contains(split, n.Name) {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "+")
}
