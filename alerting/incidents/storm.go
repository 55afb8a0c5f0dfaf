package incidents

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// storm is a time in which more alarms begin than a person can read.
type storm struct {
	on    bool
	raw   []time.Time // starts of alarms within the window
	highs []time.Time // pages at high urgency since it began
	noted time.Time   // last summary
}

// maxHighs bounds what is remembered of a storm's pages: only the last one counts.
const maxHighs = 16

// Began notes the start of an alarm.
func (d *Desk) Began(now time.Time) { d.storm.raw = append(d.storm.raw, now) }

// Storm says whether there is one.
func (d *Desk) Storm() bool { return d.storm.on }

// watch enters and leaves storm mode, and returns when time alone could end it.
func (s *storm) watch(now time.Time, set alerting.Storms) (at time.Time) {
	n := 0
	for n < len(s.raw) && now.Sub(s.raw[n]) > set.Window {
		n++
	}
	s.raw = s.raw[n:]
	switch {
	case !s.on && len(s.raw) > set.Enter:
		s.on, s.highs, s.noted = true, nil, now
	case s.on && len(s.raw) < set.Leave:
		s.on = false
	}
	if s.on && len(s.raw) >= set.Leave {
		at = s.raw[len(s.raw)-set.Leave].Add(set.Window + time.Second)
	}
	return at
}

// paged notes a page at high urgency.
func (s *storm) paged(now time.Time) {
	if !s.on {
		return
	}
	s.highs = append(s.highs, now)
	if len(s.highs) > maxHighs {
		s.highs = s.highs[1:]
	}
}

// holds says until when a storm holds a problem back that is not P1.
func (s *storm) holds(x *item, set alerting.Settings) (until time.Time) {
	switch {
	case !s.on:
	case x.Priority >= alerting.P3:
		until = x.ready.Add(set.Hold.P3)
	case x.Priority == alerting.P2 && len(s.highs) >= freePages:
		until = s.highs[len(s.highs)-1].Add(set.Storm.Pace)
	}
	return until
}

// sum notes on the worst open incident how the storm stands.
func (d *Desk) sum() {
	s := &d.storm
	if !s.on {
		return
	}
	if due := s.noted.Add(summaryEvery); !d.come(due) {
		d.wake.Add(due)
		return
	}
	s.noted = d.now
	for _, x := range d.items {
		if x.covered && x.Awake && x.incident.shown() && x.Priority <= alerting.P2 {
			firing, open := d.extent()
			x.incident.note(fmt.Sprintf("Storm: %d alarms began in %s, %d fire now, %d problems are open", len(s.raw), words.Compact(d.set.Storm.Window), firing, open))
			return
		}
	}
}

// extent is how many alarms fire, and how many problems are notified.
func (d *Desk) extent() (firing, open int) {
	for _, v := range d.in.Alarms {
		if v.Firing() && !v.Group() {
			firing++
		}
	}
	for _, x := range d.items {
		if x.Awake && !x.board {
			open++
		}
	}
	return firing, open
}
