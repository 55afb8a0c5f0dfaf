package dashboards_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	pages "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// watchPlots keeps weak references to all plots that uPlot makes, the newest last.
const watchPlots = `(() => {
	let real;
	window.plots = [];
	Object.defineProperty(window, "uPlot", {
		set(made) {
			real = function (...a) { const u = new made(...a); plots.push(new WeakRef(u)); return u; };
		},
		get: () => real,
	});
	window.plot = (id) => plots.map((w) => w.deref()).find((u) => u?.root.getRootNode().host?.closest("figure").id === id);
})()`

// charted opens a page and waits until its charts are uPlot's.
func charted(t *testing.T, ctx context.Context, address string) {
	t.Helper()
	do(t, ctx, chromedp.Func(func(ctx context.Context, tg *chromedp.Target) error {
		_, err := cdp.Call(ctx, tg, pages.AddScriptToEvaluateOnNewDocument, pages.AddScriptToEvaluateOnNewDocumentParams{Source: watchPlots})
		return err
	}), chromedp.Navigate(address))
	await(t, ctx, allDrawn)
}

const allDrawn = `document.querySelectorAll(".plot[data-step]").length > 0 && [...document.querySelectorAll(".plot[data-step]")].every(p => p.shadowRoot?.querySelector("canvas").width > 0)`

func chartServer(t *testing.T, o whole) *httptest.Server {
	srv := httptest.NewServer(newWhole(o))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv
}

// mouse moves the mouse over a chart, to shares of its plot's width, with the button down between the first and the last.
func mouse(t *testing.T, ctx context.Context, id string, drag bool, shares ...float64) {
	t.Helper()
	box := value[[]float64](t, ctx, `(() => { document.getElementById("`+id+`").scrollIntoView(); const b = plot("`+id+`").over.getBoundingClientRect(); return [b.left, b.top + b.height / 2, b.width]; })()`)
	send := func(kind input.DispatchMouseEventType, share float64) {
		p := input.DispatchMouseEventParams{Type: kind, X: box[0] + share*box[2], Y: box[1]}
		if kind != "mouseMoved" {
			p.Button, p.ClickCount = "left", 1
		}
		if drag {
			p.Buttons = 1
		}
		do(t, ctx, chromedp.Func(func(ctx context.Context, tg *chromedp.Target) error {
			_, err := cdp.Call(ctx, tg, input.DispatchMouseEvent, p)
			return err
		}))
	}
	send("mouseMoved", shares[0])
	if drag {
		send("mousePressed", shares[0])
	}
	for _, s := range shares[1:] {
		send("mouseMoved", s)
	}
	if drag {
		send("mouseReleased", shares[len(shares)-1])
	}
}

// TestPlots looks at the charts of a page as uPlot draws them: with the server's scale, fitted anew when a line is hidden,
// read by mouse and keyboard on all charts at once, in the colours of the screen.
func TestPlots(t *testing.T) {
	ctx := browser(t)
	srv := chartServer(t, options(incident(), fleet{nodes: 3}, goodStatus()))
	do(t, ctx, scheme("light"), chromedp.EmulateViewport(1440, 900))
	charted(t, ctx, srv.URL+"/streams/history?by=node")
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)

	scales := `[...document.querySelectorAll(".plot[data-step]")].map(p => { const id = p.closest("figure").id; return [id, [...p.querySelectorAll(".y span")].map(e => e.textContent).reverse().join(), plot(id).axes[1]._values.join()]; }).filter(([, a, b]) => a !== b).map(String)`
	if got := value[[]string](t, ctx, scales); len(got) > 0 {
		t.Errorf("the server's scale and uPlot's differ: %v", got)
	}
	if n := value[int](t, ctx, `[...document.querySelectorAll(".plot svg")].filter(e => e.checkVisibility()).length`); n > 0 {
		t.Errorf("%d of the server's drawings are seen beside uPlot's", n)
	}

	mouse(t, ctx, "chart-open", false, 0.2, 0.5)
	said := `[...document.querySelectorAll(".chart")].map(f => [...f.querySelectorAll(".legend .value")].filter(e => e.textContent).length)`
	if got := fmt.Sprint(value[[]int](t, ctx, said)); got != "[3 3 1 4 4 3]" {
		t.Errorf("pointing at one chart says %s values of the charts, want all of their lines", got)
	}
	mouse(t, ctx, "chart-open", false, 0.5, -0.5)
	if got := fmt.Sprint(value[[]int](t, ctx, said)); got != "[0 0 0 0 0 0]" {
		t.Errorf("pointing at none says %s values", got)
	}

	do(t, ctx, chromedp.EmulateViewport(320, 700))
	if wide := value[int](t, ctx, `document.documentElement.scrollWidth`); wide > 320 {
		t.Errorf("on a screen that became narrow the page is %d px wide", wide)
	}
	await(t, ctx, `[...document.querySelectorAll(".plot[data-step]")].every(p => plot(p.closest("figure").id).width === p.clientWidth + 12)`)
	hideALine(t, ctx)
	keys(t, ctx)

	colour := `plot("chart-open").series[1].stroke(plot("chart-open"), 1)`
	light := value[string](t, ctx, colour)
	value[bool](t, ctx, `window.redrawn = 0; plot("chart-open").hooks.drawAxes.push(() => redrawn++); true`)
	do(t, ctx, scheme("dark"))
	await(t, ctx, `redrawn > 0 && `+colour+` !== "`+light+`"`)
	if got := value[[]string](t, ctx, blocked); len(got) > 0 {
		t.Errorf("charts want what the policy forbids: %q", got)
	}
	do(t, ctx, onPaper())
	if got := value[string](t, ctx, `[...document.querySelectorAll(".plot")].map(p => p.querySelector("svg").checkVisibility() + " " + p.shadowRoot.querySelector("canvas").checkVisibility()).filter((s) => s !== "true false").join()`); got != "" {
		t.Errorf("on paper the server's drawings and the canvases are seen: %s; want the drawings alone", got)
	}
	picture(t, ctx, "history-print")
}

// hideALine unchooses a line that is far above the others: what is left has the whole height.
func hideALine(t *testing.T, ctx context.Context) {
	t.Helper()
	value[bool](t, ctx, `(() => { const p = document.querySelector("#chart-open .line"); p.dataset.exp = 3; p.setAttribute("d", p.getAttribute("d") + " "); return true; })()`)
	top := `plot("chart-open").scales.y.max`
	await(t, ctx, top+` >= 1e6`)
	do(t, ctx, chromedp.Click(chromedp.CSS("#chart-open .legend li:nth-child(1) input")))
	await(t, ctx, top+` === 1600 && !plot("chart-open").series[1].show`)
}

// keys reads a chart of which a line is hidden by keyboard alone.
func keys(t *testing.T, ctx context.Context) {
	t.Helper()
	do(t, ctx, chromedp.Focus(chromedp.CSS("#chart-open .plot")), chromedp.KeyEvent(kb.End))
	said := value[string](t, ctx, `document.getElementById("readout").textContent`)
	hidden := value[string](t, ctx, `document.querySelector("#chart-open .of-line").textContent`)
	if strings.Contains(said, hidden) || strings.Count(said, "navcloud-") != 2 || !strings.HasPrefix(said, "24 Nov 12:00 UTC: ") {
		t.Errorf("the key End says %q, want the two lines that are shown, and not %s", said, hidden)
	}
	do(t, ctx, chromedp.KeyEvent(kb.ArrowLeft))
	if again := value[string](t, ctx, `document.getElementById("readout").textContent`); !strings.HasPrefix(again, "24 Nov 11:54 UTC: ") {
		t.Errorf("the key for left says %q, want what was three steps before", again)
	}
	if n := value[int](t, ctx, `[...document.querySelectorAll(".plot")].filter(p => !p.shadowRoot.querySelector(".time").hidden).length`); n != 6 {
		t.Errorf("the key points at %d charts, want all 6", n)
	}
}

// TestPlotZoom drags over a part of a chart: the page is asked for that time, in finer steps.
func TestPlotZoom(t *testing.T) {
	ctx := browser(t)
	srv := chartServer(t, options(incident(), fleet{nodes: 3}, goodStatus()))
	do(t, ctx, chromedp.EmulateViewport(1440, 900))
	charted(t, ctx, srv.URL+"/streams/history?by=node&last=6h0m0s")
	value[bool](t, ctx, `window.kept = true`)
	mouse(t, ctx, "chart-turnover", true, 0.5, 0.6, 0.75)
	await(t, ctx, `location.search.includes("from=2026-11-24T09%3A00%3A00") && location.search.includes("to=2026-11-24T10%3A30%3A00") && location.search.includes("by=node") && !location.search.includes("last")`)
	await(t, ctx, allDrawn+` && plot("chart-turnover").data[0][1] - plot("chart-turnover").data[0][0] === 30 && plot("chart-turnover").scales.x.max - plot("chart-turnover").scales.x.min === 5400`)
	if !value[bool](t, ctx, `window.kept === true && plots.length === 6`) {
		t.Error("the page or its plots were made anew")
	}

	planned := chartServer(t, planning(planned()))
	charted(t, ctx, planned.URL+"/capacity")
	mouse(t, ctx, "fan", true, 0.25, 0.3, 0.5)
	await(t, ctx, `location.search.startsWith("?from=") && plot("fan").scales.x.max - plot("fan").scales.x.min < 0.3 * (document.querySelector("#fan .plot").dataset.to - document.querySelector("#fan .plot").dataset.from)`)
	shown := value[float64](t, ctx, `plot("fan").scales.x.min`)
	charted(t, ctx, value[string](t, ctx, `location.href`))
	if again := value[float64](t, ctx, `plot("fan").scales.x.min`); again != shown {
		t.Errorf("the link opens the time from %v on, want that from %v", again, shown)
	}
	do(t, ctx, chromedp.Focus(chromedp.CSS("#fan .plot")), chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift)))
	marked := value[float64](t, ctx, `plot("fan").select.width`)
	picture(t, ctx, "fan-keys")
	do(t, ctx, chromedp.KeyEvent(kb.Enter))
	if after := value[float64](t, ctx, `plot("fan").scales.x.max - plot("fan").scales.x.min`); marked <= 0 || after > 86400 {
		t.Errorf("Shift and an arrow mark %v px, and Enter opens %v s; want an hour or a few", marked, after)
	}
	do(t, ctx, chromedp.KeyEvent(kb.Escape))
	await(t, ctx, `location.search === "" && plot("fan").scales.x.min === Number(document.querySelector("#fan .plot").dataset.from)`)
}

// TestPlotOfAnotherQuery asks for more lines in place: the chart that stays has a new plot.
func TestPlotOfAnotherQuery(t *testing.T) {
	ctx := browser(t)
	srv := chartServer(t, options(incident(), fleet{nodes: 3}, goodStatus()))
	do(t, ctx, chromedp.EmulateViewport(1440, 900))
	charted(t, ctx, srv.URL+"/explore?q=sum(navcloud_streams_open)")
	value[bool](t, ctx, `document.getElementById("query").value = "sum by (node) (navcloud_streams_open)"; document.getElementById("explore-form").requestSubmit(); window.kept = true`)
	await(t, ctx, `document.querySelectorAll("#explore-chart .line").length === 6 && plot("explore-chart")?.series.length === 4`)
	if !value[bool](t, ctx, `window.kept === true && plots.length === 2 && document.querySelector("#explore-chart .plot").shadowRoot.querySelectorAll("canvas").length === 1`) {
		t.Error("the page was made anew, or the chart has not one new plot")
	}
}

// TestPlotByTouch draws a finger over a chart on a phone.
func TestPlotByTouch(t *testing.T) {
	ctx := browser(t)
	srv := chartServer(t, options(incident(), fleet{nodes: 3}, goodStatus()))
	do(t, ctx, chromedp.EmulateViewport(390, 844))
	charted(t, ctx, srv.URL+"/streams/history?by=node")
	box := value[[]float64](t, ctx, `(() => { const b = plot("chart-open").over.getBoundingClientRect(); return [b.left, b.top + b.height / 2, b.width]; })()`)
	for i, kind := range []input.DispatchTouchEventType{"touchStart", "touchMove", "touchMove", "touchEnd"} {
		p := input.DispatchTouchEventParams{Type: kind, TouchPoints: []*input.TouchPoint{}}
		if kind != "touchEnd" {
			p.TouchPoints = append(p.TouchPoints, &input.TouchPoint{X: box[0] + 0.25*float64(i+1)*box[2], Y: box[1]})
		}
		do(t, ctx, chromedp.Func(func(ctx context.Context, tg *chromedp.Target) error {
			_, err := cdp.Call(ctx, tg, input.DispatchTouchEvent, p)
			return err
		}))
	}
	await(t, ctx, `document.querySelector("#chart-open").querySelector(".plot").shadowRoot.querySelector(".time").textContent === "24 Nov 10:30"`)
}

// TestPlotCases draws what is no ordinary line as the server does, and says the same values.
func TestPlotCases(t *testing.T) {
	ctx := browser(t)
	o := options(incident(), fleet{}, goodStatus())
	var values atomic.Pointer[[]float64]
	o.Query = func(context.Context, string, time.Time) ([]query.Series, error) {
		return []query.Series{{Points: []query.Point{{T: noon, V: 1}}}}, nil
	}
	o.Range = func(_ context.Context, _ string, begin, _ time.Time, step time.Duration) ([]query.Series, error) {
		s := query.Series{Labels: map[string]string{"a": "b"}}
		for i, v := range *values.Load() {
			if !math.IsNaN(v) {
				s.Points = append(s.Points, query.Point{T: begin.Add(time.Duration(i) * step), V: v})
			}
		}
		return []query.Series{s}, nil
	}
	srv := chartServer(t, o)
	do(t, ctx, chromedp.EmulateViewport(800, 600))
	nan := math.NaN()
	for name, tc := range map[string]struct {
		in   []float64
		want string // the plot's values; . is a gap, - what the line goes over
		dots string
	}{
		"it ends":     {[]float64{1, 2, 3}, "1 2 3 . . . .", ""},
		"it jumps":    {[]float64{1, 1, 1e6, 1, 1, 1, 1}, "1 1 1000000 1 1 1 1", ""},
		"a constant":  {[]float64{7, 7, 7, 7, 7, 7, 7}, "7 7 7 7 7 7 7", ""},
		"negative":    {[]float64{-3, 5, -0.25, 0, 1, 2, 3}, "-3 5 -0.25 0 1 2 3", ""},
		"one point":   {[]float64{nan, nan, 2.5}, ". . 2.5 . . . .", "2"},
		"one missing": {[]float64{1, nan, 3, nan, nan, 4, 5}, "1 - 3 . . 4 5", ""},
	} {
		values.Store(&tc.in)
		charted(t, ctx, srv.URL+"/explore?from=2026-11-24T11:00&to=2026-11-24T11:01&q="+url.QueryEscape(name))
		got := value[string](t, ctx, `plot("explore-chart").data[1].map(v => v === undefined ? "-" : v ?? ".").join(" ")`)
		dots := value[string](t, ctx, `plot("explore-chart").series[1].points.filter(plot("explore-chart"), 1).join()`)
		if got != tc.want || dots != tc.dots {
			t.Errorf("%s: uPlot draws %s with the dots %q, want %s and %q", name, got, dots, tc.want, tc.dots)
		}
		if differs := value[bool](t, ctx, `[...document.querySelectorAll(".plot .y span")].map(e => e.textContent).reverse().join() !== plot("explore-chart").axes[1]._values.join()`); differs {
			t.Errorf("%s: uPlot's scale is not the server's", name)
		}
	}
}

// TestPlotWords compares the words of the script with those of the server.
func TestPlotWords(t *testing.T) {
	ctx := browser(t)
	srv := chartServer(t, options(incident(), fleet{nodes: 3}, goodStatus()))
	charted(t, ctx, srv.URL+"/streams/history")
	for _, u := range []charts.Unit{charts.InNumber, charts.InRate, charts.InSeconds, charts.InPercent, charts.InExact, charts.InBytes} {
		values, want := []float64{0}, []string{u.Say(0) + " | " + u.Axis(0)}
		for _, v := range []float64{1e-7, 0.00004, 0.0005, 0.004, 0.05, 0.123456, 0.5, 0.9951, 0.9999, 1, 1.5, 9.96, 12.346, 99.5, 999.7, 1000, 1023, 1024, 1536, 12345, 999999, 1234567, 8.8e9, 7e12, 3e15} {
			values, want = append(values, v), append(want, u.Say(v)+" | "+u.Axis(v))
			if !u.Binary {
				values, want = append(values, -v), append(want, u.Say(-v)+" | "+u.Axis(-v))
			}
		}
		in, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`import(document.querySelector("script[src*=chart]").src).then(({units: {`+u.Name+`: u}}) => `+string(in)+`.map(v => u.say(v) + " | " + u.axis(v)))`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s of %v is %q, and the server says %q", u.Name, values[i], got[i], want[i])
			}
		}
	}
}

// TestPlotsOfALivePage lets the six charts be replaced as often as in 10 minutes of the finest steps: their plots go
// on, and the heap does not grow. A line that comes makes a new plot, and the old one goes.
func TestPlotsOfALivePage(t *testing.T) {
	ctx := browser(t)
	begun := time.Now()
	var nodes atomic.Int64
	nodes.Store(3)
	o := options(incident(), fleet{nodes: 3}, goodStatus())
	o.Now = func() time.Time { return noon.Add(66 * time.Since(begun)).Truncate(time.Second) } // a step of 10 s is one of 150 ms
	o.Range = func(ctx context.Context, q string, start, end time.Time, step time.Duration) ([]query.Series, error) {
		return fleet{nodes: int(nodes.Load())}.ranged(ctx, q, start, end, step)
	}
	p := newLive(o, 150*time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(1440, 900))
	charted(t, ctx, srv.URL+"/streams/history?by=node&last=10m0s")
	value[bool](t, ctx, `document.querySelector("#chart-open .plot").focus(); window.replaced = 0; window.bare = 0; new MutationObserver((all) => { for (const r of all) for (const n of r.addedNodes) if (n.classList?.contains("chart")) replaced++; bare += document.querySelectorAll(".plot[data-step]").length - [...document.querySelectorAll(".plot[data-step]")].filter(p => p.shadowRoot?.querySelector("canvas")).length; }).observe(document.getElementById("charts"), {childList: true}); true`)
	do(t, ctx, chromedp.KeyEvent(kb.End))
	await(t, ctx, `replaced > 60`)
	before := heap(t, ctx)
	worked := watchTasks(t, ctx)
	await(t, ctx, `replaced > 240`)
	await(t, ctx, `replaced > 420`)
	after := heap(t, ctx)
	t.Logf("heap %.2f MB after 60 replacements, %.2f MB after 420", before, after)
	if after > before+1 {
		t.Errorf("the heap grew from %.2f to %.2f MB", before, after)
	}
	tasks(t, ctx, worked, 60, 300)
	if n := value[int](t, ctx, `bare`); n > 0 {
		t.Errorf("%d times a chart that was replaced was seen without its plot", n)
	}
	if got := value[string](t, ctx, `document.activeElement.closest(".chart")?.id ?? ""`); got != "chart-open" {
		t.Errorf("the focus is on %q, want the chart that had it", got)
	}
	for _, n := range []int64{5, 4, 6, 3} {
		nodes.Store(n)
		await(t, ctx, fmt.Sprintf(`plot("chart-open")?.series.length === %d`, n+1))
	}
	await(t, ctx, `plots.length === 14 && (gc(), plots.filter(w => w.deref()).length) <= 7`) // the engine itself keeps the first
}

// TestChartWithoutScript is what the server drew.
func TestChartWithoutScript(t *testing.T) {
	ctx := browser(t)
	srv := chartServer(t, options(incident(), fleet{nodes: 3}, goodStatus()))
	do(t, ctx, withoutScript(), chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/streams/history?by=node"))
	await(t, ctx, `document.querySelectorAll(".plot svg .line").length === 18`)
	line := value[[]float64](t, ctx, `(() => { const b = document.querySelector("#chart-open .line").getBoundingClientRect(), p = document.querySelector("#chart-open .drawing > svg").getBoundingClientRect(); return [(b.left - p.left) / p.width, b.width / p.width, (p.bottom - b.bottom) / p.height, b.height / p.height]; })()`)
	for i, want := range []float64{0, 1, 0.625, 0.171} { // 1000 to 1273 of 1600, over the whole width
		if math.Abs(line[i]-want) > 0.02 {
			t.Errorf("the line lies at %.3f of the plot, want 0, 1, 0.625 and 0.171", line)
			break
		}
	}
	if value[bool](t, ctx, `document.querySelector(".plot").shadowRoot !== null`) {
		t.Error("a script has drawn where none may run")
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("#chart-open .legend li:nth-child(2) input")))
	await(t, ctx, `[...document.querySelectorAll("#chart-open .plot .line")].map(e => getComputedStyle(e).display !== "none").join() === "true,false,true"`)
}
