package dashboards_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards/oncall"
)

// screens are the pages and the states in which they are looked at.
func screens() map[string]struct {
	path string
	opts whole
} {
	stale := incident()
	stale.At = noon.Add(-2 * time.Minute)
	three := fleet{nodes: 3, age: 7}
	fresh := options(alerting.View{At: noon}, fleet{}, goodStatus())
	fresh.History = func(context.Context, oncall.EventQuery) ([]oncall.Event, error) { return nil, nil }
	return map[string]struct {
		path string
		opts whole
	}{
		"home":           {"/", options(incident(), three, goodStatus())},
		"home-calm":      {"/", options(alerting.View{At: noon}, three, goodStatus())},
		"home-500":       {"/", bigOptions()},
		"nodes":          {"/nodes", options(incident(), three, goodStatus())},
		"nodes-500":      {"/nodes", bigOptions()},
		"services":       {"/services", bigOptions()},
		"node":           {"/nodes/b-ill", options(incident(), three, goodStatus())},
		"home-pinned":    {"/?pin=navcloud_streams_open&pin=shop_orders_total", options(incident(), three, goodStatus())},
		"docs":           {"/docs/quick-start", options(incident(), three, goodStatus())},
		"ack":            {"/problems/fleet:RabbitMQSplitBrain:cluster:rabbit:1/ack", options(incident(), three, goodStatus())},
		"missing":        {"/nothing", options(incident(), three, goodStatus())},
		"browse":         {"/browse", options(incident(), three, goodStatus())},
		"family":         {"/browse/navcloud_streams_open", options(incident(), three, goodStatus())},
		"styleguide":     {"/styleguide", options(incident(), three, goodStatus())},
		"problem-chart":  {"/problems/00000000000000a1", options(incident(), three, goodStatus())},
		"board-grouped":  {"/board?group=rule&density=dense", options(flood(200), three, goodStatus())},
		"board-calm":     {"/board", options(alerting.View{At: noon}, three, goodStatus())},
		"board-incident": {"/board?problem=00000000000000b2", options(incident(), three, goodStatus())},
		"board-filter":   {"/board?q=riak", options(incident(), three, goodStatus())},
		"problem":        {"/problems/00000000000000b2", options(incident(), three, goodStatus())},
		"timeline":       {"/timeline", options(incident(), three, goodStatus())},
		"handover":       {"/handover?last=12h0m0s", options(incident(), three, goodStatus())},
		"board-stale":    {"/board", options(stale, three, goodStatus())},
		"board-flood":    {"/board", options(flood(200), three, goodStatus())},
		"streams":        {"/streams", options(incident(), fleet{nodes: 7, age: 7}, goodStatus())},
		"history":        {"/streams/history?by=zone", options(incident(), fleet{nodes: 3, age: 7}, goodStatus())},
		"explore":        {"/explore?q=sum+by+(node)+(navcloud_streams_open)", options(incident(), three, goodStatus())},
		"explore-error":  {"/explore?q=broken(", options(incident(), three, goodStatus())},
		"systems":        {"/systems", options(incident(), three, goodStatus())},
		"wall":           {"/wall?q=many", options(incident(), three, goodStatus())},
		"streams-empty":  {"/streams", options(incident(), fleet{}, goodStatus())},
		"streams-error":  {"/streams", options(incident(), fleet{nodes: 2, fail: "fanout"}, goodStatus())},
		"capacity":       {"/capacity", planning(planned())},
		"capacity-if":    {"/capacity?pool=streams_per_node+prod&growth=20&zone=1", planning(planned())},
		"nodes-ill":      {"/nodes", options(incident(), three, illStatus())},
		"home-fresh":     {"/", fresh},
		"board-odd":      {"/board?density=comfortable", options(odd(), three, goodStatus())},
		"problem-odd":    {"/problems/00000000000000f1", options(odd(), three, goodStatus())},
		"problem-other":  {"/problems/00000000000000f3", options(odd(), three, goodStatus())},
		"handover-odd":   {"/handover", options(odd(), three, goodStatus())},
		"timeline-fresh": {"/timeline", fresh},
		"find":           {"/find?q=r", options(incident(), three, goodStatus())},
		"find-none":      {"/find?q=nothing+of+the+kind", options(incident(), three, goodStatus())},
		"runbooks":       {"/runbooks/", options(incident(), three, goodStatus())},
		"runbook":        {"/runbooks/RabbitMQSplitBrain", options(incident(), three, goodStatus())},
	}
}

// TestEveryScreenIsAPage asks for all that is looked at in a browser, where there is none: a template that fails is an error of the server.
func TestEveryScreenIsAPage(t *testing.T) {
	for name, tc := range screens() {
		if w := get(t, newWhole(tc.opts), tc.path); w.StatusCode != http.StatusOK && name != "missing" {
			t.Errorf("%s: GET %s: %d", name, tc.path, w.StatusCode)
		}
	}
}

// TestScreens looks at every page in every state on screens from the narrowest to the widest: nothing may be wider
// than the screen, and axe-core must find nothing on a phone and on a desk, light and dark. With BINNACLE_SCREENS
// set, pictures are written to that folder; BINNACLE_SCREEN picks pages by the beginning of their names.
func TestScreens(t *testing.T) {
	ctx, script := browser(t), axe(t)
	for name, tc := range screens() {
		if only := os.Getenv("BINNACLE_SCREEN"); only != "" && !strings.HasPrefix(name, only) {
			continue
		}
		begun := time.Now()
		tc.opts.People = &desk{}
		srv := httptest.NewServer(newWhole(tc.opts))
		do(t, ctx, scheme("light"), chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+tc.path))
		settled(t, ctx)
		tall := int64(0)
		if os.Getenv("BINNACLE_TALL") != "" {
			tall = 1600
		}
		for _, size := range [][2]int64{{390, 844 + tall}, {1440, 900 + tall}} {
			for _, light := range []string{"light", "dark"} {
				do(t, ctx, scheme(light), chromedp.EmulateViewport(size[0], size[1]))
				picture(t, ctx, fmt.Sprintf("%s-%dx%d-%s", name, size[0], size[1], light))
			}
		}
		// Opening all of 200 alarms only repeats what a few have shown, and takes axe-core a minute.
		many := value[bool](t, ctx, script+`; const all = document.querySelectorAll("details"); if (all.length < 40) all.forEach(d => d.open = true); all.length >= 40`)
		for _, width := range []int64{320, 390, 768, 1440, 2560} {
			do(t, ctx, scheme("light"), chromedp.EmulateViewport(width, 800))
			if wide := drawn[int64](t, ctx, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("%s: %d px wide on a screen of %d", name, wide, width)
			}
			if value[bool](t, ctx, `[...document.querySelectorAll(".stacked")].some(e => e.scrollWidth > e.parentElement.clientWidth)`) {
				t.Errorf("%s: the table of nodes scrolls sideways on a screen of %d", name, width)
			}
			if width == 390 || width == 1440 && !many {
				accessible(t, ctx, fmt.Sprintf("%s at %d, light", name, width), "")
				if many {
					continue
				}
				do(t, ctx, scheme("dark")) // what is not a matter of colours is the same
				accessible(t, ctx, fmt.Sprintf("%s at %d, dark", name, width), `{runOnly: ["color-contrast", "link-in-text-block"]}`)
			}
		}
		for _, what := range value[[]string](t, ctx, blocked) {
			t.Errorf("%s wants what its policy forbids: %s", name, what)
		}
		do(t, ctx, chromedp.Navigate("about:blank"))
		srv.CloseClientConnections()
		srv.Close()
		t.Logf("%s took %v", name, time.Since(begun).Round(time.Millisecond))
	}
}
