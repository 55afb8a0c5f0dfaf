package dashboards_test

import (
	"bytes"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestEvidenceAsFiles takes the evidence of a problem along, as a picture and as values.
func TestEvidenceAsFiles(t *testing.T) {
	h := newWhole(options(incident(), fleet{nodes: 3}, goodStatus()))
	w := get(t, h, "/problems/00000000000000a1/chart.png?behind=7d&last=6h")
	body, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusOK || w.Header.Get("Content-Type") != "image/png" {
		t.Fatalf("picture: %d %s, %v", w.StatusCode, w.Header.Get("Content-Type"), err)
	}
	if _, err := png.Decode(bytes.NewReader(body)); err != nil {
		t.Errorf("picture: %v", err)
	}
	table := text(t, get(t, h, "/problems/00000000000000a1/chart.csv").Body)
	if !strings.Contains(table, "2026-11-24T12:00:00Z,today,1400\n") || !strings.Contains(table, ",\"yesterday, same time\",") {
		t.Errorf("the table lacks the newest value or the day before:\n%.400s", table)
	}
	for _, path := range []string{"/problems/00000000000000b2/chart.png", "/problems/gone/chart.csv"} {
		if w := get(t, h, path); w.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404: there is no chart", path, w.StatusCode)
		}
	}
}

// TestWhatIsOverKeepsItsEvidence opens the link of an incident that is resolved: it shows what was measured then.
func TestWhatIsOverKeepsItsEvidence(t *testing.T) {
	o := options(incident(), fleet{nodes: 3, age: 7}, goodStatus())
	o.Expr = func(rule string, labels map[string]string) (string, time.Duration, bool) {
		return "navcloud_streams_open > 1200", time.Minute, rule == "HostDiskFull" && labels == nil
	}
	page := text(t, get(t, newWhole(o), "/problems/fleet:HostDiskFull:node:x:1").Body)
	for _, want := range []string{`id="past-proof"`, "The alarm fires above 1\u202f200 for 1 min.", `class="chart labelled"`, "navcloud_streams_open &gt; 1200"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of what is over lacks %q", want)
		}
	}
	if csv := text(t, get(t, newWhole(o), "/problems/fleet:HostDiskFull:node:x:1/chart.csv").Body); !strings.HasPrefix(csv, "time,series,value\n2026-11-24T") {
		t.Errorf("the values of what is over are %.200q", csv)
	}
	if png := text(t, get(t, newWhole(o), "/problems/fleet:HostDiskFull:node:x:1/chart.png").Body); !strings.HasPrefix(png, "\x89PNG") {
		t.Errorf("the picture of what is over is %.20q", png)
	}
	if w := get(t, newWhole(o), "/problems/fleet:Nothing:node:x:1/chart.csv"); w.StatusCode != http.StatusNotFound {
		t.Errorf("the values of what never was: status %d, want 404", w.StatusCode)
	}
}
