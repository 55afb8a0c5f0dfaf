package riak

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/navcloud/binnacle/agent/damage"
)

// keptMemory is what outlives the agent: of a node that is down when the agent starts nothing else tells its name, or that it
// left in order.
type keptMemory struct {
	URL   string `json:"url"` // whose memory it is
	Name  string `json:"name"`
	Owner bool   `json:"owner"` // it owned a partition
	Left  bool   `json:"left"`  // it had handed over all it owned
}

func (r *collector) memoryFile() string {
	if r.env.State == "" {
		return ""
	}
	return filepath.Join(r.env.State, "riak.json")
}

// recall takes over what an earlier life learnt. That the node is expected at all is Env's to say.
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
		r.env.Log.Warn("what was learnt of Riak is lost", "err", errors.Join(err, aerr))
		if r.env.Damaged != nil {
			r.env.Damaged(damage.Report{Store: "riak", What: "what was learnt of Riak cannot be read: " + err.Error(), Aside: to, At: r.env.Now()})
		}
		return
	}
	if m.URL != r.opt.URL {
		return
	}
	r.kept, r.name = m, m.Name
	r.node.left, r.node.ring.owner = m.Left, m.Owner
}

// keep writes what was learnt, where that is news. What cannot be written is learnt again.
func (r *collector) keep() {
	r.mu.Lock()
	m := keptMemory{URL: r.opt.URL, Name: r.name, Owner: r.node.ring.owner, Left: r.node.left}
	r.mu.Unlock()
	path := r.memoryFile()
	if path == "" || m.Name == "" || m == r.kept {
		return
	}
	r.kept = m
	b, err := json.Marshal(m)
	if err = errors.Join(err, os.MkdirAll(r.env.State, 0o750)); err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		r.env.Log.Debug("what was learnt of Riak is not kept", "err", err)
	}
}
