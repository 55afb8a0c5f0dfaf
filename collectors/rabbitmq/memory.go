package rabbitmq

import "maps"

// keptMemory is what was learnt of a broker and must outlive the agent: one that is down when the agent starts is
// known by nothing else, and its alarm would be another one than before.
type keptMemory struct {
	URL     string            `json:"url"` // whose memory it is
	Name    string            `json:"name"`
	Cluster string            `json:"cluster"`
	Peers   map[string]string `json:"peers"` // addresses by name
}

func (m keptMemory) same(o keptMemory) bool {
	return m.URL == o.URL && m.Name == o.Name && m.Cluster == o.Cluster && maps.Equal(m.Peers, o.Peers)
}

// recall takes over what an earlier life learnt, where the configuration does not say it.
func (r *collector) recall() {
	var m keptMemory
	if !r.env.Recall("rabbitmq", "the broker", &m) {
		return
	}
	if m.URL != r.opt.URL {
		return
	}
	r.kept = m
	r.seen.recalled = m.Cluster != ""
	r.identify(m.Name, m.Cluster, "")
	for name, addr := range m.Peers {
		if isTool(name) {
			continue // learnt before tools were told apart
		}
		r.seen.member(name, addr, r.seen.watching)
	}
}

// keep writes what was learnt, where that is news; r.mu is held. What cannot be written is learnt again.
func (r *collector) keep() {
	s := &r.seen
	if r.env.State == "" || s.cluster == "" || s.nodes == nil && !s.recalled {
		return
	}
	m := keptMemory{URL: r.opt.URL, Name: s.name, Cluster: s.cluster, Peers: map[string]string{}}
	for name, p := range s.peers {
		if !p.configured {
			m.Peers[name] = p.addr
		}
	}
	if m.same(r.kept) {
		return
	}
	r.kept = m
	r.env.Keep("rabbitmq", "the broker", m)
}
