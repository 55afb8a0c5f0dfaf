package diagnosis

import (
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// spot is a subject in the graph, with what is asked of it at each step: the graph does not change, so the ways from a subject to
// where its causes may be are found once.
type spot struct {
	reach  topology.Reach // what its failure can explain; the zero Reach: it is not asked for yet, or the graph does not know it
	below  []*shelf       // where its own alarms are put as causes
	known  bool           // reach and below are found
	chain  shelf          // causes that break it, each by itself
	named  []naming       // classes of causes that name it
	wholes []partOf       // clusters and services that it is a part of
	bears  []*spot        // those whose nodes stand on it
}

// nowhere is where the graph has no place for what is asked for: nothing bears on it, and it bears on nothing.
var nowhere = spot{known: true}

// shelf are the causes of this step that have one thing in common, the best first.
type shelf struct{ list []*alerting.Verdict }

// naming is a class of causes that has an edge to a subject.
type naming struct {
	causes *shelf
	edge   topology.Edge
}

// partOf is the way from a part to its whole: by which edge the whole's failure bears on the part, that of the whole itself and
// that of something else that hurts it.
type partOf struct {
	at           *spot
	itself, hurt topology.Edge
}

// spot finds a subject.
func (w *Walks) spot(id string) *spot {
	s := w.spots[id]
	if s != nil {
		return s
	}
	part, ok := w.Graph.Get(id)
	if !ok {
		return &nowhere
	}
	s = &spot{}
	w.spots[id] = s
	for _, of := range w.Graph.Wholes(id) {
		s.wholes = append(s.wholes, partOf{
			w.spot(of), w.Graph.Parted(of, part, topology.Hurt, true), w.Graph.Parted(of, part, topology.Hurt, false),
		})
	}
	for _, of := range w.Graph.Bears(id) {
		s.bears = append(s.bears, w.spot(of))
	}
	return s
}

// reached is what the failure of an entity can explain.
func (w *Walks) reached(id string) topology.Reach {
	s := w.spot(id)
	if !s.known {
		s.known, s.reach = true, w.Graph.Reach(id)
		for _, on := range s.reach.Chain {
			s.below = append(s.below, &w.spot(on).chain)
		}
	}
	return s.reach
}

// place puts a cause onto the shelves of what it may explain.
func (w *Walks) place(v *alerting.Verdict) {
	if v.Entity.ID == "" {
		return
	}
	class := w.reached(v.Entity.ID).Class
	for _, s := range w.spot(v.Entity.ID).below {
		w.put(s, v)
	}
	if class != nil {
		w.put(w.name(class), v)
	}
}

func (w *Walks) put(s *shelf, v *alerting.Verdict) {
	if len(s.list) == 0 {
		w.used = append(w.used, s)
	}
	s.list = append(s.list, v)
}

// clear takes the causes of the step before off the shelves.
func (w *Walks) clear() {
	for _, s := range w.used {
		clear(s.list)
		s.list = s.list[:0]
	}
	w.used = w.used[:0]
}

// name makes a class findable by what it names, and returns its shelf.
func (w *Walks) name(c *topology.Class) *shelf {
	s := w.named[c]
	if s == nil {
		s = &shelf{}
		w.named[c] = s
		for id, edge := range c.Edges {
			at := w.spot(id)
			at.named = append(at.named, naming{s, edge})
		}
	}
	return s
}
