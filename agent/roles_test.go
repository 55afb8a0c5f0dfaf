package agent

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRoles(t *testing.T) {
	took := 0
	h := WebConfig{Act: []string{"maria"}}.roles(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { took++ }))
	for name, tc := range map[string]struct {
		user, method, path string
		status             int
	}{
		"who may act takes":              {"maria", "POST", "/problems/x/take", 200},
		"who may not, takes":             {"jo", "POST", "/problems/x/take", 403},
		"and silences by the API":        {"jo", "POST", "/api/v2/silences", 403},
		"and ends a silence by the API":  {"jo", "DELETE", "/api/v2/silence/s1", 403},
		"and acknowledges by the API":    {"jo", "POST", "/api/v1/ack", 403},
		"nobody by name":                 {"", "POST", "/silences/s1/end", 403},
		"who may not act reads":          {"jo", "GET", "/", 200},
		"an agent tells alarms":          {"agent", "POST", "/api/v2/alerts", 200},
		"an agent writes its figures":    {"agent", "POST", "/api/v1/write", 200},
		"a data source asks for figures": {"grafana", "POST", "/api/v1/query_range", 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, tc.path, nil)
			if tc.user != "" {
				r.SetBasicAuth(tc.user, "x")
			}
			took = 0
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.status || (took == 1) != (tc.status == 200) {
				t.Errorf("%s %s by %q: status %d, passed on %d times; want %d", tc.method, tc.path, tc.user, w.Code, took, tc.status)
			}
		})
	}
	everybody := WebConfig{}
	if !everybody.mayAct(httptest.NewRequest(http.MethodPost, "/problems/x/take", nil)) {
		t.Error("without web.act somebody may not act")
	}
}
