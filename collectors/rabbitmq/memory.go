package rabbitmq

import (
	"maps"
	"time"
)

// keptMemory is what was learnt of a broker and must outlive the agent: one that is down when the agent starts is
// known by nothing else, and its alarm would be another one than before.
type keptMemory struct {
	URL     string            `json:"url"` // whose memory it is
	Name    string            `json:"name"`
	Cluster string            `json:"cluster"`
	Peers   map[string]string `json:"peers"` // addresses by name

	Listed time.Time                      `json:"listed"` // when the cluster last listed those
	VHosts map[string]standing            `json:"vhosts,omitempty"`
	Queues map[string]map[string]standing `json:"queues,omitempty"` // by vhost and name
}

// remembered is how old the times in the file may be: they move with each look.
const remembered = 5 * time.Minute

// sameStandings says whether a and b tell of the same things, at about the same times.
func sameStandings[K comparable](a, b map[K]standing) bool {
	return maps.EqualFunc(a, b, func(x, y standing) bool {
		return x.First.Equal(y.First) && x.Last.Sub(y.Last).Abs() < remembered
	})
}

func (m keptMemory) same(o keptMemory) bool {
	return m.URL == o.URL && m.Name == o.Name && m.Cluster == o.Cluster && maps.Equal(m.Peers, o.Peers) && m.Listed.Sub(o.Listed).Abs() < remembered &&
		sameStandings(m.VHosts, o.VHosts) && maps.EqualFunc(m.Queues, o.Queues, sameStandings[string])
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
		r.seen.member(name, addr, m.Listed)
	}
	maps.Copy(r.seen.kept.vhosts, m.VHosts)
	for vhost, queues := range m.Queues {
		for name, s := range queues {
			r.seen.kept.queues[queueName{vhost, name}] = s
		}
	}
}

// keep writes what was learnt, where that is news; r.mu is held. What cannot be written is learnt again.
func (r *collector) keep() {
	s := &r.seen
	if r.env.State == "" || s.cluster == "" || s.nodes == nil && !s.recalled {
		return
	}
	m := keptMemory{URL: r.opt.URL, Name: s.name, Cluster: s.cluster, Peers: map[string]string{}, Listed: s.nodesAt}
	if s.nodes == nil || s.alone {
		m.Listed = r.kept.Listed
	}
	for name, p := range s.peers {
		if !p.configured {
			m.Peers[name] = p.addr
		}
	}
	m.VHosts = maps.Clone(s.kept.vhosts)
	for name, st := range s.kept.queues {
		if m.Queues == nil {
			m.Queues = map[string]map[string]standing{}
		}
		if m.Queues[name.vhost] == nil {
			m.Queues[name.vhost] = map[string]standing{}
		}
		m.Queues[name.vhost][name.name] = st
	}
	if m.same(r.kept) {
		return
	}
	r.kept = m
	r.env.Keep("rabbitmq", "the broker", m)
}

// Forget drops what stood in the broker and does not now, and members that it does not list: somebody says that nobody misses
// them.
func (r *collector) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.seen
	s.kept.drop()
	for name, p := range s.peers {
		if !p.configured && p.listed.Before(s.nodesAt) {
			delete(s.peers, name)
		}
	}
	r.keep()
}
