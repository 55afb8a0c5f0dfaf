package riak

// keptMemory is what outlives the agent: of a node that is down when the agent starts nothing else tells its name, or that it
// left in order.
type keptMemory struct {
	URL   string `json:"url"` // whose memory it is
	Name  string `json:"name"`
	Owner bool   `json:"owner"` // it owned a partition
	Left  bool   `json:"left"`  // it had handed over all it owned
}

// recall takes over what an earlier life learnt. That the node is expected at all is Env's to say.
func (r *collector) recall() {
	var m keptMemory
	if !r.env.Recall("riak", "Riak", &m) || m.URL != r.opt.URL {
		return
	}
	r.kept, r.name = m, m.Name
	r.node.left, r.node.ring.owner = m.Left, m.Owner
}

// keep writes what was learnt, where that is news.
func (r *collector) keep() {
	r.mu.Lock()
	m := keptMemory{URL: r.opt.URL, Name: r.name, Owner: r.node.ring.owner, Left: r.node.left}
	r.mu.Unlock()
	if r.env.State == "" || m.Name == "" || m == r.kept {
		return
	}
	r.kept = m
	r.env.Keep("riak", "Riak", m)
}
