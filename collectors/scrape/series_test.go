package scrape

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// one is a scrape of series i in this order, each with its number as value; refs are the library's.
func one(t testing.TB, a *appender, refs map[int]storage.SeriesRef, order []int, v float64) {
	for _, i := range order {
		ls := labels.FromStrings(model.MetricNameLabel, "m_total", "i", fmt.Sprint(i))
		ref, err := a.Append(refs[i], ls, 0, 1000, v, nil, nil, storage.AOptions{Metadata: metadata.Metadata{Type: model.MetricTypeCounter}})
		if err != nil || ref == 0 || refs[i] != 0 && refs[i] != ref {
			t.Fatalf("series %d: reference %d was %d, %v", i, ref, refs[i], err)
		}
		refs[i] = ref
	}
}

// Series that come in another order, end, and come back under their old reference or a new one keep their labels.
func TestTheOrderOfSeriesDoesNotMatter(t *testing.T) {
	var got []metric.Sample
	c := &collector{descs: map[string]*metric.Desc{}, env: collectors.Env{Deliver: func(_ string, b *metric.Batch, _ time.Duration) {
		got = slices.Clone(b.Samples)
		b.Done()
	}}}
	known, refs, rng := &target{source: "t"}, map[int]storage.SeriesRef{}, rand.New(rand.NewPCG(3, 4))
	const n = 40
	for round := range 200 {
		order := rng.Perm(n)[:rng.IntN(n)+1]
		if round%3 > 0 {
			slices.Sort(order)
		}
		a := &appender{c: c, t: known, batch: metric.NewBatch(n)}
		one(t, a, refs, order, float64(round))
		for i, ref := range refs {
			if slices.Contains(order, i) {
				continue
			}
			if _, err := a.Append(ref, labels.EmptyLabels(), 0, 1000, math.Float64frombits(value.StaleNaN), nil, nil, storage.AOptions{}); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(2) == 0 {
				delete(refs, i) // the library forgets it, or not
			}
		}
		if err := a.Commit(); err != nil || len(got) != len(order) || len(known.entries) != len(order) {
			t.Fatalf("round %d: %d samples of %d series, %d known, %v", round, len(got), len(order), len(known.entries), err)
		}
		for at, i := range order {
			if s := got[at]; s.Labels.Get("i") != fmt.Sprint(i) || s.Value != float64(round) {
				t.Fatalf("round %d: %v = %v, want series %d", round, s.Labels, s.Value, i)
			}
		}
	}
}

func TestAScrapeOfKnownSeriesAllocatesNothingForThem(t *testing.T) {
	c := &collector{descs: map[string]*metric.Desc{}, env: collectors.Env{Deliver: func(_ string, b *metric.Batch, _ time.Duration) { b.Done() }}}
	known, refs, none := &target{source: "t"}, map[int]storage.SeriesRef{}, labels.EmptyLabels()
	var order []int
	for i := range 1000 {
		order = append(order, i)
	}
	first := &appender{c: c, t: known, batch: metric.NewBatch(0)}
	one(t, first, refs, order, 1)
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		a := &appender{c: c, t: known, batch: metric.NewBatch(known.sized + 8)}
		for i := range order {
			if _, err := a.Append(storage.SeriesRef(i+1), none, 0, 1000, 1, nil, nil, storage.AOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Commit(); err != nil {
			t.Fatal(err)
		}
	}); n > 8 { // a batch, and a list of samples now and then
		t.Errorf("1000 samples: %v allocations", n)
	}
}
