package dashboards_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTokens holds every page to the sizes, weights, colours and gaps of the visual system: what the browser computed for each
// element with text of its own is that of a token, and so is the room between the parts of what arranges parts. Code is nine tenths of what it stands in, and controls that a script draws
// (uPlot's) are apart.
func TestTokens(t *testing.T) {
	ctx := browser(t)
	const script = `(() => {
	const style = getComputedStyle(document.documentElement), probe = document.createElement("i");
	document.body.append(probe);
	const colour = (v) => { probe.style.color = v; return getComputedStyle(probe).color; };
	const names = [...document.styleSheets[0].cssRules].find(r => r.selectorText === ":root").style;
	const colours = new Set([...names].filter(n => n.startsWith("--")).map(n => style.getPropertyValue(n)).filter(v => /^(light-dark|#|rgb)/.test(v.trim())).map(colour));
	const sizes = new Set([12, 13, 14, 16, 20, 26, 34]), weights = new Set(["400", "560", "640"]), odd = new Set();
	const gaps = new Set([...names].filter(n => /^--g\d$/.test(n)).map(n => { probe.style.width = style.getPropertyValue(n); probe.style.display = "block"; return getComputedStyle(probe).width; }).concat("0px", "normal"));
	probe.remove();
	for (const e of document.querySelectorAll("body *")) {
		const c = getComputedStyle(e);
		if (!/flex|grid/.test(c.display) || !e.checkVisibility()) continue;
		for (const gap of [c.rowGap, c.columnGap]) if (!gaps.has(gap)) odd.add(e.tagName.toLowerCase() + "." + e.className + " has a gap of " + gap);
	}
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || e.closest("svg, canvas, code, kbd, .mono, .mname, .readout, option") || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const c = getComputedStyle(e), where = e.tagName.toLowerCase() + "." + e.className;
		if (!sizes.has(Math.round(parseFloat(c.fontSize) * 10) / 10)) odd.add(where + " has text of " + c.fontSize);
		if (!weights.has(c.fontWeight)) odd.add(where + " has the weight " + c.fontWeight);
		if (!colours.has(c.color)) odd.add(where + " has the colour " + c.color);
	}
	return [...odd].slice(0, 20);
})()`
	for name, tc := range screens() {
		srv := httptest.NewServer(newWhole(tc.opts))
		do(t, ctx, scheme("light"), chromedp.EmulateViewport(1440, 900), chromedp.Navigate(srv.URL+tc.path))
		odd := value[[]string](t, ctx, script)
		slices.Sort(odd)
		for _, o := range odd {
			t.Errorf("%s: %s", name, o)
		}
		srv.CloseClientConnections()
		srv.Close()
	}
}
