package diagnosis

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// explainer finds for each alarm the one that explains it best. It wants a declared edge: the subject needs the cause's,
// is a part of it or beside it, or the rule blames the cause's service.
type explainer struct {
	in     Input
	s      *standing
	all    []*alerting.Verdict            // in the order of causes
	causes causes                         // those that explain beyond their own machine
	local  map[string][]*alerting.Verdict // the others, by machine
	down   map[string]*downs              // what is lost of each whole that was asked about
	alike  map[*alerting.Verdict]string   // see similar
	search search                         // for one alarm after the other
}

func newExplainer(in Input, s *standing, all []*alerting.Verdict) *explainer {
	e := &explainer{in: in, s: s, all: all, local: map[string][]*alerting.Verdict{}, down: map[string]*downs{}, alike: map[*alerting.Verdict]string{}}
	n, _ := slices.BinarySearchFunc(all, rankEdge, func(v *alerting.Verdict, k rank) int { return cmp.Compare(rank(v.Rank), k) })
	e.causes = newCauses(in.Walks, all[:n], all)
	for _, v := range all {
		if rank(v.Rank) >= rankMachine && rank(v.Rank) < rankEffect {
			m := s.graph.Machine(v.Entity.ID)
			e.local[m] = append(e.local[m], v)
		}
	}
	return e
}

// explain sets By and Why of each alarm, first by what is declared, then by what is folded together. It returns when time alone
// changes an answer.
func (e *explainer) explain() time.Time {
	wake := alerting.Wake{Now: e.in.Now}
	var rest []*alerting.Verdict
	for _, a := range e.all {
		switch {
		case a.Always():
			continue
		case guessedAlone(a):
		default:
			var until time.Time
			a.By, a.Why, until = e.cause(a)
			a.Bound = a.By != nil
			wake.Add(until)
		}
		if a.By == nil && (a.Foreign() || !a.Known) {
			rest = append(rest, a)
		}
	}
	for _, a := range rest {
		switch {
		case a.In != nil && !a.Known:
			explained(a, a.In, e.similar(a.In))
		case a.Reading != nil, a.Group() && ofOthers(a):
			by, why := ledBy(a)
			explained(a, by, why)
		}
	}
	return wake.At
}

// explained notes what explains an alarm by being folded with it, unless that is explained by this alarm in turn: what
// is folded together has no order of causes, and explanations must not run in a circle.
func explained(a, by *alerting.Verdict, why string) {
	if by != nil && rootOf(by) != a {
		a.By, a.Why = by, why
	}
}

// guessedAlone says that no declared edge ties an alarm to anything: it stands behind a group alarm, or it is of others, or a group
// of such, and the graph knows nothing of it.
func guessedAlone(a *alerting.Verdict) bool {
	if a.Known {
		return false
	}
	return a.In != nil || a.Foreign() && len(a.Entity.Parents) == 0 || a.Group() && ofOthers(a)
}

func ofOthers(a *alerting.Verdict) bool { return a.Group() && a.Spokesman().Reading != nil }

// answer is what the law says of a cause and an alarm.
type answer struct {
	edge  topology.Edge // by which it explains it
	no    string        // why it does not; empty: it does
	until time.Time     // when time alone changes that; zero: never
}

// cause finds the best explanation of an alarm, says how it explains it, and when time alone changes that.
func (e *explainer) cause(a *alerting.Verdict) (by *alerting.Verdict, why string, until time.Time) {
	s := &e.search
	*s = search{e: e, a: a, need: least(anything, a), needSymptom: least(symptomatic, a), wake: alerting.Wake{Now: e.in.Now}}
	e.causes.bearing(s)
	switch {
	case s.firm != nil:
		return s.firm, e.bound(s.firm, a, s.by), s.wake.At
	case s.beside != nil:
		return s.beside, e.bound(s.beside, a, s.by), s.wake.At
	}
	by, until = e.onMachine(a)
	s.wake.Add(until)
	if by != nil {
		why = onOne(e.s.graph.Machine(a.Entity.ID))
	}
	return by, why, s.wake.At
}

// onMachine finds what explains a from the same machine.
func (e *explainer) onMachine(a *alerting.Verdict) (*alerting.Verdict, time.Time) {
	wake := alerting.Wake{Now: e.in.Now}
	asked := 0
	if rank(a.Rank) < rankMachine || a.Alone < alerting.P3 || !a.Effect && a.Kind != "down" {
		return nil, wake.At
	}
	for _, c := range e.local[e.s.graph.Machine(a.Entity.ID)] {
		if asked++; c.Order >= a.Order || asked > mostAsked {
			break
		}
		no, until := e.timely(c, a)
		wake.Add(until)
		if no == "" {
			return c, wake.At
		}
	}
	return nil, wake.At
}

// allows is the law for two alarms: the edge by which c explains a, or why it does not.
func (e *explainer) allows(c, a *alerting.Verdict) answer {
	no, until := e.timely(c, a)
	if no != "" {
		return answer{no: no}
	}
	edge := e.edge(c, a)
	switch {
	case edge == topology.None, edge < least(c, a):
		no = tooWeak(c, a, edge)
	case apart(c, a):
		no = "its rule says that no " + c.Kind + " of a whole is its cause"
	case e.elsewhere(c, a):
		no = "what is down in " + named(a) + " is not within the reach of " + named(c)
	case outageOfItsOwn(c, a):
		no = a.Rule() + " began more than " + spoken(showsWithin) + " after people were paged for " + c.Rule() + ", so it is an outage of its own"
	}
	return answer{edge, no, until}
}

// apart says that the rule of an alarm rules a cause out: by its kind, where it is about no single machine or node.
func apart(c, a *alerting.Verdict) bool {
	kinds := a.Labels[alerting.LabelApart]
	return kinds != "" && !part(c) && slices.Contains(strings.Split(kinds, ","), c.Kind)
}

// outageOfItsOwn says that an alarm is an outage of its own although a cause reaches it: it would be a P1 by its own labels, is a
// cause itself, and began long after people were called for the other. What belongs to its problem stays there.
func outageOfItsOwn(c, a *alerting.Verdict) bool {
	return c.Past.Open && a.Alone == alerting.P1 && a.Cause && !a.Effect && !a.Symptom && !a.Group() && a.Reading == nil &&
		a.Past.Problem != c.Past.Problem && a.Began().Sub(c.Began()) > showsWithin
}

// elsewhere says that an alarm of a whole is about losses that the cause does not reach: packet loss in one zone explains no
// dead nodes in another, nor the quorum that they take along. It goes by what is really down: more than the whole can spare
// beyond its reach, and no more than that within.
func (e *explainer) elsewhere(c, a *alerting.Verdict) bool {
	if part(a) || a.Symptom || soft(a) || a.Entity.ID == c.Entity.ID {
		return false
	}
	whole, ok := e.s.graph.Get(a.Entity.ID)
	if !ok || whole.Kind != topology.KindCluster && whole.Kind != topology.KindService {
		return false
	}
	of := e.lost(whole)
	within := of.within(e.in.Walks.reached(c.Entity.ID))
	return of.n-within > whole.Spare && within <= whole.Spare
}

// Refused says why a does not have b for its explanation, although the graph ties them or it ranks as a cause; ok is false where
// nothing is to be said: b explains it, or neither has anything to do with the other.
func (r *Result) Refused(a, b *alerting.Verdict) (alerting.Refusal, bool) {
	no := r.explain.whyNot(a, b)
	if no == "" {
		return alerting.Refusal{}, false
	}
	return alerting.Refusal{Alarm: a.Fingerprint(), By: b.Fingerprint(), Reason: no}, true
}

// whyNot says why b does not explain a; empty: it does, or nothing ties them.
func (e *explainer) whyNot(a, b *alerting.Verdict) string {
	switch {
	case a == b || a.By == b || slices.Contains(a.Among, b), e.edge(b, a) == topology.None:
		return ""
	case a.Always():
		return "its rule always pages"
	case b.Order >= a.Order:
		return lesser(b, a)
	case b.Rank >= int(rankEdge) && a.Rank < int(rankMachine):
		return b.Rule() + " wakes nobody by itself, and explains only what stands on its machine"
	}
	no := e.allows(b, a).no
	if no == "" && a.By != nil {
		return a.By.Rule() + " explains it and is the better cause"
	}
	return no
}

// timely is about time and silence. A cause may show late. After its end it explains for a while what had begun by then: until is
// when that while is over, zero as long as the cause fires. What a person silenced explains nothing that users notice.
func (e *explainer) timely(c, a *alerting.Verdict) (no string, until time.Time) {
	set := e.in.Settings
	switch {
	case c.Began().After(a.Began().Add(set.CauseDelay)):
		return c.Rule() + " began more than " + words.Compact(set.CauseDelay) + " after " + a.Rule(), until
	case c.Silenced && !a.Silenced && a.Symptom && a.Alone <= alerting.P2:
		return c.Rule() + " is silenced, and users notice " + a.Rule(), until
	case c.Firing():
		return "", until
	case a.First.After(c.Ended.Add(grace)), nextLoss(c, a):
		return c.Rule() + " had ended before " + a.Rule() + " began", until
	}
	linger := set.Resolve.AfterCause
	if c.Past.Acked {
		linger = set.Resolve.AfterAcked
	}
	if until = c.Ended.Add(linger); !until.After(e.in.Now) {
		return c.Rule() + " ended more than " + words.Compact(linger) + " ago", time.Time{}
	}
	return "", until
}

// nextLoss says that a node went down after a quorum had come back: that breaks no node, so it is the next loss.
func nextLoss(c, a *alerting.Verdict) bool {
	return c.Kind == "quorum" && a.Kind == "down" && a.Entity.Kind == topology.KindNode && a.Began().After(c.Ended)
}

// edge is how a is bound to c.
func (e *explainer) edge(c, a *alerting.Verdict) topology.Edge {
	e.in.Walks.asked++
	if c.Symptom {
		if e.in.Walks.stands(c.Entity.ID, a.Entity.ID) {
			return topology.Side
		}
		return topology.None
	}
	if slices.Contains(a.Among, c) {
		return topology.Hurt
	}
	edge := e.in.Walks.edge(c.Entity.ID, a.Fact)
	if edge == topology.Needs && c.Behind < a.Behind && e.s.cutOff(a.Entity) {
		edge = topology.Hurt
	}
	if dep := a.Dep(); dep != "" && (dep == c.Service() || dep == c.Entity.Service) {
		edge = max(edge, topology.Needs)
	}
	return edge
}
