package diagnosis

import (
	"cmp"
	"math"
	"slices"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// mostAsked bounds the equal causes that one alarm is compared with in vain: where the first so many of one class do not explain
// it, for time or silence, the rest is not asked. It keeps the cost of n causes and n alarms below n².
const mostAsked = 256

// causes finds those that have an edge to a subject, without looking at the others. Equal parts of a whole are on one shelf.
type causes struct {
	walks    *Walks
	service  map[string][]*alerting.Verdict // by what a rule may blame
	none     bool                           // there are neither causes nor groups
	symptoms map[string][]*alerting.Verdict // by subject: what users notice explains what its subject needs
	above    map[*topology.Class][]*alerting.Verdict
}

func newCauses(w *Walks, list, all []*alerting.Verdict) causes {
	w.clear()
	c := causes{
		walks: w, service: map[string][]*alerting.Verdict{},
		symptoms: map[string][]*alerting.Verdict{}, above: map[*topology.Class][]*alerting.Verdict{},
	}
	c.none = len(list) == 0
	for _, v := range all {
		if c.none = c.none && !v.Group(); len(v.Parts) == 0 {
			continue
		}
		slab := make([]*alerting.Verdict, len(v.Parts)) // most parts are in one group
		for n, p := range v.Parts {
			if p.Among == nil {
				p.Among = slab[n : n : n+1]
			}
			p.Among = append(p.Among, v)
		}
	}
	for _, v := range list {
		if v.Symptom {
			c.symptoms[v.Entity.ID] = append(c.symptoms[v.Entity.ID], v)
			continue
		}
		if s := v.Service(); s != "" {
			c.service[s] = append(c.service[s], v)
		}
		if s := v.Entity.Service; s != "" && s != v.Service() {
			c.service[s] = append(c.service[s], v)
		}
		w.place(v)
	}
	return c
}

// search is the search for what explains an alarm.
type search struct {
	e           *explainer
	a           *alerting.Verdict
	need        topology.Edge // that it takes at least
	needSymptom topology.Edge // for a cause that users notice
	wake        alerting.Wake

	firm   *alerting.Verdict // the best that breaks it
	beside *alerting.Verdict // the best that only stands beside or in front of it
	by     topology.Edge
}

// symptomatic stands for a cause that users notice, and anything for another one, of which the law asks no more.
var symptomatic, anything = &alerting.Verdict{Judgement: alerting.Judgement{Symptom: true}}, &alerting.Verdict{Judgement: alerting.Judgement{Behind: math.MaxInt}}

// ask looks through causes, the best first, that have at most this edge to the alarm by what they have in common.
func (s *search) ask(list []*alerting.Verdict, most topology.Edge) {
	if most < s.need {
		return
	}
	s.each(list, most)
}

func (s *search) each(list []*alerting.Verdict, most topology.Edge) {
	for n, c := range list {
		if n == mostAsked || c.Order >= s.a.Order || s.firm != nil && c.Order >= s.firm.Order {
			return
		}
		found := s.e.allows(c, s.a)
		s.wake.Add(found.until)
		switch {
		case found.no != "":
		case found.edge >= topology.Member:
			s.firm, s.by = c, found.edge
			return
		case s.firm == nil && s.better(c, found.edge):
			s.beside, s.by = c, found.edge
			if found.edge == most {
				return
			}
		}
	}
}

// better says that a cause that only stands beside it explains the alarm better than the one found so far.
func (s *search) better(c *alerting.Verdict, edge topology.Edge) bool {
	return s.beside == nil || edge > s.by || edge == s.by && c.Order < s.beside.Order
}

// bearing asks all causes that have an edge to the subject of an alarm.
func (c *causes) bearing(s *search) {
	if c.none {
		return
	}
	a := s.a
	c.place(s, a.Entity.ID)
	if !a.Known {
		for _, p := range a.Entity.Parents {
			c.place(s, p)
		}
	}
	if dep := a.Dep(); dep != "" {
		s.ask(c.service[dep], topology.Needs)
	}
	s.ask(a.Among, topology.Hurt)
	if len(c.symptoms) > 0 && s.needSymptom <= topology.Side && a.Entity.ID != "" {
		c.noticed(s)
	}
}

// place asks those that have an edge to an entity of the graph.
func (c *causes) place(s *search, id string) {
	at := c.walks.spot(id)
	s.ask(at.chain.list, topology.Hurt)
	for _, k := range at.named {
		s.ask(k.causes.list, k.edge)
	}
	for _, w := range at.wholes {
		s.ask(w.at.chain.list, w.itself)
		for _, k := range w.at.named {
			if k.edge == topology.Hurt {
				s.ask(k.causes.list, w.hurt)
			} else {
				s.ask(k.causes.list, topology.Side)
			}
		}
	}
	for _, w := range at.bears {
		s.ask(w.chain.list, topology.Side)
		for _, k := range w.named {
			s.ask(k.causes.list, topology.Side)
		}
	}
}

// noticed asks what users notice of all that needs the subject of the alarm.
func (c *causes) noticed(s *search) {
	r := c.walks.reached(s.a.Entity.ID)
	if r.Class == nil {
		s.each(c.symptoms[s.a.Entity.ID], topology.Side)
		return
	}
	for _, id := range r.Chain {
		s.each(c.symptoms[id], topology.Side)
	}
	list, ok := c.above[r.Class]
	if !ok {
		list = c.gather(r.Class)
		c.above[r.Class] = list
	}
	s.each(list, topology.Side)
}

// gather finds what users notice of all that a class names, in order.
func (c *causes) gather(k *topology.Class) (out []*alerting.Verdict) {
	if len(k.Edges) < len(c.symptoms) {
		for id := range k.Edges {
			out = append(out, c.symptoms[id]...)
		}
	} else {
		for id, list := range c.symptoms {
			if k.Edges[id] > topology.None {
				out = append(out, list...)
			}
		}
	}
	slices.SortFunc(out, func(a, b *alerting.Verdict) int { return cmp.Compare(a.Order, b.Order) })
	return out
}

// downs are the parts of a whole that are lost, they or their machines.
type downs struct {
	graph *topology.Graph
	parts map[string]string // to their machines
	n     int
	hit   map[*topology.Class]int // how many of them a class breaks
}

func (e *explainer) lost(whole topology.Entity) *downs {
	d := e.down[whole.ID]
	if d != nil {
		return d
	}
	d = &downs{graph: e.s.graph, parts: map[string]string{}, hit: map[*topology.Class]int{}}
	for _, id := range whole.Parents {
		if m := e.s.graph.Machine(id); e.s.lost[id] || e.s.lost[m] {
			d.parts[id] = m
		}
	}
	d.n = len(d.parts)
	e.down[whole.ID] = d
	return d
}

// within is how many of them break with a cause.
func (d *downs) within(r topology.Reach) int {
	if r.Class == nil {
		return 0
	}
	n, ok := d.hit[r.Class]
	if !ok {
		for id, m := range d.parts {
			if broken(r.Class, id, m) {
				n++
			}
		}
		d.hit[r.Class] = n
	}
	for _, id := range r.Chain {
		m, lost := d.parts[id]
		if lost && !broken(r.Class, id, m) {
			n++
		}
		for _, on := range d.graph.Children(id) {
			if m, lost := d.parts[on]; lost && m == id && !slices.Contains(r.Chain, on) && !broken(r.Class, on, m) {
				n++
			}
		}
	}
	return n
}

func broken(k *topology.Class, id, machine string) bool {
	return max(k.Edges[id], k.Edges[machine]) == topology.Hurt
}
