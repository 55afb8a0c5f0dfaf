package dashboards

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
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
	p := New(d.on(options(v, fleet{}, goodStatus())))
	p.live = 100 * time.Millisecond
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/"))
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
	press(`form[action="/problems/0000000000000008/take"] button`, "You took: Disk /data on host-008")
	if got := value[string](t, ctx, `document.activeElement.closest("form").getAttribute("action")`); got != "/problems/0000000000000008/take" {
		t.Errorf("after taking it the focus is on %s", got)
	}
	picture(t, ctx, "board-done-390x844")
	press(`#done-note button`, "Given back: Disk /data on host-008")
	do(t, ctx, chromedp.Click(chromedp.CSS(`#s-0000000000000008 summary`)), chromedp.SendKeys(chromedp.CSS("#c-0000000000000008"), "moved"))
	press(`#s-0000000000000008 button`, "Silenced until 13:00:00 UTC, 24 Nov.")
	if got := value[string](t, ctx, `[document.getElementById("s-0000000000000008").open, document.getElementById("c-0000000000000008").value, document.activeElement.textContent].join()`); got != "false,,Silence…" {
		t.Errorf("after silencing, its form is %q, want it closed, empty, and the focus where it is opened", got)
	}
	value[bool](t, ctx, axe(t)+`; true`)
	accessible(t, ctx, "board after an act", "")
	press(`#done-note button`, "The silence was ended.")
	const by = " by someone at the board"
	want := "ack 0000000000000008" + by + ", undo false; ack 0000000000000008" + by + ", undo true; silence 0000000000000008 for 2h0m0s" + by + ": moved; end s1" + by
	if got := strings.Join(d.did, "; "); got != want {
		t.Errorf("the buttons did %q, want %q", got, want)
	}
	if got := value[string](t, ctx, `location.pathname + location.search`); got != "/" {
		t.Errorf("acts led to %s", got)
	}
}

// TestActThatFails presses a button whose act is refused, whose way is cut, and whose proxy answers in place of the agent: each
// is said, and nothing else on the page changes.
func TestActThatFails(t *testing.T) {
	ctx := browser(t)
	d := &desk{err: errors.New("the router has no room")}
	p := New(d.on(options(incident(), fleet{}, goodStatus())))
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
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh" && window.htmx`)
	fails := func(says string) {
		t.Helper()
		do(t, ctx, chromedp.Click(chromedp.CSS(`form[action="/problems/00000000000000b2/take"] button`)))
		await(t, ctx, `document.getElementById("answer").textContent.includes("`+says+`")`)
		if got := value[int](t, ctx, `document.querySelectorAll(".problem").length`); got != 3 {
			t.Errorf("with %q the board has %d problems, want 3", says, got)
		}
	}
	fails("It was not done: the router has no room. Nothing was changed.")
	picture(t, ctx, "board-not-done-390x844")
	value[bool](t, ctx, axe(t)+`; true`)
	accessible(t, ctx, "board after a failure", "")
	broken.Store(true)
	fails("The answer was 502, so whether it was done is not known.")
	srv.Listener.Close()
	srv.CloseClientConnections()
	fails("No answer came, so whether it was done is not known.")
}

// TestPressedTwice presses a button twice while its act has no answer: it is done once.
func TestPressedTwice(t *testing.T) {
	ctx := browser(t)
	answer := make(chan struct{})
	var acts atomic.Int64
	o := (&desk{}).on(options(incident(), fleet{}, goodStatus()))
	o.Ack = func(context.Context, string, string, bool) error {
		acts.Add(1)
		<-answer
		return nil
	}
	srv := httptest.NewServer(New(o))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh" && window.htmx`)
	value[bool](t, ctx, `for (let i = 0; i < 3; i++) document.querySelector('form[action="/problems/00000000000000b2/take"] button').click(); true`)
	await(t, ctx, `document.querySelector(".htmx-request") !== null`)
	close(answer)
	await(t, ctx, `document.getElementById("done-note")?.textContent.includes("You took") && !document.querySelector(".htmx-request")`)
	if got := acts.Load(); got != 1 {
		t.Errorf("pressed three times before the answer it was done %d times, want once", got)
	}
}
