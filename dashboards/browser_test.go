package dashboards

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/navcloud/binnacle/alerting"
)

// Values of Chromium's preferredColorScheme.
var schemes = map[string]string{"dark": "preferredColorScheme=0", "light": "preferredColorScheme=1"}

// browser starts Debian's Chromium, or skips the test and says why.
func browser(t *testing.T, scheme string) context.Context {
	t.Helper()
	if os.Getenv("BINNACLE_BROWSER") == "" {
		t.Skip("a browser takes half a minute and more: BINNACLE_BROWSER=1 starts it")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here (apt-get install chromium): ", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("blink-settings", schemes[scheme]))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Skip("chromium does not start here: ", err)
	}
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// do runs steps, and value evaluates a script; what fails ends the test.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}

func value[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("in the browser: %s: %v", script, err)
	}
	return v
}

func await(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	// A page that is just being left answers with an error: the next one is asked.
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+script+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(end) || ctx.Err() != nil {
			where, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href"))
			t.Fatalf("in the browser at %s, waiting for %s: %v", where, script, err)
		}
	}
}

// screens are the pages and the states in which they are looked at.
func screens() map[string]struct {
	path string
	opts Options
} {
	stale := incident()
	stale.At = noon.Add(-2 * time.Minute)
	three := fleet{nodes: 3, age: 7}
	return map[string]struct {
		path string
		opts Options
	}{
		"board-calm":     {"/", options(alerting.View{At: noon}, three, goodStatus())},
		"board-incident": {"/?problem=00000000000000b2", options(incident(), three, goodStatus())},
		"board-filter":   {"/?q=riak", options(incident(), three, goodStatus())},
		"problem":        {"/problems/00000000000000b2", options(incident(), three, goodStatus())},
		"board-stale":    {"/", options(stale, three, goodStatus())},
		"board-flood":    {"/", options(flood(200), three, goodStatus())},
		"streams":        {"/streams", options(incident(), fleet{nodes: 7, age: 7}, goodStatus())},
		"streams-empty":  {"/streams", options(incident(), fleet{}, goodStatus())},
		"streams-error":  {"/streams", options(incident(), fleet{nodes: 2, fail: "fanout"}, goodStatus())},
		"nodes-ill":      {"/nodes", options(incident(), three, illStatus())},
		"runbooks":       {"/runbooks/", options(incident(), three, goodStatus())},
		"runbook":        {"/runbooks/RabbitMQSplitBrain", options(incident(), three, goodStatus())},
	}
}

// TestScreens looks at every page in every state on screens from the narrowest to the widest: nothing may be
// wider than the screen. With BINNACLE_SCREENS set, pictures of a phone and a desk, light and dark, are
// written to that folder; with BINNACLE_AXE set to axe-core's script, each page has to pass that.
func TestScreens(t *testing.T) {
	dir := os.Getenv("BINNACLE_SCREENS")
	axe := ""
	if file := os.Getenv("BINNACLE_AXE"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		axe = string(b)
	}
	for scheme := range schemes {
		if scheme == "dark" && dir == "" && axe == "" {
			continue // what is wide does not depend on colours
		}
		ctx := browser(t, scheme)
		for name, tc := range screens() {
			tc.opts.Ack = func(context.Context, string, string, bool) error { return nil }
			tc.opts.Escalate = func(context.Context, string, string) error { return nil }
			tc.opts.Silence = func(context.Context, SilenceRequest) (string, error) { return "", nil }
			srv := httptest.NewServer(New(tc.opts))
			do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+tc.path))
			for _, size := range [][2]int64{{390, 844}, {1440, 900}} {
				if dir != "" {
					do(t, ctx, chromedp.EmulateViewport(size[0], size[1]))
					picture(t, ctx, filepath.Join(dir, fmt.Sprintf("%s-%dx%d-%s.png", name, size[0], size[1], scheme)))
				}
			}
			value[bool](t, ctx, `document.querySelectorAll("details").forEach(d => d.open = true); true`)
			for _, width := range []int64{320, 390, 768, 1440, 2560} {
				do(t, ctx, chromedp.EmulateViewport(width, 800))
				if wide := value[int64](t, ctx, `document.documentElement.scrollWidth`); wide > width {
					t.Errorf("%s: %d px wide on a screen of %d", name, wide, width)
				}
				if axe != "" && (width == 390 || width == 1440) {
					accessible(t, ctx, axe, fmt.Sprintf("%s at %d, %s", name, width, scheme))
				}
			}
			do(t, ctx, chromedp.Navigate("about:blank"))
			srv.CloseClientConnections()
			srv.Close()
		}
	}
}

func accessible(t *testing.T, ctx context.Context, axe, what string) {
	t.Helper()
	script := axe + `; axe.run().then(r => (r.passes.length ? [] : ["nothing was looked at"]).concat(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 120) + " " + n.failureSummary).join(" | "))))`
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("axe-core on %s: %v", what, err)
	}
	for _, f := range found {
		t.Errorf("%s: %s", what, f)
	}
}

func picture(t *testing.T, ctx context.Context, file string) {
	t.Helper()
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("taking %s: %v", file, err)
	}
	if err := os.WriteFile(file, shot, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLivePage opens the board, lets the world change, and looks at what the page makes of it: rows come and
// go without a reload, what was opened stays open, focus stays.
func TestLivePage(t *testing.T) {
	ctx := browser(t, "light")
	var now atomic.Pointer[alerting.View]
	first := incident()
	now.Store(&first)
	o := options(first, fleet{nodes: 3}, goodStatus())
	o.View = func() alerting.View { return *now.Load() }
	p := New(o)
	p.live = 100 * time.Millisecond
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()

	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/"))
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

// outage takes the server away, moves the page's clock on, and brings the server back: the age turns amber,
// then red, and fresh again by itself.
func outage(t *testing.T, ctx context.Context, srv *httptest.Server, p *Pages) {
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

// TestKeys takes, gives back and silences a problem by keyboard alone.
func TestKeys(t *testing.T) {
	ctx := browser(t, "dark")
	d := &desk{}
	p := New(d.on(options(incident(), fleet{}, goodStatus())))
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/"))
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
	do(t, ctx, chromedp.KeyEvent("?jjs"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("moved\r"))
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(`#done-note form[action="/silences/s1/end"]`)))
	want := "ack 00000000000000b2 by someone at the board, undo false; silence 00000000000000b2 for 2h0m0s by someone at the board: moved; escalate 00000000000000a1 by someone at the board"
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	do(t, ctx, chromedp.KeyEvent("je"))
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(`#done-note form[action="/problems/00000000000000a1/take"]`)))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	do(t, ctx, chromedp.KeyEvent("jjo"))
	await(t, ctx, `location.pathname === "/problems/00000000000000b2" && document.querySelectorAll(".problem").length === 1`)
	do(t, ctx, chromedp.Navigate(srv.URL+"/"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	do(t, ctx, chromedp.KeyEvent("/"))
	await(t, ctx, `document.activeElement.id === "f-q"`)
	value[string](t, ctx, `document.activeElement.value = ""`) // the driver's keys write although they were taken
	do(t, ctx, chromedp.KeyEvent("riak\r"))
	await(t, ctx, `location.search === "?q=riak" && document.querySelectorAll(".problem").length === 1`)
	if got := strings.Join(d.did, "; "); got != want {
		t.Errorf("the keys did %q, want %q", got, want)
	}
}
