package dashboards_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// zoomed is a screen of 1280 by 800 at a zoom of 200 %: half as many of CSS's pixels, each drawn by four.
func zoomed() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 640, Height: 400, DeviceScaleFactor: 2})
		return err
	})
}

// TestZoomedByKeyboard goes over every page at 200 % by the Tab key alone: nothing scrolls sideways, each control is come by in order, is in
// sight and shows that it has the focus; nothing that is stuck to an edge lies over it.
func TestZoomedByKeyboard(t *testing.T) {
	ctx := browser(t)
	const script = `(() => {
	const odd = [], wide = document.documentElement.scrollWidth;
	if (wide > 640) odd.push("it is " + wide + " px wide");
	const controls = [...document.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex='0']")].filter((e) => e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0 && !e.disabled && e.type !== "hidden" && !e.closest(".skip"));
	for (const el of controls.slice(0, 80)) {
		el.focus();
		if (document.activeElement !== el) { odd.push("no focus on " + el.outerHTML.slice(0, 80)); continue; }
		if (!el.matches(":focus-visible")) continue;
		const s = getComputedStyle(el), b = el.getClientRects()[0];
		if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) odd.push("focus is not seen on " + el.outerHTML.slice(0, 80));
		if (!b || b.height > 200) continue;
		const x = Math.min(Math.max(b.left + Math.min(b.width, 20) / 2, 1), 639), y = Math.min(Math.max(b.top + Math.min(b.height, 20) / 2, 1), 399), over = document.elementFromPoint(x, y);
		if (b.bottom < 0 || b.top > 400) odd.push("out of sight: " + el.outerHTML.slice(0, 80));
		else if (over && !el.contains(over) && !over.contains(el) && !el.closest("label")?.contains(over)) odd.push(el.outerHTML.slice(0, 80) + " is covered by " + over.outerHTML.slice(0, 50));
	}
	return odd.slice(0, 6);
})()`
	for name, tc := range screens() {
		srv := httptest.NewServer(newWhole((&desk{}).on(tc.opts)))
		do(t, ctx, zoomed(), chromedp.Navigate(srv.URL+tc.path))
		settled(t, ctx)
		do(t, ctx, chromedp.KeyEvent("\t"))
		for _, o := range value[[]string](t, ctx, script) {
			t.Errorf("%s at 200 %%: %s", name, o)
		}
		do(t, ctx, chromedp.Navigate("about:blank"))
		srv.CloseClientConnections()
		srv.Close()
	}
}

// TestABoardOnSixScreens holds how tall two hundred problems are on a desk of 1440 by 900: six screens in lines, two in groups.
func TestABoardOnSixScreens(t *testing.T) {
	ctx := browser(t)
	srv := httptest.NewServer(newWhole((&desk{}).on(options(flood(200), fleet{}, goodStatus()))))
	defer srv.Close()
	defer srv.CloseClientConnections()
	for path, most := range map[string]int64{"/board": 6, "/board?group=rule": 2} {
		do(t, ctx, chromedp.EmulateViewport(1440, 900), chromedp.Navigate(srv.URL+path))
		settled(t, ctx)
		if tall := drawn[int64](t, ctx, `document.documentElement.scrollHeight`); tall > most*900 {
			t.Errorf("%s is %d px tall, want at most %d screens of 900", path, tall, most)
		}
		if small := value[[]string](t, ctx, `[...document.querySelectorAll(".brief :is(h2, time, i)")].filter((e) => parseFloat(getComputedStyle(e).fontSize) < 13).map((e) => e.outerHTML).slice(0, 3)`); len(small) > 0 {
			t.Errorf("%s has text below 13 px: %v", path, small)
		}
	}
}
