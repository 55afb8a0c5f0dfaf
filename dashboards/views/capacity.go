package views

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// staleCapacity is the age from which the page says that nobody reads the figures any more.
const staleCapacity = 15 * time.Minute

// runway is a pool in the list.
type runway struct {
	capacity.Answer
	ID     string // in URLs
	Link   string
	Chosen bool
	Gauge  gauge
}

// Buffers are the pool's with their names.
func (r runway) Buffers() []figure {
	peak := "At next weekly peak"
	if r.Pool.Kind == capacity.Fills {
		peak = "In a week"
	}
	out := []figure{
		{Name: "Buffer now", Value: capacity.Times(r.Buffer.Now)},
		{Name: peak, Value: capacity.Times(r.Buffer.Peak), Bad: r.Buffer.Peak > 0 && r.Buffer.Peak < 1},
	}
	if r.Lost != "" {
		out = append(out, figure{Name: "After losing " + r.Lost, Value: capacity.Times(r.Buffer.ZoneLost), Bad: r.Buffer.ZoneLost < 1})
	}
	return out
}

// capacityNow is the head of the page.
type capacityNow struct {
	capacity.Report
	Urgent int
	Lead   string
	Old    string // age of figures that should be younger
}

// chosen is the pool that is drawn, and what was asked of it.
type chosenPool struct {
	runway
	Chart    charts.Chart
	Days     []dayAhead
	Ask      asked
	If       *runway
	Fault    string // of the question
	Launches bool
	Nodes    bool
	Zones    bool
}

// dayAhead is one day of the forecast.
type dayAhead struct {
	Day          time.Time
	Peak, Lo, Hi string
}

func (p *Pages) capacity(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "capacity", Title: "Capacity", Forms: true, Charts: true}
	if p.opts.Capacity == nil {
		return pg.Saying("This node does not watch capacity", "Its store is off or its role capacity is (capacity: off in the configuration).")
	}
	rep := p.opts.Capacity()
	q := r.URL.Query()
	head := capacityNow{Report: rep, Lead: words.Duration(rep.Lead)}
	if age := p.opts.Now().Sub(rep.At); !rep.At.IsZero() && age > staleCapacity {
		head.Old = words.Duration(age)
	}
	var list []runway
	at := 0
	for i, a := range rep.Answers {
		w := newRunway(a)
		if w.ID == q.Get("pool") {
			at = i
		}
		if a.Urgent() {
			head.Urgent++
		}
		list = append(list, w)
	}
	pg.Sections = []dashboards.Section{{ID: "summary", Parts: []dashboards.Part{{ID: "capacity-now", Template: "capacity-now", Data: head}}}}
	if len(list) == 0 {
		return pg
	}
	list[at].Chosen = true
	pg.Sections = append(pg.Sections,
		dashboards.Section{ID: "runway", Hush: true, Parts: []dashboards.Part{{ID: "runway-list", Template: "runway-list", Data: split(list, at)}}},
		dashboards.Section{ID: "chosen", Hush: true, Parts: []dashboards.Part{{ID: "chosen-pool", Template: "chosen-pool", Data: p.choose(list[at], q)}}},
		dashboards.Section{ID: "law", Hush: true, Parts: []dashboards.Part{{ID: "law-chart", Template: "law-chart", Data: drawLaw(rep.Scaling)}}})
	return pg
}

// runways is the list of pools: what is in plain sight, and the rest.
type runways struct {
	First, Rest []runway
	Open        bool // a pool of the rest is chosen
}

// maxPlain is how many pools are in plain sight; all urgent ones are.
const maxPlain = 8

func split(list []runway, chosen int) runways {
	n := min(maxPlain, len(list))
	for n < len(list) && list[n].Urgent() {
		n++
	}
	return runways{list[:n], list[n:], chosen >= n}
}

func newRunway(a capacity.Answer) runway {
	w := runway{Answer: a, ID: strings.TrimSpace(a.Pool.Name + " " + a.Where())}
	w.Link = "/capacity?" + url.Values{"pool": {w.ID}}.Encode() + "#chosen"
	if a.Buffer.Now > 0 {
		w.Gauge.Share = 1 / a.Buffer.Now
	}
	w.Gauge.Open, w.Gauge.Limit = a.Use, a.Limit
	return w
}

func (p *Pages) choose(w runway, q url.Values) chosenPool {
	c := chosenPool{
		runway: w, Nodes: w.Pool.PerNode, Zones: w.Pool.Zoned && len(w.Reading.Zones) > 1, Launches: w.Pool.Kind == capacity.Demand,
	}
	c.Chart = drawFan(w.Answer)
	c.Days = daysAhead(w.Answer)
	var err error
	if c.Ask, err = askedBy(q); err != nil {
		c.Fault = err.Error()
	} else if c.Ask.what.Asks() {
		then := newRunway(w.If(c.Ask.what))
		c.If = &then
		c.Chart = drawFan(then.Answer)
	}
	return c
}

// daysAhead are the peaks of the days that are forecast; of a floor, the least that is left.
func daysAhead(a capacity.Answer) (out []dayAhead) {
	worst := func(line []float64) float64 {
		v := line[0]
		for _, x := range line {
			if a.Pool.Floor {
				v = min(v, x)
			} else {
				v = max(v, x)
			}
		}
		return v
	}
	for from := 0; from+24 <= len(a.Fan.Mean); from += 24 {
		to := from + 24
		out = append(out, dayAhead{
			Day: a.History.End.Add(time.Duration(to) * time.Hour), Peak: a.Pool.Short(worst(a.Fan.Mean[from:to])),
			Lo: a.Pool.Short(worst(a.Fan.Lo80[from:to])), Hi: a.Pool.Short(worst(a.Fan.Hi80[from:to])),
		})
	}
	return out
}

// asked is a question as it stands in the URL, so that a link asks it again.
type asked struct {
	Growth, Nodes, Launch, Days string
	Zone                        bool
	what                        capacity.WhatIf
}

// askedBy reads a question.
func askedBy(q url.Values) (asked, error) {
	a := asked{Growth: q.Get("growth"), Nodes: q.Get("nodes"), Launch: q.Get("launch"), Days: q.Get("days"), Zone: q.Get("zone") != ""}
	var days float64
	for _, f := range []struct {
		name, text string
		lo, hi     float64
		into       *float64
	}{
		{"Growth", a.Growth, -100, 10_000, &a.what.Growth},
		{"Nodes", a.Nodes, -10_000, 10_000, &a.what.Nodes},
		{"Launch", a.Launch, -1e15, 1e15, &a.what.Launch},
		{"Days", a.Days, 0, 3650, &days},
	} {
		if f.text == "" {
			continue
		}
		v, err := strconv.ParseFloat(f.text, 64)
		if err != nil || !(v >= f.lo && v <= f.hi) {
			return a, fmt.Errorf("%s: want a number from %v to %v, have %q", f.name, f.lo, f.hi, f.text)
		}
		*f.into = v
	}
	a.what.Growth /= 100
	a.what.Zone, a.what.LaunchIn = a.Zone, time.Duration(days*24*float64(time.Hour))
	return a, nil
}
