package dashboards_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/navcloud/binnacle/dashboards"
)

// sought are the pages with something of every kind.
func sought() *dashboards.Pages {
	return newWhole(options(incident(), fleet{nodes: 3, age: 7}, goodStatus()))
}

func TestFindLeadsToEveryKind(t *testing.T) {
	p := sought()
	for q, want := range map[string]string{
		"split rabbit":   `href="/problems/00000000000000a1"`,            // words in any order
		"RiakDiskFull":   `href="/problems/00000000000000b2"`,            // the rule of an alarm
		"cannot publish": `href="/problems/00000000000000a1"`,            // what a problem explains
		"HostDiskFull":   `href="/problems/fleet:HostDiskFull:node:x:1"`, // an incident that is over
		"b-ill":          `href="/nodes/b-ill"`,
		"machines":       `href="/services#service-host"`,
		"shop.orders":    `href="/browse/shop_orders_total"`,
		"promql":         `href="/explore"`, // another word for it
		"split brain":    `href="/runbooks/RabbitMQSplitBrain"`,
		"quick":          `href="/docs/quick-start"`,
		"HANDOVER":       `href="/handover"`,
	} {
		for _, path := range []string{"/find?q=", "/find/list?q="} {
			if w := get(t, p, path+url.QueryEscape(q)); w.StatusCode != http.StatusOK || !strings.Contains(text(t, w.Body), want) {
				t.Errorf("GET %s%s: status %d, want one that has %s", path, q, w.StatusCode, want)
			}
		}
	}
}

func TestFindOrders(t *testing.T) {
	p := dashboards.New(dashboards.Options{}, dashboards.Set{Seek: func(_ *http.Request, found func(dashboards.Hit)) error {
		for _, title := range []string{"a disk", "diskless", "disk", "HostDiskFull", "undisked"} {
			found(dashboards.Hit{Kind: dashboards.Metrics, Path: "/" + url.PathEscape(title), Title: title})
		}
		found(dashboards.Hit{Kind: dashboards.Runbooks, Path: "/far", Title: "far", Text: "of a disk"})
		found(dashboards.Hit{Kind: dashboards.Problems, Path: "/wrong", Title: "The disk of x is full"})
		return errors.New("some of it")
	}})
	page := text(t, get(t, p, "/find?q=disk").Body)
	at := 0
	for _, want := range []string{"some of it", "/wrong", "/disk", "/diskless", "/a%20disk", "/HostDiskFull", "/undisked", "/far"} {
		next := strings.Index(page[at:], want)
		if next < 0 {
			t.Fatalf("%q does not follow in\n%s", want, page)
		}
		at += next
	}
}

// What is asked for comes from anybody, and what is shown is bounded.
func TestFindIsBounded(t *testing.T) {
	p := dashboards.New(dashboards.Options{}, dashboards.Set{Seek: func(_ *http.Request, found func(dashboards.Hit)) error {
		for range 10_000 {
			found(dashboards.Hit{Kind: dashboards.Metrics, Path: "/x", Title: strings.Repeat("long ", 30)})
		}
		return nil
	}})
	for q, most := range map[string]int{"long": 60 << 10, strings.Repeat("long ", 4000): 60 << 10, `"><script>alert(1)</script>`: 20 << 10, "\xff\x00": 20 << 10, "": 20 << 10} {
		for _, path := range []string{"/find?q=", "/find/list?q="} {
			w := get(t, p, path+url.QueryEscape(q))
			if page := text(t, w.Body); w.StatusCode != http.StatusOK || len(page) > most || strings.Contains(page, "<script>alert") {
				t.Errorf("GET %s%.30s: status %d, %d bytes:\n%.300s", path, q, w.StatusCode, len(page), page)
			}
		}
	}
}

// TestFind looks for things by keyboard on a desk and a phone, with the list below the box, and with axe-core.
func TestFind(t *testing.T) {
	ctx, script := browser(t), axe(t)
	srv := httptest.NewServer(sought())
	defer srv.Close()
	do(t, ctx, chromedp.EmulateViewport(1440, 900), chromedp.Navigate(srv.URL+"/board"))
	do(t, ctx, chromedp.KeyEvent("/"))
	await(t, ctx, `document.activeElement.id === "find-q"`)
	value[string](t, ctx, `document.activeElement.value = ""`) // the driver's keys write although they were taken
	do(t, ctx, chromedp.KeyEvent("riak"))
	await(t, ctx, `document.activeElement.ariaExpanded === "true" && document.querySelector("#find-list [href='/problems/00000000000000b2']")`)
	value[bool](t, ctx, script+`; true`)
	accessible(t, ctx, "the list below the box", "")
	do(t, ctx, chromedp.KeyEvent(kb.ArrowDown))
	await(t, ctx, `document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))?.ariaSelected === "true"`)
	do(t, ctx, chromedp.KeyEvent(kb.ArrowUp))
	await(t, ctx, `!document.activeElement.hasAttribute("aria-activedescendant")`)
	do(t, ctx, chromedp.KeyEvent(kb.Escape))
	await(t, ctx, `document.activeElement.ariaExpanded === "false" && document.activeElement.value === "riak"`)
	do(t, ctx, chromedp.KeyEvent(kb.ArrowDown))
	await(t, ctx, `document.activeElement.ariaExpanded === "true"`)
	do(t, ctx, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	await(t, ctx, `location.pathname === "/problems/00000000000000b2"`)

	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(srv.URL+"/board"), chromedp.Click(".find-m"))
	await(t, ctx, `location.pathname === "/find" && document.activeElement.id === "find-q" && document.activeElement.role === "combobox"`)
	do(t, ctx, chromedp.KeyEvent("shop"), chromedp.KeyEvent(kb.Enter)) // all of them, without waiting for the list
	await(t, ctx, `location.search === "?q=shop" && document.querySelector("main a[href='/browse/shop_orders_total']")`)
}
