package router

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Whatever happens: nothing that fires is lost from sight, the order is total, waits are bounded, the same inputs give
// the same answers, and a restart at any moment neither doubles nor loses a page.
func TestAnyTimeline(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			a, b := play(t, seed, 0), play(t, seed, 0)
			if !reflect.DeepEqual(a.log, b.log) || !reflect.DeepEqual(a.r.View(), b.r.View()) {
				t.Errorf("the same inputs gave\n%v\nand\n%v", a.log, b.log)
			}
			play(t, seed, 1+int(seed)*3)
		})
	}
}

func alphabet() []alerting.Alarm {
	out := []alerting.Alarm{
		burn, limit, split, disk, slow, process, tell("Zone critical down az zone-a"), tell("Deploy critical change cluster users"),
		tell("Cert critical config edge edge"), tell("Quorum critical quorum cluster the-store"),
		{Labels: map[string]string{alerting.LabelRule: "Theirs", alerting.LabelSeverity: "critical"}},
		tell("Soon warning saturation cluster the-store", "harm_in=5m"),
	}
	for _, z := range []string{"a", "b", "c"} {
		for i := range 4 {
			for _, s := range []string{"store", "front"} {
				h := fmt.Sprintf("%s-%s%d", s, z, i)
				out = append(out, tell("Gone critical down host m-"+h), tell("Errors critical errors node "+h, "dep=store"), tell("Beat warning liveness host m-"+h))
			}
		}
	}
	return out
}

// play makes a random timeline of an hour. With restart above 0 the router dies at that step, its last call unanswered.
func play(t *testing.T, seed uint64, restart int) *world {
	rng := rand.New(rand.NewPCG(seed, 7))
	alarms := alphabet()
	w := newWorld(t)
	w.answer = func(alerting.Action) alerting.Outcome {
		switch rng.IntN(12) {
		case 0:
			return alerting.Unknown
		case 1:
			return alerting.Throttled
		}
		return alerting.Accepted
	}
	firing := map[int]bool{}
	for n := range 50 {
		for range rng.IntN(6) {
			i := rng.IntN(len(alarms))
			if firing[i] = !firing[i]; firing[i] {
				w.in = append(w.in, alerting.Firing{Alarm: alarms[i]})
			} else {
				w.in = append(w.in, alerting.Ended{Fingerprint: alarms[i].Fingerprint()})
			}
		}
		w.step()
		inSight(t, w, alarms, firing)
		if n+1 == restart {
			w.restart()
		}
		if restart > 0 && n+1 >= restart { // senders tell again
			for i, on := range firing {
				if on {
					w.in = append(w.in, alerting.Firing{Alarm: alarms[i]})
				}
			}
			w.in = sortedInputs(w.in)
		}
		w.wait(time.Duration(rng.IntN(30)) * time.Second)
	}
	return w
}

func sortedInputs(in []alerting.Input) []alerting.Input {
	out := in[:0:0]
	for _, i := range in {
		if _, ok := i.(alerting.Firing); !ok {
			out = append(out, i)
		}
	}
	for _, a := range alphabet() {
		for _, i := range in {
			if f, ok := i.(alerting.Firing); ok && f.Alarm.Fingerprint() == a.Fingerprint() {
				out = append(out, f)
				break
			}
		}
	}
	return out
}

// inSight checks what holds after every step.
func inSight(t *testing.T, w *world, alarms []alerting.Alarm, firing map[int]bool) {
	t.Helper()
	seen := map[string]int{}
	v := w.r.View()
	for _, p := range v.Problems {
		seen[p.Root.Fingerprint()]++
		for _, e := range p.Explained {
			seen[e.Alarm.Fingerprint()]++
		}
		for _, a := range p.Page.Explained {
			seen[a.Fingerprint()]++
		}
		if p.State == alerting.Waiting && p.Until.After(v.At.Add(2*time.Minute)) || p.State == alerting.Held && p.Until.After(v.At.Add(30*time.Minute)) {
			t.Fatalf("%s is %s until %v, now %v", p.ID, p.State, p.Until, v.At)
		}
	}
	for i, on := range firing {
		if on && seen[alarms[i].Fingerprint()] == 0 {
			t.Fatalf("%s fires and nothing on the board says so", alarms[i].Rule())
		}
	}
	for i := 1; i < len(v.Problems); i++ {
		if v.Problems[i-1].Priority > v.Problems[i].Priority {
			t.Fatalf("problems %d and %d are not in order", i-1, i)
		}
	}
	for _, p := range v.Problems {
		if _, ok := w.open[p.Key]; !ok && p.State == alerting.Paged {
			t.Fatalf("%s is believed to be open and is not", p.Key)
		}
	}
}
