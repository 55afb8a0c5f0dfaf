package diagnosis

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// The sentences of `why`: each has a subject and a verb of its own and names what it is about, so that it reads the same behind
// "A is explained by B:", in a list on the board and in the API. They end without a full stop.

// named is a subject for people: its ID, else the rule of the alarm.
func named(v *alerting.Verdict) string { return cmp.Or(v.Entity.ID, v.Rule()) }

// bound says how c explains a, by the edge between them.
func (e *explainer) bound(c, a *alerting.Verdict, edge topology.Edge) string {
	x, y := named(c), named(a)
	switch {
	case slices.Contains(a.Among, c):
		return e.similar(c)
	case x == y:
		return "both are about " + x
	case c.Symptom:
		return x + " needs " + y
	case edge == topology.Hurt:
		return y + " cannot do without " + x
	case edge == topology.Member && slices.Contains(e.s.graph.Wholes(a.Entity.ID), c.Entity.ID):
		return y + " is part of " + x
	case edge == topology.Member:
		return y + " is part of what fails with " + x
	case edge == topology.Front:
		return y + " stands in front of what fails with " + x
	case edge == topology.Side:
		return y + " stands beside what fails with " + x + " and can slow down with it"
	case a.Dep() != "" && e.in.Walks.edge(c.Entity.ID, a.Fact) < topology.Needs:
		return "its rule says that " + y + " needs " + a.Dep()
	}
	return y + " needs " + x
}

// similar says that an alarm is one of those that a group alarm stands for.
func (e *explainer) similar(group *alerting.Verdict) string {
	text, ok := e.alike[group]
	if !ok {
		text = fmt.Sprintf("it is one of %d similar alarms", len(group.Parts))
		e.alike[group] = text
	}
	return text
}

// onOne says that two alarms are on one machine.
func onOne(machine string) string { return "both are on the machine " + machine }

// tooWeak says why an edge is not enough for c to explain a.
func tooWeak(c, a *alerting.Verdict, edge topology.Edge) string {
	x, y := named(c), named(a)
	switch edge {
	case topology.None:
		return "nothing ties " + y + " to " + x
	case topology.Side:
		return y + " only stands beside what fails with " + x + ", which slows it down but does not break it"
	case topology.Front:
		return y + " only stands in front of what fails with " + x
	case topology.Member:
		return y + " is part of what fails with " + x + ", and the rest of that still has redundancy"
	}
	return y + " needs " + x + ", but there is redundancy left between them"
}

// lesser says that b makes a worse cause than a.
func lesser(b, a *alerting.Verdict) string {
	return fmt.Sprintf("%s comes after %s in the order of causes", ranks[rankAt(b)].says, ranks[rankAt(a)].says)
}

// Why alarms of others are folded together: see foldTogether.

// shares says that both name one thing.
func shares(name string, down, rule bool) string {
	switch {
	case down:
		return "both name " + name + ", which is down"
	case rule:
		return "both name " + name + " and are of one rule"
	}
	return "both name " + name
}

// sharesHosts says that two rules fire on the same hosts.
func sharesHosts(n int) string { return fmt.Sprintf("both rules fire on the same %d hosts", n) }

// oneRule says that one rule fires several times in one place.
func oneRule(rule string, other bool) string {
	if other {
		return rule + " fires several times in one place, for different services"
	}
	return rule + " fires several times in one place"
}

const oneAlarm = "both are one alarm under different labels"

// standsOn says that the graph puts one on the other.
func standsOn(a, on *candidate) string {
	return cmp.Or(a.Fact.Entity.ID, a.Reading.Subject.ID(), a.Reading.Rule) + " stands on " + on.Fact.Entity.ID
}

// began says how an alarm and the root of a group may hang together; where names the one place of both, if there is one.
func began(a, root *candidate, where string) string {
	x, y := a.Reading.Rule, root.Reading.Rule
	if where != "" {
		where = " in " + where
	}
	cause, effect := y, x
	if a.Reading.Rank < root.Reading.Rank {
		cause, effect = x, y
	}
	if x == y {
		return fmt.Sprintf("%s fired again within %s%s", x, spoken(joinWithin), where)
	}
	return fmt.Sprintf("both began within %s%s, and %s can follow from %s", spoken(joinWithin), where, effect, cause)
}

// freed says why alarms that a guess had folded stand for themselves now.
func freed(over bool) string {
	if over {
		return "both still fire after what they were thought to follow from has ended"
	}
	return "both still fire " + spoken(guessHolds) + " after they were thought to follow from another alarm"
}
