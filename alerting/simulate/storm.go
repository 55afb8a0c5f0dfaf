package simulate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// Storm is an alarm storm with an expert's answer: which pages are wanted, in which order. The format is that of the
// storm bench, whose files are read as they are.
type Storm struct {
	Name   string       `json:"name"`
	Title  string       `json:"title"`
	RunMS  int64        `json:"run_ms"` // observed until then; ms since the begin, as all times here
	Alarms []stormAlarm `json:"alarms"`
	Events []stormEvent `json:"events"`
	Truth  Truth        `json:"truth"`

	Topology struct {
		Entities map[string]topology.Entity `json:"entities"`
	} `json:"topology"`
}

type stormAlarm struct {
	ID          string            `json:"id"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// stormEvent is a change at a sender: fire and resolve an alarm, or vanish, after which it says nothing more of it; a
// silence; or a change of the pager.
type stormEvent struct {
	AtMS     int64             `json:"at_ms"`
	Op       string            `json:"op"`
	Alarm    string            `json:"alarm"`
	Matchers map[string]string `json:"matchers"`
	ForMS    int64             `json:"for_ms"`
	Pager    string            `json:"pager"`
	Rate     int               `json:"rate"`
	AgeMS    int64             `json:"age_ms"` // of a fire: how long it had held before
}

// Truth is the expert's answer.
type Truth struct {
	Root   []string `json:"root"` // alarms that name the root cause
	Wanted []Wanted `json:"wanted"`
}

// Wanted is one page that the expert wants.
type Wanted struct {
	Name     string   `json:"name"`
	AnyOf    []string `json:"any_of"` // alarms that may head it
	Priority int      `json:"priority"`
	Optional bool     `json:"optional"` // as good inside another page: it counts as wanted when it was sent
}

// IsStorm says that data is a storm file, and not a recording.
func IsStorm(data []byte) bool {
	var first struct{ Events, Truth json.RawMessage }
	return json.Unmarshal(data, &first) == nil && first.Events != nil && first.Truth != nil
}

// ReadStorm reads a storm file.
func ReadStorm(data []byte) (*Storm, error) {
	var s Storm
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	if len(s.Alarms) == 0 || len(s.Events) == 0 {
		return nil, fmt.Errorf("storm %s: want alarms and events, have %d and %d", s.Name, len(s.Alarms), len(s.Events))
	}
	return &s, nil
}

// Graph is the fleet that the storm is about.
func (s *Storm) Graph() (*topology.Graph, error) {
	var es []topology.Entity
	for _, id := range slices.Sorted(maps.Keys(s.Topology.Entities)) {
		es = append(es, s.Topology.Entities[id])
	}
	return topology.New(es)
}

// stormBegin is when every storm begins.
var stormBegin = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// How senders repeat a firing alarm: as Prometheus does with its default settings.
const (
	repeatEvery = time.Minute
	lastsFor    = 4 * repeatEvery // the endsAt of an alarm that fires, after it was sent
)

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// Play makes the events that senders, people and pager bring in the course of the storm.
func (s *Storm) Play() []Event {
	alarms := map[string]stormAlarm{}
	for _, a := range s.Alarms {
		alarms[a.ID] = a
	}
	var out []Event
	since := map[string]int64{}
	told := func(id string, since, at int64) {
		a := alarms[id]
		out = append(out, Event{At: stormBegin.Add(ms(at)), In: alerting.Firing{Alarm: alerting.Alarm{
			Labels: a.Labels, Annotations: a.Annotations, StartsAt: stormBegin.Add(ms(since)), EndsAt: stormBegin.Add(ms(at) + lastsFor),
			Generator: "http://monitor.example.net/" + a.Labels[alerting.LabelRule],
		}}})
	}
	repeat := func(id string, until int64) { // from its start on
		from, ok := since[id]
		for at := from; ok && at < until; at += repeatEvery.Milliseconds() {
			told(id, from, at)
		}
		delete(since, id)
	}
	for n, e := range s.Events {
		at := stormBegin.Add(ms(e.AtMS))
		switch e.Op {
		case "fire":
			repeat(e.Alarm, e.AtMS)
			since[e.Alarm] = e.AtMS
		case "resolve":
			if _, ok := since[e.Alarm]; ok {
				repeat(e.Alarm, e.AtMS)
				out = append(out, Event{At: at, In: alerting.Ended{Fingerprint: alerting.Alarm{Labels: alarms[e.Alarm].Labels}.Fingerprint()}})
			}
		case "vanish":
			repeat(e.Alarm, e.AtMS)
		case "silence":
			q := alerting.Silence{ID: "storm-" + strconv.Itoa(n), StartsAt: at, EndsAt: at.Add(ms(e.ForMS)), CreatedBy: "storm", Comment: "planned maintenance", UpdatedAt: at}
			for _, k := range slices.Sorted(maps.Keys(e.Matchers)) {
				q.Matchers = append(q.Matchers, alerting.Matcher{Name: k, Value: e.Matchers[k]})
			}
			out = append(out, Event{At: at, In: alerting.Silenced{Silence: q}})
		case "pager":
			out = append(out, Event{At: at, Pager: &Pager{Mode: e.Pager, Rate: e.Rate}})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(since)) {
		repeat(id, s.RunMS)
	}
	slices.SortStableFunc(out, func(a, b Event) int { return a.At.Compare(b.At) })
	return out
}

// End is until when the storm is observed.
func (s *Storm) End() time.Time { return stormBegin.Add(ms(s.RunMS)) }
