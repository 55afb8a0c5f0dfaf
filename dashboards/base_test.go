package dashboards_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

var address = regexp.MustCompile(`(?:href|src|action|formaction|data-live|data-wall)=\\?"(/[^"\\]*)`)

// TestBehindAPath follows all addresses of pages that a proxy serves below /ops/binnacle: each lies below it and is answered.
func TestBehindAPath(t *testing.T) {
	o := options(incident(), fleet{}, goodStatus())
	o.Base = "/ops/binnacle"
	p := newWhole(o)
	h := http.StripPrefix(o.Base, p)
	seen, next := map[string]bool{}, []string{o.Base + "/"}
	for len(next) > 0 {
		path := strings.ReplaceAll(next[0], "&amp;", "&")
		next = next[1:]
		if seen[path] || strings.Contains(path, "/live/") || len(seen) > 150 {
			continue
		}
		seen[path] = true
		r := get(t, h, path)
		if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusSeeOther && !strings.HasSuffix(path, "/end") && !strings.Contains(path, "/problems/") && !strings.Contains(path, "/runbooks/") {
			t.Errorf("%s: %s", path, r.Status)
		}
		for _, m := range address.FindAllStringSubmatch(text(t, r.Body), -1) {
			if !strings.HasPrefix(m[1], o.Base+"/") || strings.HasPrefix(m[1], o.Base+o.Base) {
				t.Errorf("%s has the address %s", path, m[1])
			}
			next = append(next, strings.Split(m[1], "#")[0])
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d addresses were followed; want at least 30", len(seen))
	}
	srv := httptest.NewServer(newLive(o, 20*time.Millisecond))
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/live/board")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			all := address.FindAllStringSubmatch(strings.ReplaceAll(data, `\u0022`, `"`), -1)
			if len(all) == 0 {
				t.Errorf("the live events have no address: %.300s", data)
			}
			for _, m := range all {
				if !strings.HasPrefix(m[1], o.Base+"/") || strings.HasPrefix(m[1], o.Base+o.Base) {
					t.Errorf("a live event has the address %s", m[1])
				}
			}
			return
		}
	}
	t.Fatal("no live event came")
}
