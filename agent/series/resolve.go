package series

import (
	"math"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Resolve takes what a source collected at a time. base are labels that its series get where they do not have them. A
// sample that cannot be taken is counted by reason.
func (r *Registry) Resolve(from string, at time.Time, base metric.Labels, samples []metric.Sample) Update {
	r.mu.Lock()
	defer r.mu.Unlock()
	src := r.source(from)
	src.rebase(base)
	r.round++
	src.round++
	u := Update{From: from, At: at, Points: make([]Point, 0, max(len(samples), len(src.alive))+len(samples)/4)}
	r.touched = r.touched[:0]
	for i := range samples {
		sm := &samples[i]
		if reason := unfit(sm); reason != "" {
			r.losses.lose(reason, sm.Desc.Name, "")
			continue
		}
		if f := r.feed(src, sm); f != nil {
			f.round, f.last = src.round, at.UnixMilli()
			r.take(f, sm, &u)
		}
	}
	for _, s := range r.touched {
		r.give(s, src, &u, Total)
	}
	r.endOthers(src, &u)
	src.at = max(src.at, at.UnixMilli())
	return u
}

// unfit says why no total can have the sample.
func unfit(sm *metric.Sample) string {
	switch {
	case sm.Desc.Name == "":
		return "bad_name"
	case classOf(sm.Desc.Kind) != counter:
	case math.IsNaN(sm.Value) || math.IsInf(sm.Value, 0):
		return "not_finite"
	case sm.Value < 0:
		return "negative"
	}
	return ""
}

// take feeds a sample into its series.
func (r *Registry) take(f *feed, sm *metric.Sample, u *Update) {
	s, at := f.Series, sm.Time.UnixMilli()
	switch f.desc.Kind {
	case metric.Gauge:
		r.level(f, sm, u)
		return
	case metric.Counter:
		if at <= f.rawAt {
			return // a repetition, or late: the reading that came after it has it already
		}
		known := f.rawAt != 0 && at-f.rawAt <= memory
		if f.rawAt != 0 && !known {
			r.losses.lose("gap", s.Name, "not read for over an hour")
		}
		add := f.read(sm.Value)
		f.rawAt = at
		if s.owner == f {
			s.value = f.raw
		} else if known {
			s.value += add
		}
		s.moved = true
		if known {
			u.Points = append(u.Points, Point{Series: s, Form: Added, Time: sm.Time, Value: add})
		}
	case metric.Delta:
		s.value += sm.Value
		s.moved = true
		u.Points = append(u.Points, Point{Series: s, Form: Added, Time: sm.Time, Value: sm.Value})
	case metric.Distribution:
		sum := s.sum.Clone()
		sum.Merge(sm.Hist)
		s.sum, s.moved = sum, true
		u.Points = append(u.Points, Point{Series: s, Form: Added, Time: sm.Time, Hist: sm.Hist})
	}
	s.last = max(s.last, u.At.UnixMilli())
	if s.touch != r.round {
		s.touch = r.round
		r.touched = append(r.touched, s)
	}
}

// level takes the value of a gauge. Who fed it first keeps it until it ends.
func (r *Registry) level(f *feed, sm *metric.Sample, u *Update) {
	s, at := f.Series, sm.Time.UnixMilli()
	switch {
	case s.owner == nil:
		s.owner = f // the one before has ended
	case s.owner != f:
		r.losses.lose("same_name", s.Name, "two gauges have that name once it is spelled for Prometheus")
		return
	}
	if f.rawAt == at && s.touch == r.round {
		r.losses.lose("duplicate", s.Name, "two values of one time")
		return
	}
	if at >= f.rawAt {
		f.rawAt, s.value = at, sm.Value
	}
	s.touch, s.told, s.last = r.round, max(s.told, u.At.UnixMilli()), u.At.UnixMilli()
	u.Points = append(u.Points, Point{Series: s, Form: Level, Time: sm.Time, Value: sm.Value})
}

// memory is for how long, in ms, a reading of a counter is compared with the next: what was added in days must not pass
// for what was added in a minute.
const memory = int64(time.Hour / time.Millisecond)

// dip is the step back, as a share, up to which a counter has not begun anew: some sources compute theirs anew each
// time, from floats.
const dip = 1e-9

// read takes a reading of a counter and returns what was added since the one before. A step back by rounding adds
// nothing, and the higher reading stays; any other means that the counter began at zero again.
func (f *feed) read(v float64) (add float64) {
	switch {
	case v >= f.raw:
		add = v - f.raw
	case f.raw-v <= dip*f.raw || math.Nextafter(f.raw, 0) == v:
		return 0
	default:
		add = v
	}
	f.raw = v
	return add
}

// repeated is how often a total that stands still is given out to those who needn't have it each time: well below the
// five minutes after which Prometheus takes a series for ended.
const repeated = int64(time.Minute / time.Millisecond)

// give puts the total of s out at the update's time, unless a newer one is out: then it waits for the next update.
func (r *Registry) give(s *Series, src *source, u *Update, form Form) {
	at := u.At.UnixMilli()
	if classOf(s.Desc.Kind) == gauge || s.shown == r.round || at <= s.told {
		return
	}
	if s.opens && s.owner == nil {
		r.open(s, src, u)
	}
	s.opens = false
	if s.moved {
		form = Total
	}
	if form == Still && at-s.again >= repeated {
		form = Again
	}
	if form != Still {
		s.again = at
	}
	s.moved, s.shown, s.told, s.given, s.givenSum = false, r.round, at, s.value, s.sum
	u.Points = append(u.Points, Point{Series: s, Form: form, Time: u.At, Value: s.value, Hist: s.sum})
}

// open puts out what s was before this update, about an interval earlier, but after all that was put out of it before.
func (r *Registry) open(s *Series, src *source, u *Update) {
	at := u.At.UnixMilli()
	before := max(at-r.o.Interval.Milliseconds(), s.told+1)
	for _, not := range []int64{src.at + 1, r.begun} {
		if not < at { // else it is a past that is filled in
			before = max(before, not)
		}
	}
	before = min(before, at-1)
	if before <= s.told {
		return // it never went away
	}
	was := Point{Series: s, Form: Opening, Time: time.UnixMilli(before), Value: s.given, Hist: s.givenSum}
	if was.Hist == nil && s.sum != nil {
		was.Hist = &metric.Histogram{}
	}
	u.Points = append(u.Points, was)
}
