package rabbitmq

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/navcloud/binnacle/agent/damage"
)

// keptMemory is what was learnt of a broker and must outlive the agent: one that is down when the agent starts is
// known by nothing else, and its alarm would be another one than before.
type keptMemory struct {
	URL     string            `json:"url"` // whose memory it is
	Name    string            `json:"name"`
	Cluster string            `json:"cluster"`
	Peers   map[string]string `json:"peers"` // addresses by name
}

// memoryFile is where it is kept; empty where nothing can be.
func (r *collector) memoryFile() string {
	if r.env.State == "" {
		return ""
	}
	return filepath.Join(r.env.State, "rabbitmq.json")
}

// recall takes over what an earlier life learnt, where the configuration does not say it.
func (r *collector) recall() {
	path := r.memoryFile()
	if path == "" {
		return
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var m keptMemory
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		to, aerr := damage.Aside(path, r.env.Now())
		r.env.Log.Warn("what was learnt of the broker is lost", "err", errors.Join(err, aerr))
		if r.env.Damaged != nil {
			r.env.Damaged(damage.Report{Store: "rabbitmq", What: "what was learnt of the broker cannot be read: " + err.Error(), Aside: to, At: r.env.Now()})
		}
		return
	}
	if m.URL != r.opt.URL {
		return
	}
	r.kept = string(b)
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
	path, s := r.memoryFile(), &r.seen
	if path == "" || s.cluster == "" || s.nodes == nil && !s.recalled {
		return
	}
	m := keptMemory{URL: r.opt.URL, Name: s.name, Cluster: s.cluster, Peers: map[string]string{}}
	for name, p := range s.peers {
		if !p.configured {
			m.Peers[name] = p.addr
		}
	}
	b, err := json.Marshal(m)
	if err != nil || string(b) == r.kept {
		return
	}
	r.kept = string(b)
	if err := errors.Join(os.MkdirAll(r.env.State, 0o750), os.WriteFile(path, b, 0o600)); err != nil {
		r.env.Log.Debug("what was learnt of the broker is not kept", "err", err)
	}
}
