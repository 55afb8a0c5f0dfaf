package dashboards_test

import (
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/navcloud/binnacle/alerting"
)

// TestACalmLookTouchesLittle changes one of two hundred problems at each look, what did not change is not touched in
// the page, so that the browser lays out a row and not the board.
func TestACalmLookTouchesLittle(t *testing.T) {
	ctx := browser(t)
	var now atomic.Pointer[alerting.View]
	first := flood(200)
	now.Store(&first)
	o := (&desk{}).on(options(first, fleet{}, goodStatus()))
	o.View = func() alerting.View { return *now.Load() }
	srv := httptest.NewServer(newLive(o, 250*time.Millisecond))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board?density=comfortable"))
	await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
	value[bool](t, ctx, `window.touched = new Set();
		new MutationObserver(l => l.forEach(m => {
			if (m.type === "childList") [...m.addedNodes].filter(n => n.nodeType === 1).forEach(n => touched.add(n.id || n.tagName + " in " + (m.target.closest("[id]")?.id ?? "")));
		})).observe(document.getElementById("main"), {subtree: true, childList: true}); true`)
	worked := watchTasks(t, ctx)
	const turns = 10
	for i := range turns {
		v := flood(200)
		v.Problems[40+i].Page.Sentence = fmt.Sprintf("turn %d", i)
		now.Store(&v)
		await(t, ctx, fmt.Sprintf(`document.querySelector("#p-%016x h2 a").textContent.startsWith("turn %d")`, 40+i, i))
	}
	touched := value[[]string](t, ctx, `[...touched].filter(id => id.startsWith("TIME") === false)`)
	if len(touched) > turns+1 {
		t.Errorf("%d looks touched %d elements: %v", turns, len(touched), touched)
	}
	tasks(t, ctx, worked, turns, 100)
}
