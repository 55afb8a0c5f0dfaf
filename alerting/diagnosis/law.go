package diagnosis

import (
	"slices"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// rank orders alarms by how good a cause they make, the best first. An alarm is explained only by one that
// comes before it, so that explanations never run in a circle.
type rank int

const (
	rankZone        rank = iota // says that a zone or a link failed
	rankMostZone                // a group alarm of a zone
	rankChange                  // a deploy
	rankConfig                  // a configuration, a certificate
	rankSplit                   // of a whole: a partition, lost quorum
	rankLimit                   // of a whole or an edge: at its limit, down, cut off
	rankMostParts               // a group alarm of a whole, made of causes
	rankPart                    // a node that would page by itself
	rankServer                  // a server on a machine: down, or refusing its clients
	rankBackend                 // what a balancer passes requests to has no servers, or too few
	rankSlow                    // of a whole: slow, errors
	rankMost                    // a group alarm of a whole
	rankSymptom                 // what users notice
	rankSymptomEdge             // what the edge shows of it
	rankSymptomSoft             // what users begin to notice
	rankWide                    // a group alarm that wakes nobody
	rankEdge                    // an edge or a whole, waking nobody
	rankMachine                 // one machine: down
	rankNode                    // one node: down or at a limit
	rankEffect                  // all else
)

// ranks is the first half of the law: the first row that fits is the alarm's rank.
var ranks = []struct {
	rank rank
	says string
	fits func(v *alerting.Verdict) bool
}{
	{rankSymptomEdge, "what the edge shows of users' trouble", func(v *alerting.Verdict) bool { return v.Symptom && v.Alone <= alerting.P2 && v.Layer == "edge" }},
	{rankSymptom, "what users notice", func(v *alerting.Verdict) bool { return v.Symptom && v.Alone <= alerting.P2 }},
	{rankSymptomSoft, "what users begin to notice", func(v *alerting.Verdict) bool { return v.Symptom }},
	{rankMostZone, "a group alarm of a zone", func(v *alerting.Verdict) bool { return v.Cause && v.Group() && v.Layer == "az" }},
	{rankMostParts, "a group alarm of causes", func(v *alerting.Verdict) bool { return v.Cause && v.Group() && slices.ContainsFunc(v.Parts, isCause) }},
	{rankMost, "a group alarm", func(v *alerting.Verdict) bool { return v.Cause && v.Group() }},
	{rankZone, "the failure of a zone or link", func(v *alerting.Verdict) bool {
		return v.Cause && (v.Entity.Kind == topology.KindAZ || v.Entity.Kind == topology.KindLink)
	}},
	{rankPart, "a node that pages by itself", func(v *alerting.Verdict) bool { return v.Cause && part(v) }},
	{rankServer, "a server that is down", func(v *alerting.Verdict) bool { return v.Cause && server(v) && !v.Effect }},
	{rankBackend, "a backend without servers", func(v *alerting.Verdict) bool { return v.Cause && v.Entity.Kind == topology.KindBackend && !v.Effect }},
	{rankChange, "a deploy", func(v *alerting.Verdict) bool { return v.Cause && v.Kind == "change" }},
	{rankConfig, "a configuration", func(v *alerting.Verdict) bool { return v.Cause && v.Kind == "config" }},
	{rankSplit, "a partition or lost quorum", func(v *alerting.Verdict) bool { return v.Cause && (v.Kind == "partition" || v.Kind == "quorum") }},
	{rankSlow, "a whole that is slow", func(v *alerting.Verdict) bool { return v.Cause && v.Effect }},
	{rankLimit, "a whole at its limit or down", isCause},
	{rankWide, "a group alarm that wakes nobody", func(v *alerting.Verdict) bool { return v.Group() }},
	{rankEdge, "a whole that wakes nobody", func(v *alerting.Verdict) bool { return !part(v) }},
	{rankMachine, "one machine that is down", func(v *alerting.Verdict) bool { return v.Kind == "down" && v.Entity.Kind == topology.KindHost }},
	{rankNode, "one node", func(v *alerting.Verdict) bool { return v.Kind == "down" || v.Kind == "saturation" }},
	{rankEffect, "what only follows", func(*alerting.Verdict) bool { return true }},
}

func isCause(v *alerting.Verdict) bool { return v.Cause }

// part says that the subject is a machine or a node.
func part(v *alerting.Verdict) bool {
	return v.Entity.Kind == topology.KindHost || v.Entity.Kind == topology.KindNode
}

// server says that the subject is a server on a machine.
func server(v *alerting.Verdict) bool { return v.Entity.Kind == topology.KindServer }

func rankOf(v *alerting.Verdict) rank { return ranks[rankAt(v)].rank }

// rankAt is the row of an alarm; the last fits all.
func rankAt(v *alerting.Verdict) int {
	for n, r := range ranks {
		if r.fits(v) {
			return n
		}
	}
	return len(ranks) - 1
}

// edges is the second half of the law: the edge from a cause to an alarm that it takes at least; the first row that fits
// counts. Redundancy that is left keeps a cause from explaining why users are affected; parts of one whole slow each other
// down but do not break each other.
var edges = []struct {
	fits func(c, a *alerting.Verdict) bool
	edge topology.Edge
}{
	{func(c, a *alerting.Verdict) bool { return c.Symptom && (a.Effect || a.Symptom) }, topology.Side},
	{func(c, _ *alerting.Verdict) bool { return c.Symptom }, topology.Hurt},
	{func(_, a *alerting.Verdict) bool { return rank(a.Rank) == rankSymptomEdge }, topology.Front},
	{func(_, a *alerting.Verdict) bool { return rank(a.Rank) == rankSymptom }, topology.Hurt},
	{func(_, a *alerting.Verdict) bool { return a.Symptom }, topology.Side},
	{func(c, a *alerting.Verdict) bool { return a.Kind == "down" && part(a) && c.Behind < a.Behind }, topology.Hurt}, // the other switch still carries it
	{func(_, a *alerting.Verdict) bool { return a.Cause && !a.Group() }, topology.Member},
	{func(_, a *alerting.Verdict) bool { return soft(a) }, topology.Side},
	{func(_, _ *alerting.Verdict) bool { return true }, topology.Member},
}

// least is the edge that it takes for c to explain a.
func least(c, a *alerting.Verdict) topology.Edge {
	for _, r := range edges {
		if r.fits(c, a) {
			return r.edge
		}
	}
	return topology.Hurt
}

// soft alarms can be caused by what only stands beside them.
func soft(v *alerting.Verdict) bool {
	return v.Effect || v.Severity != "critical" && (v.Kind == "saturation" || v.Kind == "network")
}
