package sinks_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

func openSpool(t *testing.T, dir string) *sinks.Spool {
	t.Helper()
	s, err := sinks.OpenSpool(dir, sinks.DefaultSpool(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fill(t *testing.T, s *sinks.Spool, samples []metric.Sample) (lost int) {
	t.Helper()
	_, lost, err := s.Append(samples)
	if err != nil {
		t.Fatal(err)
	}
	return lost
}

// empty takes all out of s.
func empty(t *testing.T, s *sinks.Spool) (out []metric.Sample) {
	t.Helper()
	for {
		batch, _, err := s.Peek()
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			return out
		}
		out = append(out, batch...)
		if err := s.Next(len(batch)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpoolGivesBackWhatItGot(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 11, 24, 3, 0, 0, 123, time.UTC)
	in := sinkstest.Samples(5000, at)
	h := &metric.Histogram{}
	for _, v := range []float64{0, 1e-9, 0.3, 0.3, 12, -4, 1e18} {
		h.Observe(v, 1.5)
	}
	in[7] = metric.Sample{Desc: &metric.Desc{Name: "h", Kind: metric.Distribution, Unit: metric.Seconds, Help: "x"}, Time: at, Hist: h}
	s := openSpool(t, dir)
	fill(t, s, in)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, dir)
	if st := s.Stats(); st.Samples != 5000 || !st.Oldest.Equal(at.Truncate(time.Millisecond)) || st.Bytes == 0 {
		t.Errorf("Stats %+v; want 5000 samples since %v", st, at)
	}
	if got := empty(t, s); !reflect.DeepEqual(got, in) {
		t.Errorf("%d samples came back unlike the %d that went in", len(got), len(in))
	}
	if st := s.Stats(); st != (sinks.SpoolStats{}) {
		t.Errorf("empty: %+v", st)
	}
}

// A kill can end a write at any byte: whole records survive, the torn one goes, and writing goes on.
func TestSpoolCutAtEveryLength(t *testing.T) {
	src := t.TempDir()
	s := openSpool(t, src)
	at := time.Unix(1000, 0).UTC()
	fill(t, s, sinkstest.Samples(3, at))
	whole := s.Stats().Bytes
	fill(t, s, sinkstest.Samples(2, at))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(src, "*.seg"))
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for n := range len(text) + 1 {
		for _, f := range must(filepath.Glob(filepath.Join(dir, "*"))) {
			_ = os.Remove(f)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(files[0])), text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		if int64(n) >= whole {
			want += 3
		}
		if n == len(text) {
			want += 2
		}
		s := openSpool(t, dir)
		if got := s.Stats().Samples; got != want {
			t.Fatalf("cut at %d of %d: %d samples; want %d", n, len(text), got, want)
		}
		if n%37 == 0 {
			fill(t, s, sinkstest.Samples(1, at))
			if got := len(empty(t, s)); got != want+1 {
				t.Fatalf("cut at %d, then written to: %d samples; want %d", n, got, want+1)
			}
		}
		_ = s.Close()
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSpoolRemembersWhatWasDelivered(t *testing.T) {
	dir := t.TempDir()
	in := sinkstest.Samples(4500, time.Unix(1000, 0).UTC())
	s := openSpool(t, dir)
	fill(t, s, in)
	for _, n := range []int{2000, 700} { // a whole record, and a part of the second
		if _, _, err := s.Peek(); err != nil {
			t.Fatal(err)
		}
		if err := s.Next(n); err != nil {
			t.Fatal(err)
		}
	}
	s = openSpool(t, dir) // the first was killed: never closed
	if got := empty(t, s); !reflect.DeepEqual(got, in[2700:]) {
		t.Errorf("%d samples came back; want the last %d", len(got), len(in)-2700)
	}
	fill(t, s, in[:1])
	if got := empty(t, openSpool(t, dir)); len(got) != 1 {
		t.Errorf("after it was emptied and written to: %d samples; want 1", len(got))
	}
}

func TestSpoolIsBoundedAndGivesUpTheOldest(t *testing.T) {
	s, err := sinks.OpenSpool(t.TempDir(), sinks.SpoolOptions{Bytes: 2 << 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lost, all := 0, 0
	for i := range 30 {
		lost += fill(t, s, sinkstest.Samples(2000, time.Unix(int64(i), 0)))
		all += 2000
		if b := s.Stats().Bytes; b > 2<<20 {
			t.Fatalf("%d bytes; want %d at most", b, 2<<20)
		}
	}
	if st := s.Stats(); lost == 0 || st.Samples+lost != all || st.Oldest.Unix() != int64(lost/2000) {
		t.Errorf("%d lost, %+v of %d; want them to add up and the oldest gone", lost, st, all)
	}
}

func TestSpoolPassesOverADamagedRecord(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir)
	fill(t, s, sinkstest.Samples(5, time.Unix(1, 0)))
	fill(t, s, sinkstest.Samples(2, time.Unix(1, 0)))
	f := must(os.OpenFile(must(filepath.Glob(filepath.Join(dir, "*.seg")))[0], os.O_RDWR, 0))
	if _, err := f.WriteAt([]byte("rubbish"), 40); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if _, lost, err := s.Peek(); err == nil || lost != 5 {
		t.Errorf("Peek at the damaged record: %d lost, %v; want 5 and an error", lost, err)
	}
	if got := empty(t, s); len(got) != 2 {
		t.Errorf("%d samples after it; want 2", len(got))
	}
}

// An outage that outlives the process: every minute's samples arrive afterwards, once, in order.
func TestQueueSpoolsAnOutage(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		dest := &shelf{fail: down}
		o := sinks.DefaultQueue()
		o.Every, o.Deadline = time.Minute, 45*time.Second
		open := func() *sinks.Queue {
			return sinks.NewQueue("x", dest, o, 0, openSpool(t, dir), slog.New(slog.DiscardHandler))
		}
		q := open()
		stop := run(t, q)
		time.Sleep(50 * time.Second) // away from the flush, which begins with the minute and ends 45 s later
		all := sinkstest.Samples(300, time.Now())
		for i := range 15 {
			feed(q, all[i*10:i*10+10])
			time.Sleep(time.Minute)
			if d := q.Stats().Depth; d != 0 {
				t.Fatalf("%d samples in memory during the outage; want them on disk", d)
			}
		}
		stop()
		q = open()
		stop = run(t, q)
		for i := 15; i < 30; i++ {
			feed(q, all[i*10:i*10+10])
			time.Sleep(time.Minute)
		}
		if st := q.Stats(); st.Spool.Samples != 300 || !st.Spooled {
			t.Errorf("before the end of the outage %+v; want 300 on disk", st)
		}
		dest.set(nil)
		time.Sleep(5 * time.Minute)
		stop()
		if st := q.Stats(); !slices.Equal(dest.got, names(300)) || st.Sent != 300 || len(st.Dropped) != 0 {
			t.Errorf("%d arrived, %+v; want 300 once each", len(dest.got), st)
		}
	})
}

func TestQueueCountsWhatTheSpoolGivesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	spool := openSpool(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	dest := &shelf{fail: func([]metric.Sample) error { return errors.New("down") }}
	o := sinks.DefaultQueue()
	o.Deadline = time.Millisecond
	q := sinks.NewQueue("x", dest, o, 0, spool, slog.New(slog.DiscardHandler))
	feed(q, sinkstest.Samples(4, time.Now()))
	_ = q.Drain(t.Context())
	if st := q.Stats(); st.Dropped["spool_failed"] != 4 {
		t.Errorf("%+v; want 4 lost by spool_failed", st)
	}
}

func TestSpoolKeepsWhatIsSoundAroundDamage(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		do    func(t *testing.T, seg string)
		least int
		told  int
	}{
		"sound":             {func(*testing.T, string) {}, 8000, 0},
		"torn at the end":   {func(t *testing.T, seg string) { edit(t, seg, func(b []byte) []byte { return b[:len(b)-100] }) }, 6000, 0},
		"a bit in a header": {func(t *testing.T, seg string) { edit(t, seg, func(b []byte) []byte { b[5] ^= 8; return b }) }, 6000, 1},
		"a bit in a body":   {func(t *testing.T, seg string) { edit(t, seg, func(b []byte) []byte { b[1000] ^= 8; return b }) }, 6000, 1},
		"bits in two": {func(t *testing.T, seg string) {
			edit(t, seg, func(b []byte) []byte { b[1000] ^= 8; b[len(b)/2] ^= 1; return b })
		}, 4000, 1},
		"noise":   {func(t *testing.T, seg string) { edit(t, seg, func(b []byte) []byte { clear(b); return b }) }, 0, 1},
		"no file": {func(t *testing.T, seg string) { mustDo(t, os.Remove(seg)); mustDo(t, os.Mkdir(seg, 0o700)) }, 0, 1},
		"no folder": {func(t *testing.T, seg string) {
			d := filepath.Dir(seg)
			mustDo(t, os.RemoveAll(d))
			mustDo(t, os.WriteFile(d, nil, 0o600))
		}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "graphite")
			s := openSpool(t, dir)
			for range 4 {
				fill(t, s, sinkstest.Samples(2000, at))
			}
			mustDo(t, s.Close())
			segs, err := filepath.Glob(filepath.Join(dir, "*.seg"))
			if err != nil || len(segs) == 0 {
				t.Fatal(segs, err)
			}
			tc.do(t, segs[0])
			var told []damage.Report
			s, err = sinks.OpenSpool(dir, sinks.DefaultSpool(), func(r damage.Report) { told = append(told, r) })
			mustDo(t, err)
			if got := len(empty(t, s)); got < tc.least || len(told) != tc.told {
				t.Errorf("%d samples are left, told %v; want %d and %d reports", got, told, tc.least, tc.told)
			}
			fill(t, s, sinkstest.Samples(10, at))
			mustDo(t, s.Close())
			if got := len(empty(t, openSpool(t, dir))); got != 10 {
				t.Errorf("%d samples after a restart; want the 10 that came then", got)
			}
		})
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	mustDo(t, err)
	mustDo(t, os.WriteFile(path, f(b), 0o600))
}
