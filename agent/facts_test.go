package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
)

// TestFactsAreSeriesOfTheRouter: what a node's collectors tell is in the router's store under the same name and labels, and
// ends three intervals after the node's last word.
func TestFactsAreSeriesOfTheRouter(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	clock := func() time.Time { return now }
	st, err := store.Open(t.TempDir(), store.Options{Retention: time.Hour, RetentionSize: 1 << 30, Log: slog.New(slog.DiscardHandler), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	keep := func(ctx context.Context, u series.Update) {
		if err := st.Write(ctx, u); err != nil {
			t.Error(err)
		}
	}
	router := newFleetFacts("router-1", keep, clock)
	value := func(q string) (float64, bool) {
		t.Helper()
		query, err := st.Engine().NewInstantQuery(t.Context(), st.Queryable(), nil, q, now)
		if err != nil {
			t.Fatal(err)
		}
		defer query.Close()
		v, err := query.Exec(t.Context()).Vector()
		if err != nil || len(v) > 1 {
			t.Fatalf("%s: %v, %v", q, v, err)
		}
		if len(v) == 0 {
			return 0, false
		}
		return v[0].F, true
	}

	var own ownFacts
	own.opens("riak", 15*time.Second)
	own.opens("self", 10*time.Second)
	collected := series.New(series.Options{})
	base := metric.Labels{{Name: "az", Value: "a"}, {Name: "node", Value: "riak-3"}}
	gauge := func(name string) *metric.Desc { return &metric.Desc{Name: name} }
	tell := func(from string, b *metric.Batch) {
		u := collected.Resolve(from, b.Time, base, b.Samples)
		own.told(&u)
	}
	rings := &metric.Desc{Name: "riak_restarts_total", Kind: metric.Counter}
	look := func(restarts float64) {
		b := &metric.Batch{Time: now}
		b.Add(gauge("riak_listening"), 1, "cluster", "c")
		b.Add(gauge("riak_member_connected"), 0, "cluster", "c", "member", "riak2@10.0.0.2")
		b.Add(gauge("riak_object_size_bytes"), 4, "cluster", "c", "stat", "p99") // no rule of a cluster reads it
		b.Add(rings, restarts, "cluster", "c")
		tell("riak", b)
		b = &metric.Batch{Time: now}
		b.Add(gauge("binnacle_check_blind_seconds"), 60, "collector", "riak", "check", "stats")
		b.Add(gauge("binnacle_check_blind_seconds"), 60, "collector", "statsd", "check", "")
		tell("self", b)
		tell("host_load", &metric.Batch{Time: now, Samples: []metric.Sample{{Desc: gauge("riak_up"), Value: 1}}})
	}
	post := func(node string) {
		t.Helper()
		if err := router.take(t.Context(), intake.FactsPost{Node: node, Every: 5 * time.Second, Facts: own.all(now)}); err != nil {
			t.Fatal(err)
		}
	}
	look(0)
	post("riak-3")
	post("router-1") // its own are in the store already
	for q, want := range map[string]float64{
		`riak_listening{node="riak-3",az="a",cluster="c"}`:                                    1,
		`riak_member_connected{node="riak-3",member="riak2@10.0.0.2"}`:                        0,
		`binnacle_check_blind_seconds{node="riak-3",collector="riak",check="stats"}`:          60,
		`count({node="riak-3"}) - count({node="riak-3",__name__=~"riak.*|binnacle_check.*"})`: 0,
	} {
		if got, ok := value(q); !ok || got != want {
			t.Errorf("%s = %v, %v; want %v", q, got, ok, want)
		}
	}
	for _, q := range []string{`{__name__="riak_object_size_bytes"}`, `{collector="statsd"}`, `{__name__="riak_up"}`} {
		if got, ok := value(q); ok {
			t.Errorf("%s = %v; want none: no rule of a cluster reads it, or nobody who knows said it", q, got)
		}
	}

	other := intake.FactsPost{Node: "riak-3", Every: 5 * time.Second, By: "somebody else"}
	if err := router.take(t.Context(), other); !errors.Is(err, intake.ErrOtherNode) {
		t.Errorf("another login speaks for riak-3: %v; want a refusal", err)
	}
	if got, ok := value(`riak_listening`); !ok || got != 1 {
		t.Errorf("riak_listening = %v, %v after the refusal; want it as it was", got, ok)
	}

	now = now.Add(16 * time.Second)
	router.expire(t.Context())
	if err := router.take(t.Context(), other); err != nil {
		t.Errorf("the first is silent, and another speaks for the node: %v", err)
	}
	if got, ok := value(`riak_listening`); ok {
		t.Errorf("three intervals without a word: riak_listening = %v; want none", got)
	}
	now = now.Add(time.Minute)
	if left := own.all(now); len(left) != 0 {
		t.Errorf("a collector that hangs: %d facts are sent still", len(left))
	}
}

// Where it listens on all addresses, links have a name that others know, and TLS where it serves that.
func TestBoardURL(t *testing.T) {
	for want, c := range map[string]Config{
		"http://a:9600":         {Listen: "0.0.0.0:9600", Node: NodeConfig{Name: "a"}},
		"http://b.example:9600": {Listen: ":9600", Node: NodeConfig{Name: "a"}, Web: WebConfig{Config: door.Config{Hosts: []string{"b.example"}}}},
		"http://a:9601/x":       {Listen: "[::]:9601", Node: NodeConfig{Name: "a"}, Web: WebConfig{Config: door.Config{RoutePrefix: "/x"}}},
		"http://127.0.0.1:9600": {Listen: "127.0.0.1:9600", Node: NodeConfig{Name: "a"}},
		"http://10.0.0.5:9600":  {Listen: "10.0.0.5:9600", Node: NodeConfig{Name: "a"}},
		"https://board.example": {Listen: "0.0.0.0:9600", Web: WebConfig{Config: door.Config{ExternalURL: "https://board.example"}}},
		"http://0.0.0.0:9600":   {Listen: "0.0.0.0:9600", Route: RouteConfig{Off: true}}, // its router puts its own in the place
	} {
		if got := c.boardURL(); got != want {
			t.Errorf("%v: %s, want %s", c.Listen, got, want)
		}
	}
}

func TestLinksLeadToTheRouter(t *testing.T) {
	cfg := Default()
	cfg.Web.ExternalURL = "https://board.example"
	a := &Agent{cfg: cfg}
	for link, want := range map[string]string{
		"http://127.0.0.1:38702/runbooks/HostDiskFull":  "https://board.example/runbooks/HostDiskFull",
		"http://localhost:9600/runbooks/HostDiskFull":   "https://board.example/runbooks/HostDiskFull",
		"http://[::1]:9600/runbooks/HostDiskFull":       "https://board.example/runbooks/HostDiskFull",
		"http://0.0.0.0:9600/runbooks/HostDiskFull":     "https://board.example/runbooks/HostDiskFull",
		"http://:9600/runbooks/HostDiskFull":            "https://board.example/runbooks/HostDiskFull",
		"http://10.213.77.1:9600/runbooks/HostDiskFull": "http://10.213.77.1:9600/runbooks/HostDiskFull",
		"https://wiki.example/runbooks/HostDiskFull":    "https://wiki.example/runbooks/HostDiskFull",
		"http://127.0.0.1:3000/d/abc?var-host=HostFull": "http://127.0.0.1:3000/d/abc?var-host=HostFull",
		"": "",
	} {
		in := alerting.Firing{Alarm: alerting.Alarm{
			Labels: map[string]string{alerting.LabelRule: "HostDiskFull"}, Annotations: map[string]string{alerting.AnnotationRunbook: link},
		}}
		got := a.ownLinks([]alerting.Input{in})[0].(alerting.Firing).Alarm.Annotations[alerting.AnnotationRunbook]
		if got != want {
			t.Errorf("%q became %q; want %q", link, got, want)
		}
	}
}
