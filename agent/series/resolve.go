package series

import (
	"math"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Resolve takes what a source collected at a time. base are labels that its series get where they do not have them. A
// sample that cannot be taken is counted by reason. The list of samples may be used again when it returns.
func (r *Registry) Resolve(from string, at time.Time, base metric.Labels, samples []metric.Sample) Update {
	r.mu.Lock()
	defer r.mu.Unlock()
	src := r.source(from)
	src.rebase(base)
	r.round++
	src.round++
	u := Update{From: from, At: at, room: roomFor(src.points(samples))}
	u.Points = *u.room
	r.touched = r.touched[:0]
	var last *feed
	fed := 0
	for i := range samples {
		sm := &samples[i]
		if reason := unfit(sm); reason != "" {
			r.losses.lose(reason, sm.Desc.Name, "")
			continue
		}
		f := r.feedAfter(last, src, sm)
		if f == nil {
			continue
		}
		if f.round != src.round {
			fed++
		}
		last, f.round, f.last = f, src.round, at.UnixMilli()
		r.take(f, sm, &u)
	}
	for _, s := range r.touched {
		r.give(s, src, &u, Total, at.UnixMilli())
	}
	if fed < len(src.alive) {
		r.endOthers(src, &u)
	}
	for _, s := range r.held {
		if s.feeds == 0 && s.moved {
			r.give(s, src, &u, Total, max(at.UnixMilli(), s.told+2, r.begun+2))
			u.Ended = append(u.Ended, s)
		}
	}
	r.held = nil
	src.at = max(src.at, at.UnixMilli())
	return u
}

// points returns how many points an update with samples comes to, about: a list of 100,000 that grows as it fills takes as much
// room again.
func (src *source) points(samples []metric.Sample) int {
	n := len(src.alive) // those that got nothing stand still
	for i := range samples {
		if classOf(samples[i].Desc.Kind) != gauge {
			n++ // what was added, and the total
		}
	}
	return max(n, len(samples)) + (len(samples)-min(len(samples), len(src.alive)))*2 // new ones open
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
		if !r.own(f) || at <= f.rawAt {
			return // late or a repetition: the reading that came after it has it already
		}
		known := f.rawAt != 0 && at-f.rawAt <= memory
		if f.rawAt != 0 && !known {
			r.losses.lose("gap", s.Name, "not read for over an hour")
		}
		if s.tail != f && s.told != 0 { // the total that others left goes on
			f.offset = s.value - sm.Value
			if f.rawAt != 0 {
				f.offset = s.value - f.raw
			}
		}
		add := f.read(sm.Value)
		f.rawAt, s.value, s.moved, s.tail = at, f.raw+f.offset, true, f
		if known {
			u.Points = append(u.Points, Point{Series: s, Form: Added, Time: sm.Time, Value: add})
		}
	case metric.Delta:
		if s.owner != nil {
			r.losses.lose("kind", s.Name, "counted here, and read as a total elsewhere")
			return
		}
		s.value += sm.Value
		s.moved, s.tail = true, nil
		u.Points = append(u.Points, Point{Series: s, Form: Added, Time: sm.Time, Value: sm.Value})
	case metric.Distribution:
		sum := sm.Hist // the first is the total itself: nobody changes either
		if s.sum != nil || sum == nil {
			sum = s.sum.Clone()
			sum.Merge(sm.Hist)
		}
		s.sum, s.moved = sum, true
		u.Points = append(u.Points, Point{Series: s, Form: Added, Time: sm.Time, Hist: sm.Hist})
	}
	s.last = max(s.last, u.At.UnixMilli())
	if s.touch != r.round {
		s.touch = r.round
		r.touched = append(r.touched, s)
	}
}

// own says whether f is the one feed of a gauge, or of a counter that is read and not counted here. Who fed it first
// keeps it until it ends: of two values there is no sum that a restart would find again.
func (r *Registry) own(f *feed) bool {
	s := f.Series
	switch {
	case s.owner == f:
	case s.counted > 0:
		r.losses.lose("kind", s.Name, "read as a total, and counted elsewhere")
		return false
	case s.owner == nil:
		s.owner = f // the one before has ended
	default:
		r.losses.lose("same_name", s.Name, "two have that name once it is spelled for Prometheus")
		return false
	}
	return true
}

// level takes the value of a gauge.
func (r *Registry) level(f *feed, sm *metric.Sample, u *Update) {
	s, at := f.Series, sm.Time.UnixMilli()
	if !r.own(f) {
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
		add, f.offset = v, 0
		if v >= f.value || f.moved { // nobody would see the total fall, so it goes on
			f.offset = f.value
		} else {
			f.fell = true
		}
	}
	f.raw = v
	return add
}

// repeated is how often a total that stands still is given out to those who needn't have it each time: well below the
// five minutes after which Prometheus takes a series for ended.
const repeated = int64(time.Minute / time.Millisecond)

// give puts the total of s out at a time in ms, unless a newer one is out: then it waits for the next update.
func (r *Registry) give(s *Series, src *source, u *Update, form Form, at int64) {
	if classOf(s.Desc.Kind) == gauge || s.shown == r.round || at <= s.told || at <= r.begun {
		return
	}
	switch {
	case s.fell && s.value >= s.given: // it began at zero since, and is higher again: the zero tells
		r.open(s, src, u, at, 0)
	case s.opens && s.owner == nil:
		r.open(s, src, u, at, s.given)
	}
	s.opens, s.fell = false, false
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
	u.Points = append(u.Points, Point{Series: s, Form: form, Time: time.UnixMilli(at), Value: s.value, Hist: s.sum})
}

// open puts out what s was before this update, about an interval earlier, but after all that was put out of it before.
func (r *Registry) open(s *Series, src *source, u *Update, at int64, value float64) {
	before := max(at-r.o.Interval.Milliseconds(), s.told+1, r.begun)
	if src.at < at { // else it is a past that is filled in
		before = max(before, src.at+1)
	}
	before = min(before, at-1)
	if before <= s.told {
		return // it never went away
	}
	was := Point{Series: s, Form: Opening, Time: time.UnixMilli(before), Value: value, Hist: s.givenSum}
	if was.Hist == nil && s.sum != nil {
		was.Hist = &metric.Histogram{}
	}
	u.Points = append(u.Points, was)
}
