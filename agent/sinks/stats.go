package sinks

import (
	"maps"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Stats are what a queue knows of its destination. Counts run since the start of the process.
type Stats struct {
	Name        string
	Depth       int       // samples in memory
	Oldest      time.Time // time of the oldest of them; zero when there is none
	Sent        float64   // samples delivered
	Writes      float64   // calls of Sink.Write
	Failures    float64   // of them, those that failed
	Dropped     map[string]float64
	LastSuccess time.Time
	LastError   string    // of the last write that failed
	DownSince   time.Time // zero while deliveries succeed
	Spooled     bool      // whether there is a spool
	Spool       SpoolStats
}

// SpoolStats are what waits on disk.
type SpoolStats struct {
	Samples int
	Bytes   int64
	Oldest  time.Time // zero when nothing waits
}

// Stats returns a copy.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	s := q.stats
	s.Dropped = maps.Clone(q.stats.Dropped)
	s.Depth = len(q.pending) + len(q.flying)
	if len(q.flying) > 0 {
		s.Oldest = q.flying[0].Time
	} else if len(q.pending) > 0 {
		s.Oldest = q.pending[0].Time
	}
	q.mu.Unlock()
	if q.spool != nil {
		s.Spooled, s.Spool = true, q.spool.Stats()
	}
	return s
}

// The agent's own metrics of a sink; the label sink names it.
var (
	descUp         = &metric.Desc{Name: "binnacle_sink_up", Help: "1 while deliveries succeed"}
	descQueue      = &metric.Desc{Name: "binnacle_sink_queue_samples", Help: "Samples waiting in memory"}
	descQueueAge   = &metric.Desc{Name: "binnacle_sink_queue_age_seconds", Unit: metric.Seconds, Help: "Age of the oldest sample in memory"}
	descSent       = &metric.Desc{Name: "binnacle_sink_sent_samples_total", Kind: metric.Counter, Help: "Samples delivered"}
	descDropped    = &metric.Desc{Name: "binnacle_sink_dropped_samples_total", Kind: metric.Counter, Help: "Samples lost, by reason"}
	descWrites     = &metric.Desc{Name: "binnacle_sink_writes_total", Kind: metric.Counter, Help: "Writes, by result ok or failed"}
	descSuccessAge = &metric.Desc{Name: "binnacle_sink_last_success_age_seconds", Unit: metric.Seconds, Help: "Time since the last write that succeeded"}
	descSpool      = &metric.Desc{Name: "binnacle_sink_spool_samples", Help: "Samples waiting on disk"}
	descSpoolBytes = &metric.Desc{Name: "binnacle_sink_spool_bytes", Unit: metric.Bytes, Help: "Bytes of the spool on disk"}
	descSpoolAge   = &metric.Desc{Name: "binnacle_sink_spool_age_seconds", Unit: metric.Seconds, Help: "Age of the oldest sample on disk"}
)

// Metrics describe what Stats.Append appends.
var Metrics = []*metric.Desc{
	descUp, descQueue, descQueueAge, descSent, descDropped, descWrites, descSuccessAge,
	descSpool, descSpoolBytes, descSpoolAge,
}

// Append adds the figures of s to b, ages as of b.Time.
func (s Stats) Append(b *metric.Batch) {
	age := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return max(b.Time.Sub(t).Seconds(), 0)
	}
	b.Bool(descUp, s.DownSince.IsZero(), "sink", s.Name)
	b.Add(descQueue, float64(s.Depth), "sink", s.Name)
	b.Add(descQueueAge, age(s.Oldest), "sink", s.Name)
	b.Add(descSent, s.Sent, "sink", s.Name)
	b.Add(descWrites, s.Writes-s.Failures, "sink", s.Name, "result", "ok")
	b.Add(descWrites, s.Failures, "sink", s.Name, "result", "failed")
	for _, reason := range slices.Sorted(maps.Keys(s.Dropped)) {
		b.Add(descDropped, s.Dropped[reason], "sink", s.Name, "reason", reason)
	}
	if !s.LastSuccess.IsZero() {
		b.Add(descSuccessAge, age(s.LastSuccess), "sink", s.Name)
	}
	if s.Spooled {
		b.Add(descSpool, float64(s.Spool.Samples), "sink", s.Name)
		b.Add(descSpoolBytes, float64(s.Spool.Bytes), "sink", s.Name)
		b.Add(descSpoolAge, age(s.Spool.Oldest), "sink", s.Name)
	}
}
