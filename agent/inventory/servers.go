package inventory

import (
	"cmp"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Services are what collectors say of the servers beside NavCloud: who answers where, and who needs whom.
type Services struct {
	Listens   []Edge  // of a server, or a part of it, at Address; Server is set
	Needs     []Edge  // of a server, or a part of it, which needs who answers at Address, or another part, On
	Uses      []Edge  // of whoever listens on Port of a node
	Probes    []Probe // what asks from outside
	Addresses []Edge  // of nodes
}

// Edge is one row of these.
type Edge struct{ Node, System, Server, Group, Part, Port, Address, On string }

// Probe is a question that users would ask, of an address or a URL.
type Probe struct{ Node, Name, Target string }

// server is the entity of a row: alarms call it so.
func (e Edge) server() string { return e.System + ":" + e.Node + "/" + e.Server }

// part is the entity of a part: frontends and backends of a balancer go by their own names, whichever of several
// balancers has them.
func (e Edge) part() string {
	switch {
	case e.Part == "":
		return e.server()
	case strings.Contains(e.Part, ":"):
		return e.Part
	}
	return e.server() + "/" + e.Part
}

// places finds who answers at an address.
type places struct {
	at    map[string][]string // entities by "host:port", and by "node node:port" where an address has no host
	nodes map[string]string   // by address or name
}

// find resolves an address as one node says it: who answers there, none where nobody is known, and the node that it is of, empty
// where that is not known.
func (p places) find(node, address string) (ids []string, on, port string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", ""
	}
	ip := net.ParseIP(host)
	switch {
	case host == "", host == "localhost", ip != nil && ip.IsLoopback():
		on = node
	default:
		on = p.nodes[host]
		if short, _, full := strings.Cut(host, "."); on == "" && full && ip == nil {
			on = p.nodes[short]
		}
	}
	if on != "" {
		if ids = p.at["node "+on+":"+port]; len(ids) > 0 {
			return ids, on, port
		}
	}
	return p.at[address], on, port
}

func (p places) add(node, address, id string) {
	keys := []string{address}
	if ids, on, port := p.find(node, address); on != "" && !slices.Contains(ids, id) {
		keys = append(keys, "node "+on+":"+port)
	}
	for _, k := range keys {
		if !strings.HasPrefix(k, ":") && !slices.Contains(p.at[k], id) {
			p.at[k] = append(p.at[k], id)
		}
	}
}

// services adds the servers beside NavCloud to the graph. A server runs on its host; a part of it needs it.
func (b builder) services(s Services) {
	p := places{at: map[string][]string{}, nodes: map[string]string{}}
	for id, e := range b.es {
		if e.Kind == topology.KindHost {
			for _, name := range append([]string{e.Host}, e.Aliases...) {
				p.nodes[name] = strings.TrimPrefix(id, "host:")
			}
		}
	}
	shared := map[string]bool{} // of several nodes: nobody's
	for _, a := range s.Addresses {
		if was := p.nodes[a.Address]; was != "" && was != a.Node {
			shared[a.Address] = true
		}
		p.nodes[a.Address] = a.Node
	}
	for a := range shared {
		delete(p.nodes, a)
	}
	for _, l := range s.Listens {
		b.server(l)
		p.add(l.Node, l.Address, l.part())
	}
	for _, n := range s.Needs {
		b.server(n)
		if n.On != "" {
			b.need(n.part(), n.On)
			continue
		}
		b.needAt(p, n.Node, n.Address, n.part())
	}
	b.uses(p, s.Uses)
	for _, q := range s.Probes {
		b.probe(p, q)
	}
	b.spares()
}

// server adds the server of a row, and the part that the row is about. A backend and its servers are elsewhere: they do not
// need their balancer.
func (b builder) server(e Edge) {
	id := e.server()
	if _, ok := b.es[id]; !ok {
		s := topology.Entity{ID: id, Kind: topology.KindServer, Service: e.System, Cluster: e.Group, Host: e.Node}
		if _, ok := b.es["host:"+e.Node]; ok {
			s.Parents = []string{"host:" + e.Node}
		}
		b.es[id] = s
	}
	part := e.part()
	if part == id {
		return
	}
	kind, of, named := strings.Cut(e.Part, ":")
	if !named {
		kind, of = "part", e.System
	}
	if _, ok := b.es[part]; !ok {
		b.es[part] = topology.Entity{ID: part, Kind: kind, Service: of}
	}
	if kind != topology.KindBackend {
		b.need(part, id)
	}
}

// need lets an entity need another one. The other may be a part that is told of in a later row.
func (b builder) need(id, on string) {
	for _, part := range []string{id, on} {
		if _, ok := b.es[part]; !ok {
			kind, of, _ := strings.Cut(part, ":")
			b.es[part] = topology.Entity{ID: part, Kind: kind, Service: of}
		}
	}
	e := b.es[id]
	if b.rests(on, id) {
		return
	}
	if id != on && !slices.Contains(e.Parents, on) {
		e.Parents = append(slices.Clone(e.Parents), on)
		b.es[id] = e
	}
}

// rests says whether an entity needs another one, directly or not.
func (b builder) rests(id, on string) bool {
	queue, seen := []string{id}, map[string]bool{id: true}
	for len(queue) > 0 {
		for _, parent := range b.es[queue[0]].Parents {
			if parent == on {
				return true
			}
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
		queue = queue[1:]
	}
	return false
}

// needAt lets an entity need who answers at an address: the servers that are known there, else what listens on that port of
// a node that is known.
func (b builder) needAt(p places, node, address, id string) {
	for _, on := range b.whoAt(p, node, address) {
		b.need(id, on)
	}
}

// whoAt are those who answer at an address.
func (b builder) whoAt(p places, node, address string) []string {
	ids, on, port := p.find(node, address)
	if len(ids) == 0 && on != "" {
		return []string{b.port(on, port)}
	}
	return ids
}

// kindPort is of what listens on a port, of which nothing else is known.
const kindPort = "port"

// port adds what listens on a port of a node, of which nothing else is known.
func (b builder) port(node, port string) string {
	id := "port:" + node + ":" + port
	if _, ok := b.es[id]; !ok {
		e := topology.Entity{ID: id, Kind: kindPort, Host: node}
		if _, ok := b.es["host:"+node]; ok {
			e.Parents = []string{"host:" + node}
		}
		b.es[id] = e
	}
	return id
}

// proxies are systems whose connections say what stands behind them. A database is connected to its replicas, a balancer says
// by itself who its servers are.
var proxies = []string{"nginx", "apache", "jolokia", "varnish"}

// uses adds what connections show: an application needs what it is connected to. Two that are connected to each other are peers,
// of which neither needs the other; of a longer circle the edge that closes it is left out.
func (b builder) uses(p places, uses []Edge) {
	type pair struct{ id, on string }
	seen := map[pair]bool{}
	for _, u := range uses {
		ids, _, _ := p.find(u.Node, ":"+u.Port)
		if len(ids) == 0 {
			ids = []string{b.port(u.Node, u.Port)}
		}
		for _, id := range ids {
			if e := b.es[id]; e.Kind != kindPort && !slices.Contains(proxies, e.Service) {
				continue
			}
			for _, on := range b.whoAt(p, u.Node, u.Address) {
				seen[pair{id, on}] = true
			}
		}
	}
	pairs := slices.SortedFunc(maps.Keys(seen), func(a, b pair) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.on, b.on)) })
	for _, e := range pairs {
		if !seen[pair{e.on, e.id}] {
			b.need(e.id, e.on)
		}
	}
}

// probe adds a probe, and the view of each place that it asks from.
func (b builder) probe(p places, q Probe) {
	address := q.Target
	if u, err := url.Parse(q.Target); err == nil && u.Host != "" {
		port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		if u.Port() != "" {
			port = u.Port()
		}
		address = net.JoinHostPort(u.Hostname(), port)
	}
	for _, id := range []string{"probe:" + q.Name, "probe:" + q.Name + "/" + q.Node} {
		if _, ok := b.es[id]; !ok {
			b.es[id] = topology.Entity{ID: id, Kind: "probe"}
		}
		b.needAt(p, q.Node, address, id)
	}
}

// spares says what may be lost: of the servers of a backend all but one, and of several equal ports behind a proxy all but one.
func (b builder) spares() {
	for id, e := range b.es {
		most := ""
		switch {
		case e.Kind == topology.KindBackend && !strings.Contains(id, "/"):
			most = topology.KindBackend
		case e.Kind == topology.KindServer:
			most = kindPort
		default:
			continue
		}
		n := 0
		for _, parent := range e.Parents {
			if b.es[parent].Kind == most {
				n++
			}
		}
		e.Spare = max(0, n-1)
		b.es[id] = e
	}
}
