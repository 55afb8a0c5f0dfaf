package door

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAPersonIsRefusedOnAPage: a browser shows a page, scripts and curl get a line; what a stranger sent is text in both.
func TestAPersonIsRefusedOnAPage(t *testing.T) {
	h, _, _ := newDoor(t, Config{ConfigFile: webConfigFile(t, "ann")})
	ask := func(host string, headers ...string) (string, string) {
		r, w := httptest.NewRequest("GET", "/board", nil), httptest.NewRecorder()
		r.Host = host
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		h.ServeHTTP(w, r)
		return w.Header().Get("Content-Type"), w.Body.String()
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, tc := range []struct {
		what, host string
		headers    []string
		page       bool
		want       string
	}{
		{"a browser without a login", "127.0.0.1", []string{"Accept", browser}, true, "<h1>A login is needed</h1>"},
		{"curl", "127.0.0.1", []string{"Accept", "*/*"}, false, errNobody.Error()},
		{"a form that is sent in place", "127.0.0.1", []string{"Accept", browser, "HX-Request", "true"}, false, errNobody.Error()},
		{"a name that is not known", "<script>alert(1)</script>", []string{"Accept", browser}, true, "&lt;script&gt;"},
	} {
		kind, body := ask(tc.host, tc.headers...)
		if page := strings.HasPrefix(kind, "text/html"); page != tc.page || !strings.Contains(body, tc.want) || tc.page && strings.Contains(body, "<script") {
			t.Errorf("%s: %s\n%s", tc.what, kind, body)
		}
	}
}
