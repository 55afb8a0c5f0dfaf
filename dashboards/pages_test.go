package dashboards_test

import (
	"compress/gzip"
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/oncall"
)

var update = flag.Bool("update", false, "rewrite the golden pages")

// options are those of a node with all roles, in the state that the parts tell.
func options(v alerting.View, f fleet, s health.Status) whole {
	return whole{
		View: func() alerting.View { return v }, Query: f.promql, Range: f.ranged, Status: func() health.Status { return s },
		History: happened,
		Runbook: func(rule string) ([]byte, bool) {
			return []byte("# " + rule + "\n\nIt is **split**. See `rabbitmqctl`.\n\n1. One\n2. Two <script>\n\n* [here](/streams)\n"), rule == "RabbitMQSplitBrain"
		},
		Runbooks: func() []string { return []string{"HostDiskFull", "NavCloudStreamsDrop", "RabbitMQSplitBrain"} },
		Expr: func(rule string, _ map[string]string) (string, time.Duration, bool) {
			return "navcloud_events_missing > 1200", time.Minute, rule == "RabbitMQSplitBrain"
		},
		Node: "router-1", Version: "1.0.0", Now: func() time.Time { return noon },
	}
}

func get(t *testing.T, h http.Handler, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	h.ServeHTTP(w, r)
	return w.Result()
}

// A program that looks for the API of another server, as Grafana does for Mimir's, is told in a line that it is not here.
func TestAProgramGetsNoPageInThePlaceOfAnAPI(t *testing.T) {
	w := httptest.NewRecorder()
	dashboards.New(dashboards.Options{}, dashboards.Set{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/config/v1/rules/test/test", nil))
	if body := w.Body.String(); w.Code != http.StatusNotFound || body != "404 page not found\n" {
		t.Errorf("%d %s", w.Code, body)
	}
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return string(b)
}

var hashes = regexp.MustCompile(`-[0-9a-f]{12}\.(css|js|svg)`)

var menuLine = regexp.MustCompile(`<nav .*</nav>`)

// TestNothingMeasured reads the board of a node whose rules have no series to judge: it is not called quiet.
func TestNothingMeasured(t *testing.T) {
	calm := incident()
	calm.Problems, calm.Silences = nil, nil
	for series, want := range map[uint64]struct{ has, lacks string }{
		0:    {"Nothing is measured: ", "All quiet"},
		1480: {"watch 1\u202f480 series.", "Nothing is measured"},
	} {
		st := goodStatus()
		st.Store.Series = series
		page := text(t, get(t, newWhole(options(calm, fleet{}, st)), "/board").Body)
		if !strings.Contains(page, want.has) || strings.Contains(page, want.lacks) {
			t.Errorf("with %d series the calm board wants %q and not %q:\n%s", series, want.has, want.lacks, page)
		}
	}
}

func TestPages(t *testing.T) {
	stale := incident()
	stale.At = noon.Add(-2 * time.Minute)
	calm := alerting.View{At: noon}
	three := fleet{nodes: 3, age: 7}
	for name, tc := range map[string]struct {
		path   string
		opts   whole
		status int
	}{
		"board-calm":      {"/board", options(calm, three, goodStatus()), 200},
		"board-incident":  {"/board", options(incident(), three, goodStatus()), 200},
		"board-chosen":    {"/board?problem=00000000000000b2", options(incident(), three, goodStatus()), 200},
		"board-filter":    {"/board?q=riak+DISK&priority=P2&service=riak", options(incident(), three, goodStatus()), 200},
		"board-none":      {"/board?q=nothing", options(incident(), three, goodStatus()), 200},
		"home":            {"/", options(incident(), three, goodStatus()), 200},
		"home-calm":       {"/", options(calm, three, goodStatus()), 200},
		"node":            {"/nodes/b-ill", options(incident(), three, goodStatus()), 200},
		"node-missing":    {"/nodes/nobody", options(calm, fleet{}, goodStatus()), 404},
		"browse":          {"/browse", options(calm, three, goodStatus()), 200},
		"family":          {"/browse/navcloud_streams_open?last=1h0m0s", options(calm, three, goodStatus()), 200},
		"styleguide":      {"/styleguide", options(calm, three, goodStatus()), 200},
		"problem":         {"/problems/00000000000000a1", options(incident(), three, goodStatus()), 200},
		"problem-held":    {"/problems/00000000000000b2", options(incident(), three, goodStatus()), 200},
		"problem-over":    {"/problems/fleet:HostDiskFull:node:x:1", options(calm, three, goodStatus()), 200},
		"problem-missing": {"/problems/no-such", options(incident(), three, goodStatus()), 404},
		"timeline":        {"/timeline", options(incident(), three, goodStatus()), 200},
		"timeline-odd":    {"/timeline?from=yesterday", options(incident(), three, goodStatus()), 200},
		"handover":        {"/handover?last=12h0m0s", options(incident(), three, goodStatus()), 200},
		"handover-calm":   {"/handover?from=2026-11-20T08:00&to=2026-11-20T16:00", options(calm, three, goodStatus()), 200},
		"handover-off":    {"/handover", whole{Now: func() time.Time { return noon }}, 200},
		"board-stale":     {"/board", options(stale, three, goodStatus()), 200},
		"board-no-router": {"/board", whole{Now: func() time.Time { return noon }}, 200},
		"streams":         {"/streams", options(calm, three, goodStatus()), 200},
		"history":         {"/streams/history?by=node&last=5m0s", options(calm, three, goodStatus()), 200},
		"history-error":   {"/streams/history?from=2026-11-24T11:58&to=2026-11-24T12:00", options(calm, fleet{nodes: 2, fail: "fanout"}, goodStatus()), 200},
		"history-empty":   {"/streams/history", options(calm, fleet{}, goodStatus()), 200},
		"explore":         {"/explore", options(calm, three, goodStatus()), 200},
		"explore-answer":  {"/explore?q=sum+by+(node)+(navcloud_streams_open)&last=5m0s", options(calm, three, goodStatus()), 200},
		"explore-error":   {"/explore?q=broken(<b>", options(calm, three, goodStatus()), 200},
		"explore-off":     {"/explore?q=up", whole{Now: func() time.Time { return noon }}, 200},
		"systems":         {"/systems", options(calm, three, goodStatus()), 200},
		"systems-past":    {"/systems?at=2026-11-24T03:12", options(calm, fleet{nodes: 3, fail: "rabbitmq"}, goodStatus()), 200},
		"systems-odd":     {"/systems?at=noon", options(calm, fleet{}, goodStatus()), 200},
		"wall":            {"/wall", options(calm, three, goodStatus()), 200},
		"wall-error":      {"/wall?q=broken(", options(calm, three, goodStatus()), 200},
		"streams-empty":   {"/streams", options(calm, fleet{}, goodStatus()), 200},
		"streams-stale":   {"/streams", options(calm, fleet{nodes: 2, age: 150}, goodStatus()), 200},
		"streams-error":   {"/streams", options(calm, fleet{nodes: 2, fail: "navcloud_"}, goodStatus()), 200},
		"streams-partial": {"/streams", options(calm, fleet{nodes: 2, fail: "fanout"}, goodStatus()), 200},
		"streams-off":     {"/streams", whole{Now: func() time.Time { return noon }}, 200},
		"nodes":           {"/nodes", options(calm, three, goodStatus()), 200},
		"nodes-ill":       {"/nodes", options(calm, three, illStatus()), 200},
		"nodes-bare":      {"/nodes", options(calm, three, health.Status{Begun: noon}), 200},
		"services":        {"/services", options(calm, three, illStatus()), 200},
		"runbooks":        {"/runbooks/", options(calm, three, goodStatus()), 200},
		"runbook":         {"/runbooks/RabbitMQSplitBrain", options(incident(), three, goodStatus()), 200},
		"runbook-missing": {"/runbooks/<b>", options(calm, three, goodStatus()), 404},
		"missing":         {"/nothing", options(calm, three, goodStatus()), 404},
	} {
		t.Run(name, func(t *testing.T) {
			resp := get(t, newWhole(tc.opts), tc.path)
			if resp.StatusCode != tc.status {
				t.Errorf("GET %s: status %d, want %d", tc.path, resp.StatusCode, tc.status)
			}
			got := hashes.ReplaceAllString(text(t, resp.Body), ".$1")
			if name != "board-calm" { // where the menu is looked at
				got = menuLine.ReplaceAllString(got, "<nav/>")
			}
			file := filepath.Join("testdata", name+".html")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("GET %s differs from %s (-update rewrites it):\n%s", tc.path, file, got)
			}
			if strings.Contains(got, "<script>") || strings.Contains(got, "style=") || strings.Contains(got, "ZgotmplZ") {
				t.Errorf("GET %s holds something inline, which its policy forbids, or a refused value", tc.path)
			}
		})
	}
}

// TestFirstPaint holds a promise: what a page needs without script is at most 60 KB, also where
// its charts show nothing but noise. With all scripts it is at most 80 KB.
func TestFirstPaint(t *testing.T) {
	o := options(flood(200), fleet{nodes: 60, age: 3}, goodStatus())
	o.Range = noise(fleet{nodes: 60})
	srv := httptest.NewServer(newWhole(o))
	defer srv.Close()
	size := func(path string) int {
		req, err := http.NewRequest(http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: status %d", path, resp.StatusCode)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	assets := regexp.MustCompile(`/assets/[^"]+`)
	for _, path := range []string{
		"/", "/board", "/browse", "/browse/navcloud_streams_open", "/nodes/b-ill", "/styleguide", "/problems/0000000000000003", "/timeline", "/handover", "/streams", "/streams/history?by=node", "/wall?q=many", "/nodes", "/services", "/systems",
		"/explore?q=sum+by+(node)+(navcloud_streams_open)", "/runbooks/RabbitMQSplitBrain",
	} {
		page := text(t, get(t, srv.Config.Handler, path).Body)
		first, scripts := size(path), 0
		for _, a := range assets.FindAllString(page, -1) {
			if strings.HasSuffix(a, ".woff2") { // letters, once for all pages; text is there before them
				if n := size(a); n > 50<<10 {
					t.Errorf("the letters take %d bytes, want at most 50 KB", n)
				}
				continue
			}
			if strings.HasSuffix(a, ".js") {
				scripts += size(a)
			} else {
				first += size(a)
			}
		}
		begun := time.Now()
		get(t, srv.Config.Handler, path)
		t.Logf("%s: %d bytes and %d of scripts, %d of HTML before compression, made in %v", path, first, scripts, len(page), time.Since(begun).Round(10*time.Microsecond))
		if first > 60<<10 || first+scripts > 100<<10 {
			t.Errorf("first paint of %s takes %d bytes, and %d with scripts; want at most 60 and 100 KB", path, first, first+scripts)
		}
	}
}

// TestBoardOfTwoHundredAlarms holds what a board of 200 alarms, in 100 problems, may weigh uncompressed.
func TestBoardOfTwoHundredAlarms(t *testing.T) {
	h := newWhole((&desk{}).on(options(flood(100), fleet{}, goodStatus())))
	if n := len(text(t, get(t, h, "/board").Body)); n > 60<<10 {
		t.Errorf("the board takes %d bytes of HTML, want at most 60 KB", n)
	}
}

func TestCompressedIsTheSame(t *testing.T) {
	h := newWhole(options(incident(), fleet{nodes: 3}, goodStatus()))
	plain := text(t, get(t, h, "/board").Body)
	req := httptest.NewRequest(http.MethodGet, "/board", nil)
	req.Header.Set("Accept-Encoding", "br, gzip")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatalf("the answer to gzip: %v", err)
	}
	if got := text(t, z); got != plain {
		t.Errorf("compressed page differs: %d bytes, want %d", len(got), len(plain))
	}
}

func TestHeaders(t *testing.T) {
	h := newWhole(options(incident(), fleet{nodes: 3}, goodStatus()))
	resp := get(t, h, "/board")
	if csp := resp.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy is %q", csp)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control of a page is %q, want no-store", got)
	}
	style := regexp.MustCompile(`/assets/style-[^"]+`).FindString(text(t, resp.Body))
	if got := get(t, h, style).Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control of %s is %q, want immutable", style, got)
	}
	if got := get(t, h, "/assets/style.css").StatusCode; got != http.StatusNotFound {
		t.Errorf("a style without its hash answers %d, want 404", got)
	}
}

// TestOneProblem finds the same problem by all the names that a link may have.
func TestOneProblem(t *testing.T) {
	v := incident()
	h := newWhole(options(v, fleet{}, goodStatus()))
	for _, name := range []string{
		v.Problems[0].ID, v.Problems[0].Key, "RabbitMQSplitBrain", v.Problems[0].Root.Fingerprint(), v.Problems[0].Explained[1].Alarm.Fingerprint(),
	} {
		page := text(t, get(t, h, "/problems/"+name).Body)
		if n := strings.Count(page, "<article"); n != 1 || !strings.Contains(page, `id="p-00000000000000a1"`) || !strings.Contains(page, "Acknowledged by maria") {
			t.Errorf("GET /problems/%s: %d problems, want the one of RabbitMQ and its history:\n%s", name, n, page)
		}
	}
}

// TestNamesWithASlash follows the timeline's link to an incident whose name would end a path.
func TestNamesWithASlash(t *testing.T) {
	const key = "fleet:Disk:node:a/b?c:1"
	o := options(alerting.View{At: noon}, fleet{}, goodStatus())
	o.History = func(_ context.Context, q oncall.EventQuery) ([]oncall.Event, error) {
		if q.Key != "" && q.Key != key {
			return nil, nil
		}
		return []oncall.Event{{At: noon.Add(-time.Hour), Kind: "accepted", Action: "trigger", Key: key, Priority: alerting.P2, Title: "It is full [Disk]"}}, nil
	}
	h := newWhole(o)
	link := regexp.MustCompile(`/problems/[^"]+`).FindString(text(t, get(t, h, "/timeline").Body))
	if resp := get(t, h, link); resp.StatusCode != http.StatusOK || !strings.Contains(text(t, resp.Body), "It is full") {
		t.Errorf("GET %s: status %d, want the incident", link, resp.StatusCode)
	}
}

func TestFilter(t *testing.T) {
	h := newWhole(options(incident(), fleet{}, goodStatus()))
	for promql, want := range map[string]string{
		"":                                     "a1 b2 c4",
		"q=NAVCLOUD-2":                         "a1", // which it explains
		"q=riak+full":                          "b2",
		"q=maria":                              "a1",
		"priority=P2":                          "a1 b2",
		"priority=P1&q=riak":                   "",
		"service=web":                          "",
		"q=riak&problem=RiakThing":             "b2",
		"q=riak&problem=" + "00000000000000a1": "a1 b2", // what a link chose is shown
	} {
		page := text(t, get(t, h, "/board?"+promql).Body)
		var got []string
		for _, m := range regexp.MustCompile(`<article id="p-0{14}(..)"`).FindAllStringSubmatch(page, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("the board with %q shows %v, want %s", promql, got, want)
		}
		if !strings.Contains(page, "3 problems, 1 affects users") {
			t.Errorf("the board with %q does not say what there is in all", promql)
		}
	}
}

// TestTakenBeforeItsPage: who takes a problem that waits finds it taken, and may give it back.
func TestTakenBeforeItsPage(t *testing.T) {
	v := incident()
	for i := range v.Problems {
		v.Problems[i].State, v.Problems[i].Key, v.Problems[i].AckedBy = alerting.Waiting, "", ""
	}
	for by, want := range map[string]string{"maria": "Acknowledged by maria; not paged yet: checking", "": "Not paged yet"} {
		v.Problems[0].AckedBy = by
		page := text(t, get(t, newWhole(options(v, fleet{}, goodStatus())), "/problems/"+v.Problems[0].ID).Body)
		if !strings.Contains(page, want) || strings.Contains(page, `class="problem-page P1 taken"`) != (by != "") {
			t.Errorf("taken by %q: want %q in\n%s", by, want, page)
		}
	}
}
