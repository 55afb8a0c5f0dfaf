package logs

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/collectors"
)

// pattern is a Pattern with what it found since the last collection.
type pattern struct {
	Pattern
	re     *regexp.Regexp
	group  int
	desc   *metric.Desc
	labels []string // in order
	series map[string]*series
	lost   map[string]int // by reason

	recent []time.Time // matches within the time of the alarm, at most Above
	total  int         // of them since the alarm began
	last   string      // the last line that matched
	told   metric.Level
	toldAt time.Time
}

// series is one combination of labels.
type series struct {
	labels metric.Labels
	count  float64
	value  float64
	hist   *metric.Histogram
	set    bool
}

// repeatAfter is how often an alarm is told again: it has lost contact after 15 minutes without.
const repeatAfter = 5 * time.Minute

func newPattern(p Pattern, descs map[string]*metric.Desc) *pattern {
	out := &pattern{Pattern: p, re: regexp.MustCompile(p.Match), series: map[string]*series{}, lost: map[string]int{}} // it was checked
	out.group = group(out.re, p.Value)
	out.labels = slices.Sorted(maps.Keys(p.Labels))
	if descs[p.Name] == nil { // logs may share a name
		kind := map[string]metric.Kind{kindCounter: metric.Delta, kindGauge: metric.Gauge, kindTimer: metric.Distribution}[p.Kind]
		descs[p.Name] = &metric.Desc{Name: p.Name, Kind: kind, Exact: true}
	}
	out.desc = descs[p.Name]
	return out
}

// try matches one entry.
func (p *pattern) try(entry []byte, now time.Time) {
	at := p.re.FindSubmatchIndex(entry)
	if at == nil {
		return
	}
	if p.Alarm != "" {
		p.noted(entry, now)
	}
	value := 1.0
	if p.group >= 0 {
		text := ""
		if at[2*p.group] >= 0 {
			text = string(entry[at[2*p.group]:at[2*p.group+1]])
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			p.lost["value"]++
			return
		}
		value = v * p.Scale
	}
	s := p.find(entry, at)
	if s == nil {
		p.lost["series"]++
		return
	}
	s.set = true
	switch p.Kind {
	case kindCounter:
		s.count++
	case kindGauge:
		s.value = value
	case kindTimer:
		if s.hist == nil {
			s.hist = &metric.Histogram{}
		}
		s.hist.Observe(value, 1)
	}
}

// find returns the series of a match; nil: it would be one too many.
func (p *pattern) find(entry []byte, at []int) *series {
	kv := make([]string, 0, 2*len(p.labels))
	key := ""
	for _, label := range p.labels {
		v := collectors.Label(string(p.re.Expand(nil, []byte(p.Labels[label]), entry, at)))
		kv = append(kv, label, v)
		key += v + "\x00"
	}
	s := p.series[key]
	if s == nil && len(p.series) < p.MaxSeries {
		s = &series{labels: metric.L(kv...)}
		p.series[key] = s
	}
	return s
}

// add tells what was found. A counter without labels is there from the start, as 0.
func (p *pattern) add(b *metric.Batch, log string, seen map[string]int, env collectors.Env) {
	if len(p.labels) == 0 && p.Kind == kindCounter {
		_ = p.find(nil, nil)
	}
	for _, s := range p.series {
		ls := s.labels.With("log", log)
		key := p.Name + ls.Key()
		sample := metric.Sample{Desc: p.desc, Labels: ls, Time: b.Time, Value: s.count}
		switch {
		case p.Kind == kindGauge && s.set:
			sample.Value = s.value
		case p.Kind == kindTimer && s.hist != nil:
			sample.Hist = s.hist
		case p.Kind != kindCounter:
			continue
		}
		s.count, s.hist = 0, nil
		if i, twice := seen[key]; twice { // two patterns of one name and the same labels count together
			merge(&b.Samples[i], sample)
			continue
		}
		seen[key] = len(b.Samples)
		b.Samples = append(b.Samples, sample)
	}
	for reason, n := range p.lost {
		for range n {
			env.Reject(reason, p.Name)
		}
		addTo(b, seen, descLost, float64(n), "log", log, "pattern", p.Name, "reason", reason)
		delete(p.lost, reason)
	}
	p.alarm(b, log)
	if p.Alarm != "" {
		addTo(b, seen, descMatches, float64(len(p.recent)), "log", log, "pattern", p.Name)
	}
}

func addTo(b *metric.Batch, seen map[string]int, d *metric.Desc, v float64, kv ...string) {
	s := metric.Sample{Desc: d, Labels: metric.L(kv...), Time: b.Time, Value: v}
	key := d.Name + s.Labels.Key()
	if i, twice := seen[key]; twice {
		merge(&b.Samples[i], s)
		return
	}
	seen[key] = len(b.Samples)
	b.Samples = append(b.Samples, s)
}

func merge(into *metric.Sample, s metric.Sample) {
	switch {
	case s.Hist != nil && into.Hist != nil:
		into.Hist.Merge(s.Hist)
	case s.Desc.Kind == metric.Delta:
		into.Value += s.Value
	default:
		into.Value = s.Value
	}
}

// noted keeps the times of the last matches, as many as an alarm takes.
func (p *pattern) noted(entry []byte, now time.Time) {
	p.total++
	p.last = words.Printed(string(entry[:min(len(entry), 400)]))
	p.recent = append(p.recent, now)
	if over := len(p.recent) - p.Above; over > 0 {
		p.recent = slices.Delete(p.recent, 0, over)
	}
}

// alarm appends the event of a state that is news, and again while it fires.
func (p *pattern) alarm(b *metric.Batch, log string) {
	if p.Alarm == "" {
		return
	}
	p.recent = slices.DeleteFunc(p.recent, func(t time.Time) bool { return b.Time.Sub(t) > p.Within })
	level, text := metric.OK, fmt.Sprintf("no line of %s matched within %s", log, words.Duration(p.Within))
	if len(p.recent) >= p.Above {
		level = map[string]metric.Level{"warning": metric.Warning, "critical": metric.Critical}[p.Alarm]
		text = words.Plural(p.total, "line") + " of " + log + " matched"
		if p.Evidence == nil || *p.Evidence {
			text += ", the last: " + p.last
		}
	}
	if level == metric.OK {
		p.total = len(p.recent)
	}
	if level == p.told && (level == metric.OK || b.Time.Sub(p.toldAt) < repeatAfter) {
		return
	}
	p.told, p.toldAt = level, b.Time
	b.Events = append(b.Events, metric.Event{Time: b.Time, Title: p.Name, Text: text, Level: level, Check: true, Labels: metric.L("log", log)})
}
