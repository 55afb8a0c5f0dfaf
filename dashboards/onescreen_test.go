package dashboards_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/navcloud/binnacle/alerting"
)

// worst is a problem whose texts are as long as they get.
func worst() alerting.View {
	v := incident()
	p := &v.Problems[0]
	p.State, p.AckedBy = alerting.Paged, ""
	p.Page.Sentence = "Only 62 % of events reach streams (RabbitMQ is split between two zones of eu-1)"
	p.Page.Impact = "481 of 1 614 events were not delivered; about 5 400 devices in zone b miss changes"
	p.Page.Guidance = "Restart nothing yet, and look whether the members of both sides can see each other on port 25672: `nc -vz rabbit-2.eu-west-1b.example.internal 25672`; if it is refused, roll back the network rules of the last hour, then wait one minute; else keep the side with more consumers"
	return v
}

// TestAProblemOnOneScreen holds the page of a problem to what whoever opens a message's link on a phone must see without scrolling.
func TestAProblemOnOneScreen(t *testing.T) {
	ctx := browser(t)
	const inSight = `[".pmeta .badge", ".pmeta .old", ".tale h1", ".tale .impact", ".do-first > p", ".do-first .cmd", ".say", ".labelled .drawing", ".labelled .names .at-onset"]
		.map(s => [s, document.querySelector("#problems " + s)?.getBoundingClientRect()])
		.filter(([, b]) => !b || b.top < 0 || b.bottom > BOTTOM || b.right > innerWidth).map(([s, b]) => s + " " + JSON.stringify(b))`
	for what, view := range map[string]alerting.View{"as usual": incident(), "with long texts": worst()} {
		o := options(view, fleet{nodes: 3}, goodStatus())
		o.People = &desk{}
		srv := httptest.NewServer(newWhole(o))
		do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/problems/00000000000000a1"))
		settled(t, ctx)
		for _, hidden := range value[[]string](t, ctx, strings.ReplaceAll(inSight, "BOTTOM", `document.querySelector(".actbar").getBoundingClientRect().top`)) {
			t.Errorf("%s: not in sight on a phone: %s", what, hidden)
		}
		if lines := value[float64](t, ctx, `(() => { const h = document.querySelector(".tale h1"); return h.clientHeight / parseFloat(getComputedStyle(h).lineHeight); })()`); lines > 2.2 {
			t.Errorf("%s: the title has %.1f lines, want 2 at most", what, lines)
		}
		if got := value[string](t, ctx, `(() => { const b = document.querySelector(".actbar form button").getBoundingClientRect(), p = document.querySelector(".labelled .plot").getBoundingClientRect(); return [b.height, innerHeight - b.bottom <= 12, p.height].join(" "); })()`); got != "48 true 160" {
			t.Errorf("%s: acknowledge is %s high, at the bottom, chart; want 48 true 160", what, got)
		}
		picture(t, ctx, "onescreen-"+strings.ReplaceAll(what, " ", "-"))
		do(t, ctx, chromedp.EmulateViewport(1440, 900))
		settled(t, ctx)
		for _, hidden := range value[[]string](t, ctx, strings.ReplaceAll(inSight, "BOTTOM", "innerHeight")) {
			t.Errorf("%s: not in sight on a desk: %s", what, hidden)
		}
		if got := value[string](t, ctx, `(() => { const a = document.querySelector(".tale").getBoundingClientRect(), b = document.querySelector(".proof").getBoundingClientRect(); return [b.left > a.right, Math.round(100 * a.width / (a.width + b.width)), document.querySelectorAll("#rest details[open]").length].join(" "); })()`); got != "true 58 0" {
			t.Errorf("%s: evidence at the right, the story's share, open parts: %s; want true 58 0", what, got)
		}
		srv.CloseClientConnections()
		srv.Close()
	}
}

// TestTasksAtAProblem counts the clicks from a message's link to what people come for.
func TestTasksAtAProblem(t *testing.T) {
	ctx := browser(t)
	d := &desk{}
	srv := httptest.NewServer(newWhole(d.on(options(worst(), fleet{nodes: 3}, goodStatus()))))
	defer srv.Close()
	defer srv.CloseClientConnections()
	for _, size := range [][2]int64{{390, 844}, {1440, 900}} {
		open := func() {
			do(t, ctx, chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(srv.URL+"/problems/00000000000000a1"))
			await(t, ctx, `document.getElementById("heard").dataset.age === "fresh"`)
		}
		click := func(selector string) { do(t, ctx, chromedp.Click(chromedp.CSS(selector))) }
		t.Run(fmt.Sprint(size[0]), func(t *testing.T) {
			open()
			click(`.ev-head a[href*="behind=7d"]`) // the same hour another day: 1
			await(t, ctx, `location.search.includes("behind=7d") && document.querySelector(".say").textContent.includes("A week before")`)
			open()
			click(`.actbar > form button`) // acknowledge: 1
			await(t, ctx, `document.querySelector("#done-note")?.textContent.includes("You acknowledged")`)
			open()
			click(`.actbar .silence summary`) // silence with a reason: 3
			click(`.actbar .silence input[name=comment]`)
			do(t, ctx, chromedp.KeyEvent("moved"))
			click(`.actbar .silence form > button`)
			await(t, ctx, `document.querySelector("#done-note")?.textContent.includes("Silenced")`)
			open()
			click(`#r-notes > summary`) // note: 2
			click(`#r-notes input`)
			do(t, ctx, chromedp.KeyEvent("the network team is at it"))
			click(`#r-notes button`)
			await(t, ctx, `document.querySelector("#done-note")?.textContent.includes("Noted")`)
			open()
			click(`#ev-more > summary`) // values: 2
			if !value[bool](t, ctx, `document.querySelector('#ev-more a[href*="chart.csv"]').checkVisibility()`) {
				t.Error("the values are not two clicks away")
			}
		})
	}
}
