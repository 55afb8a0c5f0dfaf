package dashboards_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/alerting"
)

// planned is a report of noon: a disk that fills, streams that do not fit without a zone, a pool too young to be told
// of, and nodes that get slower.
func planned() capacity.Report {
	const weeks = 4
	hours, filled := make([]float64, weeks*168), make([]float64, weeks*168)
	said := make([]capacity.Said, len(hours))
	for i := range hours {
		wobble := 0.03 * math.Sin(float64(i*i%97))
		hours[i] = 6000 * (1 + 0.3*math.Sin(2*math.Pi*float64(i%24)/24) + wobble) * (1 + float64(i)/8000)
		filled[i] = 700e9 + 0.3e9*float64(i)*(1+wobble)
		said[i] = capacity.Said{Lo: math.NaN(), Mid: math.NaN(), Hi: math.NaN()}
		if i > 200 {
			said[i] = capacity.Said{Lo: hours[i] * 0.95, Mid: hours[i] * 1.01, Hi: hours[i] * 1.05}
		}
	}
	hours[100], hours[101] = math.NaN(), math.NaN()
	assess := func(name string, declared float64, use, limit, nodes []capacity.Sample, h capacity.History) capacity.Answer {
		for _, p := range capacity.Pools() {
			if p.Name == name {
				p.Declared = declared
				h.End = noon
				return capacity.Assess(p, p.Read(use, limit, nodes)[0], h, 14*24*time.Hour)
			}
		}
		panic("no pool " + name)
	}
	one := func(v float64, kv ...string) capacity.Sample {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return capacity.Sample{Labels: m, Value: v}
	}
	now := hours[len(hours)-1]
	answers := []capacity.Answer{
		assess("disk", 0, []capacity.Sample{one(filled[len(filled)-1], "node", "riak-<1>", "mountpoint", "/")},
			[]capacity.Sample{one(1000e9, "node", "riak-<1>", "mountpoint", "/")}, nil, capacity.History{Hours: filled}),
		assess("streams_per_node", 2000, []capacity.Sample{one(now/2, "stack", "prod", "az", "eu-1a"), one(now/2, "stack", "prod", "az", "eu-1b")}, nil,
			[]capacity.Sample{one(4, "stack", "prod", "az", "eu-1a"), one(3, "stack", "prod", "az", "eu-1b")}, capacity.History{Hours: hours, Past: said}),
		assess("memory", 0, []capacity.Sample{one(3e9, "node", "api-1")}, []capacity.Sample{one(8e9, "node", "api-1")}, nil, capacity.History{}),
	}
	capacity.Sort(answers)
	s := capacity.Scaling{Load: "streams on a node", Throughput: "streams for each second of fan-out latency"}
	for i := range 60 {
		n := 100 + 20*float64(i)
		s.N, s.X = append(s.N, n), append(s.X, 5*n/(1+0.0003*n+1e-7*n*n)*(1+0.01*math.Sin(float64(i))))
	}
	s.Fit()
	return capacity.Report{At: noon.Add(-time.Minute), Lead: 14 * 24 * time.Hour, Answers: answers, Scaling: s, Note: "Made up for a test."}
}

// planning are the options of a node with these pools.
func planning(r capacity.Report) whole {
	o := options(alerting.View{At: noon}, fleet{nodes: 3, age: 7}, goodStatus())
	o.Capacity = func() capacity.Report { return r }
	return o
}

// capacityPage asks for a page of capacity, and holds it to be XML but for what HTML leaves open.
func capacityPage(t *testing.T, r capacity.Report, path string) string {
	t.Helper()
	resp := get(t, newWhole(planning(r)), path)
	got := text(t, resp.Body)
	if resp.StatusCode != http.StatusOK || strings.Contains(got, "style=") || strings.Contains(got, "<script>") || strings.Contains(got, "ZgotmplZ") || strings.Contains(got, "NaN") {
		t.Fatalf("GET %s: %d\n%s", path, resp.StatusCode, got)
	}
	d := xml.NewDecoder(strings.NewReader(got))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			return got
		} else if err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
	}
}

func TestCapacityPage(t *testing.T) {
	got := capacityPage(t, planned(), "/capacity")
	for _, want := range []string{
		"2 pools of 3: order room now", "Made up for a test.", `riak-&lt;1&gt; /`, "full in 1", "not enough history: 0 hours",
		"After losing eu-1a", `<b class="mark">too little</b>`, "Without eu-1a it does not fit.", `<path class="line past" transform="matrix(`, `<path class="limit" d="M0 `,
		`aria-current="page"`, "Universal scalability law", `<path class="points" d="M`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	streams := "/capacity?pool=" + url.QueryEscape("streams_per_node prod")
	got = capacityPage(t, planned(), streams)
	for _, want := range []string{`values lay in the 80 % interval forecast a day before`, `name="nodes"`, `name="zone"`, `<path class="line said" transform="matrix(`, "<th scope=\"row\">25 Nov 12:00</th>"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "If so") {
		t.Error("an answer to a question that nobody asked")
	}
}

func TestCapacityWhatIf(t *testing.T) {
	streams := "/capacity?pool=" + url.QueryEscape("streams_per_node prod")
	got := capacityPage(t, planned(), streams+"&growth=20&nodes=7&launch=500&days=3&zone=1")
	for _, want := range []string{"If so", `name="growth" inputmode="decimal" size="6" value="20"`, `value="1" checked`, "As it is"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, bad := range []string{"growth=much", "nodes=1e9", "days=-1", "launch=x"} {
		got := capacityPage(t, planned(), streams+"&"+bad)
		if !strings.Contains(got, "want a number from") || strings.Contains(got, "If so") {
			t.Errorf("%s is not refused", bad)
		}
	}
}

func TestManyPools(t *testing.T) {
	r := planned()
	young := r.Answers[2]
	for i := range 300 {
		a := young
		a.Labels = map[string]string{"node": fmt.Sprintf("api-%03d", i)}
		r.Answers = append(r.Answers, a)
	}
	got := capacityPage(t, r, "/capacity")
	if before, _, ok := strings.Cut(got, "<details><summary>295 pools more"); !ok || strings.Count(before, "<li") < 8 {
		t.Errorf("of 303 pools 8 are not in plain sight")
	}
	if got := capacityPage(t, r, "/capacity?pool=memory+api-299"); !strings.Contains(got, "<details open><summary>295") || !strings.Contains(got, `<h2>Memory <span class="place">api-299</span>`) {
		t.Error("a chosen pool of the rest is not shown")
	}
}

func TestCapacityWithoutAnything(t *testing.T) {
	for want, r := range map[string]capacity.Report{
		"No pool was looked at yet":     {},
		"No pool with a limit is known": {At: noon, Fault: "reading: out of luck"},
	} {
		if got := capacityPage(t, r, "/capacity"); !strings.Contains(got, want) || !strings.Contains(got, r.Fault) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	old := planned()
	old.At, old.Undeclared = noon.Add(-time.Hour), []string{"riak_keys"}
	if got := capacityPage(t, old, "/capacity"); !strings.Contains(got, "These figures are 1 h old") || !strings.Contains(got, "<code>riak_keys</code>.") {
		t.Errorf("old figures:\n%s", got)
	}
	young := planned()
	young.Answers, young.Scaling = young.Answers[2:], capacity.Scaling{}
	if got := capacityPage(t, young, "/capacity?pool=nonsense"); !strings.Contains(got, "Nothing of its past is known yet.") || !strings.Contains(got, "Not told: nothing was measured yet") {
		t.Errorf("a young pool:\n%s", got)
	}
	resp := get(t, newWhole(options(alerting.View{At: noon}, fleet{}, goodStatus())), "/capacity")
	if got := text(t, resp.Body); !strings.Contains(got, "This node does not watch capacity") {
		t.Errorf("without the role:\n%s", got)
	}
}
