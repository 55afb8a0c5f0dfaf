package dashboards_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/navcloud/binnacle/alerting"
)

// place is what a person who acts in the middle of a long board must not lose: how far they have scrolled, what they
// opened, and the page itself.
const place = `[Math.round(scrollY), document.getElementById("d-0000000000000003").open, window.kept === true].join()`

// TestActInPlace takes, gives back and silences far down a long board: each is answered on the page, which stays where it was.
func TestActInPlace(t *testing.T) {
	ctx := browser(t)
	d := &desk{}
	v := flood(40)
	v.Silences = incident().Silences
	p := newLive(d.on(options(v, fleet{}, goodStatus())), 100*time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board?density=comfortable"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh" && window.htmx`)
	value[bool](t, ctx, `document.getElementById("d-0000000000000003").open = true; window.kept = true; document.querySelector("#p-0000000000000008 button").focus(); true`)
	press := func(selector, says string) {
		t.Helper()
		value[bool](t, ctx, "document.querySelector(`"+selector+"`).scrollIntoViewIfNeeded(); true") // as the driver's mouse does
		before := value[string](t, ctx, place)
		do(t, ctx, chromedp.Click(chromedp.CSS(selector)))
		await(t, ctx, `document.getElementById("answer").textContent.includes("`+says+`")`)
		if got := value[string](t, ctx, place); got != before {
			t.Errorf("after %s the place is %s, want %s", says, got, before)
		}
		if got := value[string](t, ctx, `document.getElementById("answer").getBoundingClientRect().bottom <= innerHeight ? "in sight" : "out of sight"`); got != "in sight" {
			t.Errorf("%q is %s", says, got)
		}
	}
	press(`form[action="/problems/0000000000000008/take"] button`, "You acknowledged: Disk /data on host-008")
	if got := value[string](t, ctx, `document.activeElement.closest("form").getAttribute("action")`); got != "/problems/0000000000000008/take" {
		t.Errorf("after taking it the focus is on %s", got)
	}
	picture(t, ctx, "board-done-390x844")
	press(`#done-note button`, "Acknowledgement taken back: Disk /data on host-008")
	do(t, ctx, chromedp.Click(chromedp.CSS(`#s-0000000000000008 summary`)), chromedp.SendKeys(chromedp.CSS("#c-0000000000000008"), "moved"))
	press(`#s-0000000000000008 button`, "Silenced until 13:00:00 UTC, 24 Nov.")
	if got := value[string](t, ctx, `[document.getElementById("s-0000000000000008").open, document.getElementById("c-0000000000000008").value, document.activeElement.textContent].join()`); got != "false,,Silence…" {
		t.Errorf("after silencing, its form is %q, want it closed, empty, and the focus where it is opened", got)
	}
	value[bool](t, ctx, axe(t)+`; true`)
	accessible(t, ctx, "board after an act", "")
	press(`#done-note button`, "The silence was ended.")
	do(t, ctx, chromedp.Click(chromedp.CSS("#close")))
	if got := value[int](t, ctx, `document.getElementById("answer").childElementCount`); got != 0 {
		t.Errorf("closed, the note still has %d parts", got)
	}
	const by = " by someone at the board"
	want := "ack 0000000000000008" + by + ", undo false; ack 0000000000000008" + by + ", undo true; silence 0000000000000008 for 2h0m0s" + by + ": moved; end s1" + by
	if got := strings.Join(d.did, "; "); got != want {
		t.Errorf("the buttons did %q, want %q", got, want)
	}
	if got := value[string](t, ctx, `location.pathname + location.search`); got != "/board?density=comfortable" {
		t.Errorf("acts led to %s", got)
	}
	if got := value[[]string](t, ctx, blocked); len(got) > 0 {
		t.Errorf("acts wanted what the policy forbids: %q", got)
	}
}

// TestActThatFails presses a button whose act is refused, whose way is cut, and whose proxy answers in place of the agent: each
// is said, and nothing else on the page changes.
func TestActThatFails(t *testing.T) {
	ctx := browser(t)
	d := &desk{err: errors.New("the router has no room")}
	p := newWhole(d.on(options(incident(), fleet{}, goodStatus())))
	var broken atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && r.Method == http.MethodPost {
			http.Error(w, "<h1>Bad Gateway</h1>", http.StatusBadGateway)
			return
		}
		p.ServeHTTP(w, r)
	}))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh" && window.htmx`)
	fails := func(says string) {
		t.Helper()
		do(t, ctx, chromedp.Click(chromedp.CSS(`form[action="/problems/00000000000000b2/take"] button`)))
		await(t, ctx, `document.getElementById("answer").textContent.includes("`+says+`")`)
		if got := value[int](t, ctx, `document.querySelectorAll(".problem").length`); got != 3 {
			t.Errorf("with %q the board has %d problems, want 3", says, got)
		}
	}
	fails("It was not done: the router has no room.")
	picture(t, ctx, "board-not-done-390x844")
	value[bool](t, ctx, axe(t)+`; true`)
	accessible(t, ctx, "board after a failure", "")
	broken.Store(true)
	fails("The answer was 502, so whether it was done is not known.")
	srv.Listener.Close()
	srv.CloseClientConnections()
	fails("No answer came, so whether it was done is not known.")
}

// TestPressedTwice presses a button again and again while its act has no answer, though news of its row come meanwhile: it is
// done once, and then the row is as the news say.
func TestPressedTwice(t *testing.T) {
	ctx := browser(t)
	answer := make(chan struct{})
	var acts atomic.Int64
	var now atomic.Pointer[alerting.View]
	first, second := incident(), incident()
	for i := range second.Problems {
		second.Problems[i].Page.Impact = "Everybody."
	}
	now.Store(&first)
	o := (&desk{}).on(options(first, fleet{}, goodStatus()))
	o.View = func() alerting.View { return *now.Load() }
	o.People = &desk{ack: func(string) {
		acts.Add(1)
		now.Store(&second)
		<-answer
	}}
	p := newLive(o, 50*time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh" && window.htmx`)
	const press = `for (let i = 0; i < 3; i++) document.querySelector('form[action="/problems/00000000000000b2/take"] button').click(); true`
	const says = `document.querySelector("#p-00000000000000%s .hurt").textContent.includes("Everybody")`
	value[bool](t, ctx, press)
	await(t, ctx, fmt.Sprintf(says, "a1"))
	value[bool](t, ctx, press)
	close(answer)
	await(t, ctx, `document.getElementById("done-note")?.textContent.includes("You acknowledged") && `+fmt.Sprintf(says, "b2"))
	if got := acts.Load(); got != 1 {
		t.Errorf("pressed six times before the answer it was done %d times, want once", got)
	}
}

// opened opens a page and marks it, so that answered knows whether it is still the same.
func opened(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(url))
	await(t, ctx, `document.querySelector("form[data-htmx-powered]")`)
	value[bool](t, ctx, `window.kept = true`)
}

// answered awaits an answer on the page that is there; where is the address which it has.
func answered(t *testing.T, ctx context.Context, script, where string) {
	t.Helper()
	await(t, ctx, script)
	if got := value[string](t, ctx, `location.pathname + location.search + location.hash`); got != where {
		t.Errorf("with %s the address is %s, want %s", script, got, where)
	}
	if !value[bool](t, ctx, `window.kept === true`) {
		t.Errorf("%s was loaded anew", where)
	}
}

// TestWhatIfInPlace asks twice what if: the answers come on the same page, each with its address, and back leads to the
// question before.
func TestWhatIfInPlace(t *testing.T) {
	ctx := browser(t)
	srv := httptest.NewServer(newWhole(planning(planned())))
	defer srv.Close()
	const pool = "/capacity?pool=streams_per_node+prod"
	opened(t, ctx, srv.URL+pool)
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#w-growth"), "20"), chromedp.Click(chromedp.CSS(".whatif button")))
	answered(t, ctx, `document.querySelector(".then h3")?.textContent === "If so"`, pool+"&growth=20#chosen")
	picture(t, ctx, "capacity-if-in-place-390x844")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#w-growth"), "0\r"))
	answered(t, ctx, `document.getElementById("w-growth").value === "200" && location.search.endsWith("200")`, pool+"&growth=200#chosen")
	if got := value[string](t, ctx, `document.activeElement.id`); got != "w-growth" {
		t.Errorf("after asking by Enter the focus is on %q", got)
	}
	value[bool](t, ctx, `history.back(); true`)
	await(t, ctx, `location.search.endsWith("growth=20") && document.getElementById("w-growth")?.value === "20"`)
}

// TestAnotherTimeInPlace goes from a time that goes on to one that is over: the choice is put away, and the page no longer
// says that it is live.
func TestAnotherTimeInPlace(t *testing.T) {
	ctx := browser(t)
	p := newLive(options(incident(), fleet{nodes: 3}, goodStatus()), 100*time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	opened(t, ctx, srv.URL+"/timeline?last=8h0m0s")
	do(t, ctx, chromedp.Click(chromedp.CSS("#period-choice > summary")))
	await(t, ctx, `document.getElementById("period-choice").open`)
	do(t, ctx, chromedp.Click(chromedp.CSS(".pop .choices li:first-child a")))
	answered(t, ctx, `document.querySelector(".counts").textContent.includes("in 1 h")`, "/timeline?last=1h")
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	do(t, ctx, chromedp.Click(chromedp.CSS("#period-choice > summary")))
	value[bool](t, ctx, `document.getElementById("from").value = "2026-11-24T09:00"; document.getElementById("to").value = "2026-11-24T11:00"; true`)
	do(t, ctx, chromedp.Click(chromedp.CSS(".period button")))
	answered(t, ctx, `document.querySelector(".counts").textContent.includes("in 2 h")`, "/timeline?from=2026-11-24T09%3A00&to=2026-11-24T11%3A00")
	if got := value[string](t, ctx, `[document.getElementById("period-choice").open, document.getElementById("heard").textContent].join()`); got != "false,As of 12:00:00 UTC, 24 Nov" {
		t.Errorf("of a time that is over it says %q, want the choice closed and no word of being live", got)
	}
}

// TestQueryInPlace asks another query, and once more when nobody answers.
func TestQueryInPlace(t *testing.T) {
	ctx := browser(t)
	srv := httptest.NewServer(newWhole(options(incident(), fleet{nodes: 3}, goodStatus())))
	defer srv.Close()
	opened(t, ctx, srv.URL+"/explore?q=navcloud_streams_open")
	do(t, ctx, chromedp.Focus(chromedp.CSS("#query")), chromedp.KeyEvent("1 + \r"))
	answered(t, ctx, `document.title.startsWith("Explore: 1 + navcloud_streams_open")`, "/explore?q=1+%2B+navcloud_streams_open")
	if got := value[string](t, ctx, `[document.activeElement.id, document.querySelectorAll("#explore-chart").length, document.getElementById("told").textContent].join()`); got != "query,1,Explore: 1 + navcloud_streams_open · binnacle" {
		t.Errorf("after the answer focus, charts and what is told are %s", got)
	}
	srv.Listener.Close()
	srv.CloseClientConnections()
	do(t, ctx, chromedp.KeyEvent("\r"))
	await(t, ctx, `document.getElementById("answer").textContent === "No answer came: what stands here is as it was." && document.getElementById("explore-chart")`)
}
