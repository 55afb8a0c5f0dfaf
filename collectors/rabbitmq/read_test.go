package rabbitmq

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

func TestParseText(t *testing.T) {
	none := func(string, string) {}
	text := "# HELP a b\n\na 1\nb{x=\"1,}\",y=\"q\\\"\\\\\\n\"} 2.5e3 1700000000\nc{} NaN\nd{vhost=\"/\",vhost=\"/\"} 4\ne{x=\"a\\b\"} +5\n"
	var got []string
	err := parseText(strings.NewReader(text), none, func(name string, labels []textLabel, v float64) {
		got = append(got, fmt.Sprintf("%s %q %g", name, labels, v))
	})
	want := []string{`a [] 1`, `b [{"x" "1,}"} {"y" "q\"\\\n"}] 2500`, `d [{"vhost" "/"} {"vhost" "/"}] 4`, `e [{"x" "a\\b"}] 5`}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	long := "a{x=\"" + strings.Repeat("y", 3*maxTextLine) + "\"} 1"
	for _, bad := range []string{
		"<html>", "a", "a b", `a{x="1} 2`, `a{x} 2`, `a{x="1"`, "{} 1", "a{x=\"\\", `a{q=""x",c="1"} 1`, `a{q="x"y"} 1`, `a{q="x",q="y"} 1`, long,
	} {
		if err := parseText(strings.NewReader(bad), none, func(string, []textLabel, float64) {}); err == nil {
			t.Errorf("%.60q is read as if it were whole", bad)
		}
		if bad == "a" || bad == "a b" || bad == "{} 1" {
			if err := parseText(strings.NewReader(bad+"\n"), none, func(string, []textLabel, float64) {}); err == nil {
				t.Errorf("%q alone is read as an answer", bad)
			}
		}
		lines, rejected := 0, 0
		err := parseText(strings.NewReader("b 1\n"+bad+"\nb 1\n"), func(string, string) { rejected++ }, func(name string, _ []textLabel, _ float64) {
			lines++
			if name != "b" {
				t.Errorf("%.60q yields %s", bad, name)
			}
		})
		if err != nil || lines != 2 || rejected != 1 {
			t.Errorf("beside %.60q: %d lines, %d rejected, %v; want 2 and 1", bad, lines, rejected, err)
		}
	}
}

// manyQueues is a node that leads 11,000 queues, with the answers of the size that 3.10.8 gave (November 2026).
func manyQueues(tb testing.TB) collectors.Collector {
	tb.Helper()
	var text bytes.Buffer
	for _, family := range []string{"messages_ready", "messages_unacked", "messages", "process_reductions_total", "consumers"} {
		for i := range 11000 {
			fmt.Fprintf(&text, "rabbitmq_detailed_queue_%s{vhost=\"/\",queue=\"nav.api.some-host-name-%05d\"} %d\n", family, i, i)
		}
	}
	var page bytes.Buffer
	page.WriteString(`{"items":[`)
	for i := range 500 {
		fmt.Fprintf(&page, `{"node":"rabbit@a","state":"running","n":%d},`, i)
	}
	page.WriteString(`{"node":"rabbit@a","state":"flow"}]}`)
	h := fixture.HTTP{
		"metrics": {Status: 200, Body: bytes.Repeat([]byte("rabbitmq_connections 2\nrabbitmq_some_other_family{node=\"rabbit@a\",kind=\"x\"} 12345\n"), 1000)},
		"metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count":                        {Status: 200, Body: text.Bytes()},
		"api/health/checks/local-alarms":                                                                  {Status: 200, Body: []byte(`{"status":"ok"}`)},
		"api/nodes?columns=name,running,partitions,cluster_links":                                         {Status: 200, Body: []byte(`[{"name":"rabbit@a","running":true}]`)},
		"api/overview?columns=node,cluster_name,rabbitmq_version,statistics_db_event_queue,object_totals": {Status: 200, Body: []byte(`{"node":"rabbit@a","object_totals":{"queues":11000}}`)},
		"api/connections?page=1&page_size=500&columns=node,state,peer_host,user":                          {Status: 200, Body: page.Bytes()},
	}
	opt := defaultOptions
	opt.User, opt.Name = "monitor", "rabbit@a"
	c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(tb.TempDir()), HTTP: h, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestRabbitmqElevenThousandQueues holds the promise that a whole look at 11,000 queues costs little: series of the
// longest only, at most 32 MB, and nothing of the list of queues, which takes the broker 7 to 35 s.
func TestRabbitmqElevenThousandQueues(t *testing.T) {
	c := manyQueues(t)
	for range 2 { // the first learns how many queues there are
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b := &metric.Batch{Time: time.Now()}
		if err := c.Collect(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
			t.Errorf("%d bytes allocated for one cycle, want 32 MB at most", used)
		}
		top, rest := 0, 0.0
		for _, s := range b.Samples {
			switch s.Desc {
			case descQReady:
				top++
			case descQRest:
				rest = s.Value
			}
		}
		if top != 50 || rest != 10949*10950/2 || len(b.Samples) > 400 {
			t.Errorf("%d queues of %d series, the rest holds %g; want 50, 400 at most, and %d", top, len(b.Samples), rest, 10949*10950/2)
		}
	}
	if c.(*collector).checks.queues.Done() {
		t.Error("the list of all queues was asked for")
	}
}

// BenchmarkRabbitmqElevenThousandQueues is a whole cycle of the agent at 11,000 queues.
func BenchmarkRabbitmqElevenThousandQueues(b *testing.B) {
	c := manyQueues(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Collect(b.Context(), &metric.Batch{Time: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestFindRabbitmqPassesOverOtherNamespaces(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(root+"/"+path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+"/"+path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(path, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(root+"/"+path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, root+"/"+path); err != nil {
			t.Fatal(err)
		}
	}
	link("self/ns/net", "net:[1]")
	write("uptime", "500.00 1\n")
	for pid, ns := range map[string]string{"10": "net:[2]", "11": "net:[1]"} {
		write(pid+"/comm", "beam.smp\n")
		write(pid+"/cmdline", "beam.smp\x00-s\x00rabbit\x00boot\x00")
		write(pid+"/stat", pid+" (beam.smp) T 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 25 0 40000 0 0")
		link(pid+"/ns/net", ns)
	}
	write("12/comm", "beam.smp\n") // some other program in Erlang: Riak, say
	write("12/cmdline", "beam.smp\x00-s\x00riak\x00")
	got := findBroker(root)
	if want := (processSeen{known: true, there: true, stopped: true, id: "11/40000", age: 100 * time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestRabbitmqVHosts: bodies as 3.10.8 sent them, but for those of a proxy and of a liar.
func TestRabbitmqVHosts(t *testing.T) {
	const check, unknown = "api/health/checks/virtual-hosts", -1
	names := func(n int, name string) string {
		return `"` + strings.Join(slices.Repeat([]string{name}, n), `","`) + `"`
	}
	failed := func(names string) string {
		return `{"status":"failed","reason":"Some virtual hosts are down","virtual-hosts":[` + names + `]}`
	}
	for name, c := range map[string]struct {
		status int
		body   string
		down   float64
		told   []string
	}{
		"all run":                {200, `{"status":"ok"}`, 0, nil},
		"one is down":            {503, failed(`"binnacle"`), 1, []string{"binnacle"}},
		"two are down":           {503, failed(`"binnacle","/"`), 2, []string{"binnacle", "/"}},
		"many, of long names":    {503, failed(names(3000, strings.Repeat("é", 300))), 3000, slices.Repeat([]string{strings.Repeat("é", 127)}, 10)},
		"before 3.8.10":          {404, `{"error":"Object Not Found","reason":"Not Found"}`, unknown, nil},
		"a user without the tag": {401, `{"error":"not_authorised","reason":"Not management user"}`, unknown, nil},
		"a proxy's":              {503, `<html>no server is available</html>`, unknown, nil},
		"another's JSON":         {503, `{"error":"unavailable"}`, unknown, nil},
		"failed, without names":  {503, failed(""), unknown, nil},
	} {
		opt := defaultOptions
		opt.User = "monitor"
		h := fixture.HTTP{"metrics": {Status: 200, Body: []byte("rabbitmq_connections 2\n")}, check: {Status: c.status, Body: []byte(c.body)}}
		col, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), HTTP: h, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		b := &metric.Batch{Time: time.Now()}
		_ = col.Collect(t.Context(), b) // blind: nothing else answers
		down, told := float64(unknown), []string(nil)
		for _, s := range b.Samples {
			switch s.Desc {
			case descVHostsDown:
				down = s.Value
			case descVHostDown:
				told = append(told, s.Labels.Get("vhost"))
			}
		}
		if down != c.down || !slices.Equal(told, c.told) {
			t.Errorf("%s: %g down, told of %q; want %g and %q", name, down, told, c.down, c.told)
		}
	}
}
