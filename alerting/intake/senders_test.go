package intake

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

func TestOneBadAlarmCostsNoOther(t *testing.T) {
	for name, tc := range map[string]struct {
		bad  string
		code int
		text string
		got  int
	}{
		"a label that is a number":       {`{"labels":{"alertname":"Bad","port":8080}}`, 200, "", 2},
		"a start that is a number":       {`{"labels":{"alertname":"Bad"},"startsAt":1700000000}`, 200, "", 2},
		"an annotation with a structure": {`{"labels":{"alertname":"Bad"},"annotations":{"a":{"b":1}}}`, 200, "", 2},
		"labels that are a list":         {`{"labels":["alertname"]}`, 400, "1 of 2 alarms could not be read, the others count: alarm 1: labels: want an object, have a array", 1},
		"no label":                       {`{"labels":{}}`, 400, "alarm 1: an alarm wants at least one label", 1},
		"a number":                       {`7`, 400, "alarm 1: alarm: want an object, have a number", 1},
		"an alarm of 300 kB":             {`{"labels":{"alertname":"` + strings.Repeat("x", 300<<10) + `"}}`, 400, "alarm 1: 3", 1},
		"2,000 labels":                   {`{"labels":{` + strings.Repeat(`"a":"b",`, 2000) + `"alertname":"Bad"}}`, 400, "fields are more than 1000", 1},
		"a structure of 5,000 levels":    {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), 400, "fields are more than 1000", 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard()
			code, text := call(t, serve(b), "POST", "/api/v2/alerts", `[{"labels":{"alertname":"Good"}}, `+tc.bad+`]`)
			if code != tc.code || !strings.Contains(text, tc.text) || b.count() != tc.got {
				t.Errorf("%d %.200s, %d taken; want %d %q, %d", code, text, b.count(), tc.code, tc.text, tc.got)
			}
		})
	}
	b := newBoard()
	if code, text := call(t, serve(b), "POST", "/api/v2/alerts", "["+strings.Repeat("{},", maxPosted)+"{}]"); code != 400 || !strings.Contains(text, "more than 20000 alarms") {
		t.Errorf("20,001 alarms: %d %s", code, text)
	}
}

// A sender whose clock is behind ours sends ends that have passed by ours. They advance, so its alarms fire.
func TestAClockBehindHidesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		behind time.Duration
		posts  int
		fires  bool
	}{
		"10 minutes behind, first post":  {10 * time.Minute, 1, false},
		"10 minutes behind, second post": {10 * time.Minute, 2, true},
		"4 minutes 30 behind":            {4*time.Minute + 30*time.Second, 1, false},
		"4 minutes 30 behind, third":     {5*time.Minute + 30*time.Second, 3, true},
		"30 seconds behind":              {30 * time.Second, 1, true},
		"an hour ahead":                  {-time.Hour, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBoard()
				h := serve(b)
				began := time.Now()
				for range tc.posts {
					theirs := time.Now().Add(-tc.behind)
					body := fmt.Sprintf(`[{"labels":{"alertname":"Behind"},"startsAt":%q,"endsAt":%q}]`, began.Add(-tc.behind).Format(time.RFC3339), theirs.Add(4*time.Minute).Format(time.RFC3339))
					if code, text := call(t, h, "POST", "/api/v2/alerts", body); code != 200 {
						t.Fatalf("%d %s", code, text)
					}
					time.Sleep(time.Minute)
				}
				if got := b.count() == 1; got != tc.fires {
					t.Fatalf("fires %v, want %v", got, tc.fires)
				}
				for _, a := range b.alarms {
					if a.StartsAt.After(time.Now()) {
						t.Errorf("it starts at %v, which is ahead", a.StartsAt)
					}
				}
				// What it calls ended is ended: its end stands still.
				ended := time.Now().Add(-tc.behind).Format(time.RFC3339)
				for range 2 {
					call(t, h, "POST", "/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"Behind"},"endsAt":%q}]`, ended))
					time.Sleep(time.Minute)
				}
				if tc.behind >= 0 && b.count() != 0 {
					t.Errorf("it fires on after its end")
				}
			})
		})
	}
}

func TestAResolvedAlarmThatIsRepeatedStaysResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		h := serve(b)
		end := time.Now()
		for range 15 { // Prometheus repeats an end for 15 minutes
			call(t, h, "POST", "/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"A"},"endsAt":%q}]`, end.Format(time.RFC3339)))
			time.Sleep(time.Minute)
		}
		if b.count() != 0 {
			t.Error("it fires")
		}
	})
}

// Two servers of a pair whose generators have one host end an alarm seconds apart, and each repeats its own end.
func TestAPairThatEndsAnAlarmTwiceHasEndedIt(t *testing.T) {
	for name, fired := range map[string]bool{"after it fired": true, "after a restart of the router": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBoard()
				h := serve(b)
				post := func(end time.Time) {
					call(t, h, "POST", "/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"A"},"generatorURL":"http://prometheus.example.net/g","endsAt":%q}]`, end.Format(time.RFC3339Nano)))
				}
				if fired {
					for range 3 {
						post(time.Now().Add(4 * time.Minute))
						time.Sleep(10 * time.Second)
						post(time.Now().Add(4 * time.Minute))
						time.Sleep(50 * time.Second)
					}
				}
				first, second := time.Now(), time.Now().Add(10*time.Second)
				for n := range 15 {
					if n > 0 || fired {
						post(first)
					}
					time.Sleep(10 * time.Second)
					post(second)
					if b.count() != 0 {
						t.Fatalf("round %d: it fires", n)
					}
					time.Sleep(50 * time.Second)
				}
				post(time.Now().Add(4 * time.Minute))
				if b.count() != 1 {
					t.Error("it does not fire again")
				}
			})
		})
	}
}

func TestWhoSends(t *testing.T) {
	for text, tc := range map[string]struct{ generator, login, addr, want string }{
		"the generator's host":      {"http://prom-1:9090/graph", "node", "10.0.0.1:555", "prom-1:9090"},
		"everybody's own host":      {"http://localhost:9090/graph", "node", "10.0.0.1:555", "node"},
		"everybody's own address":   {"http://127.0.0.1:9090/graph", "", "10.0.0.1:555", "10.0.0.1"},
		"no generator, and a login": {"", "node", "10.0.0.1:555", "node"},
		"an address":                {"not a url", "", "[2001:db8::1]:555", "2001:db8::1"},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = tc.addr
		if got := name(r, tc.login, alerting.Alarm{Generator: tc.generator}); got != tc.want {
			t.Errorf("%s: %q, want %q", text, got, tc.want)
		}
	}
}

// An alarm without an end, sent once, ends after resolve_timeout as at Alertmanager.
func TestAnAlarmWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		i := New(Options{Put: b.put, View: b.view})
		go func() { _ = i.Run(t.Context()) }()
		post := func() {
			w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(`[{"labels":{"alertname":"A"}}]`))
			i.postAlerts(w, r)
		}
		post()
		time.Sleep(4 * time.Minute)
		post()
		time.Sleep(4 * time.Minute)
		if b.count() != 1 {
			t.Error("repeated after 4 minutes, it ended 5 minutes after it was first sent")
		}
		time.Sleep(time.Minute + 10*time.Second)
		if b.count() != 0 {
			t.Error("5 minutes after it was last sent it fires still")
		}
	})
}

func TestWhatIsRememberedOfSendersIsBounded(t *testing.T) {
	var s senders
	now := time.Now()
	for n := range 3 * maxSenders {
		s.heard(fmt.Sprint(n), now.Add(time.Duration(n)*time.Second))
	}
	if len(s.by) > maxSenders {
		t.Errorf("%d senders", len(s.by))
	}
	for n := range 2 * maxEnds {
		s.passed("one", fmt.Sprint(n), now, now.Add(time.Duration(n)*time.Second))
	}
	if n := len(s.by["one"].ends); n > maxEnds {
		t.Errorf("%d ends of one sender", n)
	}
}
