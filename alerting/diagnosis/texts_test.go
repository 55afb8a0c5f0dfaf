package diagnosis

import (
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// Each sentence of `why` names what it is about and has a verb, behind "A is explained by B:" as well as alone.
func TestWhySentences(t *testing.T) {
	g := zones(t)
	verdict := func(what string) *alerting.Verdict { return &alerting.Verdict{Fact: fact(g, what, now)} }
	node, store, zone, users := verdict("NodeErrors warning errors a0"), verdict("Split critical partition store"), verdict("Loss critical network zone-a"), verdict("Burn critical symptom users")
	again := verdict("NodeDown critical down a0")
	nowhere := verdict("Odd warning errors elsewhere")
	nowhere.Labels[alerting.LabelDep] = "store"
	felt := verdict("Burn critical symptom users")
	felt.Symptom = true
	group := &alerting.Verdict{Fact: fact(g, "NodeErrors warning errors store", now), Parts: []*alerting.Verdict{node, again, nowhere}}
	e := newExplainer(Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings()}, stand(nil, g), []*alerting.Verdict{group})
	alone := func(rule string, rank int) *candidate {
		return &candidate{Fact: &alerting.Fact{Entity: topology.Entity{ID: "pod:" + rule}}, Reading: &alerting.Reading{Rule: rule, Rank: rank}}
	}
	low, high := alone("DatabaseDown", 1), alone("ApiErrors", 5)

	for _, tc := range []struct{ got, want string }{
		{e.bound(group, node, topology.Hurt), "it is one of 3 similar alarms"},
		{e.bound(again, verdict("NodeErrors warning errors a0"), topology.Hurt), "both are about a0"},
		{e.bound(store, users, topology.Hurt), "users cannot do without store"},
		{e.bound(again, users, topology.Needs), "users needs a0"},
		{e.bound(store, verdict("Errors warning errors a0"), topology.Member), "a0 is part of store"},
		{e.bound(zone, verdict("Errors warning errors b0"), topology.Member), "b0 is part of what fails with zone-a"},
		{e.bound(store, users, topology.Front), "users stands in front of what fails with store"},
		{e.bound(store, users, topology.Side), "users stands beside what fails with store and can slow down with it"},
		{e.bound(felt, store, topology.Side), "users needs store"},
		{e.bound(store, nowhere, topology.Needs), "its rule says that elsewhere needs store"},
		{onOne("host:h1"), "both are on the machine host:h1"},

		{tooWeak(zone, nowhere, topology.None), "nothing ties elsewhere to zone-a"},
		{tooWeak(store, users, topology.Side), "users only stands beside what fails with store, which slows it down but does not break it"},
		{tooWeak(store, users, topology.Front), "users only stands in front of what fails with store"},
		{tooWeak(store, again, topology.Member), "a0 is part of what fails with store, and the rest of that still has redundancy"},
		{tooWeak(again, users, topology.Needs), "users needs a0, but there is redundancy left between them"},

		{shares("pod:web-1", false, false), "both name pod:web-1"},
		{shares("node:h1", true, false), "both name node:h1, which is down"},
		{shares("node:h1", false, true), "both name node:h1 and are of one rule"},
		{sharesHosts(12), "both rules fire on the same 12 hosts"},
		{oneRule("KubePodCrashLooping", false), "KubePodCrashLooping fires several times in one place"},
		{oneRule("ProbeFailed", true), "ProbeFailed fires several times in one place, for different services"},
		{oneAlarm, "both are one alarm under different labels"},
		{standsOn(high, low), "pod:ApiErrors stands on pod:DatabaseDown"},
		{began(high, low, ""), "both began within 5 minutes, and ApiErrors can follow from DatabaseDown"},
		{began(low, high, "cluster:eu"), "both began within 5 minutes in cluster:eu, and ApiErrors can follow from DatabaseDown"},
		{began(low, low, "cluster:eu"), "DatabaseDown fired again within 5 minutes in cluster:eu"},
		{freed(false), "both still fire 15 minutes after they were thought to follow from another alarm"},
		{freed(true), "both still fire after what they were thought to follow from has ended"},
	} {
		if tc.got != tc.want {
			t.Errorf("%q; want %q", tc.got, tc.want)
		}
		v := alerting.View{Problems: []alerting.ProblemView{{
			Root: store.Alarm, Priority: alerting.P2, State: alerting.Paged, Key: "k", Reason: "no users are affected, but nothing stands in for it",
			Explained: []alerting.ExplainedAlarm{{Alarm: node.Alarm, Why: tc.got}},
		}}}
		if got, want := v.Why("NodeErrors"), "NodeErrors on a0 is explained by Split on store: "+tc.want+". Split is P2 and was paged as k."; got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

// Every explanation that a diagnosis gives is one of them.
func TestEveryExplanationHasAReason(t *testing.T) {
	r := diagnose(t, "Loss critical network zone-a", "Split critical partition store", "E0 warning errors a0", "E1 warning errors a1", "E2 warning errors a2", "Burn critical symptom users", "Slow warning latency store")
	said := 0
	for _, v := range r.Alarms {
		if v.By == nil {
			continue
		}
		said++
		if !strings.Contains(v.Why, " is ") && !strings.Contains(v.Why, " are ") && !strings.Contains(v.Why, "need") && !strings.Contains(v.Why, "cannot do") && !strings.Contains(v.Why, "stands") {
			t.Errorf("%s is explained by %s: %q", v.Rule(), v.By.Rule(), v.Why)
		}
	}
	if said < 3 {
		t.Errorf("%d are explained; want more", said)
	}
}
