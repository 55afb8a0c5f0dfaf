package dashboards_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/views"
)

// desk keeps what people did.
type desk struct {
	did []string
	err error
	ack func(by string) // beside what is kept; nil: nothing
}

func (d *desk) on(o whole) whole {
	o.People = d
	return o
}

func (d *desk) Acknowledge(_ context.Context, problem, by string, undo bool) (alerting.ProblemView, error) {
	d.did = append(d.did, fmt.Sprintf("ack %s by %s, undo %v", problem, by, undo))
	if d.ack != nil {
		d.ack(by)
	}
	return alerting.ProblemView{}, d.err
}

func (d *desk) Silence(_ context.Context, s people.Request) (alerting.Silence, error) {
	d.did = append(d.did, fmt.Sprintf("silence %s for %v by %s: %s", s.Problem, s.For, s.By, s.Comment))
	return alerting.Silence{ID: "s1"}, d.err
}

func (d *desk) Escalate(_ context.Context, problem, by string) error {
	d.did = append(d.did, fmt.Sprintf("escalate %s by %s", problem, by))
	return d.err
}

func (d *desk) Note(_ context.Context, problem, by, text string) (alerting.ProblemView, error) {
	d.did = append(d.did, fmt.Sprintf("note %s by %s: %s", problem, by, text))
	return alerting.ProblemView{}, d.err
}

func (d *desk) End(_ context.Context, id, by string) (alerting.Silence, error) {
	d.did = append(d.did, fmt.Sprintf("end %s by %s", id, by))
	return alerting.Silence{ID: id, EndsAt: noon.Add(time.Hour)}, d.err
}

func (d *desk) Renew(_ context.Context, s alerting.Silence, by string) error {
	d.did = append(d.did, fmt.Sprintf("renew %s until %s by %s", s.ID, words.Clock(s.EndsAt), by))
	return d.err
}

func post(h http.Handler, path string, form url.Values, change func(*http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "http://board.example"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestActions(t *testing.T) {
	maria := func(r *http.Request) { r.SetBasicAuth("maria", "x") }
	for name, tc := range map[string]struct {
		path   string
		form   url.Values
		change func(*http.Request)
		err    error
		status int
		to     string // of the redirect
		did    string
	}{
		"taking it": {
			"/problems/00000000000000b2/take", nil, maria, nil,
			303, "/board?done=taken&problem=00000000000000b2", "ack 00000000000000b2 by maria, undo false",
		},
		"noting it": {
			"/problems/00000000000000b2/note",
			url.Values{"text": {"grew since the deploy"}},
			maria, nil,
			303, "/board?done=noted&problem=00000000000000b2", "note 00000000000000b2 by maria: grew since the deploy",
		},
		"giving it back": {
			"/problems/00000000000000b2/take",
			url.Values{"undo": {"1"}},
			maria, nil,
			303, "/board?done=given&problem=00000000000000b2", "ack 00000000000000b2 by maria, undo true",
		},
		"a person without a name": {
			"/problems/x/take", nil, nil, nil,
			303, "/board?done=taken&problem=x", "ack x by someone at the board, undo false",
		},
		"silencing it": {
			"/problems/x/silence",
			url.Values{"for": {"2h"}, "comment": {"moved"}},
			maria, nil,
			303, "/board?done=silenced&problem=x&silence=s1", "silence x for 2h0m0s by maria: moved",
		},
		"a silence without an end":  {"/problems/x/silence", nil, maria, nil, 409, "", ""},
		"a comment that is a novel": {"/problems/x/silence", url.Values{"for": {"2h"}, "comment": {strings.Repeat("ä", 200)}}, maria, nil, 303, "/board?done=silenced&problem=x&silence=s1", "silence x for 2h0m0s by maria: " + strings.Repeat("ä", 100)},
		"acknowledging two":         {"/problems/bulk", url.Values{"p": {"x", "y"}, "do": {"take"}}, maria, nil, 303, "/board?count=2&done=taken-all", "ack x by maria, undo false; ack y by maria, undo false"},
		"silencing two":             {"/problems/bulk", url.Values{"p": {"x", "y"}, "do": {"silence"}, "for": {"2h"}, "comment": {"moved"}}, maria, nil, 303, "/board?count=2&done=silenced-all", "silence x for 2h0m0s by maria: moved; silence y for 2h0m0s by maria: moved"},
		"silencing two, no reason":  {"/problems/bulk", url.Values{"p": {"x", "y"}, "do": {"silence"}, "for": {"2h"}, "comment": {" "}}, maria, nil, 409, "", ""},
		"nothing selected":          {"/problems/bulk", url.Values{"do": {"take"}}, maria, nil, 409, "", ""},
		"two, and the first fails":  {"/problems/bulk", url.Values{"p": {"x", "y"}, "do": {"take"}}, maria, errors.New("no room"), 409, "", "ack x by maria, undo false"},
		"escalating it":             {"/problems/x/escalate", nil, maria, nil, 303, "/board?done=escalated&problem=x", "escalate x by maria"},
		"nobody to escalate to":     {"/problems/x/escalate", nil, maria, errors.New("there is no one to call"), 409, "", "escalate x by maria"},
		"ending a silence":          {"/silences/s1/end", nil, maria, nil, 303, "/board?done=ended&silence=s1", "end s1 by maria"},
		"a silence never ended":     {"/silences/s1/renew", nil, maria, nil, 409, "", ""},
		"a router with no room":     {"/problems/x/take", nil, maria, errors.New("the router has no room"), 409, "", "ack x by maria, undo false"},
		"a form that is too long":   {"/problems/x/silence", url.Values{"comment": {strings.Repeat("x", 8<<10)}}, maria, nil, 400, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{err: tc.err}
			o := d.on(options(incident(), fleet{}, goodStatus()))
			resp := post(newWhole(o), tc.path, tc.form, tc.change)
			if resp.StatusCode != tc.status || resp.Header.Get("Location") != tc.to {
				t.Errorf("POST %s: %d to %q, want %d to %q\n%s", tc.path, resp.StatusCode, resp.Header.Get("Location"), tc.status, tc.to, text(t, resp.Body))
			}
			if got := strings.Join(d.did, "; "); got != tc.did {
				t.Errorf("POST %s did %q, want %q", tc.path, got, tc.did)
			}
		})
	}
}

func TestActionsNeedARouter(t *testing.T) {
	h := newWhole(options(incident(), fleet{}, goodStatus()))
	for _, path := range []string{"/problems/x/take", "/problems/x/silence", "/problems/x/escalate", "/silences/x/end", "/silences/x/renew"} {
		if got := post(h, path, nil, nil).StatusCode; got != http.StatusNotFound {
			t.Errorf("POST %s where nothing routes: %d, want 404", path, got)
		}
	}
	if page := text(t, get(t, h, "/board").Body); strings.Contains(page, `method="post"`) {
		t.Error("the board offers what it cannot do")
	}
}

func TestWhoMayOnlyRead(t *testing.T) {
	o := (&desk{}).on(options(incident(), fleet{}, goodStatus()))
	o.MayAct = func(r *http.Request) bool { user, _, _ := r.BasicAuth(); return user == "maria" }
	h := newWhole(o)
	for _, path := range []string{"/board", "/problems/00000000000000a1"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), `method="post"`) {
			t.Errorf("GET %s offers acts to who may only read", path)
		}
		r.SetBasicAuth("maria", "x")
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), `method="post"`) {
			t.Errorf("GET %s offers nothing to who may act", path)
		}
	}
}

// TestAfterAnAction reads the board as a person without script does: what was done, and its undo.
func TestAfterAnAction(t *testing.T) {
	h := newWhole((&desk{}).on(options(incident(), fleet{}, goodStatus())))
	for path, want := range map[string]string{
		"/board?done=taken&problem=00000000000000b2":               `You acknowledged: Riak disk on riak-07 is 96 % full, full in 40 minutes</p><form method="post" action="/problems/00000000000000b2/take"><input type="hidden" name="undo" value="1">`,
		"/board?done=given&problem=00000000000000b2":               `Acknowledgement taken back: Riak disk`,
		"/board?done=silenced&problem=00000000000000b2&silence=s1": `Silenced until 13:00:00 UTC, 24 Nov.</p><form method="post" action="/silences/s1/end">`,
		"/board?done=escalated&problem=00000000000000a1":           `Paged who is next on call: Users hurt: RabbitMQ is split between eu-west-1a and eu-west-1b</p><form method="post" action="/problems/00000000000000a1/take"><button>Acknowledge it after all</button>`,
		"/board?done=ended": `The silence was ended.`,
	} {
		if page := text(t, get(t, h, path).Body); !strings.Contains(page, want) {
			t.Errorf("GET %s lacks %q:\n%s", path, want, page)
		}
	}
	for _, path := range []string{"/board?done=taken&problem=made-up", "/board?done=silenced&silence=made-up", "/board?done=won"} {
		if page := text(t, get(t, h, path).Body); strings.Contains(page, `id="done-note"`) {
			t.Errorf("GET %s says that something was done", path)
		}
	}
}

// TestEndingASilenceIsUndone ends a silence, takes that back within its time, and is offered nothing after it.
func TestEndingASilenceIsUndone(t *testing.T) {
	d := &desk{}
	now := noon
	o := d.on(options(incident(), fleet{}, goodStatus()))
	o.Now = func() time.Time { return now }
	h := newWhole(o)
	to := post(h, "/silences/s9/end", nil, nil).Header.Get("Location")
	offer := `<form method="post" action="/silences/s9/renew"><button>Undo: silence again until 13:00:00 UTC, 24 Nov</button>`
	if page := text(t, get(t, h, to).Body); !strings.Contains(page, offer) {
		t.Errorf("GET %s lacks %q:\n%s", to, offer, page)
	}
	if resp := post(h, "/silences/s9/renew", nil, nil); resp.Header.Get("Location") != "/board?done=silenced&silence=s9" {
		t.Errorf("the undo leads to %q, with status %d", resp.Header.Get("Location"), resp.StatusCode)
	}
	if got, want := strings.Join(d.did, "; "), "end s9 by someone at the board; renew s9 until 13:00:00 UTC, 24 Nov by someone at the board"; got != want {
		t.Errorf("it did %q, want %q", got, want)
	}
	now = now.Add(time.Hour)
	if page := text(t, get(t, h, to).Body); strings.Contains(page, "/renew") {
		t.Error("the undo is offered when the silence would be over")
	}
	for i := range 32 {
		post(h, fmt.Sprintf("/silences/x%d/end", i), nil, nil)
	}
	if got := post(h, "/silences/s9/renew", nil, nil).StatusCode; got != http.StatusConflict {
		t.Errorf("the undo of a silence long forgotten: status %d, want 409", got)
	}
}

func TestQueriesAreShared(t *testing.T) {
	asked := 0
	now := noon
	o := options(incident(), fleet{nodes: 3}, goodStatus())
	o.Now = func() time.Time { return now }
	o.Range = nil
	promql := o.Query
	calls := make(chan struct{}, 1000)
	o.Query = func(ctx context.Context, q string, at time.Time) ([]query.Series, error) {
		calls <- struct{}{}
		return promql(ctx, q, at)
	}
	h := newWhole(o)
	for range 5 {
		get(t, h, "/streams")
	}
	if asked = len(calls); asked != len(views.Instants) {
		t.Errorf("five looks at once asked %d queries, want the %d of one", asked, len(views.Instants))
	}
	now = now.Add(dashboards.LookEvery)
	get(t, h, "/streams")
	if asked = len(calls); asked != 2*len(views.Instants) {
		t.Errorf("a later look asked %d queries in all, want %d", asked, 2*len(views.Instants))
	}
}
