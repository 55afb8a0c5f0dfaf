package dashboards_test

import (
	"bytes"
	"image/png"
	"net/http"
	"strings"
	"testing"
)

// TestAChartAsAFile takes charts of explore, of streams over time and of a node home, as a picture and as a table.
func TestAChartAsAFile(t *testing.T) {
	h := newWhole(options(incident(), fleet{nodes: 3, age: 7}, goodStatus()))
	for page, link := range map[string]string{
		"/explore?q=navcloud_streams_open&last=6h": "/chart/explore/csv?chart=explore-chart&last=6h&q=navcloud_streams_open",
		"/streams/history?by=zone":                 "/chart/streams/csv?by=zone&chart=chart-open",
		"/nodes/b-ill?last=1d":                     "/chart/node/csv?chart=node-0&last=1d&node=b-ill",
	} {
		body := text(t, get(t, h, page).Body)
		if !strings.Contains(body, strings.ReplaceAll(link, "&", "&amp;")) {
			t.Errorf("GET %s offers no %s", page, link)
			continue
		}
		if got := text(t, get(t, h, link).Body); !strings.HasPrefix(got, "time,series,value\n2026-11-2") {
			t.Errorf("GET %s: %.80s", link, got)
		}
		if _, err := png.Decode(bytes.NewReader([]byte(text(t, get(t, h, strings.Replace(link, "/csv?", "/png?", 1)).Body)))); err != nil {
			t.Errorf("the picture of %s: %v", page, err)
		}
	}
	for _, path := range []string{"/chart/explore/csv?chart=explore-chart", "/chart/node/png?node=b-ill&chart=none", "/chart/other/png", "/chart/streams/svg?chart=open"} {
		if w := get(t, h, path); w.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, w.StatusCode)
		}
	}
}
