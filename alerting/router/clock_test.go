package router

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// clockWorld plays a router against a pager that accepts all, on a clock that a test sets.
type clockWorld struct {
	t      *testing.T
	r      *Router
	wall   time.Time
	alarms map[string]time.Time // that fire, with when they began
	sent   map[string]int       // by kind of action and rule
	due    []alerting.Result
}

// pass lets real time pass, a second at a time: senders repeat what fires, the pager answers.
func (w *clockWorld) pass(d time.Duration) {
	w.t.Helper()
	for range d / time.Second {
		w.wall = w.wall.Add(time.Second)
		var in []alerting.Input
		for _, res := range w.due {
			in = append(in, res)
		}
		w.due = nil
		for name, since := range w.alarms {
			in = append(in, alerting.Firing{Sender: "s", Alarm: alerting.Alarm{
				Labels: map[string]string{
					alerting.LabelRule: name, alerting.LabelEntity: "service:" + name, alerting.LabelService: name, alerting.LabelSeverity: "critical",
					alerting.LabelKind: "symptom", alerting.LabelImpact: "users", alerting.LabelPriority: "P1",
				},
				StartsAt: since, EndsAt: w.wall.Add(2 * time.Minute),
			}})
		}
		in = append(in, alerting.Heard{Sender: "s"})
		out, next := w.r.Step(w.wall, in)
		if !next.IsZero() && next.Sub(w.wall) > time.Minute {
			w.t.Errorf("wants to be asked again after %v", next.Sub(w.wall))
		}
		for _, a := range out {
			w.sent[a.Kind.String()+" "+a.Page.Rule]++
			w.due = append(w.due, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
		}
	}
}

// TestClockJumpsOfHoursLoseAndDoubleNothing sets the clock by hours, both ways, while one P1 is open: it stays open and alone,
// and a P1 that comes after the jump is paged as soon as any.
func TestClockJumpsOfHoursLoseAndDoubleNothing(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"none": 0, "an hour back": -time.Hour, "five hours back": -5 * time.Hour, "a day back": -24 * time.Hour,
		"a second back": -time.Second, "an hour ahead": time.Hour, "five hours ahead": 5 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			w := &clockWorld{t: t, r: New(alerting.DefaultSettings()), wall: start, alarms: map[string]time.Time{}, sent: map[string]int{}}
			w.pass(time.Minute)
			w.alarms["Before"] = w.wall
			w.pass(5 * time.Minute)
			if w.sent["trigger Before"] != 1 {
				t.Fatalf("sent %v; want Before paged once", w.sent)
			}
			w.wall = w.wall.Add(jump)
			w.pass(10 * time.Second)
			w.alarms["After"] = w.wall
			w.pass(3 * time.Minute)
			if w.sent["trigger After"] != 1 {
				t.Errorf("after the jump sent %v; want After paged once within 3 min", w.sent)
			}
			w.pass(30 * time.Minute)
			w.wall = w.wall.Add(-jump) // it is set right again
			w.pass(30 * time.Minute)
			if w.sent["trigger Before"] != 1 || w.sent["trigger After"] != 1 || w.sent["resolve Before"]+w.sent["resolve After"] > 0 {
				t.Errorf("sent %v; want each paged once and none resolved, for both fire", w.sent)
			}
			delete(w.alarms, "Before")
			w.pass(20 * time.Minute)
			if w.sent["resolve After"] > 0 {
				t.Errorf("sent %v; want After open", w.sent)
			}
		})
	}
}
