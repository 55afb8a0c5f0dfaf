package alerting

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// redundancy is what is left of what an alarm's node is part of.
type redundancy struct {
	whole       string
	lost, total int
	spare       int
	hurt        bool
}

func (r redundancy) known() bool { return r.whole != "" }

func (r redundancy) String() string {
	return fmt.Sprintf("%d of %d lost in %s, %d to spare", r.lost, r.total, r.whole, r.spare)
}

// redundancyOf finds the cluster or service that an entity is part of and that has least left.
func (r *Router) redundancyOf(entity string) (out redundancy) {
	if r.graph == nil {
		return out
	}
	for _, start := range append([]string{entity}, r.graph.Children(entity)...) {
		for _, k := range r.graph.Children(start) {
			ke, _ := r.graph.Get(k)
			if ke.Kind != "cluster" && ke.Kind != "service" || !contains(r.graph.Members(k), start) {
				continue
			}
			se, _ := r.graph.Get(start)
			lost, total, hurt := r.graph.Redundancy(k, se.Kind, r.fallen)
			c := redundancy{k, lost, total, ke.Spare, hurt}
			if !out.known() || c.hurt && !out.hurt || c.spare-c.lost < out.spare-out.lost {
				out = c
			}
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// assess computes a problem's priority by the table, and says why.
func (r *Router) assess(now time.Time, p *problem) {
	p.redund = r.redundancyOf(p.root.entity)
	p.priority, p.reason = r.table(now, p)
	if word := p.root.Labels[LabelPriority]; len(word) == 2 && word[0] == 'P' && word[1] >= '1' && word[1] <= '5' && r.authorsWord(p) {
		p.priority, p.reason = Priority(word[1]-'0'), "the rule says "+word
	}
	if p.root.Labels[LabelPage] == "always" && p.priority > P2 {
		p.priority, p.reason = P2, "the rule says that it always pages"
	}
	if p.root.lost && p.note == "" {
		p.note = "out of contact: its sender does not repeat it any more"
	}
}

// authorsWord says whether the rule's own priority is final: not when what it explains is worse than itself.
func (r *Router) authorsWord(p *problem) bool { return len(p.symptoms) == 0 || p.symptoms[0] == p.root }

// table is the priority table, first line that fits.
func (r *Router) table(now time.Time, p *problem) (Priority, string) {
	a := p.root
	if len(p.symptoms) > 0 {
		s := p.symptoms[0]
		switch s.severity() {
		case "critical":
			if s.flapping && !r.mostly(now, s) {
				return P3, "users are hurt now and then: " + s.Rule() + " comes and goes"
			}
			if s.Labels[LabelPriority] == "P2" {
				return P2, "users are hurt slowly: " + s.Rule()
			}
			return P1, "users are hurt now: " + s.Rule()
		case "warning":
			if s == a {
				return P3, "users are hurt slowly: " + s.Rule()
			}
		}
	}
	impact := a.Labels[LabelImpact]
	sev := a.severity()
	switch {
	case impact == "users" && sev == "critical":
		return P1, "users are hurt now: " + a.Rule()
	case impact == "data" && sev == "critical":
		return P1, "data are at risk"
	case (impact == "quorum" || a.kind == "quorum") && sev == "critical":
		if p.redund.known() && !p.redund.hurt && impact == "" {
			return P2, "quorum goes with the next loss: " + p.redund.String()
		}
		return P1, "quorum is lost"
	case sev == "info":
		return P5, "a record: the rule says info"
	}
	if len(a.Labels[LabelSeverity]) == 0 || sev == "none" {
		return P4, "the rule has no severity"
	}
	return r.noUserHurt(now, p)
}

// noUserHurt is the part of the table for causes that users do not feel.
func (r *Router) noUserHurt(now time.Time, p *problem) (Priority, string) {
	a := p.root
	critical := a.severity() == "critical"
	harm, hasHarm := harmIn(a)
	oneOfMany := (a.layer == "node" || a.layer == "host") && p.redund.known() && !p.redund.hurt
	stays := a.kind == "partition" // it does not heal by itself, nor is a node of it one of many
	switch {
	case a.flapping && !stays && !p.redund.hurt && a.kind != "saturation":
		return P4, fmt.Sprintf("it comes and goes: %d starts", len(a.starts))
	case stays && critical:
		return P2, "a partition does not heal by itself"
	case !critical:
		if a.effect() || a.kind == "liveness" || oneOfMany {
			return P4, "a warning on what others make up for"
		}
		return P3, "a warning: a person must look today"
	case hasHarm && harm < time.Hour:
		return P2, "harm in " + harm.Round(time.Minute).String()
	case a.kind == "saturation" && r.fullNode(a):
		return P2, "a limit is reached and a person must free it"
	case p.redund.known() && p.redund.hurt && (a.layer == "node" || a.layer == "host" || a.synth):
		return P2, "no redundancy is left: " + p.redund.String()
	case a.synth && a.effect() && len(p.symptoms) == 0:
		return P3, "common to most of " + a.entity + ", and users do not feel it"
	case oneOfMany:
		return P4, "one of many: " + p.redund.String()
	case a.effect() && a.layer != "cluster":
		return P3, "an effect without a known cause; users do not feel it"
	case a.kind == "hygiene":
		return P3, "to be put in order today"
	}
	return P2, "critical, and nothing makes up for it"
}

// fullNode says whether a limit on one node asks for a person although others make up for it: what
// stores data fills and does not empty by itself. Nodes that their group replaces, or that keep no
// data, do not: theirs is one of many.
func (r *Router) fullNode(a *alarm) bool {
	if a.wide() {
		return true
	}
	e, ok := r.graph.Get(a.entity)
	if !ok || e.Group != "" {
		return !ok
	}
	return a.layer == "node" && r.clustered(a.entity)
}

// clustered says whether a node is a member of a cluster, which keeps state, not only of a service.
func (r *Router) clustered(entity string) bool {
	e, _ := r.graph.Get(entity)
	return len(clustersOf(r.graph, e)) > 0
}

// mostly says whether a flapping alarm fires most of the time.
func (r *Router) mostly(now time.Time, a *alarm) bool {
	if len(a.starts) < 2 {
		return true
	}
	return a.holds() && now.Sub(a.since) > now.Sub(a.starts[0])/2
}

// harmIn reads the annotation harm_in.
func harmIn(a *alarm) (time.Duration, bool) {
	text := strings.TrimSpace(a.Annotations[AnnotationHarmIn])
	if text == "" {
		return 0, false
	}
	d, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	if err != nil || d < 0 {
		return 0, false
	}
	return d, true
}

// compare is the total order of problems: priority, alarms explained, time to harm, novelty, age,
// fingerprint.
func (r *Router) compare(now time.Time, a, b *problem) int {
	return cmp.Or(
		cmp.Compare(a.priority, b.priority),
		cmp.Compare(len(b.members), len(a.members)),
		cmp.Compare(harmOrder(a.root), harmOrder(b.root)),
		cmp.Compare(r.familiar(a.root), r.familiar(b.root)),
		a.root.since.Compare(b.root.since),
		cmp.Compare(a.root.fp, b.root.fp),
	)
}

func harmOrder(a *alarm) time.Duration {
	if d, ok := harmIn(a); ok {
		return d
	}
	return 1<<63 - 1
}

// familiar is 0 for a rule that was not seen for 7 days before this time, else 1.
func (r *Router) familiar(a *alarm) int {
	if last, ok := r.lastSeen[a.Rule()]; ok && a.since.Sub(last) < 7*24*time.Hour && last.Before(a.since) {
		return 1
	}
	return 0
}
