package rabbitmq

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// A command's own node is linked while it runs. It is no member, and nobody misses it afterwards.
func TestACommandIsNoMember(t *testing.T) {
	s := brokerSeen{name: "rabbit@n2", peers: map[string]*peerSeen{}}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	left := func(at time.Time, names ...string) []string {
		links := map[string]float64{}
		for _, n := range names {
			links[n] = 3
		}
		s.dropTools(links, at)
		return slices.Sorted(maps.Keys(links))
	}
	for name, member := range map[string]bool{
		"rabbit@n1": true, "rabbitmqcli-866-rabbit@n1": false, "rabbitmq-cli-17@n1": false, "remshXYZ@n1": false, "rem-1@n1": false,
		"rabbit_prelaunch_77@localhost": false, "someshell@n1": false,
	} {
		if got := len(left(now, name)) == 1; got != member {
			t.Errorf("%s: a member %v, want %v", name, got, member)
		}
	}
	if got := left(now, "bunny@n3"); len(got) != 0 {
		t.Errorf("%v at once, want nothing", got)
	}
	if got := left(now.Add(oddFor), "bunny@n3", "rabbitmqcli-1-rabbit@n1"); !slices.Equal(got, []string{"bunny@n3"}) {
		t.Errorf("%v after %v, want the broker of another name alone", got, oddFor)
	}
	left(now.Add(oddFor), "rabbit@n1")
	if len(s.odd) != 0 {
		t.Errorf("%d are remembered that are linked no more", len(s.odd))
	}
}
