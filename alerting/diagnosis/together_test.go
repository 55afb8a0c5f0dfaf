package diagnosis

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

var three = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

// ofOther is an alarm of others that leads its group and began at a time.
func ofOther(id string, began time.Time, r alerting.Reading) *candidate {
	return &candidate{
		Fact: &alerting.Fact{ID: id, First: began}, Reading: &r, Priority: alerting.P2,
		Joined: alerting.Joined{With: "g", First: began, At: began, Leads: true, Trust: alerting.Certain},
	}
}

func folding(now time.Time, list ...*candidate) *together {
	g, _ := topology.New(nil)
	return foldTogether(Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings()}, list)
}

// One scope is what labels name: a catalogue that knows both rules does not make two clusters one.
func TestOneScopeIsOfWhatTheCatalogueKnows(t *testing.T) {
	read := func(scope, kind string, trust alerting.Trust, rank int) *alerting.Reading {
		return &alerting.Reading{Scope: scope, Kind: alerting.Answer{Value: kind, Trust: trust}, Rank: rank}
	}
	base := read("cluster:a", "down", alerting.Catalogue, 3)
	for name, tc := range map[string]struct {
		other *alerting.Reading
		want  bool
	}{
		"a better and a worse cause":       {read("cluster:a", "latency", alerting.Catalogue, 9), true},
		"another cluster":                  {read("cluster:b", "latency", alerting.Catalogue, 9), false},
		"no scope":                         {read("", "latency", alerting.Catalogue, 9), false},
		"a kind that is guessed":           {read("cluster:a", "latency", alerting.Guessed, 9), false},
		"two equal causes, and no effects": {read("cluster:a", "down", alerting.Catalogue, 3), false},
	} {
		if got := oneScope(base, tc.other); got != tc.want {
			t.Errorf("%s: oneScope = %v, want %v", name, got, tc.want)
		}
		if oneScope(base, tc.other) != oneScope(tc.other, base) {
			t.Errorf("%s: it depends on which is asked first", name)
		}
	}
	slow := read("cluster:a", "latency", alerting.Catalogue, 9)
	if other := *slow; !oneScope(slow, &other) {
		t.Error("two effects of equal rank: oneScope = false, want true")
	}
}

// What was down for an hour takes minutes to catch up, and never more than LingerMost.
func TestEffectsOutliveALongTroubleForLonger(t *testing.T) {
	after := alerting.DefaultSettings().Resolve.AfterCause
	for lasted, want := range map[time.Duration]time.Duration{
		2 * time.Minute: after, time.Hour: 12 * time.Minute, 6 * time.Hour: LingerMost,
	} {
		cause, effect := ofOther("cause", three, alerting.Reading{}), ofOther("effect", three, alerting.Reading{})
		effect.Joined.Leads, effect.Joined.Why = false, "it follows"
		for ago, together := range map[time.Duration]bool{want - time.Second: true, want + time.Second: false} {
			c, e := *cause, *effect
			f := *cause.Fact
			f.Ended = three.Add(lasted)
			c.Fact = &f
			x := folding(f.Ended.Add(ago), &c, &e)
			if got := e.Joined.With == "g"; got != together {
				t.Errorf("%v after a trouble of %v: the effect is in %q; want it in the group: %v", ago, lasted, e.Joined.With, together)
			}
			if together && !x.wake.At.After(f.Ended.Add(ago)) {
				t.Errorf("%v after a trouble of %v: nothing wakes for the release", ago, lasted)
			}
		}
	}
}

// An alarm that begins anew is something new, unless its group fires on without it.
func TestWhatBeginsAnewLeavesAGroupThatIsOver(t *testing.T) {
	for name, fires := range map[string]bool{"the other one has ended": false, "the other one fires": true} {
		again, other := ofOther("again", three, alerting.Reading{}), ofOther("other", three, alerting.Reading{})
		again.Fact.First = three.Add(30 * time.Minute)
		if !fires {
			other.Fact.Ended = three.Add(time.Minute)
		}
		folding(again.Fact.First, again, other)
		if stays := again.Joined.With == "g"; stays != fires {
			t.Errorf("%s: it is in %q; want it in the group of before: %v", name, again.Joined.With, fires)
		}
	}
}

// A rule that waits a quarter of an hour fires long after what it is about began, and belongs to it all the same.
func TestARuleThatWaitsBeganWhenItsConditionDid(t *testing.T) {
	for name, tc := range map[string]struct {
		wait, late time.Duration
		want       bool
	}{
		"it waits as long as it is late": {15 * time.Minute, 15 * time.Minute, true},
		"it waits, and is later still":   {15 * time.Minute, 25 * time.Minute, false},
		"nobody says that it waits":      {0, 15 * time.Minute, false},
		"it is in time by itself":        {0, 4 * time.Minute, true},
	} {
		a := ofOther("late", three.Add(tc.late), alerting.Reading{Wait: tc.wait})
		if got := inTime(a, &group{first: three}); got != tc.want {
			t.Errorf("%s: inTime = %v, want %v", name, got, tc.want)
		}
	}
}

// Two public sites share no disturbance by a guess, whatever else is alike.
func TestASiteIsAPlaceOfItsOwn(t *testing.T) {
	at := func(site string) alerting.Reading {
		return alerting.Reading{Owners: []alerting.Owner{{Kind: "site", Name: site}}}
	}
	for name, tc := range map[string]struct {
		lead []string
		site string
		want bool
	}{
		"the same":             {[]string{"a"}, "a", false},
		"another":              {[]string{"a"}, "b", true},
		"one of two":           {[]string{"a", "b"}, "a", true},
		"none is named":        {[]string{"a"}, "", false},
		"the group names none": {nil, "a", false},
	} {
		g := &group{}
		for _, s := range tc.lead {
			g.add(ofOther("lead of "+s, three, at(s)))
		}
		if got := g.tally().anotherSite(tc.site); got != tc.want {
			t.Errorf("%s: anotherSite = %v, want %v", name, got, tc.want)
		}
	}
}
