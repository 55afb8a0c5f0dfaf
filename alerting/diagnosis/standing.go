package diagnosis

import (
	"fmt"
	"maps"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// standing is how the fleet stands: what is lost, and what of that could be spared.
type standing struct {
	graph  *topology.Graph
	lost   map[string]bool                // nodes and machines that are gone
	down   map[string]bool                // those of which a rule says so
	wholes map[string]topology.Redundancy // those asked about
	texts  map[text]string                // said of their parts
}

// stand finds what is lost: a node whose own rule says that it is down, and a machine on which two rules agree. One ping
// that fails is no loss.
func stand(facts []*alerting.Fact, g *topology.Graph) *standing {
	s := &standing{graph: g, lost: map[string]bool{}, down: map[string]bool{}, wholes: map[string]topology.Redundancy{}, texts: map[text]string{}}
	machines := map[string]*machine{}
	for _, f := range facts {
		if !f.Firing() || !f.Known || !ofLife(f.Kind) {
			continue
		}
		if f.Kind == "down" {
			s.down[f.Entity.ID] = true
		}
		switch id := f.Entity.ID; f.Entity.Kind {
		case topology.KindNode:
			s.lost[id] = s.lost[id] || f.Kind == "down"
		case topology.KindHost:
			if machines[id] == nil {
				machines[id] = &machine{rule: f.Rule()}
			}
			machines[id].heard(f)
		}
	}
	for id, m := range machines {
		s.lost[id] = m.down && m.agreed
	}
	maps.DeleteFunc(s.lost, func(_ string, lost bool) bool { return !lost })
	return s
}

// cutOff says that all machines that an entity stands behind, of which one would be enough, are down.
func (s *standing) cutOff(e topology.Entity) bool {
	for _, p := range e.Parents {
		if above, _ := s.graph.Get(p); above.Kind == e.Kind && !s.down[p] {
			return false
		}
	}
	return true
}

// machine is what is said of a machine's life.
type machine struct {
	rule         string // the first that speaks
	down, agreed bool   // a rule says that it is down; two rules speak
}

func (m *machine) heard(f *alerting.Fact) {
	m.agreed = m.agreed || f.Rule() != m.rule
	m.down = m.down || f.Kind == "down"
}

// ofLife says that an alarm of this kind is about whether its subject lives.
func ofLife(kind string) bool { return kind == "down" || kind == "liveness" }

// redundancy is how the whole stands that an entity is a part of, the entity lost.
func (s *standing) redundancy(id string) (topology.Redundancy, bool) {
	return s.graph.Redundancy(id, s.lost, s.wholes)
}

// standing is how a whole stands.
func (s *standing) standing(id string) topology.Redundancy {
	r, ok := s.wholes[id]
	if !ok {
		r = s.graph.Standing(id, s.lost)
		s.wholes[id] = r
	}
	return r
}

// spare says whether something stands in for the machine or node of an alarm, and what.
func (s *standing) spare(f *alerting.Fact) (string, bool) {
	e, ok := s.machineOf(f)
	if !ok {
		return "", false
	}
	r, part := s.redundancy(e.ID)
	size := "" // of the group that replaces it
	if part && e.Size != "" {
		size = "; its group " + e.Size
	}
	switch {
	case part && r.Left():
		return s.text(r, true) + size, true
	case part && f.Kind != "down":
		// The whole is worse off than it can bear, and an alarm of its own says that.
		return s.text(r, false) + size, true
	case !part && e.Group != "":
		why := "its group " + e.Group + " replaces it"
		if e.Size != "" {
			why += " (" + e.Size + ")"
		}
		return why, true
	}
	return "", false
}

// machineOf is the machine or node that an alarm is about, or that what it is about runs on.
func (s *standing) machineOf(f *alerting.Fact) (topology.Entity, bool) {
	id := f.Entity.ID
	if !f.Known && len(f.Entity.Parents) > 0 {
		id = f.Entity.Parents[0]
	}
	e, ok := s.graph.Get(id)
	return e, ok && (e.Kind == topology.KindHost || e.Kind == topology.KindNode)
}

// text is what is said of a part of a whole; many parts of one say the same.
type text struct {
	of   topology.Redundancy
	left bool
}

func (s *standing) text(r topology.Redundancy, left bool) string {
	t, ok := s.texts[text{r, left}]
	if !ok {
		t = fmt.Sprintf("it is one of %d in %s", r.Of, r.Whole)
		if left {
			t += fmt.Sprintf(", which can spare %d and has lost %d", r.Spare, r.Lost)
		}
		s.texts[text{r, left}] = t
	}
	return t
}

// excused says why nobody needs to wake for an alarm: its machine was ended, or is started, by the group that it is in. A group
// alarm is excused with all of its parts.
func (s *standing) excused(v *alerting.Verdict) string {
	if v.Group() {
		why := ""
		for _, p := range v.Parts {
			if why = s.excuse(p.Entity); why == "" {
				return ""
			}
		}
		return why
	}
	return s.excuse(v.Entity)
}

func (s *standing) excuse(of topology.Entity) string {
	for _, id := range append([]string{of.ID, s.graph.Machine(of.ID)}, of.Parents...) {
		e, ok := s.graph.Get(id)
		if !ok || e.Excused == "" || e.Kind != topology.KindHost && e.Kind != topology.KindNode {
			continue
		}
		if e.Size != "" {
			return e.Excused + "; it " + e.Size
		}
		return e.Excused
	}
	return ""
}

// unreplaced says that a node is down for longer than its return or its replacement takes, and that it was the one that
// could be spared. Where more could be, each loss is a ticket, and too many of them are one alarm of the whole. due is
// when that will be so, if nothing changes. A member of a cluster that is held by no group is replaced by nobody: a new machine
// would have neither its data nor its place among the members, so there is nothing to wait for. One that people were paged for and
// that has ended stays what it was: what the same node does next belongs to it.
func (s *standing) unreplaced(in Input, f *alerting.Fact) (is bool, due time.Time, held bool) {
	if f.Group() || !f.Firing() && !f.Past.Open || f.Kind != "down" || f.Entity.Kind != topology.KindNode {
		return false, due, false
	}
	r, part := s.redundancy(f.Entity.ID)
	if !part || r.Spare != 1 || r.Lost != 1 || s.replaced(in, f) {
		return false, due, false
	}
	due, held = f.Began(), s.held(f.Entity, r.Whole)
	if !held {
		due = due.Add(in.Settings.Wait.Ephemeral)
	}
	return !due.After(in.Now), due, held
}

// held says that a node has its data and its place in a cluster, and no group starts another one for it.
func (s *standing) held(e topology.Entity, whole string) bool {
	w, ok := s.graph.Get(whole)
	return ok && w.Kind == topology.KindCluster && e.Group == ""
}

// replaced says that the group of a node has got as many new ones as it lost.
func (s *standing) replaced(in Input, f *alerting.Fact) bool {
	if f.Entity.Group == "" {
		return false
	}
	born, lost := 0, 0
	for _, id := range s.graph.Fleet(topology.KindNode, f.Entity.Service) {
		if e, _ := s.graph.Get(id); e.Group != f.Entity.Group {
			continue
		}
		if !s.lost[id] && in.Born[id].After(f.Began()) {
			born++
		}
		if s.lost[id] {
			lost++
		}
	}
	return born > 0 && born >= lost
}
