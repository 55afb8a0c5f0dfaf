package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// flow is a source of alarms that begin and end while the agent is killed.
type flow struct {
	r    *rig
	rng  *rand.Rand
	mu   sync.Mutex
	all  []*flowing
	quit chan struct{}
	wg   sync.WaitGroup
}

type flowing struct {
	name  string
	begun time.Time
	ends  time.Time // not before; zero: it goes on. One that ends before a life was long enough to page it is no page that was lost
	end   time.Time // when it did
	told  int       // how often its end was taken
}

func startFlow(r *rig, most int) *flow {
	f := &flow{r: r, rng: rand.New(rand.NewPCG(7, 7)), quit: make(chan struct{})}
	f.wg.Go(func() { f.make(most) })
	f.wg.Go(f.post)
	return f
}

func (f *flow) wait(d time.Duration) bool {
	select {
	case <-f.quit:
		return false
	case <-time.After(d):
		return true
	}
}

func (f *flow) make(most int) {
	for n := range most {
		a := &flowing{name: fmt.Sprintf("Kill%03d", n), begun: time.Now()}
		if f.rng.IntN(2) == 0 {
			a.ends = a.begun.Add(30*time.Second + time.Duration(f.rng.IntN(60))*time.Second)
		}
		f.mu.Lock()
		f.all = append(f.all, a)
		f.mu.Unlock()
		if !f.wait(time.Second + time.Duration(f.rng.IntN(4000))*time.Millisecond) {
			return
		}
	}
}

func (f *flow) post() {
	for f.wait(700 * time.Millisecond) {
		var out []alarm
		var ended []*flowing
		f.mu.Lock()
		for _, a := range f.all {
			al := p1(a.name, a.begun)
			if a.end.IsZero() && !a.ends.IsZero() && time.Now().After(a.ends) && f.r.incidents(":"+a.name+":") > 0 {
				a.end = time.Now()
			}
			if !a.end.IsZero() {
				if a.told > 15 {
					continue
				}
				al.EndsAt = a.end
				ended = append(ended, a)
			}
			out = append(out, al)
		}
		f.mu.Unlock()
		if len(out) > 0 && f.r.post(out...) {
			f.mu.Lock()
			for _, a := range ended {
				a.told++
			}
			f.mu.Unlock()
		}
	}
}

// TestKillsLoseAndDoubleNothing kills the agent at random moments while alarms begin and end: each alarm that lasted is one
// incident, and each that ended is resolved.
func TestKillsLoseAndDoubleNothing(t *testing.T) {
	kills := 20
	if long(t) {
		kills = 200
	}
	r := newRig(t, t.TempDir(), "")
	program(t)
	f := startFlow(r, kills)
	rng := rand.New(rand.NewPCG(3, 3))
	r.start()
	for range kills {
		pause := []time.Duration{
			50*time.Millisecond + time.Duration(rng.IntN(950))*time.Millisecond,
			500*time.Millisecond + time.Duration(rng.IntN(5500))*time.Millisecond,
			3*time.Second + time.Duration(rng.IntN(3000))*time.Millisecond,
		}[rng.IntN(3)]
		time.Sleep(pause)
		r.kill()
		time.Sleep(time.Duration(rng.IntN(600)) * time.Millisecond)
		r.start()
	}
	lost := func() (out []string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, a := range f.all {
			if r.incidents(":"+a.name+":") == 0 && time.Since(a.begun) > 25*time.Second {
				out = append(out, a.name)
			}
		}
		return out
	}
	late := func() (out []string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, a := range f.all {
			if a.end.IsZero() || a.told <= 15 {
				continue
			}
			for _, i := range r.pd.Incidents() {
				if strings.Contains(i.Key, a.name) && i.Status != "resolved" {
					out = append(out, a.name)
				}
			}
		}
		return out
	}
	var unpaged, unresolved []string
	r.within(patience(t, 90*time.Second), "every page and every resolve", func() bool {
		unpaged, unresolved = lost(), late()
		return len(unpaged)+len(unresolved) == 0
	}, nil)
	close(f.quit)
	f.wg.Wait()
	doubled := map[string]int{}
	for _, i := range r.pd.Incidents() {
		for _, a := range f.all {
			if strings.Contains(i.Key, a.name) {
				doubled[a.name]++
			}
		}
	}
	for name, n := range doubled {
		if n > 1 {
			t.Errorf("%s has %d incidents; want one", name, n)
		}
	}
	if len(unpaged)+len(unresolved) > 0 {
		t.Errorf("lost: %v; not resolved: %v", unpaged, unresolved)
	}
	r.stop()
	t.Logf("%d kills, %d alarms, %d incidents", kills, len(f.all), len(r.pd.Incidents()))
}
