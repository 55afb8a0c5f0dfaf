package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

func TestAnAlarmIsPagedAndResolved(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var sent []string
		r.opts.Sent = func(a alerting.Action, res alerting.Result) {
			sent = append(sent, a.Kind.String()+" "+res.Outcome.String())
		}
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		r.pages("A")
		if open := r.d.Open(); len(open) != 1 || open[0].Pending != "" || r.d.Status().Undelivered != 0 {
			t.Errorf("open %+v, status %+v; want one answered record", open, r.d.Status())
		}
		r.put(alerting.Ended{Fingerprint: alarm("A").Fingerprint()})
		r.pass(time.Second)
		if in := r.pd.Incidents(); in[0].Status != "resolved" {
			t.Errorf("incident %+v; want it resolved", in[0])
		}
		var kinds []string
		for _, e := range r.history() {
			kinds = append(kinds, string(e.Kind)+" "+e.Action)
		}
		if want := []string{"started ", "decided trigger", "accepted trigger", "decided resolve", "accepted resolve"}; !slices.Equal(kinds, want) {
			t.Errorf("history %v; want %v", kinds, want)
		}
		if want := []string{"trigger accepted", "resolve accepted"}; !slices.Equal(sent, want) {
			t.Errorf("sent %v; want %v", sent, want)
		}
		if e := r.history(ledger.Decided)[0]; len(e.Alarms) != 1 || e.Alarms[0] != alarm("A").Fingerprint() {
			t.Errorf("decision %+v; want the alarm in it", e)
		}
		r.stop()
	})
}

// The process dies after the decision was written and before the call: the next life sends the page, with
// the same key.
func TestKilledBeforeTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.pd.Set(alertingtest.Down)
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		r.stop()
		r.pd.Set(alertingtest.OK)
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(10 * time.Second)
		r.pages("A")
		r.stop()
	})
}

// The process dies after the call and before its answer was written: the page goes out twice with one
// key, which wakes once.
func TestALostReplyWakesOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.pd.Set(alertingtest.LostReply)
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		r.stop()
		r.pd.Set(alertingtest.OK)
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(10 * time.Second)
		r.pages("A")
		if n := len(r.pd.Calls()); n != 2 {
			t.Errorf("%d calls; want 2, of which one is the repetition", n)
		}
		r.put(alerting.Ended{Fingerprint: alarm("A").Fingerprint()})
		r.pass(10 * time.Second)
		if in := r.pd.Incidents(); len(in) != 1 || in[0].Status != "resolved" {
			t.Errorf("incidents %+v; want one, resolved", in)
		}
		r.stop()
	})
}

func TestARestartSendsNothingTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")}, alerting.Silenced{Silence: alerting.Silence{ID: "s", CreatedBy: "ann", EndsAt: time.Now().Add(time.Hour)}})
		r.pass(time.Second)
		r.put(alerting.Acked{Key: "p-A", By: "ann"})
		r.pass(time.Second)
		r.stop()
		r.start(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Minute)
		r.pages("A")
		if rec := r.router.records["key:A"]; rec.AckedBy != "ann" || len(r.router.silences) != 1 {
			t.Errorf("restored %+v and %d silences; want the acknowledgement of ann and 1", rec, len(r.router.silences))
		}
		if e := r.history(ledger.Silenced); len(e) != 1 || e[0].By != "ann" {
			t.Errorf("silenced %+v; want by ann", e)
		}
		r.put(alerting.Silenced{Silence: alerting.Silence{ID: "s", CreatedBy: "ann", EndsAt: time.Now()}, By: "bob"})
		r.pass(time.Second)
		if e := r.history(ledger.Unsilence); len(e) != 1 || e[0].By != "bob" {
			t.Errorf("unsilenced %+v; want by bob, who ended it", e)
		}
		r.stop()
		r.start()
		r.pass(time.Second)
		if e := r.d.Ended(); len(e) != 1 || e[0].ID != "s" {
			t.Errorf("after a restart the ended silences are %+v; want s", e)
		}
		r.pass(alerting.SilenceKept)
		if e := r.d.Ended(); len(e) != 0 {
			t.Errorf("5 days later %+v; want none", e)
		}
		r.stop()
	})
}

func TestShadowCallsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.Mode = Shadow
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Minute)
		if n := len(r.pd.Calls()); n != 0 || len(r.history(ledger.Shadowed)) != 1 {
			t.Errorf("%d calls, %d decisions in the history; want 0, 1", n, len(r.history(ledger.Shadowed)))
		}
		r.stop()
		// What was shadowed is not open when it counts.
		r.cfg.Mode = On
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		r.pages("A")
		r.stop()
	})
}

func TestOffKeepsNoLedger(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.Mode = Off
		r.opts.Ledger = func() (ledger.Ledger, error) { t.Error("the ledger was opened"); return nil, errFull }
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Minute)
		if v := r.d.View(); len(r.pd.Calls()) != 0 || len(v.Problems) != 1 || !r.d.Status().Durable {
			t.Errorf("%d calls, view %+v; want none, and the problem", len(r.pd.Calls()), v)
		}
		r.stop()
	})
}

// paper may be written and read by different goroutines.
type paper struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestTheSecondChannelAfterTwoMinutes(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var out paper
		r.opts.Second = pagerduty.NewLog(slog.New(slog.DiscardHandler), &out)
		r.pd.Set(alertingtest.Down)
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")}, alerting.Firing{Alarm: alarm("B")})
		r.pass(110 * time.Second)
		if out.String() != "" {
			t.Errorf("%q after 110 s; want nothing yet", out.String())
		}
		r.pass(20 * time.Second)
		if !strings.Contains(out.String(), "[A]") {
			t.Errorf("%q after 130 s; want A", out.String())
		}
		r.pass(5 * time.Minute)
		if n := strings.Count(out.String(), "[A]"); n != 1 {
			t.Errorf("A went out %d times; want once", n)
		}
		if len(r.history(ledger.Second)) == 0 {
			t.Error("the history does not tell of the second channel")
		}
		r.stop()
	})
}

func TestAWebhookOfOurOwnResolveIsNoPersonsWord(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")}, alerting.Firing{Alarm: alarm("B")})
		r.pass(time.Second)
		r.put(alerting.Ended{Fingerprint: alarm("A").Fingerprint()})
		r.pass(time.Second)
		r.put(alerting.Closed{Key: "key:A"}, alerting.Closed{Key: "key:B", By: "ann"}, alerting.Closed{Key: "of another"})
		r.pass(time.Second)
		if len(r.router.closed) != 1 || r.router.closed[0].Key != "key:B" {
			t.Errorf("closed %+v; want B alone", r.router.closed)
		}
		r.stop()
	})
}

func TestTheHistoryTellsOfDeploysOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		mark := alarm("Deploy")
		mark.Labels["kind"], mark.Labels["page"], mark.Labels["service"] = "change", "never", "api"
		mark.Annotations = map[string]string{"summary": "deploy api 1.2.3"}
		r.put(alerting.Firing{Alarm: mark}, alerting.Firing{Alarm: mark})
		r.pass(time.Second)
		if e := r.history(ledger.Deployed); len(e) != 1 || e[0].Title != "deploy api 1.2.3" || e[0].Key != "api" {
			t.Errorf("history %+v; want one deploy of api", e)
		}
		r.stop()
	})
}

func TestAPersonsWordReachesThePager(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		if err := r.d.Acknowledge(t.Context(), alerting.Acked{Key: "p-A", By: "ann"}); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		if in := r.pd.Incidents(); in[0].Status != "acknowledged" || len(r.router.acked) != 1 || r.d.Open()[0].AckedBy != "ann" {
			t.Errorf("incident %+v, record %+v; want it acknowledged by ann everywhere", in[0], r.d.Open()[0])
		}
		r.stop()
	})
}

// TestANoteIsKeptAndTold notes what is not paged yet, and an incident, of which the pager hears.
func TestANoteIsKeptAndTold(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		pager := &counting{}
		r.opts.Pager = pager
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		if err := r.d.Note(t.Context(), "p-A", "ann", "it grew"); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		if e := r.history(ledger.Noted); len(e) != 1 || e[0].Key != "key:A" || e[0].By != "ann" || e[0].Detail != "it grew" {
			t.Errorf("history %+v; want the note of ann at the incident", e)
		}
		if n := len(pager.sent()); n != 2 {
			t.Errorf("the pager was called %d times, want the page and its note", n)
		}
		if err := r.d.Note(t.Context(), "p-unpaged", "ann", "x"); err != nil {
			t.Errorf("of what nobody was paged for: %v", err)
		}
		r.put(alerting.Noted{Key: "key:A", By: "bob", Text: "a fan", At: time.Now().Add(-time.Minute)}, alerting.Noted{Key: "of another", By: "bob", Text: "x"})
		r.pass(time.Second)
		if e := r.history(ledger.Noted); len(e) != 3 || !slices.ContainsFunc(e, func(e ledger.Event) bool {
			return e.Key == "key:A" && e.By == "bob" && e.Detail == "a fan" && e.Title != "" && time.Since(e.At) > time.Minute
		}) {
			t.Errorf("history %+v; want bob's note of the pager too, at its time", e)
		}
		if n := len(pager.sent()); n != 2 {
			t.Errorf("the pager was told of its own note: %d calls", n)
		}
		r.stop()
	})
}

// TestEscalating takes an incident from who has it, and gets who is next and the second channel.
func TestEscalating(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		second := &counting{}
		r.opts.Second = second
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		if err := r.d.Escalate(t.Context(), "p-A", "ann"); err == nil || !strings.Contains(err.Error(), "nobody was paged") {
			t.Errorf("before a page: %v; want that nobody was paged", err)
		}
		r.pass(time.Second)
		if err := r.d.Acknowledge(t.Context(), alerting.Acked{Key: "p-A", By: "ann"}); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		if err := r.d.Escalate(t.Context(), "p-A", "ann"); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		if got := second.sent(); len(got) != 1 || got[0] != "Escalated by ann: it is bad" {
			t.Errorf("the second channel got %q; want the page, and who escalated", got)
		}
		if rec := r.d.Open()[0]; rec.AckedBy != "" || !r.router.acked[len(r.router.acked)-1].Undo {
			t.Errorf("record %+v; want it taken from ann", rec)
		}
		// This pager has no token: it is told in the ledger that only the second channel was called.
		if e := r.history(ledger.Escalated); len(e) != 1 || e[0].By != "ann" || e[0].Key != "key:A" || !strings.Contains(e[0].Detail, "second channel; level 2 at the pager: refused") {
			t.Errorf("history %+v; want the escalation of ann", e)
		}
		r.opts.Second = nil
		r.stop()
	})
}

func TestEscalatingWhereNobodyIsCalled(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		if err := r.d.Escalate(t.Context(), "p-A", "ann"); err == nil || !strings.Contains(err.Error(), "route.pagerduty.token") {
			t.Errorf("without token and second channel: %v; want the setting that is missing", err)
		}
		if e := r.history(ledger.Escalated); len(e) != 0 {
			t.Errorf("history %+v; want nothing, since nobody was called", e)
		}
		r.stop()
		r.cfg.Mode = Shadow
		r.start()
		r.put(alerting.Firing{Alarm: alarm("B")})
		r.pass(time.Second)
		if err := r.d.Escalate(t.Context(), "p-B", "ann"); err == nil || !strings.Contains(err.Error(), "shadow") {
			t.Errorf("in shadow mode: %v; want that nobody is called", err)
		}
		r.stop()
	})
}

// counting is a pager that takes everything and keeps what it was to say.
type counting struct {
	mu   sync.Mutex
	said []string
}

func (c *counting) Send(_ context.Context, a alerting.Action) alerting.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, a.Page.Sentence)
	return alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted}
}

func (c *counting) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said)
}

func TestTheHeartbeatBeats(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		beats := 0
		rt, stop := alertingtest.Pipe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			beats++
		}))
		defer stop()
		r.opts.HTTP, r.cfg.Heartbeat.URL = rt, secret.New("http://switch/secret")
		r.start()
		r.pass(5*time.Minute + time.Second)
		mu.Lock()
		defer mu.Unlock()
		if beats != 6 {
			t.Errorf("%d beats in 5 min; want 6", beats)
		}
		r.stop()
	})
}

func TestPutWaitsForRoom(t *testing.T) {
	r := &rig{opts: Options{Router: newSingle(), Pager: pagerduty.NewLog(slog.New(slog.DiscardHandler), nil)}}
	d, err := New(DefaultConfig(), r.opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := make([]alerting.Input, chunk*(maxChunks+1))
	for i := range in {
		in[i] = alerting.Ended{}
	}
	if err := d.Put(ctx, in...); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v; want it to wait and to end with its context", err)
	}
}

func TestCollect(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		var b metric.Batch
		if err := r.d.Collect(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, s := range b.Samples {
			got[s.Desc.Name+s.Labels.String()] = s.Value
			if s.Hist != nil {
				got[s.Desc.Name+s.Labels.String()] = s.Hist.Count
			}
			if !slices.Contains(Metrics(), s.Desc) {
				t.Errorf("%s is not among Metrics", s.Desc.Name)
			}
		}
		for name, want := range map[string]float64{
			`binnacle_ledger_durable{}`: 1, `binnacle_page_seconds{action="trigger"}`: 1, `binnacle_page_delay_seconds{stage="send"}`: 1,
			`binnacle_page_delay_seconds{stage="wait"}`: 1, `binnacle_page_delay_seconds{stage="arrive"}`: 1,
			`binnacle_pages_total{action="trigger",outcome="accepted"}`: 1, `binnacle_pages_refused_total{}`: 0, `binnacle_page_undelivered_seconds{}`: 0,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s = %v, %v; want %v", name, v, ok, want)
			}
		}
		r.stop()
	})
}

func TestTheCommandLinesQuestions(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Second)
		mux := http.NewServeMux()
		r.d.Register(mux)
		get := func(path string) (int, string) {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			return w.Code, w.Body.String()
		}
		for path, want := range map[string]string{
			"/api/v1/view":                         `"durable":true`,
			"/api/v1/history?kind=decided&limit=1": `"alarms":["` + alarm("A").Fingerprint(),
			"/api/v1/history?since=" + time.Now().Add(time.Minute).UTC().Format(time.RFC3339): `[]`,
		} {
			if code, text := get(path); code != 200 || !strings.Contains(text, want) {
				t.Errorf("GET %s = %d %s; want %s in it", path, code, text, want)
			}
		}
		for _, path := range []string{"/api/v1/history?since=yesterday", "/api/v1/history?limit=0"} {
			if code, text := get(path); code != 400 {
				t.Errorf("GET %s = %d %s; want 400", path, code, text)
			}
		}
		r.stop()
		if code, _ := get("/api/v1/history"); code != 503 {
			t.Errorf("history without a ledger: %d; want 503", code)
		}
	})
}
