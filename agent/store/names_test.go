package store

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb"

	"github.com/navcloud/binnacle/agent/metric"
)

func TestHasKnowsWhatIsInMemoryAndInBlocks(t *testing.T) {
	s := open(t)
	at := time.Now().Add(-3 * time.Hour)
	put := func(d *metric.Desc, at time.Time) {
		t.Helper()
		if err := s.Append(t.Context(), "t", at, []metric.Sample{sample(d, at, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, has ...bool) {
		t.Helper()
		for i, name := range []string{load.Name, boots.Name, "never_stored"} {
			if got := s.Has(name); got != has[i] {
				t.Errorf("%s: Has(%s) = %v", when, name, got)
			}
		}
	}
	want("empty", false, false, false)
	put(load, at)
	want("in memory", true, false, false)
	head := s.disk.db.Head()
	if err := s.disk.db.CompactHead(tsdb.NewRangeHead(head, head.MinTime(), head.MaxTime())); err != nil {
		t.Fatal(err)
	}
	if len(s.disk.db.Blocks()) == 0 {
		t.Fatal("no block")
	}
	put(boots, time.Now())
	if err := head.Truncate(time.Now().Add(-time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	want("in a block", true, true, false)
}
