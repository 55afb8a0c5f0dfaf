package dashboards_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/navcloud/binnacle/agent/words"
)

// click is one press of a control and what it must bring about.
type click struct{ on, brings string }

// TestClicks does, on a phone and on a desk, what the controls of each page are for, by real clicks at their places.
func TestClicks(t *testing.T) {
	ctx := browser(t)
	usual := options(incident(), fleet{nodes: 3, age: 7}, goodStatus())
	usual.Capacity = planning(planned()).Capacity
	srv := httptest.NewServer(newWhole((&desk{}).on(usual)))
	defer srv.Close()
	defer srv.CloseClientConnections()
	at := func(path string) string { return fmt.Sprintf("location.pathname === %q", path) }
	for name, tc := range map[string]struct {
		start  string
		width  int64 // 0: both
		clicks []click
	}{
		"home: its worst problem":                   {"/", 0, []click{{".hero .btn", `location.pathname.startsWith("/problems/")`}}},
		"home: a figure's node":                     {"/", 0, []click{{"#home-figures a.card:nth-child(2)", `location.pathname.startsWith("/nodes/")`}}},
		"home: a metric of one's own":               {"/", 0, []click{{`.own a[href$="shop_orders_total"]`, at("/browse/shop_orders_total")}}},
		"home: another time, on a desk":             {"/", 1440, []click{{".range .seg a:nth-child(2)", `location.search === "?last=6h" && document.querySelector('a.entry[href="/timeline?last=6h"]')`}, {`a.entry[href^="/timeline"]`, at("/timeline") + ` && document.querySelector('.seg [aria-current]').textContent === "6 h"`}}},
		"home: another time, on a phone":            {"/", 390, []click{{"#period-choice > summary", `document.querySelector("#period-choice").open`}, {".pop .choices li:nth-child(3) a", `location.search === "?last=1d" && !document.querySelector("#period-choice").open`}}},
		"home: all services, then one's node":       {"/", 0, []click{{`#home-services a[href="/services"]`, at("/services")}, {".services .chip", `location.pathname.startsWith("/nodes/")`}}},
		"nodes: a node, and what an agent collects": {"/nodes", 0, []click{{"#of-collectors > summary", `document.querySelector("#of-collectors").open`}, {".nodes-table th a", `location.pathname.startsWith("/nodes/")`}}},
		"timeline: nearer":                          {"/timeline?last=1d", 0, []click{{".zoom", `location.search.startsWith("?from=") && document.querySelector(".stretches")`}}},
		"timeline: its problem":                     {"/timeline?last=1d", 0, []click{{".stretches .ttl", `location.pathname.startsWith("/problems/")`}}},
		"timeline: the shift's handover":            {"/timeline", 0, []click{{`.lead a[href="/handover"]`, at("/handover")}}},
		"metrics: one kind, then a name":            {"/browse", 0, []click{{`.choices a[href*="kind=counter"]`, `document.querySelectorAll(".families .card").length === 1`}, {".families .card", at("/browse/shop_orders_total")}}},
		"capacity: with more, and a zone lost":      {"/capacity?pool=streams_per_node+prod", 0, []click{{"#w-growth", `document.activeElement.id === "w-growth"`}, {"#w-zone", `document.querySelector("#w-zone").checked`}, {".whatif button", `document.querySelector(".then")`}}},
		"explore: a question to begin with":         {"/explore", 0, []click{{".ask-card", `document.querySelector("#query").value.includes("navcloud_streams_open") && document.querySelector("#explore-chart")`}}},
		"streams: over time, by zone":               {"/streams", 0, []click{{`a[href="/streams/history"]`, at("/streams/history") + ` && document.querySelector('.choices a[href*="by=zone"]')`}, {`.choices a[href*="by=zone"]`, `location.search.includes("by=zone")`}}},
		"streams: as a wall":                        {"/streams", 0, []click{{`a[href="/wall"]`, at("/wall")}, {"#wall-ask > summary", `document.querySelector("#wall-ask").open`}, {".choices li:nth-child(2) a", `location.search.includes("collector")`}}},
		"systems: an hour before":                   {"/systems", 0, []click{{".choices a", `location.search.startsWith("?at=")`}}},
		"the menu of a phone":                       {"/", 390, []click{{".tabbar summary", `document.querySelector(".more-menu").checkVisibility()`}, {`.more-menu a[href="/explore"]`, at("/explore")}}},
	} {
		for _, size := range [][2]int64{{390, 844}, {1440, 900}} {
			if tc.width != 0 && tc.width != size[0] {
				continue
			}
			do(t, ctx, chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(srv.URL+tc.start))
			for _, c := range tc.clicks {
				settled(t, ctx)
				hit := value[string](t, ctx, fmt.Sprintf(hitScript, c.on))
				if hit != "" {
					t.Errorf("%s at %d: %s", name, size[0], hit)
					break
				}
				do(t, ctx, chromedp.Click(chromedp.CSS(c.on)))
				await(t, ctx, c.brings)
			}
		}
	}
}

// hitScript says what is in the way of a click on a control, or nothing.
const hitScript = `(() => {
	const el = document.querySelector(%q);
	if (!el) return "there is no control of that kind at " + location.href;
	if (!el.checkVisibility()) return "it is hidden";
	el.scrollIntoView({block: "center", behavior: "instant"});
	const b = el.getClientRects()[0], over = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);
	return el.contains(over) ? "" : "covered by " + (over?.outerHTML.slice(0, 80) ?? "nothing: it is outside the screen");
})()`

// TestControlsCanBeReached goes over all controls of every page: nothing lies over one, and those that are more than a word in a text have 24 px.
func TestControlsCanBeReached(t *testing.T) {
	ctx := browser(t)
	const script = `(() => {
	const odd = [];
	for (const el of [...document.querySelectorAll("main :is(a, button, summary, input, select), header :is(a, button, summary)")].slice(0, 150)) {
		if (!el.checkVisibility() || el.type === "hidden" || el.closest(".unseen")) continue;
		el.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
		const b = el.getClientRects()[0];
		if (!b) continue;
		const over = document.elementFromPoint(b.left + Math.min(b.width, 40) / 2, b.top + b.height / 2), what = el.outerHTML.slice(0, 90);
		if (!el.contains(over) && !over?.contains(el) && !el.closest("label")?.contains(over)) odd.push(what + " is covered by " + over?.outerHTML.slice(0, 60));
		if (el.matches("button, summary, select, .btn, .chip, .choices a, .seg a, .row-p, .card, .grid-nodes a") && (b.height < 24 || b.width < 24)) odd.push(what + " is " + Math.round(b.width) + " by " + Math.round(b.height));
	}
	return odd.slice(0, 8);
})()`
	for name, tc := range screens() {
		srv := httptest.NewServer(newWhole((&desk{}).on(tc.opts)))
		for _, size := range [][2]int64{{390, 844}, {1440, 900}} {
			do(t, ctx, chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(srv.URL+tc.path))
			settled(t, ctx)
			for _, o := range value[[]string](t, ctx, script) {
				t.Errorf("%s at %d: %s", name, size[0], o)
			}
		}
		do(t, ctx, chromedp.Navigate("about:blank"))
		srv.CloseClientConnections()
		srv.Close()
	}
}

// TestTheViewersZone reads times as a viewer in New York does: theirs first, with that of UTC beside, and what is asked for goes back in UTC.
func TestTheViewersZone(t *testing.T) {
	ctx := browser(t)
	srv := httptest.NewServer(newWhole(options(incident(), fleet{nodes: 3}, goodStatus())))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "America/New_York"})
		return err
	}), chromedp.EmulateViewport(1440, 900), chromedp.Navigate(srv.URL+"/timeline?from=2026-11-24T09:00&to=2026-11-24T11:00"))
	await(t, ctx, `document.querySelector("#from").value === "2026-11-24T04:00"`)
	if got := value[string](t, ctx, `[document.querySelector("#heard").textContent, document.querySelector('label[for="from"]').textContent, document.querySelector(".ticks text").textContent].join("|")`); got != "As of 07:00:00 (12:00 UTC), 24 Nov|From|04:00" {
		t.Errorf("the page says %q", got)
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("#period-choice > summary")), chromedp.Click(chromedp.CSS(".pop button")))
	await(t, ctx, `location.search === "?from=2026-11-24T09%3A00&to=2026-11-24T11%3A00"`)
}

// TestDurationsInTheBrowser holds the script that counts on to the words of the server.
func TestDurationsInTheBrowser(t *testing.T) {
	ctx := browser(t)
	srv := httptest.NewServer(newWhole(options(incident(), fleet{nodes: 3}, goodStatus())))
	defer srv.Close()
	defer srv.CloseClientConnections()
	do(t, ctx, chromedp.Navigate(srv.URL+"/board"))
	seconds := []int{0, 1, 59, 60, 119, 599, 600, 3599, 3600, 3660, 7199, 86399, 86400, 200000}
	var want []string
	for _, s := range seconds {
		d := time.Duration(s) * time.Second
		want = append(want, words.Duration(d)+"/"+words.Left(d))
	}
	script := fmt.Sprintf(`import(document.querySelector('script[src*="live"]').src).then(m => %s.map(s => m.short(s) + "/" + m.left(s)))`, strings.ReplaceAll(fmt.Sprint(seconds), " ", ", "))
	got, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](script, chromedp.EvalAwaitPromise))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the script says %q, %v; the server %q", got, err, want)
	}
}
