package agent

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/door"
)

// patterns are the routes of a mux as they were registered. net/http does not tell them, so that this reads its fields.
func patterns(t *testing.T, mux reflect.Value) (out []string) {
	t.Helper()
	index := mux.Elem().FieldByName("index")
	if !index.IsValid() {
		t.Fatal("net/http.ServeMux has no field index any more: find its patterns anew")
	}
	take := func(list reflect.Value) {
		for i := range list.Len() {
			if p := list.Index(i).Elem().FieldByName("str").String(); !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	take(index.FieldByName("multis"))
	for _, list := range index.FieldByName("segments").Seq2() {
		take(list)
	}
	return out
}

// Every route has a role, so that a new one cannot be forgotten. What it does not name wants the right to act.
func TestEveryRouteHasARole(t *testing.T) {
	cfg, err := ParseConfig("all", []byte("data: "+t.TempDir()+"\nlisten: 127.0.0.1:0\ncollect: off\nroute: {pagerduty: {webhook_secrets: [s]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, end := run(t, cfg)
	defer end()
	mux, served := a.handler()
	all := patterns(t, reflect.ValueOf(mux))
	pages := patterns(t, reflect.ValueOf(served).Elem().FieldByName("mux"))
	for _, want := range []string{"POST /api/v2/alerts", "POST /api/v1/pagerduty", "GET /-/status"} {
		if !slices.Contains(all, want) {
			t.Errorf("the routes %q lack %s", all, want)
		}
	}
	if !slices.Contains(pages, "POST /problems/{id}/take") {
		t.Errorf("the routes of the pages %q lack that of an acknowledgement", pages)
	}
	for _, p := range append(all, pages...) {
		if p == "/" || p == "/api/v1/" || strings.HasPrefix(p, "GET ") {
			continue // what lies below, and what only reads
		}
		if !door.Listed(p) {
			t.Errorf("%s has no role: add it to the table in agent/door/roles.go", p)
		}
	}
}

// TestAPathAnswersForMethodsThatItLacks asks each in every way: what a path does not take is 405 with what it does, below /api in
// JSON, and no page of HTML.
func TestAPathAnswersForMethodsThatItLacks(t *testing.T) {
	cfg, err := ParseConfig("all", []byte("data: "+t.TempDir()+"\nlisten: 127.0.0.1:0\ncollect: off\nroute: {pagerduty: {webhook_secrets: [s]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, end := run(t, cfg)
	defer end()
	mux, pages := a.handler()
	all := methods{mux, pages}
	for path, want := range map[string]string{
		"/": "GET, HEAD, OPTIONS", "/explore": "GET, HEAD, OPTIONS", "/metrics": "GET, HEAD, OPTIONS", "/-/status": "GET, HEAD, OPTIONS", "/v1/metrics": "POST, OPTIONS",
		"/problems/x/take": "POST, OPTIONS", "/api/v2/alerts": "GET, HEAD, POST, OPTIONS", "/api/v2/silence/x": "GET, HEAD, DELETE, OPTIONS", "/api/v2/status": "GET, HEAD, OPTIONS",
		"/api/v1/ack": "POST, OPTIONS", "/api/v1/query": "GET, HEAD, POST, OPTIONS", "/api/v1/alerts": "POST, GET, HEAD, OPTIONS", "/api/v1/otlp/v1/metrics": "POST, OPTIONS",
		"/api/v1/metadata": "GET, HEAD, OPTIONS", "/api/v1/admin/tsdb/snapshot": "POST, PUT, OPTIONS", "/api/v1/heartbeats": "GET, HEAD, OPTIONS",
		"/api": "", "/api/": "", "/api/v1": "", "/api/v1/": "", "/api/v1/no": "", "/api/v2": "", "/api/v2/no": "", "/api/v3/alerts": "", "/no": "",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
			w := httptest.NewRecorder()
			all.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			api, body := strings.HasPrefix(path, "/api"), w.Body.String()
			status, allow := http.StatusNotFound, w.Header().Get("Allow")
			switch {
			case slices.Contains(strings.Split(want, ", "), method) && method != "OPTIONS":
				if w.Code == http.StatusMethodNotAllowed || allow != "" {
					t.Errorf("%s %s: %d, allowed %q; want that it is taken", method, path, w.Code, allow)
				}
				continue
			case method == "OPTIONS" && (want != "" || strings.HasPrefix(path, "/api/v1/")): // the library's router answers for any path
				status = http.StatusNoContent
			case want != "":
				status = http.StatusMethodNotAllowed
			}
			if w.Code != status || status == http.StatusMethodNotAllowed && !same(allow, want) {
				t.Errorf("%s %s: %d, allowed %q; want %d and %q", method, path, w.Code, allow, status, want)
			}
			if api && status != http.StatusNoContent && !json.Valid([]byte(body)) || strings.Contains(body, "<html") {
				t.Errorf("%s %s: %q; want JSON below /api, and no page", method, path, body)
			}
		}
	}
}

// same says that two lists have the same methods.
func same(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
