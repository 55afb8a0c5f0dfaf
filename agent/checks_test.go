package agent

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

func TestOnePartThatCannotBeSeenLeavesTheCollectorUp(t *testing.T) {
	var err error
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	j := newJob("host_filesystem", nil, func(*metric.Batch) {})
	j.now = func() time.Time { return at }
	run := func(step time.Duration) {
		at = at.Add(step)
		j.finished(&metric.Batch{Time: at}, err)
	}
	blind := func() map[string]float64 {
		b := &metric.Batch{}
		j.reportChecks(b)
		out := map[string]float64{}
		for _, s := range b.Samples {
			out[s.Labels.Get("check")] = s.Value
		}
		return out
	}

	err = errors.Join(collectors.Part("/mnt/a", fs.ErrPermission), collectors.Part("/mnt/b", fs.ErrNotExist))
	run(0)
	if s := j.status(); !s.Up || len(s.Checks) != 2 || s.Checks[0].Blind || s.Checks[0].Since != at {
		t.Fatalf("after one run: %+v; want it up, with two checks that fail and are not blind yet", s)
	}
	run(10 * time.Second)
	run(10 * time.Second)
	if got := blind(); got["/mnt/a"] != 0 {
		t.Errorf("after 20 s: %v, want no blindness before the third interval", got)
	}
	run(10 * time.Second)
	if got := blind(); got["/mnt/a"] != 30 || got["/mnt/b"] != 30 || got[""] != 0 {
		t.Errorf("after 30 s: %v, want both parts blind for 30 s and the collector not", got)
	}
	err = collectors.Part("/mnt/b", fs.ErrNotExist)
	run(10 * time.Second)
	if got, s := blind(), j.status(); len(got) != 3 || got["/mnt/a"] != 0 || got["/mnt/b"] != 40 || len(s.Checks) != 2 {
		t.Errorf("one is seen again: %v, %+v; want its 0 told once and the other's 40 s", got, s.Checks)
	}
	err = errors.New("proc/1/mountinfo: gone")
	for range 4 {
		run(10 * time.Second)
	}
	if got, s := blind(), j.status(); got[""] != 30 || s.Up || len(s.Checks) != 0 {
		t.Errorf("all is gone: %v, up %v, checks %v; want the collector blind for 30 s", got, s.Up, s.Checks)
	}
}
