package aws

import (
	"strings"
	"testing"
	"time"
)

// list is a group as Auto Scaling tells it: instances as "ID state" or "ID state unhealthy".
func list(desired int, members ...string) []Group {
	g := Group{Name: "api", Desired: desired}
	for _, m := range members {
		w := strings.Fields(m)
		g.Members = append(g.Members, Member{ID: w[0], Lifecycle: w[1], Healthy: len(w) == 2})
	}
	return []Group{g}
}

func of(f *Fleet, id string, now time.Time) Standing {
	for _, s := range f.Standings(now) {
		if s.ID == id {
			return s
		}
	}
	return Standing{}
}

func TestWhatBecomesOfAnInstance(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	var f Fleet
	f.Observe(list(3, "i-1 InService", "i-2 InService unhealthy", "i-3 Terminating:Wait", "i-4 Pending:Wait", "i-5 Standby", "i-6 Warmed:Stopped", "i-7 Detaching"), at)
	for id, want := range map[string]string{
		"i-1": "", "i-2": "finds it unhealthy and replaces it", "i-3": "api ends it", "i-4": "starts it", "i-5": "standby", "i-6": "warm pool", "i-7": "taken out",
	} {
		s := of(&f, id, at)
		if (want == "") != (s.Excused == "") || !strings.Contains(s.Excused, want) || s.Size != "wants 3, has 2, 1 starting, 2 leaving" {
			t.Errorf("%s: %+v; want %q", id, s, want)
		}
	}
	// What it does not replace in a quarter of an hour is a page's, and so is what a list of long ago says.
	f.Observe(list(3, "i-1 InService", "i-2 InService unhealthy", "i-4 Pending:Wait"), at.Add(16*time.Minute))
	if s := of(&f, "i-2", at.Add(16*time.Minute)); s.Excused != "" {
		t.Errorf("unhealthy for long: %q; want nothing to excuse it", s.Excused)
	}
	if s := of(&f, "i-4", at.Add(time.Hour)); s.Excused != "" {
		t.Errorf("starting, by an old list: %q; want nothing to excuse it", s.Excused)
	}
}

// One list without an instance may be a fault of the list; two are not, nor is one after an event.
func TestGone(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	var f Fleet
	f.Observe(list(2, "i-1 InService", "i-2 InService", "i-3 InService"), at)
	f.Leaves("i-2", "api", "its group api ends it", false, at.Add(30*time.Second))
	if s := of(&f, "i-2", at.Add(30*time.Second)); s.Excused == "" {
		t.Error("an event says that it ends, and nothing excuses it")
	}
	f.Observe(list(2, "i-3 InService"), at.Add(time.Minute))
	if a, b := of(&f, "i-1", at), of(&f, "i-2", at); a.Excused != "" || !strings.Contains(b.Excused, "ended it at 03:01 UTC") {
		t.Errorf("after one list %q and %q; want the second alone to have gone", a.Excused, b.Excused)
	}
	f.Observe(list(2, "i-3 InService"), at.Add(2*time.Minute))
	if a := of(&f, "i-1", at); !strings.Contains(a.Excused, "ended it at 03:02 UTC") {
		t.Errorf("after two lists %q; want it to have gone", a.Excused)
	}
	f.Leaves("i-9", "api", "", true, at.Add(3*time.Minute))
	if s := of(&f, "i-9", at); s.Excused == "" {
		t.Error("ended by an event alone, and nothing excuses it")
	}
	if f.Departed("i-1", "api", at) || !f.Departed("i-0", "api", at) || f.Departed("i-0", "other", at) || f.Departed("i-0", "api", at.Add(2*time.Hour)) {
		t.Error("want i-0 alone to have left api before, and only for an hour")
	}
	f.Observe(list(2, "i-3 InService"), at.Add(2*time.Hour))
	if n := len(f.Standings(at)); n != 1 {
		t.Errorf("%d are remembered; want 1", n)
	}
}

func TestAGroupThatIsShort(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	short := func(f *Fleet, after time.Duration) bool { return !f.Sizes(at.Add(after))[0].Short.IsZero() }
	var f Fleet
	f.Observe(list(3, "i-1 InService", "i-2 InService"), at)
	f.Observe(list(3, "i-1 InService", "i-2 InService"), at.Add(5*time.Minute))
	if short(&f, 9*time.Minute) || !short(&f, 10*time.Minute) {
		t.Error("want it short after ten minutes without a start")
	}
	f.Observe(list(3, "i-1 InService", "i-2 InService", "i-3 Pending"), at.Add(11*time.Minute))
	if short(&f, 29*time.Minute) || !short(&f, 30*time.Minute) {
		t.Error("want it short after half an hour of starts")
	}
	f.Observe(list(2, "i-1 InService", "i-2 InService"), at.Add(31*time.Minute))
	if short(&f, time.Hour) {
		t.Error("it has what it wants, and is short")
	}
}

// A stack that is deleted takes its groups with it: nobody wakes for them, unless it stays after all.
func TestARetiredStackFallsSilent(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	var f Fleet
	gs := list(3, "i-1 InService")
	gs[0].Stack = "navcloud-v41"
	f.Observe(gs, at)
	f.Retire("navcloud-v41", true, at.Add(time.Minute))
	if s := of(&f, "i-1", at.Add(2*time.Minute)); s.Excused != "its stack navcloud-v41 is deleted" {
		t.Errorf("excused %q", s.Excused)
	}
	f.Observe(gs, at.Add(50*time.Minute))
	if s := f.Sizes(at.Add(50 * time.Minute))[0]; !s.Short.IsZero() {
		t.Error("its group is short of what it is to lose")
	}
	f.Retire("navcloud-v41", false, at) // that was before it was deleted, and comes late
	if s := of(&f, "i-1", at.Add(50*time.Minute)); s.Excused == "" {
		t.Error("a word of before its deletion makes it stay")
	}
	f.Retire("navcloud-v41", false, at.Add(51*time.Minute))
	if s := f.Sizes(at.Add(51 * time.Minute))[0]; s.Short.IsZero() || of(&f, "i-1", at.Add(51*time.Minute)).Excused != "" {
		t.Error("it stays, and is still excused")
	}
}
