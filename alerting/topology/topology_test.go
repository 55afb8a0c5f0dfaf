package topology

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fleet is three zones of one host each, a store of three nodes that spares one, and an API that needs it.
func fleet(t *testing.T) *Graph {
	t.Helper()
	var es []Entity
	var riak, api []string
	for _, z := range []string{"a", "b", "c"} {
		es = append(es,
			Entity{ID: "az:" + z, Kind: KindAZ, AZ: z},
			Entity{ID: "host:" + z, Kind: KindHost, AZ: z, Host: z, Parents: []string{"az:" + z}},
			Entity{ID: "riak:" + z, Kind: KindNode, Service: "riak", AZ: z, Host: z, Parents: []string{"host:" + z}},
			Entity{ID: "api:" + z, Kind: KindNode, Service: "api", AZ: z, Host: z, Parents: []string{"host:" + z, "store"}})
		riak, api = append(riak, "riak:"+z), append(api, "api:"+z)
	}
	es = append(es, Entity{ID: "store", Kind: KindCluster, Service: "riak", Parents: riak, Spare: 1},
		Entity{ID: "elb", Kind: KindELB, Service: "elb"},
		Entity{ID: "streams", Kind: KindService, Service: "api", Parents: append([]string{"elb"}, api...), Spare: 1})
	g, err := New(es)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestNewTellsWhatDoesNotFit(t *testing.T) {
	for name, tc := range map[string]struct {
		in   []Entity
		want string
	}{
		"no id":      {[]Entity{{}}, "without an id"},
		"twice":      {[]Entity{{ID: "a"}, {ID: "a"}}, `"a" is there twice`},
		"no parent":  {[]Entity{{ID: "a", Parents: []string{"b"}}}, `"a" needs "b", which is not there`},
		"a circle":   {[]Entity{{ID: "a", Parents: []string{"b"}}, {ID: "b", Parents: []string{"c"}}, {ID: "c", Parents: []string{"b"}}}, "a circle: b needs c needs b"},
		"its parent": {[]Entity{{ID: "a", Parents: []string{"a"}}}, "a circle: a needs a"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tc.in); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("New = %v; want %q", err, tc.want)
			}
		})
	}
}

func TestDependsOn(t *testing.T) {
	g := fleet(t)
	for _, tc := range []struct {
		child, parent string
		steps         int
		ok            bool
	}{
		{"riak:a", "host:a", 1, true},
		{"api:a", "az:a", 2, true},
		{"api:a", "az:b", 4, true}, // through the store
		{"streams", "elb", 1, true},
		{"elb", "streams", 0, false},
		{"riak:a", "riak:b", 0, false},
		{"nobody", "az:a", 0, false},
	} {
		if steps, ok := g.DependsOn(tc.child, tc.parent); steps != tc.steps || ok != tc.ok {
			t.Errorf("DependsOn(%s, %s) = %d, %v; want %d, %v", tc.child, tc.parent, steps, ok, tc.steps, tc.ok)
		}
	}
}

func TestSpreadStopsWhereThereIsSpare(t *testing.T) {
	g := fleet(t)
	for name, tc := range map[string]struct{ lost, want []string }{
		"a node of three is spared":             {[]string{"riak:a"}, []string{"riak:a"}},
		"two of three are not":                  {[]string{"riak:a", "riak:b"}, []string{"api:a", "api:b", "api:c", "riak:a", "riak:b", "store", "streams"}},
		"a zone takes its own":                  {[]string{"az:a"}, []string{"api:a", "az:a", "host:a", "riak:a"}},
		"the only one of a kind is never spare": {[]string{"elb"}, []string{"elb", "streams"}},
	} {
		t.Run(name, func(t *testing.T) {
			lost := map[string]bool{}
			for _, id := range tc.lost {
				lost[id] = true
			}
			got := slices.Sorted(maps.Keys(g.Spread(lost)))
			if !slices.Equal(got, tc.want) {
				t.Errorf("Spread(%v) = %v; want %v", tc.lost, got, tc.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	g, err := Load(write("good", `{"region":"r","azs":["a"],"entities":{"az:a":{"id":"az:a","kind":"az"},"n":{"kind":"node","parents":["az:a"]}}}`))
	if err != nil || g.Len() != 2 {
		t.Fatalf("Load = %v, %v", g, err)
	}
	if id, ok := g.Find(KindNode, func(Entity) bool { return true }); !ok || id != "n" {
		t.Errorf("Find = %q, %v", id, ok)
	}
	for _, bad := range []string{write("html", "<html>"), write("name", `{"entities":{"a":{"id":"b"}}}`), dir + "/none"} {
		if _, err := Load(bad); err == nil {
			t.Errorf("Load(%s) gave no error", bad)
		}
	}
}
