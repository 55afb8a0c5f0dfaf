// Package metric is the vocabulary that collectors, sinks, the store and the agent share.
//
// It holds data and arithmetic only: it reads no clock, opens nothing and imports nothing of this
// project. Values are in base units (seconds, bytes, ratios of 1) everywhere inside the agent; a
// sink whose service wants another unit converts at its edge.
package metric

import (
	"sync"
	"time"
)

// Kind says how the values of a series relate to each other.
type Kind uint8

// The kinds. A Counter is a total since Desc's source started and falls only when that restarts; a
// Delta is what was added since the last sample of the series; a Distribution carries a Histogram of
// what was observed since the last sample.
const (
	Gauge Kind = iota
	Counter
	Delta
	Distribution
)

func (k Kind) String() string {
	switch k {
	case Gauge:
		return "gauge"
	case Counter:
		return "counter"
	case Delta:
		return "delta"
	case Distribution:
		return "distribution"
	}
	return "unknown"
}

// Unit is the base unit of a value, spelled as the suffix that Prometheus names end in.
type Unit string

// The units. Count has no suffix.
const (
	Count   Unit = ""
	Seconds Unit = "seconds"
	Bytes   Unit = "bytes"
	Ratio   Unit = "ratio" // 0 to 1
	Celsius Unit = "celsius"
)

// Desc describes a metric: what all its series have in common. Descs are compared by pointer on hot
// paths and are never changed once made.
type Desc struct {
	Name string // Prometheus style, or as sent where it came by StatsD
	Kind Kind
	Unit Unit
	Help string

	Exact bool `json:",omitempty"` // Name is what Prometheus' own scrape would keep, and stays as it is
}

// Sample is one value of one series. Hist is set for a Distribution and nil otherwise; where it is
// set, Value is meaningless. Labels and Hist are not changed by who receives a Sample.
type Sample struct {
	Desc   *Desc
	Labels Labels
	Time   time.Time
	Value  float64
	Hist   *Histogram
}

// Level is how bad an Event's sender thinks it is.
type Level uint8

// The levels of an Event. For a check they are the exit codes of a Nagios plugin.
const (
	OK Level = iota
	Warning
	Critical
	Unknown
	Info
)

// Event is something that happened and needs no answer by itself: a deploy mark, a DogStatsD event,
// the result of a service check (Check set).
type Event struct {
	Time   time.Time
	Title  string // for a check, its name
	Text   string
	Level  Level
	Check  bool
	Key    string // aggregation key, may be empty
	Labels Labels
}

// Batch gathers what one collection yields. The zero Batch is ready; Time is put on samples that
// Add appends.
type Batch struct {
	Time    time.Time
	Samples []Sample
	Events  []Event

	room *[]Sample // in which Samples is; nil: nobody else's
}

// rooms are lists of samples that were read, for those to come. The garbage collector takes what is not used.
var rooms sync.Pool

// NewBatch returns a batch with room for n samples, for who makes many alike.
func NewBatch(n int) *Batch {
	room, _ := rooms.Get().(*[]Sample)
	if room == nil || cap(*room) < n {
		room = new(make([]Sample, 0, n))
	}
	return &Batch{Samples: *room, room: room}
}

// Done gives up the list of samples of a batch that NewBatch made: nobody reads it after it.
func (b *Batch) Done() {
	if b.room == nil {
		return
	}
	*b.room = b.Samples[:0]
	rooms.Put(b.room)
	b.Samples, b.room = nil, nil
}

// Add appends a value of d at the batch's time. kv are label names and values in turn.
func (b *Batch) Add(d *Desc, v float64, kv ...string) {
	b.Samples = append(b.Samples, Sample{Desc: d, Labels: L(kv...), Time: b.Time, Value: v})
}

// Bool appends 1 or 0.
func (b *Batch) Bool(d *Desc, v bool, kv ...string) {
	if v {
		b.Add(d, 1, kv...)
	} else {
		b.Add(d, 0, kv...)
	}
}

// AddHist appends a distribution.
func (b *Batch) AddHist(d *Desc, h *Histogram, kv ...string) {
	b.Samples = append(b.Samples, Sample{Desc: d, Labels: L(kv...), Time: b.Time, Hist: h})
}
