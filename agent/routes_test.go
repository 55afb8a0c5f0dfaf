package agent

import (
	"net/http"
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
	all := patterns(t, reflect.ValueOf(a.handler().(*http.ServeMux)))
	pages := patterns(t, reflect.ValueOf(a.pages()).Elem().FieldByName("mux"))
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
