package router

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// judge finds for each alarm what it would be were there no other: its priority with the reason, and how good
// a cause it makes.
func (r *Router) judge() {
	live := r.live()
	for _, a := range live {
		if !a.derived() {
			a.silenced = r.silencer(a)
		}
	}
	r.gone(live)
	r.rollUp(live)
	r.ranked = r.live()
	for _, a := range r.ranked {
		a.alone, a.reason = r.priority(a)
	}
	for _, a := range r.ranked { // that of a roll-up asks for the priorities of its members
		a.rank = a.rankOf()
	}
	slices.SortFunc(r.ranked, before)
	for n, a := range r.ranked {
		a.order = n
	}
}

// felt says that users feel it: a symptom, or an edge that answers with errors.
func (a *alarm) felt() bool {
	return a.kind == "symptom" || a.layer == "symptom" || a.Labels[alerting.LabelImpact] == "users" ||
		a.layer == "edge" && a.kind == "errors" && a.severity == "critical"
}

// effect says that by its kind it follows from something.
func (a *alarm) effect() bool {
	return a.kind == "errors" || a.kind == "latency" || a.kind == "liveness"
}

// foreign alarms come from rules that know nothing of ordering.
func (a *alarm) foreign() bool { return a.kind == "" && !a.derived() }

// cause says that it can explain more than what stands on the same machine: it would wake a person by itself, and
// by its kind breaks other things.
func (a *alarm) cause() bool {
	return a.known && a.alone <= alerting.P2 && !a.felt() && !a.foreign() && a.kind != "hygiene" && a.kind != "liveness"
}

// priority is that of an alarm that stands alone: the author's last word, then the table, then what
// flapping lowers.
func (r *Router) priority(a *alarm) (alerting.Priority, string) {
	if p, ok := labelled(a); ok {
		return p, "the rule says " + p.String()
	}
	p, why := r.table(a)
	if a.flapping && !a.steadfast() && p < alerting.P4 {
		p, why = alerting.P4, fmt.Sprintf("flapping, %d starts", len(a.starts))
	}
	if a.always() && p > alerting.P2 {
		p, why = alerting.P2, "the rule says that it always pages"
	}
	return p, why
}

// plain writes a duration without the zeros behind: 1h and 3m, not 1h0m0s and 3m0s.
func plain(d time.Duration) string {
	text := d.String()
	for _, zeros := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zeros) {
			text = text[:len(text)-len("0s")]
		}
	}
	return text
}

func labelled(a *alarm) (alerting.Priority, bool) {
	l := a.Labels[alerting.LabelPriority]
	if len(l) == 2 && l[0] == 'P' && l[1] >= '1' && l[1] <= '5' {
		return alerting.Priority(l[1] - '0'), true
	}
	return 0, false
}

// steadfast alarms are not lowered for coming and going; they raise once.
func (a *alarm) steadfast() bool {
	switch a.Labels[alerting.LabelImpact] {
	case "users", "data", "quorum":
		return true
	}
	return a.felt() || a.kind == "partition" || a.kind == "quorum" || a.always()
}

// table is the whole of how priorities come about; the first line that fits counts.
func (r *Router) table(a *alarm) (alerting.Priority, string) {
	critical := a.severity == "critical"
	either := func(p, q alerting.Priority) alerting.Priority {
		if critical {
			return p
		}
		return q
	}
	harm, known := harmIn(a)
	spare, redundant := r.redundancy(a)
	switch impact := a.Labels[alerting.LabelImpact]; {
	case a.severity == "info":
		return alerting.P5, "for the record"
	case a.felt():
		return either(alerting.P1, alerting.P3), map[bool]string{true: "users are hurt now", false: "users begin to feel it"}[critical]
	case impact == "data" || impact == "quorum" || a.kind == "quorum":
		return either(alerting.P1, alerting.P2), map[bool]string{true: "quorum is at risk", false: "data is at risk"}[impact != "data"]
	case known && harm <= time.Hour:
		return alerting.P2, "harm in " + plain(harm)
	case a.kind == "partition":
		return alerting.P2, "a partition does not heal by itself"
	case a.derived() && a.kind == "liveness":
		return alerting.P3, "only heartbeats are missing: we are blind, nothing else says that they are down"
	case a.derived() && !a.known:
		return either(alerting.P2, alerting.P3), fmt.Sprintf("one rule on %d of %s, and nothing else is known of them", len(a.members), a.entity.ID)
	case a.derived():
		return either(alerting.P2, alerting.P3), "one rule on most of " + a.entity.ID
	case r.unreplaced(a):
		return either(alerting.P2, alerting.P3), spare + ", and nothing replaced it for " + plain(r.set.Wait.Ephemeral) + ": the next loss hurts"
	case redundant && critical && a.kind == "saturation" && a.Annotations[alerting.AnnotationGuidance] != "":
		return alerting.P2, "it gets worse by itself and a person must act"
	case redundant && a.foreign() && critical:
		return alerting.P3, "critical by its author; " + spare
	case redundant:
		return alerting.P4, spare
	case a.foreign() && critical:
		return alerting.P2, "critical by its author, and nothing else is known of it"
	case a.kind == "liveness" || a.kind == "hygiene":
		return either(alerting.P3, alerting.P4), "nothing is broken that is known of"
	case critical:
		return alerting.P2, "users are not hurt; nothing stands in for it"
	}
	return alerting.P3, "a person must look today"
}

// harmIn is the time left as the rule tells it, less what has passed since it began.
func harmIn(a *alarm) (time.Duration, bool) {
	d, err := parseDuration(a.Annotations[alerting.AnnotationHarmIn])
	return d, err == nil && a.Annotations[alerting.AnnotationHarmIn] != ""
}

// redundant is the graph's own word.
func (r *Router) redundant(id string) (topology.Redundancy, bool) {
	return r.graph.Redundancy(id, r.lost, r.standing)
}

// redundancy says whether something stands in for the machine or node of an alarm, and what.
func (r *Router) redundancy(a *alarm) (string, bool) {
	id := a.entity.ID
	if !a.known && len(a.entity.Parents) > 0 {
		id = a.entity.Parents[0]
	}
	e, ok := r.graph.Get(id)
	if !ok || e.Kind != topology.KindHost && e.Kind != topology.KindNode {
		return "", false
	}
	s, part := r.redundant(id)
	switch {
	case part && s.Left():
		return fmt.Sprintf("one of %d in %s, which spares %d and lost %d", s.Of, s.Whole, s.Spare, s.Lost), true
	case part && a.kind != "down":
		// The whole is worse off than it can bear, and an alarm of its own says that.
		return fmt.Sprintf("one of %d in %s", s.Of, s.Whole), true
	case !part && e.Group != "":
		return "its group " + e.Group + " replaces it", true
	}
	return "", false
}

// unreplaced says that a node is down for longer than its return or its replacement takes, and that it was the one that
// could be spared. Where more could be, each loss is a ticket, and too many of them are one alarm of the whole.
func (r *Router) unreplaced(a *alarm) bool {
	a.unreplaced = false
	if a.derived() || !a.holds() || a.kind != "down" || a.entity.Kind != topology.KindNode {
		return false
	}
	s, part := r.redundant(a.entity.ID)
	if !part || s.Spare != 1 || s.Lost != 1 || r.replaced(a) {
		return false
	}
	due := a.began().Add(r.set.Wait.Ephemeral)
	r.at(due)
	a.unreplaced = r.passed(due)
	return a.unreplaced
}

// replaced says that the group of a node has got as many new ones as it lost.
func (r *Router) replaced(a *alarm) bool {
	if a.entity.Group == "" {
		return false
	}
	born, lost := 0, 0
	for _, id := range r.graph.Fleet(topology.KindNode, a.entity.Service) {
		if e, _ := r.graph.Get(id); e.Group != a.entity.Group {
			continue
		}
		if !r.lost[id] && r.born[id].After(a.began()) {
			born++
		}
		if r.lost[id] {
			lost++
		}
	}
	return born > 0 && born >= lost
}
