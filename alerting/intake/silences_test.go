package intake

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

func TestSilences(t *testing.T) {
	silence := func(matchers string, length time.Duration) string {
		return fmt.Sprintf(`{"matchers":[%s],"startsAt":%q,"endsAt":%q,"createdBy":"ann","comment":"c"}`, matchers, stamp(0), stamp(length))
	}
	const (
		web   = `{"name":"instance","value":"web-1","isRegex":false}`
		vital = `{"name":"alertname","value":"StreamsFailing","isRegex":false}`
		all   = `{"name":"alertname","value":".+","isRegex":true}`
		empty = `{"name":"alertname","value":".*","isRegex":true}`
		api   = `{"name":"service","value":"api","isRegex":false},{"name":"instance","value":"web-1","isRegex":false}`
		not   = `{"name":"alertname","value":"Other","isRegex":false,"isEqual":false},{"name":"instance","value":"web.*","isRegex":true}`
		quiet = `{"name":"alertname","value":"StreamsFailing","isRegex":false,"isEqual":false},{"name":"instance","value":"web-1","isRegex":false}`
		hot   = `{"name":"instance","value":"hot-1","isRegex":false}`
	)
	for name, tc := range map[string]struct {
		body   string
		status int
		text   string
	}{
		"narrow, long":                 {silence(web, 90*24*time.Hour), 200, "silenceID"},
		"over a P1 rule, short":        {silence(vital, 23*time.Hour), 200, "silenceID"},
		"over a P1 rule, long":         {silence(vital, 25*time.Hour), 400, "the P1 rule StreamsFailing"},
		"over its service, long":       {silence(api, 25*time.Hour), 400, "the P1 rule StreamsFailing"},
		"over all but others, long":    {silence(not, 25*time.Hour), 400, "the P1 rule StreamsFailing"},
		"over all but the P1 rule":     {silence(quiet, 25*time.Hour), 200, "silenceID"},
		"over what is a P1 now":        {silence(hot, 25*time.Hour), 400, "a P1, Hot"},
		"over everything, short":       {silence(all, time.Hour), 200, "silenceID"},
		"over everything, long":        {silence(all, 48*time.Hour), 400, "covers everything"},
		"of nothing":                   {silence(empty, time.Hour), 400, "must not match the empty string"},
		"without a matcher":            {silence(``, time.Hour), 400, "at least one matcher"},
		"with an end that passed":      {silence(web, -time.Hour), 400, "the end is not after the start"},
		"with a broken expression":     {silence(`{"name":"a","value":"(","isRegex":true}`, time.Hour), 400, "matcher a"},
		"without an author":            {`{"matchers":[` + web + `]}`, 400, "wants startsAt"},
		"changing one that is not one": {strings.Replace(silence(web, time.Hour), "{", `{"id":"x",`, 1), 404, "no silence"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard()
			h := serve(b)
			call(t, h, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"Hot","instance":"hot-1","severity":"critical"}}]`)
			if code, text := call(t, h, "POST", "/api/v2/silences", tc.body); code != tc.status || !strings.Contains(text, tc.text) {
				t.Errorf("%d %s; want %d with %q", code, text, tc.status, tc.text)
			}
		})
	}
}

func TestASilenceLivesAndEnds(t *testing.T) {
	b := newBoard()
	h := serve(b)
	call(t, h, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","instance":"web-1"}},{"labels":{"alertname":"B","instance":"web-2"}}]`)
	_, text := call(t, h, "POST", "/api/v2/silences", `{"matchers":[{"name":"instance","value":"web-1","isRegex":false}],"startsAt":"`+stamp(-time.Second)+`","endsAt":"`+stamp(time.Hour)+`","createdBy":"ann","comment":"c"}`)
	var made struct{ SilenceID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/api/v2/alerts": 2, "/api/v2/alerts?silenced=false": 1, "/api/v2/alerts?active=false": 1, "/api/v2/alerts?filter=alertname%3DB": 1,
		"/api/v2/alerts?filter=%7Balertname%3D~%22A%7CB%22%7D": 2, "/api/v2/alerts?receiver=def.*": 2, "/api/v2/alerts?receiver=other": 0,
		"/api/v2/alerts/groups": 2, "/api/v2/silences": 1, "/api/v2/silences?filter=instance%3Dweb-2": 0, "/api/v2/receivers": 2,
	} {
		code, text := call(t, h, "GET", path, "")
		var list []any
		if err := json.Unmarshal([]byte(text), &list); err != nil || code != 200 || len(list) != want {
			t.Errorf("GET %s = %d %s, %v; want %d", path, code, text, err, want)
		}
	}
	for _, path := range []string{"/api/v2/alerts?active=maybe", "/api/v2/alerts/groups?muted=x", "/api/v2/silences?filter=%3D%3D"} {
		if code, text := call(t, h, "GET", path, ""); code != 400 {
			t.Errorf("GET %s = %d %s; want 400", path, code, text)
		}
	}
	if code, text := call(t, h, "GET", "/api/v2/silence/"+made.SilenceID, ""); code != 200 || !strings.Contains(text, `"active"`) {
		t.Errorf("silence: %d %s; want it active", code, text)
	}
	if code, text := call(t, h, "DELETE", "/api/v2/silence/"+made.SilenceID+"?by=bob", ""); code != 200 || b.silences[made.SilenceID].EndsAt.After(time.Now()) {
		t.Errorf("delete: %d %s, %+v; want its end now", code, text, b.silences)
	}
	if s, ok := b.got[len(b.got)-1].(alerting.Silenced); !ok || s.By != "bob" || s.Silence.CreatedBy != "ann" {
		t.Errorf("the end came as %+v; want it by bob, of what ann made", b.got[len(b.got)-1])
	}
	if code, _ := call(t, h, "GET", "/api/v2/alerts?filter=%7B%7B", ""); code != 400 {
		t.Errorf("a broken filter: %d; want 400", code)
	}
}

// TestAnEndedSilenceIsListed follows what amtool, karma and Grafana do with one: they list it, end it again, and make it anew.
// Source: Alertmanager 0.35 silence/silence.go, read 30 November 2026.
func TestAnEndedSilenceIsListed(t *testing.T) {
	b := newBoard()
	h := serve(b)
	post := func(id, value, more string) string {
		t.Helper()
		code, text := call(t, h, "POST", "/api/v2/silences", `{"id":"`+id+`","matchers":[{"name":"alertname","value":"`+value+`","isRegex":false}],"startsAt":"`+stamp(-time.Second)+`","endsAt":"`+stamp(time.Hour)+`","createdBy":"ann","comment":"c"`+more+`}`)
		var made struct{ SilenceID string }
		if err := json.Unmarshal([]byte(text), &made); err != nil || code != 200 {
			t.Fatalf("%d %s", code, text)
		}
		return made.SilenceID
	}
	first := post("", "X", `,"annotations":{"ticket":"OPS-1"}`)
	for range 2 {
		if code, text := call(t, h, "DELETE", "/api/v2/silence/"+first, ""); code != 200 {
			t.Fatalf("delete: %d %s", code, text)
		}
	}
	if code, text := call(t, h, "GET", "/api/v2/silence/"+first, ""); code != 200 || !strings.Contains(text, `"expired"`) || !strings.Contains(text, `"annotations":{"ticket":"OPS-1"}`) {
		t.Errorf("ended: %d %s; want it expired, with its annotations", code, text)
	}
	if _, text := call(t, h, "GET", "/api/v2/silences?filter=alertname%3DX", ""); !strings.Contains(text, first) {
		t.Errorf("list: %s; want the one that ended", text)
	}
	again := post(first, "X", "")
	if again == first {
		t.Error("an ended silence came to life; want a new one")
	}
	if _, text := call(t, h, "GET", "/api/v2/silences", ""); !strings.Contains(text, first) || !strings.Contains(text, again) || strings.Count(text, `"expired"`) != 1 {
		t.Errorf("list: %s; want both, one expired", text)
	}
	if code, _ := call(t, h, "DELETE", "/api/v2/silence/nobody", ""); code != 404 {
		t.Errorf("unknown: %d; want 404", code)
	}
	for filter, want := range map[string]int{
		"nosuch%3D": 200, "foo%3Dbar%3Dbaz": 200, "foo%3D%3Dbar": 200, "%C3%BC%3Da": 200, "%7Balertname%3DX%7D": 200, "alertname": 400, "%3D%3D": 400, "%7B%7B": 400, "foo%3D~%5B": 400,
	} {
		if code, text := call(t, h, "GET", "/api/v2/alerts?filter="+filter, ""); code != want {
			t.Errorf("filter %s: %d %s; want %d", filter, code, text, want)
		}
	}
}
