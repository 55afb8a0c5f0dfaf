package receivers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// A webhook behind OAuth2, as Alertmanager's http_config has it: a token is fetched once, a page in the place of a token is no token,
// and its text shows no secret.
func TestAWebhookBehindOAuth2(t *testing.T) {
	var asked, got atomic.Int32
	var broken atomic.Bool
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>log in</html>")
			return
		}
		if r.ParseForm() != nil || r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("audience") != "hooks" || r.Form.Get("scope") != "send" {
			t.Errorf("the token was asked for with %v", r.Form)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"TOKEN1","token_type":"bearer","expires_in":3600}`)
	}))
	defer tokens.Close()
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer TOKEN1" {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		got.Add(1)
	}))
	defer hook.Close()
	fields := fmt.Sprintf(`{url: %q, http_config: {oauth2: {client_id: c, client_secret: SECRET1, token_url: %q, scopes: [send], endpoint_params: {audience: hooks}}}}`, hook.URL, tokens.URL)
	receiver := func() *Receiver {
		r, err := New(config(t, "webhook", fields), Options{Name: "team", Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := receiver()
	for range 3 {
		if res := r.Send(t.Context(), act(alerting.Trigger)); res.Outcome != alerting.Accepted {
			t.Errorf("%+v", res)
		}
	}
	if asked.Load() != 1 || got.Load() != 3 {
		t.Errorf("%d tokens were asked for and %d messages taken; want 1 and 3", asked.Load(), got.Load())
	}
	broken.Store(true)
	if res := receiver().Send(t.Context(), act(alerting.Trigger)); res.Outcome != alerting.Unknown || res.Detail == "" || strings.Contains(res.Detail, "SECRET1") {
		t.Errorf("with a page in the place of a token: %+v", res)
	}
	if got.Load() != 3 {
		t.Error("the message went out without a token")
	}
}
