package collectorstest

import (
	"slices"
	"strings"
)

// Faults of single nodes, beside the situation of the cluster: derived, as above. A node that is isolated or gone is seen by no other one.
const (
	RiakNodeGone      = "gone"       // nobody listens
	RiakNodeFrozen    = "frozen"     // takes connections and never answers
	RiakNodeIsolated  = "isolated"   // serves, and sees itself alone
	RiakNodeStatsHang = "stats-hang" // pings, and gives no figures
	RiakNodeSecured   = "secured"    // security is on
	RiakNodeDiskFull  = "disk-full"
)

// Break gives a node these faults and no others; without any it is as the situation has it. Only in process.
func (s *Riak) Break(node string, faults ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		s.fault = map[string][]string{}
	}
	s.fault[node] = faults
}

func (s *Riak) has(node, fault string) bool { return slices.Contains(s.fault[node], fault) }

// broken is the answer of a node that has a fault in which it says nothing else.
func (s *Riak) broken(node, path string) (answer, bool) {
	switch {
	case s.has(node, RiakNodeGone):
		return answer{refused: true}, true
	case s.has(node, RiakNodeFrozen), s.has(node, RiakNodeStatsHang) && path == "/stats":
		return answer{hang: true}, true
	}
	return answer{}, false
}

// seen are those of names that node sees, by the faults of all.
func (s *Riak) seen(node string, names []any) []any {
	if s.has(node, RiakNodeIsolated) {
		return []any{}
	}
	return slices.DeleteFunc(slices.Clone(names), func(name any) bool {
		host, _, _ := strings.Cut(name.(string), "@")
		return s.has(host, RiakNodeGone) || s.has(host, RiakNodeIsolated)
	})
}
