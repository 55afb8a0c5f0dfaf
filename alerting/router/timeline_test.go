package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

var (
	burn    = tell("Burn critical symptom symptom users")
	limit   = tell("Limit critical saturation edge edge")
	split   = tell("Split critical partition cluster the-store")
	disk    = tell("Disk critical saturation node store-a0")
	slow    = tell("Slow warning latency node store-b1")
	process = tell("Process critical down node store-a0")
)

// Each timeline is one behaviour.
func TestTimelines(t *testing.T) {
	for name, run := range map[string]func(*world){
		"one alarm pages after its wait and resolves after a quiet minute": func(w *world) {
			w.fire(disk)
			w.wait(2 * time.Minute)
			w.want("20s trigger P2 Disk")
			w.end(disk)
			w.wait(2 * time.Minute)
			w.want("3m0s resolve P2 Disk")
		},
		"a symptom waits for a cause, and the cause heads the page": func(w *world) {
			w.fire(burn)
			w.wait(5 * time.Second)
			w.fire(limit)
			w.wait(time.Minute)
			w.want("8s trigger P1 Limit")
		},
		"a symptom alone pages, and a later cause takes the title": func(w *world) {
			w.fire(burn)
			w.wait(20 * time.Second)
			w.fire(limit)
			w.wait(time.Minute)
			w.want("15s trigger P1 Burn", "20s retitle P1 Limit", "20s note P1 Limit")
		},
		"a P1 that is its own cause waits for its effects, and for nothing where its harm is here": func(w *world) {
			w.fire(tell("Blocked critical saturation cluster the-store", "impact=data", "harm_in=0s"))
			w.wait(10 * time.Second)
			w.fire(tell("Full critical saturation cluster the-broker", "impact=data"))
			w.wait(time.Minute)
			w.want("3s trigger P1 Blocked", "30s trigger P1 Full")
		},
		"one node within its redundancy does not explain why users are hurt": func(w *world) {
			w.fire(disk)
			w.wait(30 * time.Second)
			w.fire(burn)
			w.wait(time.Minute)
			w.want("20s trigger P2 Disk", "45s trigger P1 Burn")
		},
		"a machine does not break with what runs on it": func(w *world) {
			w.fire(split, tell("Full critical saturation host m-store-a0"), tell("Busy warning saturation host m-store-a1"))
			w.wait(time.Minute)
			w.want("20s trigger P2 Split", "20s trigger P2 Full")
		},
		"one node of many stays on the board": func(w *world) {
			w.fire(process, slow)
			w.wait(time.Hour)
			w.want()
		},
		"the one node that could be spared is told when nothing replaces it": func(w *world) {
			w.in = append(w.in, alerting.Topology{Graph: trio(w.t, "a", "b", "c")})
			w.fire(tell("Gone critical down node a"))
			w.wait(170 * time.Second)
			w.want()
			w.wait(time.Minute)
			w.want("3m0s trigger P2 Gone")
			if v := w.r.View(); !strings.Contains(v.Problems[0].Reason, "nothing replaced it for 3m: the next loss hurts") {
				w.t.Errorf("the reason is %q", v.Problems[0].Reason)
			}
			w.in = append(w.in, alerting.Topology{Graph: trio(w.t, "b", "c")}) // forgotten, not replaced
			w.wait(5 * time.Minute)
			w.want()
			w.end(tell("Gone critical down node a"))
			w.wait(2 * time.Minute)
			w.want("9m50s resolve P2 Gone")
		},
		"a node that its group replaced is told to nobody": func(w *world) {
			w.in = append(w.in, alerting.Topology{Graph: trio(w.t, "a", "b", "c")})
			w.fire(tell("Gone critical down node a"))
			w.wait(2 * time.Minute)
			w.in = append(w.in, alerting.Topology{Graph: trio(w.t, "a", "b", "c", "d")})
			w.wait(10 * time.Minute)
			w.in = append(w.in, alerting.Topology{Graph: trio(w.t, "b", "c", "d")})
			w.wait(time.Hour)
			w.want()
		},
		"a node that comes back in time is told to nobody": func(w *world) {
			w.in = append(w.in, alerting.Topology{Graph: trio(w.t, "a", "b", "c")})
			w.fire(tell("Gone critical down node a"))
			w.wait(170 * time.Second)
			w.end(tell("Gone critical down node a"))
			w.wait(time.Hour)
			w.want()
		},
		"more nodes down than are spare page once": func(w *world) {
			for _, n := range []string{"store-a0", "store-b0", "store-c0", "store-a1"} {
				w.fire(tell("Process critical down node " + n))
			}
			w.wait(10 * time.Minute)
			w.want("30s trigger P2 Process")
		},
		"what a person acknowledged and gets worse is told anew": func(w *world) {
			w.fire(split)
			w.wait(30 * time.Second)
			w.in = append(w.in, alerting.Acked{Key: "binnacle:Split:the-store:1", By: "ann"})
			w.fire(burn)
			w.wait(time.Minute)
			w.want("20s trigger P2 Split", "33s trigger P1 Split")
		},
		"what a person takes before its page is theirs when it is sent": func(w *world) {
			w.fire(split)
			w.wait(5 * time.Second)
			p := w.r.View().Problems[0]
			w.in = append(w.in, alerting.Acked{Key: p.ID, By: "ann"})
			w.wait(5 * time.Second)
			if p := w.r.View().Problems[0]; p.State != alerting.Waiting || p.AckedBy != "ann" {
				w.t.Errorf("before its page: %s, taken by %q", p.State, p.AckedBy)
			}
			w.fire(burn) // and gets worse: its page is of that
			w.wait(time.Minute)
			w.want("13s trigger P1 Split")
			if p := w.r.View().Problems[0]; p.State != alerting.AckedState || p.AckedBy != "ann" {
				w.t.Errorf("after its page: %s, taken by %q", p.State, p.AckedBy)
			}
		},
		"what is given back before its page is nobody's": func(w *world) {
			w.fire(split)
			w.wait(5 * time.Second)
			id := w.r.View().Problems[0].ID
			w.in = append(w.in, alerting.Acked{Key: id, By: "ann"}, alerting.Acked{Key: id, By: "ann", Undo: true})
			w.wait(time.Minute)
			w.want("20s trigger P2 Split")
			if p := w.r.View().Problems[0]; p.State != alerting.Paged || p.AckedBy != "" {
				w.t.Errorf("%s, taken by %q", p.State, p.AckedBy)
			}
		},
		"a claim ends with its problem": func(w *world) {
			w.fire(split)
			w.wait(5 * time.Second)
			w.in = append(w.in, alerting.Acked{Key: w.r.View().Problems[0].ID, By: "ann"})
			w.wait(time.Second)
			w.end(split)
			w.wait(30 * time.Minute)
			w.fire(split)
			w.wait(time.Minute)
			w.want("31m6s trigger P2 Split") // it came back: a minute
			if p := w.r.View().Problems[0]; p.AckedBy != "" {
				w.t.Errorf("taken by %q half an hour before it came", p.AckedBy)
			}
		},
		"an unrelated P2 waits behind a P1, a minute at most": func(w *world) {
			w.fire(split, burn, tell("Cert critical config edge edge"))
			w.wait(2 * time.Minute)
			w.want("3s trigger P1 Cert")
			w.fire(tell("Other critical config cluster elsewhere"))
			w.wait(3 * time.Minute)
			w.want("3m20s trigger P2 Other")
		},
		"what comes back says so under a new generation": func(w *world) {
			w.fire(disk)
			w.wait(time.Minute)
			w.end(disk)
			w.wait(2 * time.Minute)
			w.fire(disk)
			w.wait(time.Minute)
			w.wait(2 * time.Minute)
			w.want("20s trigger P2 Disk", "2m0s resolve P2 Disk", "4m0s trigger P3 Disk", "5m0s trigger P2 Disk") // a ticket until it stays
			if r := w.ledger["binnacle:Disk:store-a0:2"]; r.Returns != 1 || !strings.Contains(r.Page.Reason, "came back") {
				w.t.Errorf("the second page is %+v", r)
			}
		},
		"effects that outlive their cause are no second storm": func(w *world) {
			w.fire(split)
			for _, n := range []string{"front-a0", "front-a1", "front-a2", "front-b0", "front-b1", "front-b2", "front-c0", "front-c1"} {
				w.fire(tell("Errors critical errors node "+n, "dep=store"))
			}
			w.wait(time.Minute)
			w.end(split)
			w.wait(4 * time.Minute)
			w.want("20s trigger P2 Split", "2m0s resolve P2 Split")
		},
		"a silence covers causes but not what users feel": func(w *world) {
			w.in = append(w.in, alerting.Silenced{Silence: alerting.Silence{ID: "s", Matchers: []alerting.Matcher{{Name: alerting.LabelEntity, Value: ".*", Regex: true}}, EndsAt: start.Add(time.Hour)}})
			w.fire(limit, burn)
			w.wait(time.Minute)
			w.want("15s trigger P1 Burn")
		},
		"the last word is the author's": func(w *world) {
			w.fire(tell("Never critical config edge edge", "page=never"), tell("Three critical config cluster the-store", "priority=P3"), tell("Always info hygiene node store-a0", "page=always"))
			w.wait(40 * time.Minute)
			w.want("20s trigger P2 Always", "31m0s trigger P3 Three")
		},
		"liveness and hygiene that flap are a ticket": func(w *world) {
			a := tell("Check critical hygiene edge edge")
			for range 10 {
				w.fire(a)
				w.wait(40 * time.Second)
				w.end(a)
				w.wait(20 * time.Second)
			}
			w.want()
		},
		"a foreign critical alarm pages as P2": func(w *world) {
			w.fire(alerting.Alarm{Labels: map[string]string{alerting.LabelRule: "Theirs", alerting.LabelSeverity: "critical", "job": "x"}})
			w.wait(time.Minute)
			w.want("45s trigger P2 Theirs")
		},
		"strangers of one rule and one owner, with what else their hosts tell, are one page, which stays until the last is over": func(w *world) {
			for n := range 12 {
				w.fire(stranger("Theirs", n), stranger("Others", n%2))
				w.wait(3 * time.Second)
			}
			w.wait(4 * time.Minute)
			w.want("45s trigger P2 Theirs")
			if rec := w.ledger["binnacle:Theirs:db:1"]; len(rec.Page.Explained) != 14 || rec.Page.Broken != "12 in db: Theirs on db-0" {
				w.t.Errorf("the page is %q of %d", rec.Page.Broken, len(rec.Page.Explained))
			}
			for n := range 11 {
				w.end(stranger("Theirs", n))
			}
			w.wait(10 * time.Minute)
			if len(w.open) != 1 || w.high != 1 {
				w.t.Errorf("open %v after %d pages", w.open, w.high)
			}
			w.end(stranger("Theirs", 11))
			w.end(stranger("Others", 0))
			w.end(stranger("Others", 1))
			w.wait(3 * time.Minute)
			if _, open := w.open["binnacle:Theirs:db:1"]; open {
				w.t.Error("it is open after the last ended")
			}
		},
		"what strangers tell of data or of harm is told by itself": func(w *world) {
			for n := range 3 {
				a := stranger("Theirs", n)
				a.Labels[alerting.LabelImpact] = "data"
				w.fire(a)
			}
			w.wait(time.Minute)
			w.want("20s trigger P1 Theirs", "20s trigger P1 Theirs", "20s trigger P1 Theirs")
		},
		"a zone is lost, and only rules that know nothing of us say so": func(w *world) {
			for n := range 4 {
				w.fire(foreign("Down", fmt.Sprintf("store-a%d", n)), foreign("Down", fmt.Sprintf("front-a%d", n)))
			}
			w.wait(10 * time.Minute)
			w.want("30s trigger P2 Down")
		},
		"what rules that know nothing of us say of all zones alike blames none": func(w *world) {
			for _, z := range []string{"a", "b", "c"} {
				for n := range 4 {
					w.fire(foreign("Hot", fmt.Sprintf("front-%s%d", z, n)), foreign("Hot", fmt.Sprintf("store-%s%d", z, n)))
				}
			}
			w.wait(10 * time.Minute)
			for _, p := range w.r.View().Problems {
				if strings.HasPrefix(p.Page.Entity, "zone") {
					w.t.Errorf("%s is blamed", p.Page.Entity)
				}
			}
		},
		"what followed from a cause that is over is not told while it may end": func(w *world) {
			w.fire(tell("Zone critical down az zone-a"))
			for n := range 4 {
				w.fire(tell(fmt.Sprintf("Gone critical down node store-a%d", n)))
			}
			w.wait(15 * time.Second)
			w.end(tell("Zone critical down az zone-a"))
			w.wait(4 * time.Minute)
			w.want()
			w.wait(2 * time.Minute)
			w.want("5m15s trigger P2 Gone")
		},
		"an alarm past its end is out of contact and not over": func(w *world) {
			a := disk
			a.EndsAt = start.Add(4 * time.Minute)
			w.fire(a)
			w.wait(time.Hour)
			w.want("20s trigger P2 Disk")
			if v := w.r.View(); v.Lost != 1 || !strings.Contains(v.Problems[0].Note, "lost contact") {
				w.t.Errorf("the board shows %+v", v)
			}
		},
		"no answer is tried again under the same key, soon": func(w *world) {
			w.answer = func(alerting.Action) alerting.Outcome {
				if w.now.Sub(start) < 2*time.Minute {
					return alerting.Unknown
				}
				return alerting.Accepted
			}
			w.fire(disk)
			w.wait(5 * time.Minute)
			if len(w.log) != 1 || len(w.ledger) != 1 || w.now.Sub(start) < 2*time.Minute {
				w.t.Errorf("sent %v under %d keys", w.log, len(w.ledger))
			}
		},
		"after too many calls the probe is the best": func(w *world) {
			refused := 0
			w.answer = func(alerting.Action) alerting.Outcome {
				if refused++; refused == 1 {
					return alerting.Throttled
				}
				return alerting.Accepted
			}
			w.fire(disk)
			w.wait(22 * time.Second)
			w.fire(limit, burn)
			w.wait(time.Minute)
			if !slices.Equal(w.log[:1], []string{"50s trigger P1 Limit"}) {
				w.t.Errorf("sent %v", w.log)
			}
		},
		"what became of it is noted, less often the longer it lasts": func(w *world) {
			for n := range 240 {
				a := disk
				a.Annotations = map[string]string{alerting.AnnotationSummary: fmt.Sprintf("disk fills, for %d min", n/4), alerting.AnnotationGuidance: "look"}
				w.fire(a)
				w.wait(15 * time.Second)
			}
			w.want("20s trigger P2 Disk", "5m20s note P2 Disk", "15m20s note P2 Disk", "35m20s note P2 Disk")
			if want := "Now: disk fills, for 5 min; No user impact seen so far"; w.notes[0] != want {
				w.t.Errorf("the first note is %q; want %q", w.notes[0], want)
			}
		},
		"several P3 are one digest": func(w *world) {
			w.fire(tell("One warning saturation edge edge"), tell("Two warning config cluster the-store"))
			w.wait(3 * time.Minute)
			if len(w.log) != 1 || len(w.open) != 1 {
				w.t.Errorf("sent %v", w.log)
			}
		},
		"several P3 that begin minutes apart are one digest; one that begins later is another": func(w *world) {
			w.fire(tell("One warning saturation edge edge"))
			w.wait(40 * time.Second)
			w.fire(tell("Two warning config cluster the-store"))
			w.wait(4 * time.Minute)
			if len(w.log) != 1 || len(w.open) != 1 {
				w.t.Errorf("sent %v", w.log)
			}
			w.fire(tell("Three warning config cluster the-broker"))
			w.wait(5 * time.Minute)
			if len(w.log) != 2 || len(w.open) != 2 {
				w.t.Errorf("sent %v", w.log)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { run(newWorld(t)) })
	}
}

func TestRestartNeitherDoublesNorLoses(t *testing.T) {
	for name, tc := range map[string]struct {
		kill time.Duration
		dies bool // the call of the page is under way when it dies
	}{
		"before the page":         {10 * time.Second, false},
		"with the page under way": {15 * time.Second, true},
		"after the page":          {40 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.dies {
				w.answer = func(a alerting.Action) alerting.Outcome { w.happen(a); return 0 }
			}
			w.fire(burn)
			w.wait(tc.kill)
			w.answer = nil
			w.restart()
			w.wait(5 * time.Second)
			w.fire(burn)
			w.wait(time.Minute)
			if w.high != 1 || len(w.open) != 1 {
				t.Errorf("%d pages, open %v; want 1", w.high, w.open)
			}
			w.end(burn)
			w.wait(4 * time.Minute)
			if len(w.open) != 0 {
				t.Errorf("still open: %v", w.open)
			}
		})
	}
}

// foreign is an alarm of a plain rule on a host that the graph knows.
func foreign(rule, host string) alerting.Alarm {
	return alerting.Alarm{
		Labels:      map[string]string{alerting.LabelRule: rule, alerting.LabelSeverity: "critical", "instance": host + ":9100", "job": "node"},
		Annotations: map[string]string{alerting.AnnotationSummary: rule + " on " + host},
	}
}

// stranger is one on a host that it does not know.
func stranger(rule string, n int) alerting.Alarm {
	a := foreign(rule, fmt.Sprintf("db-%d", n))
	a.Labels["job"] = "db"
	return a
}
