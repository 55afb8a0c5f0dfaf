package intake

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting/alertingtest"
)

func TestARouterKnowsWhomItHears(t *testing.T) {
	i := New(Options{Put: newBoard().put, View: newBoard().view})
	mux := http.NewServeMux()
	i.Register(mux)
	rt, stop := alertingtest.Pipe(mux)
	defer stop()
	if err := NewClient(ClientOptions{Routers: []string{"http://router"}, Node: "web-1", Transport: rt}).Prove(t.Context())[0]; err != nil {
		t.Fatal(err)
	}
	if n := i.Nodes(); len(n) != 1 || n[0].Name != "web-1" || n[0].Heard.IsZero() {
		t.Errorf("nodes %+v; want web-1", n)
	}
}

// What answers in place of a router is none, whatever it says.
func TestOnlyARoutersAnswerCounts(t *testing.T) {
	amStatus := `{"cluster":{"status":"ready"},"versionInfo":{"version":"0.34.2"},"config":{"original":""},"uptime":"2026-11-30T00:00:00Z"}`
	say := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	withStatus := func(post http.HandlerFunc, status string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				say(200, "application/json", status)(w, r)
				return
			}
			post(w, r)
		}
	}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string // of the error; empty: it counts
	}{
		"a router of ours":                 {serve(newBoard()).ServeHTTP, ""},
		"an Alertmanager":                  {withStatus(say(200, "", ""), amStatus), ""},
		"one that cannot take an alarm":    {withStatus(say(400, "application/json", `"start time must be before end time"`), amStatus), ""},
		"one whose library says so":        {withStatus(say(400, "application/json", `{"code":400,"message":"parsing"}`), amStatus), ""},
		"a TLS port":                       {say(400, "text/plain", "Client sent an HTTP request to an HTTPS server.\n"), "400 with"},
		"a redirect":                       {http.RedirectHandler("http://router.example/", http.StatusMovedPermanently).ServeHTTP, "301 Moved Permanently to http://router.example/"},
		"a redirect of the body":           {http.RedirectHandler("https://login.example/", http.StatusTemporaryRedirect).ServeHTTP, "not followed"},
		"a login page":                     {say(200, "text/html", "<html>log in</html>"), "200 with"},
		"a web server with 200 for all":    {say(200, "", ""), "status is"},
		"and one with JSON for all":        {withStatus(say(200, "", ""), `{}`), "status is"},
		"a 400 of a proxy":                 {withStatus(say(400, "text/html", "<html>"), amStatus), "400 with"},
		"204, which none answers":          {withStatus(say(204, "", ""), amStatus), "204"},
		"a router that is busy":            {withStatus(say(503, "application/json", `"no room"`), amStatus), "503"},
		"an Alertmanager that says a word": {withStatus(say(200, "application/json", `{"ok":true}`), amStatus), "200 with"},
	} {
		t.Run(name, func(t *testing.T) {
			rt, stop := alertingtest.Pipe(tc.answer)
			defer stop()
			c := NewClient(ClientOptions{Routers: []string{"http://router"}, Transport: rt})
			err := c.Prove(context.Background())[0]
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%v; want %q", err, tc.want)
			}
		})
	}
}
