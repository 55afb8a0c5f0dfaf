package intake

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// headerNode names the node that posts alarms, also when it has none to tell.
const headerNode = "Binnacle-Node"

const (
	maxNodes = 10_000
	keepNode = 24 * time.Hour // a node that said nothing for so long is not waited for
)

// NodeHeard is a node that posts its alarms here.
type NodeHeard struct {
	Name  string    `json:"name"`
	Heard time.Time `json:"heard"` // last
}

// nodes are those that were heard lately.
type nodes struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (n *nodes) heard(r *http.Request, now time.Time) {
	name := cutName(r.Header.Get(headerNode))
	if name == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at == nil {
		n.at = map[string]time.Time{}
	}
	if _, ok := n.at[name]; !ok && len(n.at) >= maxNodes {
		return
	}
	n.at[name] = now
}

// Nodes are those that post their alarms here, by name, with the time they were last heard.
func (i *Intake) Nodes() []NodeHeard {
	now := time.Now()
	i.nodes.mu.Lock()
	defer i.nodes.mu.Unlock()
	out := []NodeHeard{}
	for name, at := range i.nodes.at {
		if now.Sub(at) > keepNode {
			delete(i.nodes.at, name)
			continue
		}
		out = append(out, NodeHeard{name, at})
	}
	slices.SortFunc(out, func(a, b NodeHeard) int { return strings.Compare(a.Name, b.Name) })
	return out
}
