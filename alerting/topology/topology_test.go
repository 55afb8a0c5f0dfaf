package topology

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small is a zone-spread store of three nodes that spares one, and a front that needs it.
func small(t *testing.T) *Graph {
	t.Helper()
	var es []Entity
	var store, front []string
	for _, z := range []string{"a", "b", "c"} {
		es = append(es,
			Entity{ID: "zone-" + z, Kind: KindAZ, AZ: z},
			Entity{ID: "m-" + z, Kind: KindHost, AZ: z, Host: z, Parents: []string{"zone-" + z}},
			Entity{ID: "s-" + z, Kind: KindNode, Service: "store", AZ: z, Host: z, Parents: []string{"m-" + z}},
			Entity{ID: "f-" + z, Kind: KindNode, Service: "front", AZ: z, Host: z, Parents: []string{"m-" + z, "store"}})
		store, front = append(store, "s-"+z), append(front, "f-"+z)
	}
	g, err := New(append(es, Entity{ID: "store", Kind: KindCluster, Service: "store", Cluster: "main", Parents: store, Spare: 1},
		Entity{ID: "edge", Kind: KindELB}, Entity{ID: "users", Kind: KindService, Service: "front", Parents: append(front, "edge"), Spare: 1}))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestNewTellsFaultsAndCanBeUsed(t *testing.T) {
	g, err := New([]Entity{{ID: "a", Parents: []string{"b", "gone"}}, {ID: "b", Parents: []string{"a"}}, {ID: "a"}, {}})
	for _, want := range []string{"a needs gone, which is not there", "needs it in turn", "a is there twice", "has no id"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v; want %q in it", err, want)
		}
	}
	if g.Len() != 2 {
		t.Errorf("the graph has %v", g.IDs())
	}
}

func TestReach(t *testing.T) {
	g := small(t)
	for _, tc := range []struct {
		from, to string
		want     Edge
	}{
		{"s-a", "s-a", Hurt},
		{"s-a", "store", Needs}, // one of three, one is spare
		{"s-a", "users", Needs},
		{"s-a", "s-b", Side},
		{"store", "users", Hurt},
		{"store", "s-b", Member},
		{"store", "m-b", Side}, // bears its load, does not break with it
		{"store", "edge", Front},
		{"edge", "users", Hurt},
		{"edge", "f-a", Member},
		{"zone-a", "f-a", Hurt},
		{"zone-a", "store", Needs},
		{"f-a", "store", None},
	} {
		if got := g.Reach(tc.from).Edge(tc.to); got != tc.want {
			t.Errorf("Reach(%s).Edge(%s) = %v; want %v", tc.from, tc.to, got, tc.want)
		}
	}
}

func TestRedundancy(t *testing.T) {
	g := small(t)
	if r, ok := g.Redundancy("m-a", nil, nil); !ok || !r.Left() || r.Of != 3 {
		t.Errorf("one of three: %+v, %v", r, ok)
	}
	if r, ok := g.Redundancy("m-a", map[string]bool{"s-b": true}, nil); !ok || r.Left() {
		t.Errorf("with another one lost: %+v, %v", r, ok)
	}
	if _, ok := g.Redundancy("edge", nil, nil); ok {
		t.Error("an edge is part of nothing")
	}
}

func TestPlace(t *testing.T) {
	g := small(t)
	for name, tc := range map[string]struct {
		labels map[string]string
		want   string
		known  bool
	}{
		"by name":              {map[string]string{"entity": "store"}, "store", true},
		"by instance":          {map[string]string{"instance": "a:9100"}, "m-a", true},
		"by host and service":  {map[string]string{"host": "a", "service": "front"}, "f-a", true},
		"by cluster":           {map[string]string{"cluster": "main"}, "store", true},
		"by zone":              {map[string]string{"az": "b"}, "zone-b", true},
		"a name nobody has":    {map[string]string{"entity": "x", "host": "a"}, "x", false},
		"a machine not known":  {map[string]string{"instance": "new:9100", "az": "a"}, "host:new", false},
		"nothing that we know": {map[string]string{"job": "x"}, "", false},
	} {
		if e, known := g.Place(tc.labels); e.ID != tc.want || known != tc.known {
			t.Errorf("%s: Place = %q, %v; want %q, %v", name, e.ID, known, tc.want, tc.known)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct{ file, text, fault string }{
		"json":        {"t.json", `{"region":"r","azs":["a"],"entities":{"n":{"kind":"node"}}}`, ""},
		"yaml":        {"t.yaml", "entities: {n: {kind: node}}", ""},
		"unknown key": {"u.json", `{"entities":{"n":{"knid":"node"}}}`, "knid"},
	} {
		path := filepath.Join(dir, tc.file)
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := Load(path)
		if tc.fault == "" && (err != nil || g.Len() != 1) || tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)) {
			t.Errorf("%s: Load = %d entities, %v", name, g.Len(), err)
		}
	}
}

// TestAFileOverWhatAgentsTell has a file that adds a switch to what agents tell of their machines.
func TestAFileOverWhatAgentsTell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(path, []byte("add: true\nentities: {'host:switch': {kind: host}, 'link:uplink': {kind: link}, 'host:a': {kind: host, parents: ['host:switch', 'link:uplink']}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Load(path)
	if err != nil || !file.Adds() {
		t.Fatal(err, file.Adds())
	}
	agents, err := New([]Entity{
		{ID: "az:z", Kind: KindAZ, AZ: "z"},
		{ID: "host:a", Kind: KindHost, AZ: "z", Host: "a", Parents: []string{"az:z"}, Aliases: []string{"10.0.0.1"}},
		{ID: "node:a", Kind: KindNode, Service: "store", Host: "a", Parents: []string{"host:a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := file.Over(agents)
	if err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{"az:z", "host:switch", "link:uplink"} {
		if _, ok := g.DependsOn("node:a", parent); !ok {
			t.Errorf("the node does not need %s", parent)
		}
	}
	if g.Behind("node:a") != 1 || g.Behind("host:switch") != 0 || agents.Behind("node:a") != 0 {
		t.Errorf("the node stands behind %d machines, the switch behind %d", g.Behind("node:a"), g.Behind("host:switch"))
	}
	for host, want := range map[string]string{"switch": "host:switch", "uplink": "link:uplink", "10.0.0.1": "host:a"} {
		if e, _ := g.Place(map[string]string{"host": host}); e.ID != want {
			t.Errorf("%s is %s; want %s", host, e.ID, want)
		}
	}
}
