package dashboards_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards/views"
)

// work is the time on a processor of the page's main thread, in milliseconds. Unlike the length of its tasks it does not depend on what else
// the machine does.
func work(t *testing.T, ctx context.Context) float64 {
	t.Helper()
	ms := -1.0
	do(t, ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}); err != nil {
			return err
		}
		got, err := cdp.Call(ctx, target, performance.GetMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, m := range got.Metrics {
			if m.Name == "TaskDuration" {
				ms = 1000 * m.Value
			}
		}
		return nil
	}))
	if ms < 0 {
		t.Fatal("the browser does not tell TaskDuration")
	}
	return ms
}

// watchTasks keeps the length in milliseconds of each task of the page's main thread that took more than 50 ms, and returns the work so far.
func watchTasks(t *testing.T, ctx context.Context) float64 {
	t.Helper()
	value[bool](t, ctx, `window.long = []; new PerformanceObserver(l => l.getEntries().forEach(e => long.push(Math.round(e.duration)))).observe({type: "longtask"}); true`)
	return work(t, ctx)
}

// tasks holds the work of ticks since before to so many milliseconds each. The long tasks are logged: one that was long because the
// machine was busy elsewhere cannot be told from one that had much to do.
func tasks(t *testing.T, ctx context.Context, before float64, ticks int, most float64) {
	t.Helper()
	each := (work(t, ctx) - before) / float64(ticks)
	long := value[[]int](t, ctx, `window.long`)
	slices.Sort(long)
	t.Logf("a tick took %.0f ms of a processor; in %d ticks the tasks over 50 ms took %v", each, ticks, long)
	if each > most {
		t.Errorf("a tick took %.0f ms of a processor, want at most %.0f", each, most)
	}
}

// TestWallOfManySeries lets ten thousand cells change two hundred times: no tick is long, and the page's
// heap does not grow.
func TestWallOfManySeries(t *testing.T) {
	ctx := browser(t)
	var looks atomic.Int64
	o := options(incident(), fleet{}, goodStatus())
	o.Now = func() time.Time { return noon.Add(time.Duration(looks.Add(1)) * time.Second) }
	o.Query = func(_ context.Context, _ string, at time.Time) ([]query.Series, error) {
		out := make([]query.Series, views.MaxWall)
		for i := range out {
			out[i] = query.Series{Labels: map[string]string{"node": fmt.Sprintf("navcloud-%04d", i)}, Points: []query.Point{{T: at, V: float64(rand.IntN(100))}}}
		}
		return out, nil
	}
	p := newLive(o, 50*time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(1440, 900), chromedp.Navigate(srv.URL+"/wall"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	value[bool](t, ctx, `window.ticks = 0; new MutationObserver(() => ticks++).observe(document.getElementById("wall-words"), {childList: true, characterData: true, subtree: true}); true`)
	at := func(n int64) {
		from := looks.Load()
		for end := time.Now().Add(60 * time.Second); looks.Load() < from+n && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
	}
	at(20)
	picture(t, ctx, "wall-10000-1440x900")
	worked := watchTasks(t, ctx)
	before, from := heap(t, ctx), looks.Load()
	at(200)
	ticks := int(looks.Load() - from)
	after := heap(t, ctx)
	t.Logf("heap %.1f MB, after %d ticks %.1f MB", before, ticks, after)
	if after > before+4 {
		t.Errorf("the heap grew from %.1f to %.1f MB in %d ticks", before, after, ticks)
	}
	tasks(t, ctx, worked, ticks, 100)
	do(t, ctx, chromedp.Focus(chromedp.CSS("#wall-canvas")), chromedp.KeyEvent(kb.ArrowRight+kb.ArrowRight))
	await(t, ctx, `document.getElementById("wall-cell").textContent.startsWith('{node="navcloud-0001"}: ')`)
}

// heap is the page's own, in MB, after what nobody uses was thrown away.
func heap(t *testing.T, ctx context.Context) float64 {
	t.Helper()
	return value[float64](t, ctx, `gc(); performance.memory.usedJSHeapSize / 1e6`)
}

// TestBoardOfManyAlarms reorders two hundred problems at each look: focus and what was opened stay, no task is long.
func TestBoardOfManyAlarms(t *testing.T) {
	ctx := browser(t)
	var now atomic.Pointer[alerting.View]
	first := flood(200)
	now.Store(&first)
	o := (&desk{}).on(options(first, fleet{}, goodStatus()))
	o.View = func() alerting.View { return *now.Load() }
	p := newLive(o, 250*time.Millisecond)
	srv := httptest.NewServer(p)
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board?density=comfortable"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	value[bool](t, ctx, `document.getElementById("d-0000000000000003").open = true; document.querySelector("#p-0000000000000005 h2 a").focus(); true`)
	worked := watchTasks(t, ctx)
	const ticks = 20
	for i := range ticks {
		v := flood(200)
		rand.Shuffle(len(v.Problems), func(i, j int) { v.Problems[i], v.Problems[j] = v.Problems[j], v.Problems[i] })
		v.Problems[0].Page.Sentence = fmt.Sprintf("turn %d", i)
		now.Store(&v)
		await(t, ctx, fmt.Sprintf(`document.querySelector(".problem h2").textContent === "turn %d"`, i))
	}
	await(t, ctx, `document.querySelectorAll(".problem").length === 200`)
	if !value[bool](t, ctx, `document.getElementById("d-0000000000000003")?.open ?? true`) {
		t.Error("what a person opened was closed")
	}
	if got := value[string](t, ctx, `document.activeElement.closest(".problem")?.id ?? ""`); got != "p-0000000000000005" {
		t.Errorf("focus is on %q, want the row that had it", got)
	}
	tasks(t, ctx, worked, ticks, 1000)
}
