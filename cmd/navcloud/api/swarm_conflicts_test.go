package api

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestSwarmCountsWhatConflictsLose(t *testing.T) {
	k := newRiak()
	k.slow = time.Millisecond
	srv := httptest.NewServer(k)
	defer srv.Close()
	var nodes []string
	for range 3 {
		addr, _ := start(t, func(c *Config) { c.Riak = srv.URL })
		nodes = append(nodes, addr)
	}
	s := &swarm{cfg: DefaultSwarm(), http: srv.Client(), started: time.Now()}
	s.cfg.Nodes = nodes
	c, err := s.conflicts(t.Context(), 40)
	if err != nil || c.Lost != 0 || c.Acknowledged < 30 || c.Final < c.Acknowledged {
		t.Errorf("%+v, %v; want none lost", c, err)
	}
}
