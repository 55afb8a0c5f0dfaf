package dashboards_test

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/oncall"
)

// TestDiff holds that a browser is told what changed and no more.
func TestDiff(t *testing.T) {
	v, now := incident(), noon
	o := options(v, fleet{nodes: 3}, goodStatus())
	o.View, o.Now = func() alerting.View { return v }, func() time.Time { return now }
	p, board := newWhole(o), oncall.New(o.oncall()).Set().Live["board"]
	var known dashboards.Told
	look := func() (parts, orders []string) {
		t.Helper()
		n, err := p.Diff(board(httptest.NewRequest(http.MethodGet, "/live/board", nil)), &known)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(n.Parts)), slices.Sorted(maps.Keys(n.Order))
	}
	check := func(when, wantParts, wantOrders string) {
		t.Helper()
		parts, orders := look()
		if got := strings.Join(parts, " "); got != wantParts {
			t.Errorf("%s: parts %q, want %q", when, got, wantParts)
		}
		if got := strings.Join(orders, " "); got != wantOrders {
			t.Errorf("%s: orders of %q, want %q", when, got, wantOrders)
		}
	}
	check("at first", "counts filter-part hidden-list p-00000000000000a1 p-00000000000000b2 p-00000000000000c4 quiet-list", "filter hidden problems quiet summary")
	check("nothing new", "", "")
	now, v.At = now.Add(10*time.Second), v.At.Add(10*time.Second)
	check("ages alone", "", "")
	v.Problems[1], v.Problems[2] = v.Problems[2], v.Problems[1]
	check("the order alone", "p-00000000000000a1", "problems") // it names what waits behind it by number
	v.Problems[1], v.Problems[2] = v.Problems[2], v.Problems[1]
	check("and back", "p-00000000000000a1", "problems")
	v.Problems[1].State, v.Problems[1].AckedBy = alerting.AckedState, "jo"
	check("one row", "filter-part p-00000000000000b2", "")
	v.Problems = v.Problems[:2]
	check("a row and a silenced problem gone", "counts filter-part quiet-list", "problems")
	v.Problems = nil
	check("calm", "calm counts hidden-list", "filter problems")
}

// event is what a browser reads of an update.
type event struct {
	Version string
	At      int64
	Order   map[string][]string
	Parts   map[string]string
}

// TestLiveStream reads the events as a browser does.
func TestLiveStream(t *testing.T) {
	views := make(chan alerting.View, 1)
	v := incident()
	o := options(v, fleet{nodes: 3}, goodStatus())
	o.View = func() alerting.View {
		select {
		case v = <-views:
		default:
		}
		return v
	}
	p := newLive(o, time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/live/board")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type is %q", got)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	next := func() (n event) {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &n); err != nil {
					t.Fatalf("event %q: %v", data, err)
				}
				return n
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return n
	}
	if n := next(); len(n.Parts) != 7 || len(n.Order["problems"]) != 3 || n.Version != "1.0.0" || n.At != noon.UnixMilli() {
		t.Errorf("first event has %d parts, order %v, version %q, at %d", len(n.Parts), n.Order, n.Version, n.At)
	}
	if n := next(); len(n.Parts)+len(n.Order) != 0 {
		t.Errorf("an event without news has parts %v, order %v", n.Parts, n.Order)
	}
	views <- alerting.View{At: noon}
	n := next()
	for len(n.Parts) == 0 {
		n = next()
	}
	if got := n.Order["problems"]; len(got) != 1 || got[0] != "calm" {
		t.Errorf("after all is over the rows are %v, want calm", got)
	}
}

// TestAnActIsNewsAtOnce lets a person act long before the next look: all who look at the board are told at once.
func TestAnActIsNewsAtOnce(t *testing.T) {
	var now atomic.Pointer[alerting.View]
	first := incident()
	now.Store(&first)
	o := options(first, fleet{}, goodStatus())
	o.View = func() alerting.View { return *now.Load() }
	o.People = &desk{ack: func(by string) {
		after := incident()
		after.Problems[1].State, after.Problems[1].AckedBy = alerting.AckedState, by
		now.Store(&after)
	}}
	p := newLive(o, time.Hour)
	srv := httptest.NewServer(p)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/live/board", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch text := lines.Text(); {
		case strings.Contains(text, `Acknowledged by someone at the board`):
			return
		case strings.HasPrefix(text, "data: "):
			post(p, "/problems/00000000000000b2/take", nil, nil)
		}
	}
	t.Errorf("the stream ended without the act: %v", lines.Err())
}

func TestLiveEndsWithItsBrowser(t *testing.T) {
	p := newLive(options(incident(), fleet{}, goodStatus()), time.Millisecond)
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		p.ServeHTTP(w, r)
	}))
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/live/nodes")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	<-done
}

func BenchmarkBoardOf200(b *testing.B) {
	p := newWhole(options(flood(200), fleet{}, goodStatus()))
	for b.Loop() {
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/board", nil))
	}
}
