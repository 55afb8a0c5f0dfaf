package dashboards_test

import (
	"bytes"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPinnedCharts pins a metric: its page offers it, the address shows it on the first page, and the browser keeps it.
func TestPinnedCharts(t *testing.T) {
	h := newWhole(options(incident(), fleet{nodes: 3}, goodStatus()))
	const pin = "/?pin=navcloud_streams_open"
	if page := text(t, get(t, h, "/browse/navcloud_streams_open").Body); !strings.Contains(page, `href="`+pin+`"`) || !strings.Contains(page, "Pin to home") {
		t.Error("the metric's page does not offer to pin it")
	}
	resp := get(t, h, pin)
	if page := text(t, resp.Body); !strings.Contains(page, `id="pin-navcloud_streams_open"`) || !strings.Contains(page, `data-live="/live/home?pin=navcloud_streams_open"`) {
		t.Error("the first page has no pinned chart, or does not keep it live")
	}
	kept := resp.Cookies()
	if len(kept) != 1 || kept[0].Value != "navcloud_streams_open" || kept[0].Path != "/" || !kept[0].HttpOnly {
		t.Fatalf("the browser keeps %v", kept)
	}
	with := func(path string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.AddCookie(&http.Cookie{Name: kept[0].Name, Value: kept[0].Value + ".no%20name." + kept[0].Value})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	if page := text(t, with("/").Body); strings.Count(page, `class="pin-head"`) != 1 {
		t.Error("the first page does not show once what the browser keeps")
	}
	if page := text(t, with("/browse/navcloud_streams_open").Body); !strings.Contains(page, "Unpin from home") || !strings.Contains(page, `href="/?pin="`) {
		t.Error("the metric's page does not offer to unpin it")
	}
	gone := with("/?pin=")
	if page := text(t, gone.Body); strings.Contains(page, `id="pin-`) || len(gone.Cookies()) != 1 || gone.Cookies()[0].MaxAge >= 0 {
		t.Error("what was unpinned is still there")
	}
}

// TestAMetricsPicture takes the charts of a metric as PNG, each by its name, with another day behind it.
func TestAMetricsPicture(t *testing.T) {
	h := newWhole(options(incident(), fleet{nodes: 3}, goodStatus()))
	if page := text(t, get(t, h, "/browse/shop_orders_total?behind=7d&last=6h").Body); !strings.Contains(page, "/png/shop_orders_total?behind=7d&amp;chart=rate&amp;last=6h") || !strings.Contains(page, "a week before") {
		t.Error("the page does not say where its picture is, or has no week before")
	}
	for path, status := range map[string]int{"/png/shop_orders_total?chart=each": 200, "/png/shop_orders_total": 200, "/png/shop_orders_total?chart=other": 404, "/png/no%20name": 404} {
		resp := get(t, h, path)
		body := text(t, resp.Body)
		if resp.StatusCode != status {
			t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, status)
		}
		if _, err := png.Decode(bytes.NewReader([]byte(body))); status == 200 && err != nil {
			t.Errorf("GET %s: %v", path, err)
		}
	}
}
