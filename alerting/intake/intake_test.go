package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

// board keeps alarms as problems of their own and silences as they come: what a router shows, without
// judgement.
type board struct {
	noted    string
	mu       sync.Mutex
	got      []alerting.Input
	alarms   map[string]alerting.Alarm
	silences map[string]alerting.Silence
	full     bool
}

func newBoard() *board {
	return &board{alarms: map[string]alerting.Alarm{}, silences: map[string]alerting.Silence{}}
}

func (b *board) put(ctx context.Context, in ...alerting.Input) error {
	if b.full {
		<-ctx.Done()
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, in...)
	for _, i := range in {
		switch i := i.(type) {
		case alerting.Firing:
			b.alarms[i.Alarm.Fingerprint()] = i.Alarm
		case alerting.Ended:
			delete(b.alarms, i.Fingerprint)
		case alerting.Silenced:
			b.silences[i.Silence.ID] = i.Silence
		}
	}
	return nil
}

func (b *board) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.alarms)
}

func (b *board) view() alerting.View {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := alerting.View{At: time.Now()}
	for fp, a := range b.alarms {
		p := alerting.ProblemView{ID: "p-" + fp, Key: "key:" + a.Rule(), Route: "default", Priority: alerting.P3, Root: a, Page: alerting.Page{Entity: a.Labels["entity"], Sentence: a.Rule()}}
		if a.Labels["paged"] == "no" {
			p.Key = ""
		}
		if a.Labels["severity"] == "critical" {
			p.Priority = alerting.P1
		}
		v.Problems = append(v.Problems, p)
	}
	for _, s := range b.silences {
		if s.EndsAt.After(time.Now()) {
			v.Silences = append(v.Silences, s)
		}
	}
	return v
}

func (b *board) ended() (out []alerting.Silence) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.silences {
		if !s.EndsAt.After(time.Now()) {
			out = append(out, s)
		}
	}
	return out
}

// The board is what a people.Desk acts through.
func (b *board) View() alerting.View { return b.view() }

func (b *board) Put(ctx context.Context, in ...alerting.Input) error { return b.put(ctx, in...) }

func (b *board) Acknowledge(ctx context.Context, a alerting.Acked) error { return b.put(ctx, a) }
func (b *board) Escalate(context.Context, string, string) error          { return nil }
func (b *board) Note(_ context.Context, key, by, text string) error {
	b.noted = key + " by " + by + ": " + text
	return nil
}

func serve(b *board) *http.ServeMux {
	i := New(Options{Put: b.put, View: b.view, Version: "test", Desk: &people.Desk{Router: b, Ended: b.ended, Vital: func() []map[string]string {
		return []map[string]string{{"alertname": "StreamsFailing", "service": "api"}}
	}}})
	return muxOf(i)
}

func muxOf(i *Intake) *http.ServeMux {
	mux := http.NewServeMux()
	i.Register(mux)
	return mux
}

func call(t *testing.T, h http.Handler, method, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func stamp(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339Nano) }

func TestPostAlerts(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string // "firing N, ended N"
	}{
		"as Prometheus sends it":        {`[{"labels":{"alertname":"A","x":"1"},"annotations":{"summary":"s"},"startsAt":"` + stamp(-time.Minute) + `","endsAt":"` + stamp(time.Minute) + `","generatorURL":"http://p/graph"}]`, 200, "firing 1, ended 0"},
		"an end that passed ends it":    {`[{"labels":{"alertname":"A"},"endsAt":"` + stamp(-time.Second) + `"}]`, 200, "firing 0, ended 1"},
		"without times it is now":       {`[{"labels":{"instance":"web-1"}}]`, 200, "firing 1, ended 0"},
		"one without labels is told":    {`[{"labels":{"a":""}},{"labels":{"alertname":"A"}}]`, 400, "firing 1, ended 0"},
		"null is nothing":               {`[null]`, 200, "firing 0, ended 0"},
		"rubbish":                       {`{"labels":`, 400, "firing 0, ended 0"},
		"not a list":                    {`{"labels":{"alertname":"A"}}`, 400, "firing 0, ended 0"},
		"a long label is cut, not lost": {`[{"labels":{"alertname":"A","path":"` + strings.Repeat("p", 5000) + `"}}]`, 200, "firing 1, ended 0"},
		"a long name is cut, not lost":  {`[{"labels":{"alertname":"A","` + strings.Repeat("n", 5000) + `":"v"}}]`, 200, "firing 1, ended 0"},
		"a start after its end":         {`[{"labels":{"alertname":"A"},"startsAt":"` + stamp(time.Hour) + `","endsAt":"` + stamp(time.Minute) + `"}]`, 200, "firing 1, ended 0"},
		"the year 1 and 9999":           {`[{"labels":{"alertname":"A"},"startsAt":"0001-01-02T00:00:00Z","endsAt":"9999-12-31T23:59:59Z"}]`, 200, "firing 1, ended 0"},
		"a name told twice":             {`[{"labels":{"alertname":"A","alertname":"B"}}]`, 200, "firing 1, ended 0"},
		"rubbish in UTF-8":              {`[{"labels":{"alertname":"A` + "\xff" + `","b":"\ud800"}}]`, 200, "firing 1, ended 0"},
		"too large":                     {`[{"labels":{"alertname":"` + strings.Repeat("p", maxBody) + `"}}]`, 413, "firing 0, ended 0"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard()
			code, text := call(t, serve(b), "POST", "/api/v2/alerts", tc.body)
			firing, ended := 0, 0
			for _, i := range b.got {
				switch i := i.(type) {
				case alerting.Firing:
					firing++
					if i.Alarm.StartsAt.IsZero() || !i.Alarm.EndsAt.After(time.Now()) || len(i.Alarm.Labels["path"]) > maxLabelValue {
						t.Errorf("alarm %.200v; want a start, an end ahead and short labels", i.Alarm)
					}
				case alerting.Ended:
					ended++
				}
			}
			if got := fmt.Sprintf("firing %d, ended %d", firing, ended); code != tc.status || got != tc.want {
				t.Errorf("%d %.100s, %s; want %d, %s", code, text, got, tc.status, tc.want)
			}
		})
	}
}

func TestTheSameAlarmEndsWhatItBegan(t *testing.T) {
	b := newBoard()
	h := serve(b)
	long := strings.Repeat("p", 5000)
	call(t, h, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","path":"`+long+`"}},{"labels":{"alertname":"A","path":"`+long+`x"}}]`)
	if b.count() != 2 {
		t.Fatalf("%d alarms; want 2 that differ in what was cut", b.count())
	}
	call(t, h, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","path":"`+long+`"},"endsAt":"`+stamp(-time.Second)+`"}]`)
	if b.count() != 1 {
		t.Errorf("%d alarms; want 1", b.count())
	}
}

func TestAFullRouterIsSaidSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		b.full = true
		if code, text := call(t, serve(b), "POST", "/api/v2/alerts", `[{"labels":{"alertname":"A"}}]`); code != http.StatusServiceUnavailable {
			t.Errorf("%d %s; want 503", code, text)
		}
	})
}

func TestPeople(t *testing.T) {
	b := newBoard()
	h := serve(b)
	call(t, h, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","entity":"node:a"}},{"labels":{"alertname":"B","entity":"node:b"}},{"labels":{"alertname":"B","entity":"node:c"}},{"labels":{"alertname":"Ticket","paged":"no"}}]`)
	for _, tc := range []struct {
		path, body string
		status     int
		text       string
		want       alerting.Input
	}{
		{"/api/v1/ack", `{"problem":"a","by":"ann"}`, 200, `"key:A"`, alerting.Acked{Key: "key:A", By: "ann"}},
		{"/api/v1/ack", `{"problem":"key:A","by":"ann","undo":true}`, 200, `"key:A"`, alerting.Acked{Key: "key:A", By: "ann", Undo: true}},
		{"/api/v1/ack", `{"problem":"B","by":"ann"}`, 404, "2 problems have the root cause B", nil},
		{"/api/v1/ack", `{"problem":"C","by":"ann"}`, 404, "no problem", nil},
		{"/api/v1/ack", `{"problem":"Ticket","by":"ann"}`, 200, "Ticket", alerting.Acked{Key: "p-48e4fd34cfa75586", By: "ann"}},
		{"/api/v1/ack", `{"by":"ann"}`, 404, "want a problem", nil},
		{"/api/v1/silence", `{"problem":"A","for":"2h","by":"ann"}`, 200, `"id"`, alerting.Silenced{}},
		{"/api/v1/silence", `{"matchers":["service=~\"a.*\"","x!=y"],"until":"` + stamp(time.Hour) + `"}`, 200, `"id"`, alerting.Silenced{}},
		{"/api/v1/silence", `{"matchers":["a=b"],"starts":"` + stamp(48*time.Hour) + `","for":"2h"}`, 200, `"id"`, alerting.Silenced{}},
		{"/api/v1/silence", `{"matchers":["a=b"]}`, 400, "needs an end", nil},
		{"/api/v1/silence", `{"matchers":["a"],"for":"1h"}`, 400, "matcher", nil},
		{"/api/v1/silence", `{"for":"soon"}`, 400, "for:", nil},
	} {
		before := len(b.got)
		code, text := call(t, h, "POST", tc.path, tc.body)
		if code != tc.status || !strings.Contains(text, tc.text) {
			t.Errorf("POST %s %s = %d %s; want %d with %q", tc.path, tc.body, code, text, tc.status, tc.text)
			continue
		}
		if (tc.want != nil) != (len(b.got) == before+1) {
			t.Errorf("POST %s %s brought %v", tc.path, tc.body, b.got[before:])
			continue
		}
		if a, ok := tc.want.(alerting.Acked); ok && b.got[before] != a {
			t.Errorf("POST %s %s brought %+v; want %+v", tc.path, tc.body, b.got[before], a)
		}
	}
	for _, s := range b.silences {
		if s.Matchers[0].Value == "A" && (len(s.Matchers) != 2 || s.Matchers[1].Value != "node:a" || s.CreatedBy != "ann") {
			t.Errorf("silence of the problem %+v; want its rule and entity, by ann", s)
		}
	}
}

func TestCheckResult(t *testing.T) {
	b := newBoard()
	h := serve(b)
	post := func(exit int, output string) {
		t.Helper()
		body, _ := json.Marshal(CheckResult{Host: "db-1", Service: "disk /var", Exit: exit, Output: output})
		if code, text := call(t, h, "POST", "/api/v1/check-result", string(body)); code != http.StatusAccepted {
			t.Fatalf("%d %s; want 202", code, text)
		}
	}
	only := func() alerting.Alarm {
		t.Helper()
		if b.count() != 1 {
			t.Fatalf("%d alarms; want 1", b.count())
		}
		for _, a := range b.alarms {
			return a
		}
		panic("unreachable")
	}
	post(1, "DISK WARNING - 10% left | /var=90%;85;95\nmore\nyet more | /=1%")
	a := only()
	if a.Labels["severity"] != "warning" || a.Annotations["summary"] != "DISK WARNING - 10% left" || a.Annotations["perfdata"] != "/var=90%;85;95 /=1%" || a.Annotations["output"] != "more\nyet more" {
		t.Errorf("alarm %+v; want a warning, its first line as summary and its figures apart", a)
	}
	post(2, "DISK CRITICAL")
	if a := only(); a.Labels["severity"] != "critical" {
		t.Errorf("alarm %+v; want it critical", a)
	}
	post(3, "timed out")
	post(0, "DISK OK")
	if b.count() != 0 {
		t.Errorf("%d alarms after OK; want 0", b.count())
	}
	results := func(bodies ...string) {
		t.Helper()
		for _, body := range bodies {
			if code, text := call(t, h, "POST", "/api/v1/check-result", body); code != http.StatusAccepted {
				t.Fatalf("%s: %d %s; want 202", body, code, text)
			}
		}
	}
	results(`{"host":"h","service":"x","exit":2,"labels":{"cluster":"c"}}`, `{"host":"h","service":"x","exit":1}`)
	if a := only(); a.Labels["severity"] != "warning" {
		t.Errorf("alarm %+v; want the last word of the check, told without its labels", a)
	}
	results(`{"host":"h","service":"x","exit":2,"labels":{"cluster":"c"}}`, `{"host":"h","service":"x","exit":2,"labels":{"cluster":"d"}}`, `{"host":"h","service":"y","exit":2}`, `{"host":"i","service":"x","exit":2}`)
	if b.count() != 4 {
		t.Fatalf("%d alarms; want 4 of different checks", b.count())
	}
	results(`{"host":"h","service":"x","exit":0,"labels":{"cluster":"c"}}`)
	if b.count() != 3 {
		t.Errorf("%d alarms after OK of one cluster; want 3", b.count())
	}
	results(`{"host":"h","service":"x","exit":0}`)
	if b.count() != 2 {
		t.Errorf("%d alarms after OK without labels; want the 2 of another check and of another host", b.count())
	}
	for _, body := range []string{`{"service":"x"}`, `{"host":"h","exit":4}`, `{"host":"h","fresh":"soon"}`, `no`} {
		if code, _ := call(t, h, "POST", "/api/v1/check-result", body); code != 400 {
			t.Errorf("%s: %d; want 400", body, code)
		}
	}
}

func TestADeployMarkEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		var told []Deploy
		i := New(Options{Put: b.put, View: b.view, Deployed: func(_ context.Context, d Deploy) { told = append(told, d) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- i.Run(ctx) }()
		mux := http.NewServeMux()
		i.Register(mux)
		if code, text := call(t, mux, "POST", "/api/v1/deploys", `{"service":"api","version":"1.2.3","by":"ann","blame":"10m"}`); code != 202 {
			t.Fatalf("%d %s; want 202", code, text)
		}
		var a alerting.Alarm
		for _, p := range b.view().Problems {
			a = p.Root
		}
		if a.Labels["kind"] != "change" || a.Labels["page"] != "never" || a.Labels["entity"] != "service:api" || !strings.Contains(a.Annotations["summary"], "deploy api 1.2.3 at") || len(told) != 1 {
			t.Errorf("alarm %+v, told %v; want a change of service:api that never pages", a, told)
		}
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if b.count() != 1 {
			t.Errorf("%d marks after 9 min; want 1", b.count())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if b.count() != 0 {
			t.Errorf("%d marks after 11 min; want 0", b.count())
		}
		for _, body := range []string{`{}`, `{"service":"a","blame":"100h"}`, `[`} {
			if code, _ := call(t, mux, "POST", "/api/v1/deploys", body); code != 400 {
				t.Errorf("%s: %d; want 400", body, code)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestEvents(t *testing.T) {
	b := newBoard()
	i := New(Options{Put: b.put, View: b.view})
	err := i.Events(t.Context(), []metric.Event{
		{Check: true, Title: "can_connect", Level: metric.Critical, Text: "no", Labels: metric.L("service", "api")},
		{Title: "Released", Labels: metric.L("service", "api", "version", "7")},
		{Title: "A log line"},
		{Title: "Nothing to blame", Labels: metric.L("kind", "change")},
	}, "node-1")
	rules := map[string]alerting.Alarm{}
	for _, a := range b.alarms {
		rules[a.Rule()] = a
	}
	if err != nil || len(rules) != 2 || rules["can_connect"].Labels["instance"] != "node-1" || rules[RuleDeploy].Labels["version"] != "7" || i.refused.Load() != 1 {
		t.Errorf("Events = %v, alarms %+v, %d refused; want a check of node-1, a deploy of 7, and one refused", err, rules, i.refused.Load())
	}
}

func TestAmtool(t *testing.T) {
	amtool, err := exec.LookPath("amtool")
	if err != nil {
		t.Skip("amtool is not installed (Debian: prometheus-alertmanager)")
	}
	b := newBoard()
	s := httptest.NewServer(serve(b))
	defer s.Close()
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(amtool, append([]string{"--alertmanager.url=" + s.URL}, args...)...).Output() // it warns of another version on the other
		if err != nil {
			t.Fatalf("amtool %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	run("alert", "add", "alertname=DiskFull", "instance=db-1", "--annotation=summary=full")
	if out := run("alert", "query", "alertname=DiskFull"); !strings.Contains(out, "DiskFull") || !strings.Contains(out, "full") {
		t.Errorf("alert query: %s; want DiskFull", out)
	}
	id := strings.TrimSpace(run("silence", "add", "instance=db-1", "--duration=2h", "--author=ann", "--comment=being fixed"))
	if out := run("silence", "query"); !strings.Contains(out, id) || !strings.Contains(out, "ann") {
		t.Errorf("silence query: %s; want %s by ann", out, id)
	}
	if out := run("alert", "query"); strings.Contains(out, "DiskFull") {
		t.Errorf("alert query shows what is silenced: %s", out)
	}
	run("silence", "expire", id)
	if out := run("alert", "query"); !strings.Contains(out, "DiskFull") {
		t.Errorf("alert query after the silence: %s; want DiskFull", out)
	}
	if out := run("config", "show"); !strings.Contains(out, `name: "board"`) {
		t.Errorf("config show: %s; want the receivers of the alarms", out)
	}
}

func TestPostIsTheOtherEnd(t *testing.T) {
	b := newBoard()
	s := httptest.NewServer(serve(b))
	defer s.Close()
	if err := Post(t.Context(), s.Client(), s.URL, PathCheckResult, CheckResult{Host: "db-1", Service: "disk", Exit: 2}, nil); err != nil {
		t.Fatal(err)
	}
	var got AckAnswer
	if err := Post(t.Context(), s.Client(), s.URL+"/", PathAck, AckRequest{Problem: "disk", By: "ann"}, &got); err != nil || got.Key != "key:disk" {
		t.Errorf("Post = %v, %+v; want the key of the problem", err, got)
	}
	if err := Post(t.Context(), s.Client(), s.URL, PathNote, NoteRequest{Problem: "disk", By: "ann", Text: "it grew"}, &got); err != nil || b.noted != "key:disk by ann: it grew" {
		t.Errorf("a note: %v, %q; want it at the key of the problem", err, b.noted)
	}
	err := Post(t.Context(), s.Client(), s.URL, PathAck, AckRequest{Problem: "none"}, &got)
	if err == nil || err.Error() != `no problem "none"` {
		t.Errorf("Post = %v; want the router's words", err)
	}
}
