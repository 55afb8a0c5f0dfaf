package series

import (
	"cmp"
	"math"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Options are the settings of a Registry; what is zero gets the default.
type Options struct {
	MaxSeries int           // alive at a time; more are refused and counted; 500,000
	Idle      time.Duration // after which a total that got nothing ends; 30 min
	Interval  time.Duration // between two collections, about; 10 s
	// Begun is when this process began: no total is given out before, where one of an earlier process may stand. The zero
	// time lets a past be filled in.
	Begun time.Time
}

// Registry knows the series of one node. All methods may be called by many goroutines.
type Registry struct {
	o     Options
	begun int64 // ms

	mu      sync.Mutex
	sources map[string]*source
	series  map[uint64]*Series
	claims  map[string]*claim
	alive   int
	asleep  int
	round   round
	touched []*Series
	held    []*Series // by the process before, when it ended
	losses  losses
}

// source is a collector. What it sends no more ends at once, since the last value must not pass for today's; a total
// stands still first.
type source struct {
	base  metric.Labels // on every series that says nothing else
	round round
	at    int64 // ms, of the newest collection
	feeds map[uint64]*feed
	alive []*feed
	first *feed // of the newest collection

	wasBase  metric.Labels // before the last change of base
	wasFeeds map[uint64]*feed
}

// feed is a series as one source spells it. What finds it again comes first, on one line of the processor's cache.
type feed struct {
	*Series
	desc   *metric.Desc
	labels metric.Labels
	after  *feed // came after it the last time, and will again
	last   int64 // ms
	round  round // of the source, when it last sent it
	alive  bool
	gone   bool // the labels of the node have changed: it ends at once

	raw    float64
	offset float64 // of the total from the reading
	rawAt  int64   // ms: of the newest reading of a counter, which is raw; 0 while there is none
	next   *feed   // in the same slot
	hash   uint64
}

// claim is who has a name. It is kept while a series of that name is, awake or asleep.
type claim struct {
	name   string // one for all its series, as desc is
	class  class
	desc   *metric.Desc
	alive  int
	asleep int
	turned round // in which another class took the name over
}

// New makes an empty Registry.
func New(o Options) *Registry {
	o.MaxSeries = cmp.Or(o.MaxSeries, 500_000)
	o.Idle = cmp.Or(o.Idle, 30*time.Minute)
	o.Interval = cmp.Or(o.Interval, 10*time.Second)
	begun := int64(math.MinInt64)
	if !o.Begun.IsZero() {
		begun = o.Begun.UnixMilli()
	}
	return &Registry{
		o: o, begun: begun, sources: map[string]*source{}, series: map[uint64]*Series{}, claims: map[string]*claim{},
	}
}

func (r *Registry) source(name string) *source {
	src := r.sources[name]
	if src == nil {
		src = &source{feeds: map[uint64]*feed{}}
		r.sources[name] = src
	}
	return src
}

// Has says whether anything came of a source.
func (r *Registry) Has(source string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources[source] != nil
}

// is says whether a sample is one of f.
func (f *feed) is(sm *metric.Sample) bool {
	d := sm.Desc
	return (f.desc == d || f.desc.Kind == d.Kind && f.desc.Name == d.Name && f.desc.Unit == d.Unit) && equal(f.labels, sm.Labels)
}

// feedAfter is feed for a sample that came after one of last, which is nil for the first. Most sources send their series in
// the same order each time.
func (r *Registry) feedAfter(last *feed, src *source, sm *metric.Sample) *feed {
	guess := &src.first
	if last != nil {
		guess = &last.after
	}
	if f := *guess; f != nil && f.alive && !f.gone && f.is(sm) {
		return f
	}
	f := r.feed(src, sm)
	*guess = f
	return f
}

// feed finds the feed of a sample and wakes it, or opens it; nil where its series is refused.
func (r *Registry) feed(src *source, sm *metric.Sample) *feed {
	d := sm.Desc
	hash := hashOf(class(d.Kind), d.Unit, d.Name, sm.Labels)
	f := src.feeds[hash]
	for f != nil && !f.is(sm) {
		f = f.next
	}
	if f != nil && f.alive {
		return f
	}
	s := (*Series)(nil)
	if f != nil {
		s = f.Series
	} else {
		s = r.find(d, sm.Labels.Merge(src.base))
	}
	if !r.wake(s, d) {
		return nil
	}
	if f == nil {
		f = &feed{Series: s, desc: d, labels: sm.Labels, hash: hash, next: src.feeds[hash]}
		src.feeds[hash] = f
	}
	f.alive, f.gone = true, false
	s.feeds++
	if d.Kind == metric.Delta {
		s.counted++
	}
	src.alive = append(src.alive, f)
	return f
}

// rebase sets the labels that the source's series get. The series under the old ones end. What was read under them is
// kept once: a node learns its zone moments after each start.
func (src *source) rebase(base metric.Labels) {
	if equal(base, src.base) {
		return
	}
	for _, f := range src.alive {
		f.gone = true
	}
	was, feeds := src.base, src.feeds
	src.base, src.feeds = base, map[uint64]*feed{}
	if equal(base, src.wasBase) && src.wasFeeds != nil {
		src.feeds = src.wasFeeds
	}
	src.wasBase, src.wasFeeds = was, feeds
}

// find finds the series of a sample, or makes it.
func (r *Registry) find(d *metric.Desc, said metric.Labels) *Series {
	name, c := metric.PromName(d), classOf(d.Kind)
	labels, native := identify(d.Kind, said)
	hash := hashOf(c, "", name, labels)
	for s := r.series[hash]; s != nil; s = s.next {
		if s.Name == name && classOf(s.Desc.Kind) == c && equal(s.Labels, labels) {
			return s
		}
	}
	if c := r.claims[name]; c != nil {
		name = c.name
	}
	return &Series{Name: name, Labels: labels, Desc: d, said: apart(native, labels), hash: hash}
}

// wake makes s alive, which d feeds, or counts why it can't be.
func (r *Registry) wake(s *Series, d *metric.Desc) bool {
	if s.feeds > 0 {
		return true
	}
	c, is := r.claims[s.Name], classOf(d.Kind)
	switch {
	case c != nil && c.alive > 0 && c.class != is:
		r.losses.lose("kind", s.Name, "a "+is.String()+", and there is a "+c.class.String()+" of that name")
		return false
	case r.alive >= r.o.MaxSeries:
		r.losses.lose("max_series", s.Name, "")
		return false
	case c == nil:
		c = &claim{name: s.Name, class: is, desc: s.Desc}
		r.claims[s.Name] = c
	case c.class != is:
		c.class, c.desc, c.turned = is, s.Desc, r.round
	case *c.desc == *s.Desc:
		s.Desc = c.desc
	}
	c.alive++
	r.alive++
	s.opens = true
	if s.listed {
		r.asleep--
		c.asleep--
		if s.touch < c.turned { // another kind had the name meanwhile: the total begins anew
			s.value, s.sum, s.given, s.givenSum = 0, nil, 0, nil
		}
		return true
	}
	s.listed = true
	s.next = r.series[s.hash]
	r.series[s.hash] = s
	return true
}
