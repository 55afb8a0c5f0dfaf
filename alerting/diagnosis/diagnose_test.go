package diagnosis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

var now = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// zones is a store of two zones with three nodes each, of which one may be lost, and its users.
func zones(t testing.TB) *topology.Graph {
	t.Helper()
	es := []topology.Entity{{ID: "zone-a", Kind: topology.KindAZ, AZ: "a"}, {ID: "zone-b", Kind: topology.KindAZ, AZ: "b"}}
	var nodes []string
	for _, z := range []string{"a", "b"} {
		for n := range 3 {
			id := fmt.Sprintf("%s%d", z, n)
			es = append(es, topology.Entity{ID: id, Kind: topology.KindNode, Service: "store", AZ: z, Host: id, Parents: []string{"zone-" + z}})
			nodes = append(nodes, id)
		}
	}
	es = append(es, topology.Entity{ID: "store", Kind: topology.KindCluster, Service: "store", Parents: nodes, Spare: 1},
		topology.Entity{ID: "users", Kind: topology.KindService, Parents: []string{"store"}})
	g, err := topology.New(es)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// fact makes the fact of "rule severity kind subject", which began at.
func fact(g *topology.Graph, what string, at time.Time) *alerting.Fact {
	f := strings.Fields(what)
	labels := map[string]string{alerting.LabelRule: f[0], alerting.LabelSeverity: f[1], alerting.LabelKind: f[2], alerting.LabelEntity: f[3]}
	a := &alerting.Fact{ID: f[0], Alarm: alerting.Alarm{Labels: labels, StartsAt: at}, Severity: f[1], Kind: f[2], First: at}
	a.Entity, a.Known = g.Place(labels)
	return a
}

func diagnose(t testing.TB, what ...string) Result {
	t.Helper()
	g := zones(t)
	in := Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings()}
	for _, w := range what {
		in.Facts = append(in.Facts, fact(g, w, now.Add(-time.Minute)))
	}
	before, err := json.Marshal(in.Facts)
	if err != nil {
		t.Fatal(err)
	}
	out := Diagnose(in)
	after, err := json.Marshal(in.Facts)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("diagnosis changed its facts:\n%s\n%s", before, after)
	}
	return out
}

// verdict finds an alarm by its rule.
func (r *Result) verdict(t testing.TB, rule string) *alerting.Verdict {
	t.Helper()
	for _, v := range r.Alarms {
		if v.ID == rule {
			return v
		}
	}
	t.Fatalf("there is no %s", rule)
	return nil
}

func TestACauseExplainsOnlyWhatItReaches(t *testing.T) {
	loss := "Loss critical network zone-a"
	for name, tc := range map[string]struct {
		alarms []string
		root   bool // QuorumLost is a root cause
	}{
		"what is down is in the other zone":         {[]string{loss, "Down0 critical down b0", "Down1 critical down b1", "QuorumLost critical quorum store"}, true},
		"what is down is in its own":                {[]string{loss, "Down0 critical down a0", "Down1 critical down a1", "QuorumLost critical quorum store"}, false},
		"the other zone lost no more than is spare": {[]string{loss, "Down0 critical down b0", "Down1 critical down a0", "Down2 critical down a1", "QuorumLost critical quorum store"}, false},
		"nothing is known to be down":               {[]string{loss, "QuorumLost critical quorum store"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := diagnose(t, tc.alarms...)
			q := r.verdict(t, "QuorumLost")
			if (q.By == nil) != tc.root {
				t.Errorf("QuorumLost is explained by %v; want a root cause: %v", q.By, tc.root)
			}
			no, refused := r.Refused(q, r.verdict(t, "Loss"))
			if refused != tc.root || refused && !strings.Contains(no.Reason, "not within the reach of zone-a") {
				t.Errorf("Refused = %+v, %v", no, refused)
			}
		})
	}
}

func TestWhyNot(t *testing.T) {
	r := diagnose(t, "Split critical partition store", "Slow critical latency store", "Burn critical symptom users", "Down0 critical down a0", "Cert critical config users")
	for _, tc := range []struct{ a, b, reason string }{
		{"Split", "Slow", "a whole that is slow comes after a partition or lost quorum in the order of causes"},
		{"Burn", "Slow", "Cert explains it and is the better cause"},
		{"Split", "Down0", "a node that pages by itself comes after a partition or lost quorum in the order of causes"},
		{"Burn", "Cert", ""}, // it does
		{"Split", "Cert", "store only stands beside what fails with users, which slows it down but does not break it"},
	} {
		no, ok := r.Refused(r.verdict(t, tc.a), r.verdict(t, tc.b))
		if no.Reason != tc.reason || ok != (tc.reason != "") {
			t.Errorf("why %s not %s: %q, %v; want %q", tc.a, tc.b, no.Reason, ok, tc.reason)
		}
	}
}

func TestRowsOfThePriorityTableGiveReasons(t *testing.T) {
	g := zones(t)
	seen := map[int]bool{}
	for _, what := range []string{
		"A info config store", "A critical symptom users", "A critical quorum store", "A critical partition store", "A critical down a0",
		"A critical saturation a0", "A critical liveness store", "A critical config store", "A warning config store",
	} {
		w := &weighed{}
		v := &alerting.Verdict{Fact: fact(g, what, now)}
		in := Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings()}
		w.weigh(in, stand(nil, g), v)
		w.judge()
		for n, row := range table {
			if row.fits(w) {
				seen[n] = true
				if row.reason(w) == "" {
					t.Errorf("row %d gives %s no reason", n, what)
				}
				break
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("%d rows were reached: %v", len(seen), seen)
	}
}

// TestAServerThatIsDownExplainsWhoNeedsIt: a database, a balancer's backend and the probe of what they serve are one problem, whichever
// was noticed first.
func TestAServerThatIsDownExplainsWhoNeedsIt(t *testing.T) {
	g, err := topology.New([]topology.Entity{
		{ID: "host:a", Kind: topology.KindHost, Host: "a"},
		{ID: "mysql:a/db", Kind: topology.KindServer, Service: "mysql", Host: "a", Parents: []string{"host:a"}},
		{ID: "memcached:a/c", Kind: topology.KindServer, Service: "memcached", Host: "a", Parents: []string{"host:a"}},
		{ID: "backend:app", Kind: topology.KindBackend, Parents: []string{"mysql:a/db"}},
		{ID: "probe:front", Kind: "probe", Parents: []string{"backend:app"}},
		{ID: "probe:cache", Kind: "probe", Parents: []string{"memcached:a/c"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	of := func(what, impact, priority string, ago time.Duration) *alerting.Fact {
		f := fact(g, what, now.Add(-ago))
		f.Labels[alerting.LabelImpact], f.Labels[alerting.LabelPriority] = impact, priority
		return f
	}
	for _, tc := range []struct {
		name  string
		facts []*alerting.Fact
		want  string // the alarms by what explains them
	}{
		{"the backend was first", []*alerting.Fact{
			of("Primary critical down mysql:a/db", "users", "", time.Minute), of("NoServer critical down backend:app", "users", "", 2*time.Minute),
			of("Probe critical symptom probe:front", "users", "P2", time.Minute),
		}, "NoServer<Primary Primary P1 Probe<Primary"},
		{"the backend alone", []*alerting.Fact{
			of("NoServer critical down backend:app", "users", "", time.Minute), of("Probe critical symptom probe:front", "users", "P2", 2*time.Minute),
		}, "NoServer P1 Probe<NoServer"},
		{"a server that wakes nobody", []*alerting.Fact{
			of("CacheDown warning down memcached:a/c", "redundancy", "P3", time.Minute), of("Probe critical symptom probe:cache", "users", "P2", time.Minute),
		}, "CacheDown P2 Probe<CacheDown"},
		{"a server that is full of something explains no other", []*alerting.Fact{
			of("CacheFull warning saturation memcached:a/c", "none", "P3", time.Minute), of("Primary critical down mysql:a/db", "users", "", time.Minute),
		}, "CacheFull P3 Primary P1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := Diagnose(Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings(), Facts: tc.facts})
			var got []string
			for _, v := range out.Alarms {
				text := v.ID
				if v.By != nil {
					text += "<" + v.By.ID
				}
				for _, p := range out.Problems {
					if p.Root == v {
						text += " " + p.Priority.String()
					}
				}
				got = append(got, text)
			}
			slices.Sort(got)
			if text := strings.Join(got, " "); text != tc.want {
				t.Errorf("have %s; want %s", text, tc.want)
			}
		})
	}
}
