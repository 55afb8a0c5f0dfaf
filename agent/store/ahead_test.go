package store

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
)

// TestAClockThatGoesBackBlindsNoRule lets the clock go back by hours: samples are taken, and what was stored of the time that has not
// come yet is set aside.
func TestAClockThatGoesBackBlindsNoRule(t *testing.T) {
	const step = time.Minute
	for name, tc := range map[string]struct {
		jump time.Duration // forward, after an hour; then ten minutes later back to where it should be
		back time.Duration // from there
		lack int           // minutes of the first hour that are set aside with the rest
	}{
		"it was ahead for ten minutes":    {jump: 3 * time.Hour, back: 3 * time.Hour},
		"it was ahead by a month":         {jump: 30 * 24 * time.Hour, back: 30 * 24 * time.Hour},
		"the same hour comes once more":   {back: 30 * time.Minute, lack: 29}, // those before it, as many as come again
		"it goes back by three minutes":   {back: 3 * time.Minute},
		"it goes back to before it began": {back: 100 * time.Hour, lack: 60},
	} {
		t.Run(name, func(t *testing.T) {
			var clock atomic.Int64 // in ns; the loop reads it
			now := func() time.Time { return time.Unix(0, clock.Load()).UTC() }
			set := func(t time.Time) { clock.Store(t.UnixNano()) }
			var shift atomic.Int64 // likewise
			set(begin)
			var reports []damage.Report
			spare := filepath.Join(t.TempDir(), "spare")
			o := Options{
				Retention: 300 * 24 * time.Hour, Interval: 10 * time.Second, Now: now, Clock: now,
				Spare: func() (string, error) { return spare, nil }, Damaged: func(r damage.Report) { reports = append(reports, r) },
				shift: func() time.Duration { return time.Duration(shift.Load()) },
			}
			s, err := Open(filepath.Join(t.TempDir(), "store"), o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			hour, errs := feed(t, s, begin, 60, step)
			ahead, more := feed(t, s, hour.Add(tc.jump), 10, step)
			if errs = append(errs, more...); len(errs) > 0 {
				t.Fatal(errs)
			}
			set(ahead)
			if by, tooFar := s.disk.ahead(now()); tooFar {
				t.Fatalf("before the clock goes back the history is %v ahead", by)
			}
			from := ahead.Add(-tc.back)
			set(from)
			shift.Add(-int64(tc.back))
			s.disk.tooOld() // as the first sample of now tells it; else the loop sees it within seconds
			for {
				by, _ := s.disk.ahead(from)
				if _, _, err := s.Failing(); err == nil && by <= 0 {
					break
				}
				time.Sleep(10 * time.Millisecond) // the loop is at work on real files
			}
			end, errs := feed(t, s, from, 10, step)
			if len(errs) > 0 {
				t.Error(errs)
			}
			set(end)
			if n := holes(t, s, from, end, step); n > 0 {
				t.Errorf("%d of 10 minutes after the clock went back are missing", n)
			}
			before := hour
			if from.Before(before) {
				before = from
			}
			if n := holes(t, s, begin, before, step); n != min(tc.lack, int(before.Sub(begin)/step)) && before.After(begin) {
				t.Errorf("%d minutes of the first hour are missing; want %d", n, tc.lack)
			}
			if len(reports) != 1 || !strings.Contains(reports[0].What, "the clock went back by ") || reports[0].Aside == "" {
				t.Errorf("reports = %v; want one that says what was set aside", reports)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = Open(s.dir, o); err != nil {
				t.Fatal(err)
			}
			if n := holes(t, s, from, end, step); n > 0 {
				t.Errorf("%d of 10 minutes are missing after a restart", n)
			}
			if len(reports) != 1 {
				t.Errorf("reports = %v after a restart", reports[1:])
			}
		})
	}
}
