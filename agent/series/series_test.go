package series

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

var begin = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

func at(n int) time.Time { return begin.Add(time.Duration(n) * 10 * time.Second) }

func newTest() *Registry {
	return New(Options{Begun: begin.Add(-5 * time.Second)})
}

func sample(d *metric.Desc, n int, v float64, kv ...string) metric.Sample {
	return metric.Sample{Desc: d, Labels: metric.L(kv...), Time: at(n), Value: v}
}

func desc(kind metric.Kind, name string) *metric.Desc { return &metric.Desc{Name: name, Kind: kind} }

func hist(vs ...float64) *metric.Histogram {
	h := &metric.Histogram{}
	for _, v := range vs {
		h.Observe(v, 1)
	}
	return h
}

// told writes the points of some forms: name{labels} value@seconds since begin.
func told(u Update, forms ...Form) string {
	var out []string
	for i := range u.Points {
		p := &u.Points[i]
		if !slices.Contains(forms, p.Form) {
			continue
		}
		v := fmt.Sprint(p.Value)
		if p.Hist != nil {
			v = fmt.Sprint("n", p.Hist.Count)
		}
		out = append(out, fmt.Sprintf("%s%s %s@%g", p.Name, p.Labels, v, p.Time.Sub(begin).Seconds()))
	}
	return strings.Join(out, " ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestWhatBecomesEqualIsAddedUp(t *testing.T) {
	r := newTest()
	u := r.Resolve("statsd", at(0), metric.L("node", "a"), []metric.Sample{
		sample(desc(metric.Delta, "a.c"), 0, 10), sample(desc(metric.Delta, "a_c"), 0, 1), sample(desc(metric.Delta, "a_c"), 0, 1, "node", "a"),
	})
	want(t, "total", told(u, Opening, Total), `a_c_total{node="a"} 0@-5 a_c_total{node="a"} 12@0`)
	want(t, "added", told(u, Added), `a_c_total{node="a"} 10@0 a_c_total{node="a"} 1@0 a_c_total{node="a"} 1@0`)
	r = newTest()
	u = r.Resolve("x", at(0), nil, []metric.Sample{
		{Desc: &metric.Desc{Name: "t", Kind: metric.Distribution, Unit: metric.Seconds}, Time: at(0), Hist: hist(1, 2)},
		{Desc: desc(metric.Distribution, "t_seconds"), Time: at(0), Hist: hist(3)},
	})
	want(t, "distribution", told(u, Opening, Total), `t_seconds{} n0@-5 t_seconds{} n3@0`)
}

func TestATotalThatIsReadHasOneSource(t *testing.T) {
	r := newTest()
	a, b := desc(metric.Counter, "x.reads"), desc(metric.Counter, "x_reads")
	want(t, "one", told(r.Resolve("a", at(0), nil, []metric.Sample{sample(a, 0, 1000)}), Opening, Total), `x_reads_total{} 1000@0`)
	want(t, "two", told(r.Resolve("b", at(1), nil, []metric.Sample{sample(b, 1, 70)}), Total, Added), "")
	want(t, "counted", told(r.Resolve("c", at(1), nil, []metric.Sample{sample(desc(metric.Delta, "x_reads"), 1, 70)}), Total, Added), "")
	u := r.Resolve("a", at(3), nil, []metric.Sample{sample(a, 3, 3)}) // begun anew
	want(t, "reset", told(u, Total, Added), `x_reads_total{} 3@30 x_reads_total{} 3@30`)
	if l := r.Stats().Lost; l["same_name"] != 1 || l["kind"] != 1 {
		t.Errorf("lost %v", l)
	}
}

// What takes a name over at the very time at which the one before ends comes after it: a store has one sample for a time.
func TestWhatEndsAndBeginsAtOneTimeIsNotOverwritten(t *testing.T) {
	r := newTest()
	r.Resolve("statsd", at(1), nil, []metric.Sample{sample(desc(metric.Delta, "reads_total"), 1, 3)})
	u := r.Resolve("statsd", at(400), nil, nil)
	want(t, "idle for an hour", fmt.Sprint(len(u.Ended)), "1")
	reads := desc(metric.Counter, "reads_total")
	u = r.Resolve("disk", at(400), nil, []metric.Sample{sample(reads, 400, 70)})
	want(t, "at that time", told(u, Opening, Total), "")
	u = r.Resolve("disk", at(401), nil, []metric.Sample{sample(reads, 401, 75)})
	want(t, "after it", told(u, Opening, Total), "reads_total{} 8@4010")
}

func TestOtherKindsOfANameAreLostAndNamed(t *testing.T) {
	r := newTest()
	r.Resolve("statsd", at(0), nil, []metric.Sample{{Desc: desc(metric.Distribution, "job"), Time: at(0), Hist: hist(1)}})
	u := r.Resolve("other", at(1), nil, []metric.Sample{sample(desc(metric.Gauge, "job"), 1, 101, "x", "y"), sample(desc(metric.Gauge, "free"), 1, 2)})
	want(t, "levels", told(u, Level), `free{} 2@10`)
	s := r.Stats()
	if s.Lost["kind"] != 1 || len(s.Named) != 1 || s.Named[0].Name != "job" || !strings.Contains(s.Named[0].Why, "there is a distribution") {
		t.Errorf("stats %+v", s)
	}
	// The name is free again once its owner has ended.
	r.Resolve("statsd", at(0).Add(time.Hour), nil, nil)
	u = r.Resolve("other", at(0).Add(time.Hour), nil, []metric.Sample{sample(desc(metric.Gauge, "job"), 360, 101)})
	want(t, "after", told(u, Level), `job{} 101@3600`)
}

func TestASecondGaugeOfANameWaitsForTheFirstToEnd(t *testing.T) {
	r := newTest()
	one, two := desc(metric.Gauge, "a.b"), desc(metric.Gauge, "a_b")
	for range 3 {
		u := r.Resolve("x", at(0), nil, []metric.Sample{sample(one, 0, 1), sample(two, 0, 2)})
		want(t, "first", told(u, Level), `a_b{} 1@0`)
	}
	if s := r.Stats(); s.Lost["same_name"] != 3 {
		t.Errorf("lost %v", s.Lost)
	}
	r.Resolve("x", at(1), nil, []metric.Sample{sample(two, 1, 2)})
	u := r.Resolve("x", at(2), nil, []metric.Sample{sample(two, 2, 2)})
	want(t, "second", told(u, Level), `a_b{} 2@20`)
}

func TestADipIsNoReset(t *testing.T) {
	c := desc(metric.Counter, "cpu_seconds_total")
	for name, tc := range map[string]struct {
		readings []float64
		want     string
	}{
		"rounding":   {[]float64{100, 100 - 1e-8, 101}, "0 1"},
		"last place": {[]float64{4, 3.9999999999999996, 4}, "0 0"},
		"a denormal": {[]float64{5e-324, 0, 5e-324}, "0 0"},
		"reset":      {[]float64{100, 1, 3}, "1 2"},
		"small step": {[]float64{100, 99.5, 100}, "99.5 0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			r, got := newTest(), []string(nil)
			for i, v := range tc.readings {
				u := r.Resolve("x", at(i), nil, []metric.Sample{sample(c, i, v)})
				for _, p := range u.Points {
					if p.Form == Added {
						got = append(got, fmt.Sprint(p.Value))
					}
				}
			}
			want(t, "added", strings.Join(got, " "), tc.want)
		})
	}
}

func TestWhatNoTotalCanHaveIsCounted(t *testing.T) {
	r := newTest()
	u := r.Resolve("x", at(0), nil, []metric.Sample{
		sample(desc(metric.Delta, "a"), 0, -1), sample(desc(metric.Delta, "a"), 0, math.NaN()), sample(desc(metric.Gauge, ""), 0, 1),
		sample(desc(metric.Gauge, "g"), 0, math.NaN()), sample(desc(metric.Gauge, "g"), 0, 3), sample(desc(metric.Delta, "a"), 0, 7),
	})
	want(t, "the rest", told(u, Level, Total), `g{} NaN@0 a_total{} 7@0`)
	if l := r.Stats().Lost; l["negative"] != 1 || l["not_finite"] != 1 || l["bad_name"] != 1 || l["duplicate"] != 1 {
		t.Errorf("lost %v", l)
	}
}

func TestATotalStandsSleepsAndWakes(t *testing.T) {
	r := newTest()
	c := desc(metric.Delta, "rare")
	r.Resolve("statsd", at(0), nil, []metric.Sample{sample(c, 0, 100)})
	forms := map[Form]int{}
	for i := 1; i <= 12; i++ {
		for _, p := range r.Resolve("statsd", at(i), nil, nil).Points {
			forms[p.Form]++
		}
	}
	if forms[Again] != 2 || forms[Still] != 10 {
		t.Errorf("in two minutes of silence %v; want 2 Again and 10 Still", forms)
	}
	u := r.Resolve("statsd", at(181), nil, nil)
	if len(u.Ended) != 1 || len(u.Points) != 0 {
		t.Errorf("after half an hour: %+v", u)
	}
	u = r.Resolve("statsd", at(400), nil, []metric.Sample{sample(desc(metric.Delta, "rare"), 400, 1)})
	want(t, "awake", told(u, Opening, Total), `rare_total{} 100@3990 rare_total{} 101@4000`)
	// Under other labels of the node it is another series, and the old one ends at once.
	u = r.Resolve("statsd", at(401), metric.L("az", "b"), []metric.Sample{sample(c, 401, 1)})
	want(t, "moved", told(u, Opening, Total), `rare_total{az="b"} 0@4000.001 rare_total{az="b"} 1@4010`)
	if len(u.Ended) != 1 {
		t.Errorf("ended %v", u.Ended)
	}
}

func TestALateDeltaIsAddedNow(t *testing.T) {
	r := newTest()
	c := desc(metric.Delta, "c")
	r.Resolve("statsd", at(6), nil, []metric.Sample{sample(c, 6, 1)})
	u := r.Resolve("statsd", at(7), nil, []metric.Sample{sample(c, 2, 5)})
	want(t, "added", told(u, Added), `c_total{} 5@20`)
	want(t, "total", told(u, Total), `c_total{} 6@70`)
	// A clock that steps back holds totals up, and loses nothing.
	u = r.Resolve("statsd", at(3), nil, []metric.Sample{sample(c, 3, 1)})
	want(t, "held", told(u, Total, Still, Again), "")
	u = r.Resolve("statsd", at(8), nil, nil)
	want(t, "given", told(u, Total), `c_total{} 7@80`)
}

func TestLabelsAreLegalEverywhere(t *testing.T) {
	r := newTest()
	u := r.Resolve("x", at(0), metric.L("node", "a"), []metric.Sample{
		sample(desc(metric.Delta, "cd"), 0, 1, "my-tag", "a", "my_tag", "b"),
		{Desc: desc(metric.Distribution, "x"), Labels: metric.L("quantile", "foo", "le", "1", "__name__", "y"), Time: at(0), Hist: hist(1)},
		sample(desc(metric.Gauge, "disk"), 0, 1, "mountpoint", "/a\xff\xfe", "é:t", "ü"),
		sample(desc(metric.Gauge, "disk"), 0, 2, "mountpoint", "/a\xff\xff"),
		sample(desc(metric.Delta, "b_bucket"), 0, 1, "le", "0.1"),
	})
	want(t, "series", told(u, Level, Total), `disk{___t="ü",mountpoint="/a\\xff\\xfe",node="a"} 1@0 disk{mountpoint="/a\\xff\\xff",node="a"} 2@0 `+
		`cd_total{my_tag="b",my_tag_2="a",node="a"} 1@0 x{exported___name__="y",exported_le="1",exported_quantile="foo",node="a"} n1@0 b_bucket_total{le="0.1",node="a"} 1@0`)
	for i := range u.Points {
		if p := &u.Points[i]; p.Name == "cd_total" && p.Said().Labels.String() != `{my_tag="b",my_tag_2="a",node="a"}` {
			t.Errorf("said %s; want the same in all outputs", p.Said().Labels)
		}
	}
}

func TestTotalsSurviveARestartInGoodOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "totals")
	d, c, h := desc(metric.Delta, "d"), desc(metric.Counter, "c"), desc(metric.Distribution, "h")
	in := func(n int, v float64) []metric.Sample {
		return []metric.Sample{sample(d, n, v, "k", "v"), sample(c, n, 50*v), {Desc: h, Time: at(n), Hist: hist(v)}}
	}
	base := metric.L("node", "a")
	r := newTest()
	r.Resolve("statsd", at(0), base, in(0, 1))
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	r = New(Options{Begun: at(99)})
	if err := r.Load(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is there still: %v", err)
	}
	u := r.Resolve("statsd", at(100), base, in(100, 2))
	want(t, "totals", told(u, Opening, Total), `d_total{k="v",node="a"} 1@990 d_total{k="v",node="a"} 3@1000 c_total{node="a"} 100@1000 h{node="a"} n1@990 h{node="a"} n2@1000`)
	want(t, "added", told(u, Added), `d_total{k="v",node="a"} 2@1000 c_total{node="a"} 50@1000 h{node="a"} n1@1000`)
}

func TestAFileThatIsNotWholeIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "totals")
	r := newTest()
	r.Resolve("statsd", at(0), nil, []metric.Sample{sample(desc(metric.Delta, "d"), 0, 1)})
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole[:len(whole)-1] {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		r := newTest()
		if err := r.Load(path); err == nil || r.Stats().Asleep != 0 {
			t.Fatalf("cut at %d: %v, %+v", n, err, r.Stats())
		}
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
}

func TestBoundsHold(t *testing.T) {
	r := New(Options{MaxSeries: 20_000})
	for round := range 4 {
		var in []metric.Sample
		for i := range 12_500 {
			in = append(in, sample(desc(metric.Delta, fmt.Sprint("c", round, ".", i)), 200*round, 1))
		}
		r.Resolve("statsd", at(200*round), nil, in)
		r.Resolve("statsd", at(200*round+190), nil, nil) // all end
	}
	if s := r.Stats(); s.Asleep > 12_500 || s.Alive != 0 || len(r.series) > 12_500 || len(r.sources["statsd"].feeds) > 12_500 {
		t.Errorf("%d asleep, %d series, %d feeds", s.Asleep, len(r.series), len(r.sources["statsd"].feeds))
	}
}

func TestAKnownSampleAllocatesAPoint(t *testing.T) {
	r := newTest()
	in := []metric.Sample{sample(desc(metric.Gauge, "a.b"), 0, 1, "k", "v"), sample(desc(metric.Delta, "c"), 0, 1, "k", "v")}
	base := metric.L("node", "a")
	n := 0
	if got := testing.AllocsPerRun(100, func() {
		for i := range in {
			in[i].Time = at(n)
		}
		r.Resolve("x", at(n), base, in)
		n++
	}); got > 2 {
		t.Errorf("%v allocations for two known samples; want the slice of points alone", got)
	}
}

// What a source sends in another order, or no more, or again, is found as it would be without a guess.
func TestTheOrderOfSeriesDoesNotMatter(t *testing.T) {
	r, c := newTest(), desc(metric.Counter, "c_total")
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 50
	last, bases := map[string]float64{}, []metric.Labels{metric.L("node", "a"), metric.L("node", "b")}
	for round := range 200 {
		var samples []metric.Sample
		for _, i := range rng.Perm(n)[:rng.IntN(n)+1] {
			samples = append(samples, sample(c, round, float64(round*100+i), "i", fmt.Sprint(i)))
		}
		if rng.IntN(3) > 0 { // as most sources do
			slices.SortFunc(samples, func(a, b metric.Sample) int { return strings.Compare(a.Labels.Key(), b.Labels.Key()) })
		}
		base := bases[round/20%2]
		u := r.Resolve("s", at(round), base, samples)
		got := map[string]float64{}
		for i := range u.Points {
			if p := &u.Points[i]; p.Form == Total {
				got[p.Labels.String()] = p.Value
			}
		}
		want := map[string]float64{}
		for _, s := range samples {
			want[s.Labels.Merge(base).String()] = s.Value
		}
		if !maps.Equal(got, want) {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
		ended := 0
		for _, s := range u.Ended {
			if _, ok := last[s.Labels.String()]; !ok {
				t.Fatalf("round %d: %v ended, which was not there", round, s.Labels)
			}
			ended++
		}
		for key := range last {
			if _, ok := want[key]; !ok {
				ended--
			}
		}
		if ended != 0 {
			t.Fatalf("round %d: %d too many ended", round, ended)
		}
		last = want
		u.Done()
	}
}

func TestASourceThatSendsTheSameSeriesAllocatesNothingForThem(t *testing.T) {
	r := newTest()
	var samples []metric.Sample
	for i := range 1000 {
		d := desc(metric.Counter, "c_total")
		if i%2 == 0 {
			d = desc(metric.Gauge, "g")
		}
		samples = append(samples, sample(d, 0, 1, "i", fmt.Sprint(i)))
	}
	n := 0
	if got := testing.AllocsPerRun(100, func() {
		n++
		for i := range samples {
			samples[i].Time, samples[i].Value = at(n), float64(n)
		}
		u := r.Resolve("s", at(n), nil, samples)
		u.Done()
	}); got > 5 { // a list of points, now and then
		t.Errorf("1000 samples: %v allocations", got)
	}
}
