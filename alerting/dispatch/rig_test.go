package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// single is a router that makes each alarm a page of its own, in order of arrival, one call at a time for
// each route, and repeats after 5 s what was not accepted. It judges nothing; what is tested here is
// what carries its decisions.
type single struct {
	n        int
	alarms   map[string]alerting.Alarm
	order    []string
	records  map[string]alerting.Record
	inflight map[string]alerting.Action // by route
	after    map[string]time.Time       // by route
	acked    []alerting.Acked
	closed   []alerting.Closed
	silences []alerting.Silence
}

func newSingle() *single {
	return &single{
		alarms: map[string]alerting.Alarm{}, records: map[string]alerting.Record{},
		inflight: map[string]alerting.Action{}, after: map[string]time.Time{},
	}
}

func (s *single) Restore(recs []alerting.Record) {
	for _, r := range recs {
		s.records[r.Key] = r
		if r.Pending != "" && r.Kind == alerting.Trigger {
			r.Open = false // it has to be sent again
			s.records[r.Key] = r
		}
	}
}

func (s *single) Snapshot() func() alerting.View {
	v := alerting.View{Silences: s.silences, Firing: len(s.alarms)}
	for _, fp := range s.order {
		if a, ok := s.alarms[fp]; ok {
			v.Problems = append(v.Problems, alerting.ProblemView{ID: "p-" + a.Rule(), Key: "key:" + a.Rule(), Root: a, State: alerting.Paged})
		}
	}
	return func() alerting.View { return v }
}

func (s *single) Step(now time.Time, in []alerting.Input) (out []alerting.Action, next time.Time) {
	for _, i := range in {
		switch i := i.(type) {
		case alerting.Firing:
			fp := i.Alarm.Fingerprint()
			if !slices.Contains(s.order, fp) {
				s.order = append(s.order, fp)
			}
			s.alarms[fp] = i.Alarm
		case alerting.Ended:
			delete(s.alarms, i.Fingerprint)
		case alerting.Acked:
			s.acked = append(s.acked, i)
		case alerting.Closed:
			s.closed = append(s.closed, i)
		case alerting.Silenced:
			s.silences = append(s.silences, i.Silence)
		case alerting.Result:
			s.result(now, i)
		}
	}
	for _, fp := range s.order {
		a, firing := s.alarms[fp]
		if a.Labels[alerting.LabelPage] == "never" {
			continue
		}
		if firing {
			out = append(out, s.want(now, a, alerting.Trigger)...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.records)) {
		r := s.records[key]
		if r.Open && !slices.ContainsFunc(slices.Collect(maps.Values(s.alarms)), func(a alerting.Alarm) bool { return "key:"+a.Rule() == key }) {
			out = append(out, s.want(now, r.Page.Explained[0], alerting.Resolve)...)
		}
	}
	for _, t := range s.after {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return out, next
}

func (s *single) want(now time.Time, a alerting.Alarm, kind alerting.ActionKind) []alerting.Action {
	key, route := "key:"+a.Rule(), a.Labels["route"]
	if _, busy := s.inflight[route]; busy || s.after[route].After(now) || s.records[key].Open == (kind == alerting.Trigger) {
		return nil
	}
	s.n++
	page := alerting.Page{Priority: alerting.P1, Sentence: "it is bad", Rule: a.Rule(), Explained: []alerting.Alarm{a}, Entity: "e"}
	act := alerting.Action{ID: fmt.Sprint("a", s.n), Kind: kind, Key: key, Route: route, Page: page}
	act.Record = alerting.Record{Key: key, Base: key, Route: route, Open: kind == alerting.Trigger, Kind: kind, Page: page, UpdatedAt: now}
	s.inflight[route] = act
	return []alerting.Action{act}
}

func (s *single) result(now time.Time, r alerting.Result) {
	for route, a := range s.inflight {
		if a.ID != r.ActionID {
			continue
		}
		delete(s.inflight, route)
		if r.Outcome == alerting.Accepted {
			s.records[a.Key] = a.Record
		} else {
			s.after[route] = now.Add(5 * time.Second)
		}
	}
}

func alarm(rule string) alerting.Alarm {
	return alerting.Alarm{Labels: map[string]string{"alertname": rule}, StartsAt: time.Now()}
}

// rig is a dispatcher with the fake pager and a ledger file, in a bubble.
type rig struct {
	t    *testing.T
	pd   *alertingtest.PagerDuty
	path string
	cfg  Config
	opts Options

	router *single
	d      *Dispatcher
	cancel context.CancelFunc
	done   chan error
}

func inBubble(t *testing.T, test func(t *testing.T, r *rig)) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, pd: alertingtest.NewPagerDuty(), path: path, cfg: DefaultConfig()}
		defer r.pd.Close()
		cfg := pagerduty.DefaultConfig()
		cfg.RoutingKey, cfg.EventsURL = secret.New(alertingtest.RoutingKey), "http://pd"
		cfg.Routes = map[string]pagerduty.Route{"other": {RoutingKey: secret.New(strings.Repeat("b", 32)), Services: []string{"x"}}}
		pager, err := pagerduty.New(cfg, pagerduty.Options{Transport: r.pd.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		r.opts = Options{Pager: pager, Node: "n1", Runbooks: "http://board/runbooks/", Log: slog.New(slog.DiscardHandler), Ledger: func() (ledger.Ledger, error) { return ledger.Open(path, ledger.Options{}) }}
		test(t, r)
	})
}

// start runs a dispatcher. What it is to know before its first step, as after a restart what fires still, comes with it.
func (r *rig) start(in ...alerting.Input) {
	r.t.Helper()
	r.router = newSingle()
	r.opts.Router = r.router
	d, err := New(r.cfg, r.opts)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	r.d, r.cancel, r.done = d, cancel, make(chan error, 1)
	if err := d.Put(ctx, in...); err != nil {
		r.t.Fatal(err)
	}
	go func() { r.done <- d.Run(ctx) }()
}

func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
}

func (r *rig) put(in ...alerting.Input) {
	r.t.Helper()
	if err := r.d.Put(r.t.Context(), in...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) pages(want ...string) {
	r.t.Helper()
	var got []string
	for _, c := range r.pd.Pages() {
		_, rule, _ := strings.Cut(c.Summary, "[")
		got = append(got, strings.TrimSuffix(rule, "]"))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("pages %v; want %v", got, want)
	}
}

func (r *rig) history(kinds ...ledger.Kind) []ledger.Event {
	r.t.Helper()
	events, err := r.d.History(r.t.Context(), ledger.Query{Kinds: kinds})
	if err != nil {
		r.t.Fatal(err)
	}
	return events
}
