package dashboards_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/navcloud/binnacle/agent/door"
)

// TestRefusedInABrowser looks at what the door shows a person whom it does not let in: who has no login, and who came by a name that is not the
// agent's. Both are pages that say what to do, on a phone and a desk, light and dark.
func TestRefusedInABrowser(t *testing.T) {
	ctx := browser(t)
	file := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(file, []byte("basic_auth_users:\n  ann: '$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG'\n"), 0o600); err != nil { // a password of exporter-toolkit's own tests
		t.Fatal(err)
	}
	locked, err := door.New(door.Options{Config: door.Config{ConfigFile: file}, Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	open, err := door.New(door.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	pages := newWhole(options(incident(), fleet{}, goodStatus()))
	for name, tc := range map[string]struct {
		door  *door.Door
		host  string
		title string
	}{
		"login":     {locked, "127.0.0.1", "A login is needed"},
		"forbidden": {open, "elsewhere.example", "Not allowed"},
	} {
		h := tc.door.Handler(pages)
		// The status goes: a browser without a person in front of it shows no page that asks for a login.
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Host = tc.host
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			maps.Copy(w.Header(), answer.Header())
			w.Header().Del("WWW-Authenticate")
			_, _ = w.Write(answer.Body.Bytes()) // the test fails by what is not seen
		}))
		do(t, ctx, chromedp.Navigate(srv.URL+"/board"))
		if got := value[string](t, ctx, `document.querySelector("h1")?.textContent ?? document.body.innerText`); got != tc.title {
			t.Errorf("%s: the page says %q, want %q", name, got, tc.title)
		}
		value[bool](t, ctx, axe(t)+`; true`)
		for _, width := range []int64{320, 1440} {
			for _, light := range []string{"light", "dark"} {
				do(t, ctx, scheme(light), chromedp.EmulateViewport(width, 800))
				picture(t, ctx, fmt.Sprintf("refused-%s-%d-%s", name, width, light))
				accessible(t, ctx, fmt.Sprintf("%s at %d, %s", name, width, light), "")
			}
			if wide := drawn[int64](t, ctx, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("%s: %d px wide on a screen of %d", name, wide, width)
			}
		}
		do(t, ctx, chromedp.Navigate("about:blank"))
		srv.Close()
	}
}
