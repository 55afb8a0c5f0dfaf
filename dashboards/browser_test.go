package dashboards_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// TestLivePage opens the board, lets the world change, and looks at what the page makes of it: rows come and
// go without a reload, what was opened stays open, focus stays.
func TestLivePage(t *testing.T) {
	ctx := browser(t)
	var now atomic.Pointer[alerting.View]
	first := incident()
	now.Store(&first)
	o := options(first, fleet{nodes: 3}, goodStatus())
	o.View = func() alerting.View { return *now.Load() }
	p := newLive(o, 100*time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()

	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	value[bool](t, ctx, `document.getElementById("d-00000000000000a1").open = true; document.querySelector("#p-00000000000000b2 h2 a").focus(); window.kept = true`)

	second := incident()
	second.Problems[0], second.Problems[1] = second.Problems[1], second.Problems[0]
	second.Problems[0].Page.Sentence = "Riak disk on riak-07 is full"
	second.Problems[1].Page.Guidance = "It heals: wait."
	second.Problems = append(second.Problems[:2:2], problem("00000000000000e5", alerting.P3, alerting.Waiting, "HostSwapping", "node:x", "x swaps"))
	now.Store(&second)
	await(t, ctx, `document.getElementById("p-00000000000000e5") !== null`)
	if got := fmt.Sprint(value[[]string](t, ctx, `[...document.querySelectorAll(".problem")].map(e => e.id.slice(-2))`)); got != "[b2 a1 e5]" {
		t.Errorf("rows are %s, want [b2 a1 e5]", got)
	}
	if !value[bool](t, ctx, `document.getElementById("d-00000000000000a1").open`) {
		t.Error("what a person opened was closed by the update")
	}
	if !value[bool](t, ctx, `window.kept === true`) {
		t.Error("the page was loaded anew")
	}
	if got := value[string](t, ctx, `document.activeElement.textContent`); got != "Riak disk on riak-07 is full" {
		t.Errorf("focus is on %q, want the row that had it", got)
	}
	if got := value[string](t, ctx, `document.title`); got != "3: P2 Riak disk on riak-07 is full · binnacle" {
		t.Errorf("title is %q", got)
	}
	outage(t, ctx, srv, p)
}

// TestALostConnectionIsAskedForAnew leaves the first stream open without another word, as a network does that lost it.
func TestALostConnectionIsAskedForAnew(t *testing.T) {
	ctx := browser(t)
	p := newLive(options(incident(), fleet{nodes: 3}, goodStatus()), 100*time.Millisecond)
	var streams atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/live/") || streams.Add(1) > 1 {
			p.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board"))
	value[bool](t, ctx, `window.real = Date.now; Date.now = () => real() + 16000; true`)
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	if got := streams.Load(); got < 2 {
		t.Errorf("%d streams were asked for, want another after the first said nothing", got)
	}
}

// outage takes the server away, moves the page's clock on, and brings the server back: the age turns amber,
// then red, and fresh again by itself.
func outage(t *testing.T, ctx context.Context, srv *httptest.Server, p *dashboards.Pages) {
	t.Helper()
	address := srv.Listener.Addr().String()
	srv.Listener.Close()
	srv.CloseClientConnections()
	value[bool](t, ctx, `window.real = Date.now; Date.now = () => real() + 6000; true`)
	await(t, ctx, `document.getElementById("heard").dataset.age === "amber"`)
	value[bool](t, ctx, `Date.now = () => real() + 16000; true`)
	await(t, ctx, `document.getElementById("heard").dataset.age === "red"`)
	if got := value[string](t, ctx, `document.getElementById("heard").textContent`); !strings.Contains(got, "What stands here may be over.") {
		t.Errorf("in an outage the page says %q", got)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	again := &http.Server{Handler: p}
	defer again.Close()
	go again.Serve(l) //nolint:errcheck // it ends by Close
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	if !value[bool](t, ctx, `window.kept === true`) {
		t.Error("the page was loaded anew after the outage")
	}
}

// TestKeys takes, silences, escalates and undoes by keyboard alone; the focus stays in the row that it is in.
func TestKeys(t *testing.T) {
	ctx := browser(t)
	d := &desk{}
	p := newWhole(d.on(options(incident(), fleet{}, goodStatus())))
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	do(t, ctx, chromedp.KeyEvent("jjkj"))
	if got := value[string](t, ctx, `document.activeElement.id`); got != "p-00000000000000b2" {
		t.Errorf("after j j k j the focus is on %q, want the second row", got)
	}
	do(t, ctx, chromedp.KeyEvent("a"))
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(`#done-note form[action="/problems/00000000000000b2/take"]`)))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	do(t, ctx, chromedp.KeyEvent("?"))
	if !value[bool](t, ctx, `document.getElementById("keys").open`) {
		t.Error("the key ? opened no help")
	}
	value[bool](t, ctx, axe(t)+`; true`)
	accessible(t, ctx, "help for the keys", "")
	do(t, ctx, chromedp.KeyEvent("?s"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("moved\r"))
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(`#done-note form[action="/silences/s1/end"]`)))
	want := "ack 00000000000000b2 by someone at the board, undo false; silence 00000000000000b2 for 2h0m0s by someone at the board: moved; escalate 00000000000000a1 by someone at the board; ack 00000000000000a1 by someone at the board, undo false"
	do(t, ctx, chromedp.KeyEvent("ke"))
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(`#done-note form[action="/problems/00000000000000a1/take"]`)))
	do(t, ctx, chromedp.KeyEvent("u"))
	await(t, ctx, `document.querySelector("#done-note p").textContent.startsWith("You acknowledged: Users hurt")`)
	do(t, ctx, chromedp.KeyEvent("jo"))
	await(t, ctx, `location.pathname === "/problems/00000000000000b2" && document.querySelectorAll(".problem-page").length === 1`)
	do(t, ctx, chromedp.Navigate(srv.URL+"/board"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	do(t, ctx, chromedp.KeyEvent("f"))
	await(t, ctx, `document.activeElement.id === "f-q"`)
	value[string](t, ctx, `document.activeElement.value = ""`) // the driver's keys write although they were taken
	value[bool](t, ctx, `window.kept = true`)
	do(t, ctx, chromedp.KeyEvent("riak\r"))
	await(t, ctx, `location.search === "?q=riak" && document.querySelectorAll(".problem").length === 1 && document.body.dataset.live === "/live/board?q=riak"`)
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	if !value[bool](t, ctx, `window.kept === true && document.activeElement.id === "f-q"`) {
		t.Error("the filter loaded the page anew, or took the focus")
	}
	if got := strings.Join(d.did, "; "); got != want {
		t.Errorf("the keys did %q, want %q", got, want)
	}
}

// TestPrintedHandover looks at the handover on paper, printed from a dark screen: black on white, and without what only
// a screen can use.
func TestPrintedHandover(t *testing.T) {
	ctx := browser(t)
	srv := httptest.NewServer(newWhole(options(incident(), fleet{nodes: 3}, goodStatus())))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, onPaper(), chromedp.EmulateViewport(794, 1123), chromedp.Navigate(srv.URL+"/handover?last=12h0m0s")) // A4 at 96 dpi
	picture(t, ctx, "handover-print")
	if got := value[string](t, ctx, `getComputedStyle(document.body).color + " " + getComputedStyle(document.querySelector(".lead")).color`); got != "rgb(0, 0, 0) rgb(51, 51, 51)" {
		t.Errorf("on paper the text is %s, want black and dark grey", got)
	}
	if n := value[int](t, ctx, `[...document.querySelectorAll("nav, form, button, footer")].filter(e => e.checkVisibility()).length`); n > 0 {
		t.Errorf("%d menus, forms and buttons are printed", n)
	}
}

// TestWithoutScript reads the board, takes a problem, takes that back, silences and filters in a browser that runs no script.
func TestWithoutScript(t *testing.T) {
	ctx := browser(t)
	d := &desk{}
	srv := httptest.NewServer(newWhole(d.on(options(incident(), fleet{nodes: 3}, goodStatus()))))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, withoutScript(), chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board"))
	await(t, ctx, `document.querySelector("#heard").textContent.includes("reload for news")`)
	press := func(selector string) { do(t, ctx, chromedp.Click(chromedp.CSS(selector))) }
	press(`form[action="/problems/00000000000000b2/take"] button`)
	await(t, ctx, `document.querySelector("#done-note p")?.textContent.startsWith("You acknowledged: Riak disk")`)
	press("#done-note button")
	await(t, ctx, `document.querySelector("#done-note p")?.textContent.startsWith("Acknowledgement taken back: Riak disk")`)
	press("#s-00000000000000b2 summary")
	await(t, ctx, `document.getElementById("s-00000000000000b2").open`)
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#c-00000000000000b2"), "moved"))
	press("#s-00000000000000b2 form button")
	await(t, ctx, `document.querySelector('#done-note form[action="/silences/s1/end"]') !== null`)
	press("#filter-open summary")
	await(t, ctx, `document.getElementById("filter-open").open`)
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#f-q"), "riak"))
	press("#filter-form button")
	await(t, ctx, `document.querySelector("#filter-open summary").textContent === "Filter: 1 of 3 problems shown"`)
	want := "ack 00000000000000b2 by someone at the board, undo false; ack 00000000000000b2 by someone at the board, undo true; silence 00000000000000b2 for 2h0m0s by someone at the board: moved"
	if got := strings.Join(d.did, "; "); got != want {
		t.Errorf("the forms did %q, want %q", got, want)
	}
}

// TestCompletion writes a query with the keyboard as the store's names help, and asks it.
func TestCompletion(t *testing.T) {
	ctx := browser(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/label/__name__/values", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":["host_load1","navcloud_streams_open","navcloud_streams_limit"]}`)
	})
	mux.HandleFunc("GET /api/v1/label/node/values", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("match[]") == "navcloud_streams_open" {
			fmt.Fprint(w, `{"status":"success","data":["navcloud-1","other"]}`)
		}
	})
	mux.Handle("/", newWhole(options(incident(), fleet{nodes: 3}, goodStatus())))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/explore"))
	await(t, ctx, `document.getElementById("query").getAttribute("aria-controls") === "completions"`)
	do(t, ctx, chromedp.Focus(chromedp.CSS("#query")), chromedp.KeyEvent("streams_o"))
	await(t, ctx, `document.querySelectorAll("#completions li").length === 1`)
	do(t, ctx, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent("\t"), chromedp.KeyEvent(`{node="nav`))
	await(t, ctx, `document.querySelector("#completions li")?.textContent === "navcloud-1 value"`)
	do(t, ctx, chromedp.KeyEvent(kb.ArrowDown))
	value[bool](t, ctx, axe(t)+`; true`)
	accessible(t, ctx, "completions", "")
	do(t, ctx, chromedp.KeyEvent("\t"), chromedp.KeyEvent(`"}`))
	if got := value[string](t, ctx, `document.getElementById("query").value`); got != `navcloud_streams_open{node="navcloud-1"}` {
		t.Errorf("the completed query is %q", got)
	}
	do(t, ctx, chromedp.KeyEvent("\r"))
	await(t, ctx, `location.search.startsWith("?q=navcloud_streams_open") && document.getElementById("explore-table") !== null`)
}
