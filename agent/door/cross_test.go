package door

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOtherSitesReadAsListed(t *testing.T) {
	listed := Config{CORS: CORS{Origins: []string{"https://grafana.example.com", "http://*.shop.example:3000"}}}
	for name, tc := range map[string]struct {
		config               Config
		method, path, origin string
		asks                 string // Access-Control-Request-Method
		status               int
		allowed              string
	}{
		"a listed site reads":            {listed, "GET", "/api/v1/query", "https://grafana.example.com", "", 200, "https://grafana.example.com"},
		"and posts a question":           {listed, "POST", "/api/v1/query", "https://grafana.example.com", "", 200, "https://grafana.example.com"},
		"and asks before":                {listed, "OPTIONS", "/api/v1/query", "https://grafana.example.com", "POST", 204, "https://grafana.example.com"},
		"below a domain":                 {listed, "GET", "/api/v2/alerts", "http://a.b.shop.example:3000", "", 200, "http://a.b.shop.example:3000"},
		"not the domain itself":          {listed, "GET", "/api/v2/alerts", "http://shop.example:3000", "", 200, ""},
		"not one that ends alike":        {listed, "GET", "/api/v2/alerts", "http://evilshop.example:3000", "", 200, ""},
		"not another port":               {listed, "GET", "/api/v2/alerts", "http://a.shop.example", "", 200, ""},
		"not another scheme":             {listed, "GET", "/metrics", "http://grafana.example.com", "", 200, ""},
		"another site posts no question": {listed, "POST", "/api/v1/query", "https://evil.example", "", 403, ""},
		"a listed site does not act":     {listed, "POST", "/api/v2/silences", "https://grafana.example.com", "", 403, ""},
		"and does not send":              {listed, "POST", "/api/v2/alerts", "https://grafana.example.com", "", 403, ""},
		"and is told so before":          {listed, "OPTIONS", "/api/v2/silences", "https://grafana.example.com", "POST", 200, ""},
		"all sites":                      {Config{CORS: CORS{Origins: []string{"*"}}}, "GET", "/api/v1/query", "null", "", 200, "*"},
		"none is listed":                 {Config{}, "GET", "/api/v1/query", "https://grafana.example.com", "", 200, ""},
		"with logins it asks before":     {Config{ConfigFile: webConfigFile(t, "jo"), CORS: listed.CORS}, "OPTIONS", "/api/v1/query", "https://grafana.example.com", "GET", 204, "https://grafana.example.com"},
		"and reads a refusal":            {Config{ConfigFile: webConfigFile(t, "jo"), CORS: listed.CORS}, "GET", "/api/v1/query", "https://grafana.example.com", "", 401, "https://grafana.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, _ := newDoor(t, tc.config)
			r := httptest.NewRequest(tc.method, "http://127.0.0.1:9600"+tc.path, http.NoBody)
			r.RemoteAddr = "127.0.0.1:40000"
			r.Header.Set("Origin", tc.origin)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			if tc.asks != "" {
				r.Header.Set("Access-Control-Request-Method", tc.asks)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != tc.status || got != tc.allowed {
				t.Errorf("%d, allowed %q; want %d, %q", w.Code, got, tc.status, tc.allowed)
			}
			if creds := w.Header().Get("Access-Control-Allow-Credentials"); (creds == "true") != (tc.allowed != "" && tc.allowed != "*") {
				t.Errorf("credentials %q for %q", creds, tc.allowed)
			}
		})
	}
}

func TestOriginsAndPrefixesAreChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"a path is no origin":      {Config{CORS: CORS{Origins: []string{"https://a.example/x"}}}, "origins"},
		"nor is a name":            {Config{CORS: CORS{Origins: []string{"grafana"}}}, "origins"},
		"nor a star within":        {Config{CORS: CORS{Origins: []string{"https://a.*.example"}}}, "origins"},
		"all, and others":          {Config{CORS: CORS{Origins: []string{"*", "https://a.example"}}}, "all sites"},
		"good ones":                {Config{CORS: CORS{Origins: []string{"https://a.example", "http://*.b.example:3000"}}, RoutePrefix: "/ops/binnacle/"}, ""},
		"no slash before":          {Config{RoutePrefix: "binnacle"}, "route_prefix"},
		"a way up":                 {Config{RoutePrefix: "/a/../b"}, "route_prefix"},
		"a quote":                  {Config{RoutePrefix: `/a"b`}, "route_prefix"},
		"a path of the agent":      {Config{RoutePrefix: "/api"}, "path of the agent"},
		"a long one of the agent":  {Config{RoutePrefix: "/api/v1"}, "path of the agent"},
		"the root is no prefix":    {Config{RoutePrefix: "/"}, ""},
		"an address with one path": {Config{ExternalURL: "https://ops.example/binnacle/"}, ""},
	} {
		err := tc.config.Validate()
		if tc.config.CORS.Origins != nil {
			err = tc.config.CORS.Validate()
		}
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
}

func TestBehindAPath(t *testing.T) {
	for name, tc := range map[string]struct {
		config         Config
		path           string
		status         int
		seen, location string
	}{
		"below the prefix":            {Config{RoutePrefix: "/ops/binnacle"}, "/ops/binnacle/api/v2/alerts?x=1", 200, "/api/v2/alerts", ""},
		"without it":                  {Config{RoutePrefix: "/ops/binnacle/"}, "/api/v2/alerts", 200, "/api/v2/alerts", ""},
		"the prefix alone":            {Config{RoutePrefix: "/ops/binnacle"}, "/ops/binnacle?a=b", 308, "", "/ops/binnacle/?a=b"},
		"a name that begins alike":    {Config{RoutePrefix: "/ops"}, "/opsx", 200, "/opsx", ""},
		"the root of it":              {Config{RoutePrefix: "/ops"}, "/ops/", 200, "/", ""},
		"a slash within a name":       {Config{RoutePrefix: "/ops"}, "/ops/nodes/a%2Fb", 200, "/nodes/a%2Fb", ""},
		"of the external address":     {Config{ExternalURL: "https://x.example/mon/"}, "/mon/board", 200, "/board", ""},
		"where an answer leads":       {Config{RoutePrefix: "/ops"}, "/ops/moved", 303, "", "/ops/board?x=1"},
		"of the proxy that takes off": {Config{ExternalURL: "https://x.example/mon/", RoutePrefix: "/"}, "/moved", 303, "", "/mon/board?x=1"},
		"both, of two proxies":        {Config{ExternalURL: "https://x.example/a/b", RoutePrefix: "/b"}, "/b/moved", 303, "", "/a/b/board?x=1"},
		"no prefix":                   {Config{}, "/moved", 303, "", "/board?x=1"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := New(Options{Config: tc.config, Data: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			seen := ""
			h := d.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/moved" {
					http.Redirect(w, r, "/board?x=1", http.StatusSeeOther)
					return
				}
				seen = r.URL.EscapedPath()
			}))
			r := httptest.NewRequest("GET", "http://127.0.0.1:9600"+tc.path, nil)
			r.RemoteAddr = "127.0.0.1:40000"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.status || seen != tc.seen || w.Header().Get("Location") != tc.location {
				t.Errorf("%d, the handler saw %q, led to %q; want %d, %q, %q", w.Code, seen, w.Header().Get("Location"), tc.status, tc.seen, tc.location)
			}
		})
	}
	for want, c := range map[string]Config{
		"https://x.example/mon/": {ExternalURL: "https://x.example/mon/", RoutePrefix: "/"}, "https://x.example/ops": {ExternalURL: "https://x.example/", RoutePrefix: "/ops/"},
		"https://x.example": {ExternalURL: "https://x.example"}, "": {RoutePrefix: "/ops"},
	} {
		if got := c.BoardURL(); got != want {
			t.Errorf("board of %+v: %q; want %q", c, got, want)
		}
	}
}
