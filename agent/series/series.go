// Package series gives each series one identity and keeps its running total.
//
// It is the only place where deltas are added up. Collectors hand in what they saw; the store, /metrics, remote-write
// and OTLP read totals from it, CloudWatch and StatsD what was added. So all of them tell the same story.
//
// A series is told by its name and labels as Prometheus writes them, and by its kind. What becomes equal by that
// translation is one series where it can be: what is counted adds up, distributions merge. A second gauge of the same
// identity, or a second counter that is read as a total elsewhere, and a figure of another kind under the same name, is
// lost, counted by reason and named. Who came first keeps the name.
//
// A total survives a reload and silence. It survives a restart if the agent ended in good order: then it is in a file,
// which is read once. After a crash a total begins at zero. Wherever a series appears, what it was before is written
// first, so that no increase is missed and none is counted twice.
package series

import (
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Series is one identity. Its name, labels and description never change. What each collection touches is on two lines of the
// processor's cache, of three.
type Series struct {
	Name   string         // as Prometheus has it
	Labels metric.Labels  // likewise, those of the node among them
	said   *metric.Labels // as that collector gave them who fed it first, where they differ from Labels
	hash   uint64
	next   *Series // in the same slot

	// Desc is what the first collector said that fed the series. metric.PromName(Desc) is Name.
	Desc  *metric.Desc
	Kept  Seat
	owner *feed // of a gauge; or of a counter that has but one feed, a counter itself
	tail  *feed // whose reading the total follows
	value float64
	given float64 // the total as last given out

	told     int64             // ms: of the newest total given out
	again    int64             // ms: of the newest given out to those who repeat a total that stands still
	last     int64             // ms: when it was last fed
	sum      *metric.Histogram // the total of a distribution; replaced, never changed
	givenSum *metric.Histogram
	feeds    int32 // that are alive
	counted  int32 // of feeds: what they bring is added up here
	shown    round // in which it was last given out
	touch    round // in which it was last fed
	moved    bool  // the total changed since it was given out
	fell     bool  // a reading began at zero again since it was given out
	opens    bool  // what it was before is to be given out first
	listed   bool  // in the registry
}

// Seat is where the one store that writes a series notes its own number of it, so that it looks nothing up. Nobody else
// reads or writes it.
type Seat struct {
	Keeper any // a number that another store gave means another series
	Ref    uint64
}

// round counts updates: 30 a second for four years.
type round uint32

// native returns the labels as the first collector gave them, for destinations with other rules for names.
func (s *Series) native() metric.Labels {
	if s.said != nil {
		return *s.said
	}
	return s.Labels
}

// Form says what a Point is.
type Form uint8

// The forms. A Total has changed since it was last given out; Again and Still have not: Again comes once a minute, for
// destinations that would take a silent series for ended after five, Still in between, for the store. An Opening is what a
// total was before the series appeared, or appeared again; a Total follows it.
const (
	Level Form = iota // the value of a gauge, at its own time
	Added             // what was added to a counter or a distribution, at its own time
	Opening
	Total
	Again
	Still
)

// Point is one figure of one series.
type Point struct {
	*Series
	Form  Form
	Time  time.Time
	Value float64
	Hist  *metric.Histogram // of a distribution; who reads it must not change it
}

// Sample returns p under its identity.
func (p *Point) Sample() metric.Sample {
	return metric.Sample{Desc: p.Desc, Labels: p.Labels, Time: p.Time, Value: p.Value, Hist: p.Hist}
}

// Said returns p under the labels that its collector gave.
func (p *Point) Said() metric.Sample {
	return metric.Sample{Desc: p.Desc, Labels: p.native(), Time: p.Time, Value: p.Value, Hist: p.Hist}
}

// Update is what one collection of one source came to.
type Update struct {
	From   string
	At     time.Time
	Points []Point
	Ended  []*Series // that are sent no more

	room *[]Point // in which Points is
}

// rooms are lists of points that were read, for those to come. The garbage collector takes what is not used.
var rooms sync.Pool

// roomFor returns an empty list for n points, about.
func roomFor(n int) *[]Point {
	room, _ := rooms.Get().(*[]Point)
	if room == nil || cap(*room) < n {
		room = new(make([]Point, 0, n))
	}
	return room
}

// Done gives up u's points: nobody reads them after it.
func (u *Update) Done() {
	if u.room != nil {
		*u.room = u.Points[:0]
		rooms.Put(u.room)
	}
	u.Points, u.room = nil, nil
}

// class is what can be one series.
type class uint8

const (
	gauge class = iota
	counter
	distribution
)

func classOf(k metric.Kind) class {
	switch k {
	case metric.Counter, metric.Delta:
		return counter
	case metric.Distribution:
		return distribution
	}
	return gauge
}

func (c class) String() string { return [...]string{"gauge", "counter", "distribution"}[c] }
