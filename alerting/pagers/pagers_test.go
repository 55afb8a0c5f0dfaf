package pagers

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting"
)

func parsed(t *testing.T, text string) Config {
	t.Helper()
	var c Config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

const team = `
pagers:
  db-chat: {slack: {api_url: 'https://hooks.slack.com/services/x', channel: '#db'}}
  ops: {opsgenie: {api_key: k}}
  boss: {webhook: {url: 'https://example.org/x'}}
default: ops
routes:
- {match: ['team="db"', 'env=~"prod|live"'], priority: [P1, P2], to: [ops, db-chat], second: boss, escalate: [{after: 10m, to: boss}]}
- {match: ['team="db"'], to: [db-chat], active: [office]}
windows:
  office: {time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}]}], location: Europe/Dublin}
`

func TestTheFirstRouteThatMatchesWins(t *testing.T) {
	c := parsed(t, team)
	if err := c.ValidateWith(false); err != nil {
		t.Fatal(err)
	}
	of, err := c.RouteOf()
	if err != nil {
		t.Fatal(err)
	}
	// Dublin is an hour ahead of UTC in July.
	inside, outside := time.Date(2026, 7, 6, 8, 30, 0, 0, time.UTC), time.Date(2026, 7, 6, 16, 30, 0, 0, time.UTC)
	for _, tc := range []struct {
		labels map[string]string
		p      alerting.Priority
		at     time.Time
		want   string
	}{
		{map[string]string{"team": "db", "env": "prod"}, alerting.P1, outside, "ops+db-chat"},
		{map[string]string{"team": "db", "env": "prod"}, alerting.P3, inside, "db-chat"},
		{map[string]string{"team": "db", "env": "dev"}, alerting.P1, inside, "db-chat"},
		{map[string]string{"team": "db", "env": "dev"}, alerting.P1, outside, "ops"},
		{map[string]string{"team": "web"}, alerting.P1, inside, "ops"},
	} {
		if got := of(tc.labels, tc.p, tc.at); got != tc.want {
			t.Errorf("%v %v at %v: %q, want %q", tc.labels, tc.p, tc.at, got, tc.want)
		}
	}
}

// What a route of several delivered counts for the channel of its first pager, which is then not tried for nothing.
func TestTheChannelOfARoute(t *testing.T) {
	out, err := New(parsed(t, team), Options{BoardURL: "http://board"})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close(nil)
	for route, want := range map[string]string{"ops+db-chat": "ops", "db-chat": "db-chat", "boss": "boss"} {
		if got := out.Channel(route); got != want {
			t.Errorf("%s: %s, want %s", route, got, want)
		}
	}
}

func TestFaultsOfRoutesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"pagers: {a: {webhook: {url: 'http://x'}}}":                                                                    "default: want the name",
		"{pagers: {a: {webhook: {url: 'http://x'}}}, default: b}":                                                      `no pager "b"`,
		"{pagers: {a: {webhook: {url: 'http://x'}}}, default: a, routes: [{to: [pagerduty]}]}":                         `no pager "pagerduty"`,
		"{pagers: {a: {webhook: {url: 'http://x'}}}, default: a, routes: [{match: ['=']}]}":                            "routes[0].to",
		"{pagers: {a: {webhook: {url: 'http://x'}}}, default: a, routes: [{to: [a], priority: [P9]}]}":                 "P9",
		"{pagers: {a: {webhook: {url: 'http://x'}}}, default: a, windows: {w: {time_intervals: [{years: ['2026']}]}}}": "windows.w",
	} {
		if err := parsed(t, text).ValidateWith(false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// fake is a pager that misbehaves as told, and keeps what it accepted.
type fake struct {
	mu    sync.Mutex
	plan  []alerting.Outcome // of the next calls; then accepted
	calls int
	took  []string
}

func (f *fake) Send(_ context.Context, a alerting.Action) alerting.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if len(f.plan) > 0 {
		o := f.plan[0]
		f.plan = f.plan[1:]
		if o != alerting.Accepted {
			return alerting.Result{Outcome: o}
		}
	}
	f.took = append(f.took, a.Kind.String()+" "+a.Key)
	return alerting.Result{Outcome: alerting.Accepted}
}

// done is what it took so far.
func (f *fake) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.took)
}

// rigged is an Out whose pagers are fakes.
func rigged(t *testing.T) (*Out, map[string]*fake) {
	o, err := New(parsed(t, team), Options{})
	if err != nil {
		t.Fatal(err)
	}
	fakes := map[string]*fake{}
	for name, c := range o.copies {
		fakes[name] = &fake{}
		o.pagers[name], c.pager = fakes[name], fakes[name]
	}
	return o, fakes
}

func TestACopyIsRepeatedInOrderAndHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, f := rigged(t)
		defer o.Close(nil)
		f["db-chat"].plan = []alerting.Outcome{alerting.Unknown, alerting.Throttled, alerting.Unknown}
		f["ops"].plan = []alerting.Outcome{alerting.Unknown}
		const route = "ops+db-chat"
		trigger := alerting.Action{Kind: alerting.Trigger, Key: "k1", Route: route, Page: alerting.Page{Sentence: "s"}}
		if r := o.Send(t.Context(), trigger); r.Outcome != alerting.Unknown {
			t.Errorf("the first pager's answer is the route's: %+v", r)
		}
		if r := o.Send(t.Context(), trigger); r.Outcome != alerting.Accepted { // the router repeats
			t.Errorf("%+v", r)
		}
		o.Send(t.Context(), alerting.Action{Kind: alerting.Resolve, Key: "k1", Route: route, Page: alerting.Page{Sentence: "s"}})
		time.Sleep(10 * time.Minute)
		if got, want := f["db-chat"].done(), []string{"trigger k1", "resolve k1"}; !slices.Equal(got, want) {
			t.Errorf("the copy: %v, want %v", got, want)
		}
		if got, want := f["ops"].done(), []string{"trigger k1", "resolve k1"}; !slices.Equal(got, want) {
			t.Errorf("the first: %v, want %v", got, want)
		}
	})
}

func TestWhoWasCalledBesidesHearsOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, f := rigged(t)
		defer o.Close(nil)
		rec := alerting.Record{Key: "k1", Route: "ops+db-chat"}
		if s := o.Steps(rec.Route); len(s) != 1 || s[0].To != "boss" || s[0].After != 10*time.Minute {
			t.Fatalf("steps: %v", s)
		}
		o.Step(t.Context(), rec, "boss")
		o.Send(t.Context(), alerting.Action{Kind: alerting.Resolve, Key: "k1", Route: rec.Route})
		o.Send(t.Context(), alerting.Action{Kind: alerting.Resolve, Key: "k2", Route: rec.Route})
		synctest.Wait()
		if got, want := f["boss"].done(), []string{"trigger k1", "resolve k1"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestAReloadKeepsWhatAnUnchangedPagerHasInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, f := rigged(t)
		f["db-chat"].plan = []alerting.Outcome{alerting.Unknown}
		o.Send(t.Context(), alerting.Action{Kind: alerting.Trigger, Key: "k1", Route: "ops+db-chat"})
		synctest.Wait()
		next, err := New(parsed(t, strings.Replace(team, "api_key: k", "api_key: k2", 1)), Options{Old: o})
		if err != nil {
			t.Fatal(err)
		}
		o.Close(next)
		time.Sleep(time.Minute)
		if got := f["db-chat"].done(); !slices.Equal(got, []string{"trigger k1"}) {
			t.Errorf("the copy after the reload: %v", got)
		}
		if next.pagers["ops"] == Sender(f["ops"]) {
			t.Error("a pager with a new key was not made anew")
		}
		next.Close(nil)
	})
}
