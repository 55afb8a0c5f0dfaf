package collectors

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestParseText(t *testing.T) {
	text := "# HELP a b\n\na 1\nb{x=\"1,}\",y=\"q\\\"\\\\\\n\"} 2.5e3 1700000000\nc{} NaN\n"
	var got []string
	err := parseText(strings.NewReader(text), func(name string, labels []textLabel, v float64) {
		got = append(got, fmt.Sprintf("%s %q %g", name, labels, v))
	})
	want := []string{`a [] 1`, `b [{"x" "1,}"} {"y" "q\"\\\n"}] 2500`, `c [] NaN`}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"<html>", "a", "a b", `a{x="1} 2`, `a{x} 2`, `a{x="1"`, "{} 1", "a{x=\"\\"} {
		if err := parseText(strings.NewReader(bad), func(string, []textLabel, float64) {}); err == nil {
			t.Errorf("%q is read as if it were whole", bad)
		}
	}
}

// TestRabbitmqElevenThousandQueues holds the promise that a look at 11,000 queues costs little: series of the longest
// only, and at most 32 MB while it is read.
func TestRabbitmqElevenThousandQueues(t *testing.T) {
	var text bytes.Buffer
	for _, family := range []string{"messages_ready", "messages_unacked", "messages", "process_reductions_total", "consumers"} {
		for i := range 11000 {
			fmt.Fprintf(&text, "rabbitmq_detailed_queue_%s{vhost=\"/\",queue=\"nav.api.some-host-name-%05d\"} %d\n", family, i, i)
		}
	}
	r := &rabbitmq{opt: rabbitmqDefaults}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	lines, err := readQueueLines(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	q := r.sumQueues(lines, nil)
	runtime.ReadMemStats(&after)
	if len(q.top) != 50 || q.top[0].ready != 10999 {
		t.Errorf("%d queues have series, the first with %g; want 50 and 10999", len(q.top), q.top[0].ready)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("%d bytes allocated for one look at %d bytes of text, want 32 MB at most", used, text.Len())
	}
	if sum := q.restReady; math.Abs(sum-10949*10950/2) > 0.5 {
		t.Errorf("the rest holds %g messages, want %d", sum, 10949*10950/2)
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
	got := findRabbitmq(root, time.Time{})
	if want := (rabbitmqProcess{known: true, there: true, stopped: true, id: "11/40000", age: 100 * time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
