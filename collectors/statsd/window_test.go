package statsd

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

var t0 = time.Unix(1_700_000_000, 0)

func newTest(readers, maxSeries int) *Window {
	return NewWindow(Options{MaxSeries: maxSeries, Keep: time.Minute, Expire: 5 * time.Minute, Node: "n1"}, readers)
}

func feed(w *Window, reader int, after time.Duration, o Dialect, packets ...string) {
	for _, p := range packets {
		w.Table(reader).Packet(t0.Add(after).UnixNano(), []byte(p), o)
	}
}

// closeAt closes the window and returns its samples by kind, name and labels.
func closeAt(t *testing.T, w *Window, after time.Duration) map[string]metric.Sample {
	t.Helper()
	b := &metric.Batch{Time: t0.Add(after)}
	w.Close(b)
	out := map[string]metric.Sample{}
	for _, s := range b.Samples {
		k := s.Desc.Kind.String() + " " + s.Desc.Name + s.Labels.String()
		if _, twice := out[k]; twice && s.Time.Equal(b.Time) {
			t.Errorf("%s occurs twice in a window", k)
		}
		out[k] = s
	}
	return out
}

func wantValues(t *testing.T, got map[string]metric.Sample, want map[string]float64) {
	t.Helper()
	for k, v := range want {
		if s, ok := got[k]; !ok || math.Abs(s.Value-v) > 1e-9*math.Abs(v) {
			t.Errorf("%s is %v (there: %v), want %v", k, s.Value, ok, v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d samples, want %d: %v", len(got), len(want), got)
	}
}

func TestAWindowFoldsEveryType(t *testing.T) {
	w := newTest(1, 100)
	feed(w, 0, 0, Dialect{}, "c:1|c\nc:2:3|c|@0.5", "g:5|g\ng:-7|g", "s:a|s\ns:b|s\ns:a|s", "t:100:300|ms|@0.5", "h:4|h\nh:6|d")
	got := closeAt(t, w, 10*time.Second)
	th, hh := got["distribution t{}"], got["distribution h{}"]
	if th.Hist == nil || th.Hist.Count != 4 || math.Abs(th.Hist.Sum-0.8) > 1e-12 || th.Hist.Max != 0.3 || th.Desc.Unit != metric.Seconds {
		t.Errorf("timer: %+v %+v", th, th.Hist)
	}
	if hh.Hist == nil || hh.Hist.Count != 2 || hh.Hist.Sum != 10 || hh.Desc.Unit != metric.Count {
		t.Errorf("histogram: %+v %+v", hh, hh.Hist)
	}
	delete(got, "distribution t{}")
	delete(got, "distribution h{}")
	wantValues(t, got, map[string]float64{"delta c{}": 11, "gauge g{}": -7, "gauge s{}": 2})
}

func TestASignMovesAGaugeOnlyWhereTheListenerSaysSo(t *testing.T) {
	w := newTest(1, 100)
	plain := Dialect{Signed: true}
	feed(w, 0, 0, plain, "a:10|g", "a:+5|g", "a:-3|g")
	wantValues(t, closeAt(t, w, 10*time.Second), map[string]float64{"gauge a{}": 12})
	feed(w, 0, 15*time.Second, plain, "a:-2|g")
	wantValues(t, closeAt(t, w, 20*time.Second), map[string]float64{"gauge a{}": 10})
	feed(w, 0, 25*time.Second, Dialect{}, "a:-2|g")
	wantValues(t, closeAt(t, w, 30*time.Second), map[string]float64{"gauge a{}": -2})
}

func TestOrderOfTagsDoesNotMatter(t *testing.T) {
	w := newTest(1, 100)
	feed(w, 0, 0, Dialect{}, "n:1|c|#b:2,a:1", "n:1|c|#a:1,b:2", "n:1|c|#a:1,b:2,", "n:1|c|#a:0,a:1,b:2,e:", "n:1|c|#x", "n:1|c|#x:true", "n:1|c")
	wantValues(t, closeAt(t, w, time.Second), map[string]float64{`delta n{a="1",b="2"}`: 4, `delta n{x="true"}`: 2, "delta n{}": 1})
	if w.Series() != 3 {
		t.Errorf("%d series, want 3", w.Series())
	}
}

func TestIdleSeriesAreRepeatedThenSilentThenForgotten(t *testing.T) {
	w := newTest(1, 100)
	feed(w, 0, 0, Dialect{}, "g:7|g|#b:1,a:1\nc:1|c\nt:5|ms\ns:x|s")
	first := closeAt(t, w, 10*time.Second)
	if len(first) != 4 {
		t.Fatalf("%d samples, want 4", len(first))
	}
	kept := closeAt(t, w, 50*time.Second)
	wantValues(t, kept, map[string]float64{`gauge g{a="1",b="1"}`: 7, "delta c{}": 0})
	if kept["delta c{}"].Desc != first["delta c{}"].Desc {
		t.Error("the Desc of a series changed between windows")
	}
	wantValues(t, closeAt(t, w, 70*time.Second), nil)
	if w.Series() != 4 {
		t.Errorf("%d series, want 4 until they expire", w.Series())
	}
	wantValues(t, closeAt(t, w, 6*time.Minute), nil)
	if tab := w.Table(0); w.Series() != 0 || len(tab.index) != 0 || len(w.meters) != 0 {
		t.Errorf("after expiry: %d series, %d keys, %d metrics; want none", w.Series(), len(tab.index), len(w.meters))
	}
}

func TestOverflowKeepsTotalsRight(t *testing.T) {
	w := newTest(1, 10)
	for i := range 100 {
		feed(w, 0, 0, Dialect{}, fmt.Sprintf("n:2|c|#id:%d", i), fmt.Sprintf("n:1|c|#z:1,id:%d", i%5))
	}
	got := closeAt(t, w, time.Second)
	sum := 0.0
	for _, s := range got {
		sum += s.Value
	}
	n := w.Counts()
	if sum != 300 || len(got) != 11 || n.Lines != 200 || n.Aggregated != 200 || n.Overflow != 95 {
		t.Errorf("sum %v in %d series, counts %+v; want 300 in 11 series", sum, len(got), n)
	}
	for i := range 50 { // new names beyond the room for overflow series
		feed(w, 0, 0, Dialect{}, fmt.Sprintf("m%d:1|c", i))
	}
	if n := w.Counts(); n.Rejected[SeriesLimit] != 49 || n.Lines != n.Aggregated+49 {
		t.Errorf("%+v, want 49 refused for want of room", n)
	}
}

func TestReadersMergeExactly(t *testing.T) {
	w := newTest(4, 1000)
	var wg sync.WaitGroup
	for r := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				feed(w, r, 0, Dialect{}, fmt.Sprintf("n:1|c|#k:%d\nt:%d|ms\nu:%d|s", i%7, i, i))
			}
		})
	}
	sum := map[string]float64{}
	count := 0.0
	take := func() {
		for k, s := range closeAt(t, w, time.Second) {
			if s.Hist != nil {
				count += s.Hist.Count
			} else if s.Desc.Kind == metric.Delta {
				sum[k] += s.Value
			}
		}
	}
	take() // in the middle of it
	wg.Wait()
	take()
	total := 0.0
	for _, v := range sum {
		total += v
	}
	if total != 4000 || count != 4000 || len(sum) != 7 {
		t.Errorf("%v counted in %d series, %v timed; want 4000, 7, 4000", total, len(sum), count)
	}
}

func TestOfTwoReadersTheLastGaugeCounts(t *testing.T) {
	w := newTest(2, 100)
	feed(w, 1, time.Second, Dialect{}, "g:1|g")
	feed(w, 0, 2*time.Second, Dialect{}, "g:2|g")
	wantValues(t, closeAt(t, w, 10*time.Second), map[string]float64{"gauge g{}": 2})
	feed(w, 0, 11*time.Second, Dialect{}, "g:3|g")
	feed(w, 1, 12*time.Second, Dialect{}, "g:4|g")
	wantValues(t, closeAt(t, w, 20*time.Second), map[string]float64{"gauge g{}": 4})
	feed(w, 1, 21*time.Second, Dialect{Signed: true}, "g:+6|g")
	wantValues(t, closeAt(t, w, 30*time.Second), map[string]float64{"gauge g{}": 10})
	wantValues(t, closeAt(t, w, 40*time.Second), map[string]float64{"gauge g{}": 10})
	closeAt(t, w, 10*time.Minute)
	feed(w, 1, 20*time.Minute, Dialect{}, "other:1|c")
	closeAt(t, w, 20*time.Minute)
	if n := len(w.Table(1).cells); n != 1 {
		t.Errorf("%d series left in the second table, want only the new one", n)
	}
}

func TestValuesWithATimeStandAlone(t *testing.T) {
	w := newTest(1, 100)
	at := t0.Add(-time.Hour)
	feed(w, 0, 0, Dialect{}, fmt.Sprintf("n:5|c|@0.5|T%d\ng:8|g|T%d", at.Unix(), at.Unix()), "old:1|c|T1000")
	b := &metric.Batch{Time: t0}
	w.Close(b)
	if len(b.Samples) != 2 || b.Samples[0].Value != 10 || !b.Samples[0].Time.Equal(at) || b.Samples[1].Value != 8 {
		t.Errorf("samples %+v, want 10 and 8 at %v", b.Samples, at)
	}
	if n := w.Counts(); n.Rejected[BadTimestamp] != 1 || n.Aggregated != 2 {
		t.Errorf("%+v, want one refused for its time", n)
	}
	wantValues(t, closeAt(t, w, 10*time.Second), nil) // no gauge is repeated that never had a value of now
}

func TestSetsAreExactThenClose(t *testing.T) {
	w := newTest(2, 100)
	for i := range exactMembers {
		feed(w, i%2, 0, Dialect{}, fmt.Sprintf("small:%d|s", i))
	}
	const many = 50_000
	for i := range many {
		feed(w, i%2, 0, Dialect{}, fmt.Sprintf("big:%d|s\nbig:%d|s", i, i/2))
	}
	got := closeAt(t, w, time.Second)
	if v := got["gauge small{}"].Value; v != exactMembers {
		t.Errorf("%v members, want exactly %d", v, exactMembers)
	}
	if v := got["gauge big{}"].Value; math.Abs(v-many) > 0.04*many {
		t.Errorf("%v members, want %d within 4 %% (five standard errors)", v, many)
	}
}

func TestEventsAndLimits(t *testing.T) {
	w := newTest(1, 100)
	for range maxEvents + 5 {
		feed(w, 0, 0, Dialect{}, "_e{1,1}:a|b")
	}
	tags := strings.Repeat("t:1,", maxTags+1)
	feed(w, 0, 0, Dialect{}, strings.Repeat("n", maxName+1)+":1|c", "n:1|c|#"+tags, "a\tb:1|c", "a|b:1|c", "ok:1|c\r\n\r\n")
	feed(w, 0, 0, Dialect{Truncated: true}, "ok:1|c\nok:1")
	b := &metric.Batch{Time: t0}
	w.Close(b)
	n := w.Counts()
	if len(b.Events) != maxEvents || n.Rejected[EventLimit] != 5 || n.Rejected[LongName] != 1 || n.Rejected[ManyTags] != 1 ||
		n.Rejected[BadName] != 2 || n.Rejected[Truncated] != 1 || len(b.Samples) != 1 || b.Samples[0].Value != 2 {
		t.Errorf("%d events, %+v, samples %+v", len(b.Events), n, b.Samples)
	}
	if !b.Events[0].Time.Equal(t0) {
		t.Errorf("an event without a time has %v, want that of its arrival", b.Events[0].Time)
	}
}

func TestKnownLinesAllocateNothing(t *testing.T) {
	w := newTest(1, 100)
	p := []byte("navcloud.opened:1|c|#node:n1,az:a,stack:s\nnavcloud.open:17|g|#node:n1,az:a\nlat:3.25:4:5|ms|@0.5|#op:get\nx:5e-3|d\nu:ann|s\n\nbad")
	tab := w.Table(0)
	tab.Packet(t0.UnixNano(), p, Dialect{Signed: true})
	if n := testing.AllocsPerRun(1000, func() { tab.Packet(t0.UnixNano(), p, Dialect{Signed: true}) }); n != 0 {
		t.Errorf("a packet of known lines allocates %v times, want 0", n)
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reasons {
		if r.String() == "" || seen[r.String()] || !strings.Contains(r.Error(), r.String()) {
			t.Errorf("reason %d is %q", r, r.String())
		}
		seen[r.String()] = true
	}
}

func BenchmarkPacket(b *testing.B) {
	w := newTest(1, 10_000)
	var p strings.Builder
	for i := range 20 {
		fmt.Fprintf(&p, "navcloud.api.requests%d:%d|%s|#node:n1,az:eu-west-1a,op:get\n", i, i*37, []string{"c", "g", "ms"}[i%3])
	}
	packet := []byte(p.String())
	for b.Loop() {
		w.Table(0).Packet(t0.UnixNano(), packet, Dialect{})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20, "ns/line")
}
