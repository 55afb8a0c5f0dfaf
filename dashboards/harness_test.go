package dashboards_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser starts Debian's Chromium, or skips the test and says why.
func browser(t *testing.T) context.Context {
	t.Helper()
	if os.Getenv("BINNACLE_BROWSER") == "" {
		t.Skip("a browser takes half a minute and more: BINNACLE_BROWSER=1 starts it")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here (apt-get install chromium): ", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("js-flags", "--expose-gc"), chromedp.Flag("enable-precise-memory-info", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Skip("chromium does not start here: ", err)
	}
	if end, ok := t.Deadline(); ok { // a failure says where it hangs, before the whole run is cut off
		ctx, cancel = context.WithDeadline(ctx, end.Add(-20*time.Second))
		t.Cleanup(cancel)
	}
	return ctx
}

// scheme makes the page light or dark.
func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// onPaper is how a page is printed, whatever the colours of the screen.
func onPaper() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
		return err
	})
}

// withoutScript is a browser that runs none from the next page on.
func withoutScript() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// axe-core 4.10.3, axe.min.js of the npm package axe-core, Mozilla Public License 2.0 (its head says so), compressed.
//
//go:embed testdata/axe.min.js.gz
var axeFile []byte

const axeSum = "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb" // SHA-256 of the script

func axe(t *testing.T) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(axeFile))
	if err != nil {
		t.Fatal(err)
	}
	script, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(script); hex.EncodeToString(sum[:]) != axeSum {
		t.Fatalf("axe-core is not the recorded one: %x", sum)
	}
	return string(script)
}

// accessible lets axe-core look at the page; rules is what it looks for, all when empty.
func accessible(t *testing.T, ctx context.Context, what, rules string) {
	t.Helper()
	script := `axe.run(` + rules + `).then(r => (r.passes.length ? [] : ["nothing was looked at"]).concat(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 120) + " " + n.failureSummary).join(" | "))))`
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("axe-core on %s: %v", what, err)
	}
	for _, f := range found {
		t.Errorf("%s: %s", what, f)
	}
}

// blocked is what the page's content security policy did not let it do, since it was opened.
const blocked = `(() => {
	const o = new ReportingObserver(() => {}, {types: ["csp-violation"], buffered: true});
	o.observe();
	return o.takeRecords().map(r => r.body.effectiveDirective + " " + r.body.blockedURL + " at " + r.body.sourceFile);
})()`

// picture writes what the screen shows into the folder of BINNACLE_SCREENS, if there is one.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("BINNACLE_SCREENS")
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("taking %s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644); err != nil {
		t.Fatal(err)
	}
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

// drawn evaluates a script when what follows a change of the screen was drawn: charts take their new size with a frame of their own.
func drawn[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(`+script+`))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("in the browser: %s: %v", script, err)
	}
	return v
}

func await(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	// A page that is just being left answers with an error: the next one is asked. Only what fails takes that long.
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
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

// settled waits until a page stands still: its letters have come, it has heard the first news, and what follows a change of the screen is drawn.
func settled(t *testing.T, ctx context.Context) {
	t.Helper()
	await(t, ctx, `document.readyState === "complete" && document.fonts.status === "loaded" && (!document.body.dataset.live || document.getElementById("heard").dataset.age)`)
	drawn[bool](t, ctx, "true")
}
