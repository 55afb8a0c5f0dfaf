package api

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// maxLatencies bounds the latencies kept for percentiles; beyond it every second one goes, again and again.
const maxLatencies = 1 << 16

// tally keeps the account: which deliveries are owed, which came.
type tally struct {
	mu      sync.Mutex
	r       Report
	first   int              // devices that have been open once
	owed    map[string]*debt // by id of the trip
	lat     []time.Duration  // of some arrivals
	every   int              // one in so many arrivals is in lat
	arrives int              // arrivals, for every
	byNode  map[string]int
}

// debt is what one write owes.
type debt struct {
	at      time.Time
	written bool            // the answer to the write is there
	again   bool            // written more than once: the first answer may have been lost alone
	lives   map[*device]int // streams that should hear of it, and did not yet
	had     map[*device]int // streams that did
}

func newTally() *tally {
	return &tally{owed: map[string]*debt{}, byNode: map[string]int{}, every: 1}
}

// opened notes a stream and returns how many devices have been open, this one counted when it is its first.
func (t *tally) opened(d *device, node string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Opened++
	t.r.Open++
	t.byNode[node]++
	d.open = true
	if d.life++; d.life == 1 {
		t.first++
		return t.first
	}
	return 0
}

func (t *tally) closed(d *device, node string, lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.Open--
	t.byNode[node]--
	d.open = false
	if lost {
		t.r.Lost++
	}
}

func (t *tally) refused()   { t.mu.Lock(); t.r.Refused++; t.mu.Unlock() }
func (t *tally) heartbeat() { t.mu.Lock(); t.r.Heartbeats++; t.mu.Unlock() }

// expect says that a trip is about to be written and who has a stream for it.
func (t *tally) expect(id string, devices []*device) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := &debt{at: time.Now(), lives: map[*device]int{}, had: map[*device]int{}}
	for _, d := range devices {
		if d.open {
			b.lives[d] = d.life
		}
	}
	t.r.Expected += len(b.lives)
	t.owed[id] = b
}

// wrote says how the write ended. Of one that failed nobody knows whether it was stored: what does not
// come of it is excused.
func (t *tally) wrote(id string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok {
		t.r.Failed++
		t.r.Excused += len(t.owed[id].lives)
		delete(t.owed, id)
		return
	}
	t.r.Writes++
	t.owed[id].written = true
}

func (t *tally) retried(id string) { t.mu.Lock(); t.owed[id].again = true; t.mu.Unlock() }

func (t *tally) arrived(id string, d *device, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.owed[id]
	if b == nil {
		return // judged already, or of another swarm
	}
	if b.had[d] == d.life {
		if !b.again {
			t.r.Repeated++
		}
		return
	}
	b.had[d] = d.life
	if b.lives[d] != d.life {
		return // opened since: welcome, but not owed
	}
	delete(b.lives, d)
	t.r.Arrived++
	t.observe(after)
}

func (t *tally) observe(after time.Duration) {
	t.r.Max = max(t.r.Max, after.Seconds())
	if t.arrives++; t.arrives%t.every != 0 {
		return
	}
	if len(t.lat) == maxLatencies {
		for i := range maxLatencies / 2 {
			t.lat[i] = t.lat[2*i]
		}
		t.lat = t.lat[:maxLatencies/2]
		t.every *= 2
	}
	t.lat = append(t.lat, after)
}

// pending returns how many deliveries are owed on streams that are still open: no other can come.
func (t *tally) pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, b := range t.owed {
		for d, life := range b.lives {
			if d.owes(life) {
				n++
			}
		}
	}
	return n
}

// owes says whether a device still has the stream that it had then. Its tally's lock is held.
func (d *device) owes(life int) bool { return d.open && d.life == life }

// judge closes the account of writes before a time, or of all when it is zero.
func (t *tally) judge(before time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, b := range t.owed {
		if !before.IsZero() && (!b.written || b.at.After(before)) {
			continue
		}
		for d, life := range b.lives {
			if d.owes(life) {
				t.r.Missed++
			} else {
				t.r.Excused++
			}
		}
		delete(t.owed, id)
	}
}

func (t *tally) snapshot() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.r
	r.ByNode = maps.Clone(t.byNode)
	if len(t.lat) > 0 {
		s := slices.Sorted(slices.Values(t.lat))
		r.P50, r.P99 = s[len(s)/2].Seconds(), s[len(s)*99/100].Seconds()
	}
	return r
}
