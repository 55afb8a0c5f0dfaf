package router

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// act is what one sender does at a minute.
type act struct {
	minute int
	by     string
	what   string // fires, ends, sends (others)
}

func every(by, what string, from, to int) (out []act) {
	for m := from; m <= to; m++ {
		out = append(out, act{m, by, what})
	}
	return out
}

func TestWhenAnAlarmIsOver(t *testing.T) {
	join := func(lists ...[]act) (out []act) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	for name, tc := range map[string]struct {
		acts []act
		want map[int]string // state after the minute: fires, lost, over
	}{
		"its sender calls it ended": {
			join(every("p", "fires", 0, 5), every("p", "ends", 6, 6)),
			map[int]string{5: "fires", 6: "over"},
		},
		"its sender falls silent": {
			every("p", "fires", 0, 5),
			map[int]string{8: "fires", 10: "lost", 120: "lost"},
		},
		"its sender sends others and not it": {
			join(every("p", "fires", 0, 5), every("p", "sends", 6, 30)),
			map[int]string{8: "fires", 10: "lost", 13: "lost", 14: "over"},
		},
		"two batches are not three": {
			join(every("p", "fires", 0, 5), []act{{6, "p", "sends"}, {10, "p", "sends"}}),
			map[int]string{14: "lost", 60: "lost"},
		},
		"of a pair one ends it, the other sends it": {
			join(every("p", "fires", 0, 20), every("q", "fires", 0, 5), every("q", "ends", 6, 20)),
			map[int]string{6: "fires", 20: "fires"},
		},
		"of a pair both end it": {
			join(every("p", "fires", 0, 5), every("q", "fires", 0, 7), every("p", "ends", 6, 9), every("q", "ends", 8, 9)),
			map[int]string{7: "fires", 8: "over"},
		},
		"of a pair one dies and the other ends it": {
			join(every("p", "fires", 0, 5), every("q", "fires", 0, 20), every("q", "ends", 21, 22)),
			map[int]string{20: "fires", 21: "over"},
		},
		"of a pair one ends it and the other dies": {
			join(every("p", "fires", 0, 5), every("q", "fires", 0, 5), every("q", "ends", 6, 40)),
			map[int]string{6: "fires", 8: "fires", 9: "lost", 11: "over"},
		},
		"who never sent it cannot end it": {
			join(every("p", "fires", 0, 20), every("x", "ends", 6, 8)),
			map[int]string{8: "fires", 20: "fires"},
		},
		"it returns": {
			join(every("p", "fires", 0, 5), every("p", "ends", 6, 8), every("p", "fires", 9, 12)),
			map[int]string{8: "over", 12: "fires"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(alerting.DefaultSettings())
			a := alerting.Alarm{Labels: map[string]string{"alertname": "A", "severity": "critical", "instance": "i"}, StartsAt: start}
			last := 0
			for m := range tc.want {
				last = max(last, m)
			}
			var asked time.Time
			for m := 0; m <= last; m++ {
				now := start.Add(time.Duration(m) * time.Minute)
				for !asked.IsZero() && asked.Before(now) { // as its caller does
					_, asked = r.Step(asked, nil)
				}
				var in []alerting.Input
				for _, x := range tc.acts {
					if x.minute != m {
						continue
					}
					in = append(in, alerting.Heard{Sender: x.by})
					switch x.what {
					case "fires":
						a.EndsAt = now.Add(4 * time.Minute)
						in = append(in, alerting.Firing{Alarm: a, Sender: x.by})
					case "ends":
						in = append(in, alerting.Ended{Fingerprint: a.Fingerprint(), Sender: x.by})
					}
				}
				_, asked = r.Step(now, in)
				if want := tc.want[m]; want != "" {
					if got := stateOf(r, a); got != want {
						t.Errorf("minute %d: %s, want %s", m, got, want)
					}
				}
			}
		})
	}
}

func stateOf(r *Router, a alerting.Alarm) string {
	f := r.memory.alarms[a.Fingerprint()]
	switch {
	case f == nil || !f.Firing():
		return "over"
	case f.Lost:
		return "lost"
	}
	return "fires"
}

func TestSendersAreBounded(t *testing.T) {
	s := newSenders()
	for n := range 100 {
		s.fires(start.Add(time.Duration(n)*time.Second), "a", string(rune('0'+n)), start.Add(time.Hour))
	}
	if n := len(s.sent["a"]); n != maxSendersOf {
		t.Errorf("%d senders of one alarm, want %d", n, maxSendersOf)
	}
}

// TestAPairBehindOneAddress: two servers evaluate a rule 26 s apart, and nothing tells them apart. What the other still sends after the
// end that the first said is no new start; what fires since a time after that end is one.
func TestAPairBehindOneAddress(t *testing.T) {
	begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	for name, tc := range map[string]struct {
		clock  int // of the servers, seconds off
		again  int // when it fires after the end at 700
		since  int // when that began, as its server says
		starts int
		firing int // seconds that its phases are in sum, after an end at 727
	}{
		"the other server's word":               {0, 710, 26, 1, 727},
		"the same of servers with a fast clock": {300, 710, 326, 1, 727},
		"with a slow clock":                     {-300, 710, -274, 1, 727},
		"a new start":                           {0, 710, 705, 2, 717},
		"a new start by a slow clock":           {-300, 710, 405, 2, 717},
		"one that comes much later":             {0, 900, 26, 2, 700},
	} {
		set := alerting.DefaultSettings()
		set.Read = func(alerting.Alarm) alerting.Reading { return alerting.Reading{} }
		m := newMemory(set)
		a := alerting.Alarm{Labels: map[string]string{"alertname": "Queue", "instance": "jobs-1:9292"}, StartsAt: at(tc.clock)}
		id := a.Fingerprint()
		m.fire(at(0), a, "p")
		m.end(at(700), id, "p")
		b := a
		b.StartsAt = at(tc.since)
		m.fire(at(tc.again), b, "p")
		f := m.alarms[id]
		if !f.Firing() || len(f.Starts) != tc.starts {
			t.Errorf("%s: firing %v, %d starts; want it to fire with %d", name, f.Firing(), len(f.Starts), tc.starts)
		}
		if tc.again < 727 {
			m.end(at(727), id, "p")
		}
		var sum time.Duration
		for _, p := range m.alarms[id].Phases {
			sum += p
		}
		if int(sum.Seconds()) != tc.firing {
			t.Errorf("%s: phases %v; want %d s in sum", name, m.alarms[id].Phases, tc.firing)
		}
	}
}
