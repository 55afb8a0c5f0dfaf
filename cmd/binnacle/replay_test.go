package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recording is a disk that fills and takes the streams with it: the cause is told first, the symptom 5 s later.
const recording = `
{"at": "2026-11-24T03:00:00Z", "labels": {"alertname": "DiskFull", "severity": "critical", "kind": "saturation", "layer": "node", "entity": "node:riak-3", "service": "riak"}, "annotations": {"summary": "the disk of riak-3 is full", "guidance": "free space"}}
{"at": "2026-11-24T03:00:05Z", "labels": {"alertname": "StreamsFailing", "severity": "critical", "kind": "symptom", "layer": "symptom", "impact": "users", "entity": "service:api", "service": "api"}, "annotations": {"summary": "12 % of streams fail"}}
{"at": "2026-11-24T03:00:06Z", "labels": {"alertname": "Rotated", "severity": "info", "entity": "node:riak-3"}}
{"at": "2026-11-24T03:10:00Z", "labels": {"alertname": "DiskFull", "severity": "critical", "kind": "saturation", "layer": "node", "entity": "node:riak-3", "service": "riak"}, "resolved": true}
{"at": "2026-11-24T03:10:00Z", "labels": {"alertname": "StreamsFailing", "severity": "critical", "kind": "symptom", "layer": "symptom", "impact": "users", "entity": "service:api", "service": "api"}, "endsAt": "2026-11-24T03:10:00Z"}
`

const connected = `{"entities": {
	"node:riak-3": {"kind": "node", "service": "riak", "cluster": "riak"},
	"service:api": {"kind": "service", "service": "api", "parents": ["node:riak-3"]}}}`

// replayed runs the command over a recording and returns what it says.
func replayed(t *testing.T, text string, args ...string) (out string, code int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alarms.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t.Context(), append([]string{"replay", path}, args...)...)
}

// inOrder looks for words, each after the one before.
func inOrder(t *testing.T, out string, saying ...string) {
	t.Helper()
	rest := out
	for _, w := range saying {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Fatalf("no %q where it is wanted in\n%s", w, out)
		}
		rest = after
	}
}

func TestReplay(t *testing.T) {
	out, code := replayed(t, recording)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	// Unconnected: the worst first, the other held back and told by itself.
	inOrder(t, out, "PAGE 1  P1 12 % of streams fail [StreamsFailing]", "why       users are affected now", "behind    P2 the disk of riak-3 is full",
		"PAGE 2  P2 the disk of riak-3 is full [DiskFull]", "first     free space", "2026-11-24 03:1", "resolved P1", "after 1",
		"3 alarms, 2 pages (1 P1, 1 P2, 0 P3), at most 2 in 10 minutes; 1 left on the board only")

	graph := filepath.Join(t.TempDir(), "topology.json")
	if err := os.WriteFile(graph, []byte(connected), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = replayed(t, recording, "--topology", graph)
	inOrder(t, out, "PAGE 1  P1", "[DiskFull]", "impact    12 % of streams fail", "first     free space", "3 alarms, 1 page (1 P1,")

	again, _ := replayed(t, recording, "--topology", graph)
	if again != out {
		t.Errorf("the second time it says\n%s\nafter\n%s", again, out)
	}
}

func TestReplayJSON(t *testing.T) {
	out, _ := replayed(t, recording, "--json")
	var kinds []string
	for l := range strings.Lines(out) {
		var c struct {
			At            time.Time
			Action, Title string
			Priority      string
		}
		if err := json.Unmarshal([]byte(l), &c); err != nil || c.At.IsZero() || c.Title == "" {
			t.Fatalf("%s: %v", l, err)
		}
		kinds = append(kinds, c.Action+" "+c.Priority)
	}
	if len(kinds) != 4 || kinds[0] != "trigger P1" || kinds[1] != "trigger P2" {
		t.Errorf("calls are %v; want P1, P2 and two resolves", kinds)
	}
}

// With a configuration its waits hold, and an acknowledgement ends the hold-back.
func TestReplaySettings(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "binnacle.yaml")
	if err := os.WriteFile(conf, []byte("route: {order: {wait: {symptom_alone: 1s}, hold: {unrelated: 2m}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := replayed(t, recording, "--config", conf)
	inOrder(t, out, "03:00:06  PAGE 1  P1", "03:02:", "PAGE 2  P2")
	out, _ = replayed(t, recording, "--config", conf, "--ack-after", "30s")
	inOrder(t, out, "03:00:06  PAGE 1  P1", "03:00:36  PAGE 2  P2")
}

// A line without a time of telling is a whole alarm, and lines need no order.
// What comes back each night is silenced then, and pages once the window has closed; a P1 that it covers pages a day after it opened.
func TestReplayMaintenance(t *testing.T) {
	config := filepath.Join(t.TempDir(), "b.yaml")
	text := `
route:
  windows:
    night: {location: Europe/Berlin, time_intervals: [{times: [{start_time: "04:00", end_time: "05:00"}]}]}
    weekend: {time_intervals: [{weekdays: ["saturday:sunday"]}]}
  maintenance:
    - {name: copies, match: ['alertname="DiskFull"'], during: [night]}
    - {name: work, match: ['alertname="StreamsFailing"'], during: [weekend]}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	disk := `{"at": "2026-11-24T03:10:00Z", "labels": {"alertname": "DiskFull", "severity": "critical"}}` + "\n"
	out, _ := replayed(t, disk, "--config", config, "--on", "24h")
	inOrder(t, out, "2026-11-24 04:00:", "PAGE 1  P2 DiskFull")
	vital := `{"at": "2026-11-28T12:00:00Z", "labels": {"alertname": "StreamsFailing", "severity": "critical", "kind": "symptom"}}` + "\n"
	out, _ = replayed(t, vital, "--config", config, "--on", "24h")
	inOrder(t, out, "2026-11-29 00:00:", "PAGE 1  P1 StreamsFailing")
}

func TestReplayWholeAlarms(t *testing.T) {
	in := `{"labels": {"alertname": "B", "severity": "critical", "kind": "down"}, "startsAt": "2026-11-24T05:00:00Z"}
		{"labels": {"alertname": "A", "severity": "critical", "kind": "symptom"}, "startsAt": "2026-11-24T04:00:00Z", "endsAt": "2026-11-24T04:20:00Z"}`
	root := newRoot()
	var b bytes.Buffer
	root.SetIn(strings.NewReader(in))
	root.SetOut(&b)
	root.SetArgs([]string{"replay", "-", "--on", "10m"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, b.String(), "04:00:15  PAGE 1  P1", "[A]", "04:21:", "resolved P1", "05:00:20  PAGE 2", "[B]", "2 alarms, 2 pages")
}

func TestReplayRefuses(t *testing.T) {
	good := `{"at": "2026-11-24T03:00:00Z", "labels": {"alertname": "A"}}` + "\n"
	for text, want := range map[string]string{
		"":                               "no alarm in it",
		good + "{":                       "alarm 2: unexpected EOF",
		good + "[]":                      "alarm 2: json: cannot unmarshal array",
		`{"at": "now"}`:                  "alarm 1: parsing time",
		`{"labels": {"a": "b"}}`:         "alarm 1: at: want a time, or a startsAt",
		`{"at": "2026-11-24T03:00Z"}`:    "alarm 1: parsing time",
		`{"at": "2026-11-24T03:00:00Z"}`: "alarm 1: labels: want at least one",
		good + `{"at": "2024-11-24T03:00:00Z", "labels": {"alertname": "A"}}`:                          "it spans 730 d, want at most 92 d",
		`{"labels": {"a": "b"}, "startsAt": "2026-11-24T03:00:00Z", "endsAt": "2026-11-24T02:00:00Z"}`: "endsAt: 2026-11-24T02:00:00Z is before startsAt",
	} {
		if out, code := replayed(t, text); code != 3 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d, %q; want %q", text, code, out, want)
		}
	}
	if out, code := replayed(t, good, "--on", "48h"); code != 3 || !strings.Contains(out, "--on: want 0 to 24h") {
		t.Errorf("--on 48h: exit %d, %q", code, out)
	}
	if out, code := replayed(t, good, "--topology", "/no/such"); code != 3 || !strings.Contains(out, "open /no/such: no such file") {
		t.Errorf("no topology: exit %d, %q", code, out)
	}
	wants(t, 3, []string{"replay", "/no/such"}, "no such file")
}

func TestReplayEndsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "alarms.jsonl")
	if err := os.WriteFile(path, []byte(recording), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := run(ctx, "replay", path); code != 3 || !strings.Contains(out, "interrupted at 2026-11-24T03:00:00Z") {
		t.Errorf("exit %d, %q", code, out)
	}
}

func TestBusiest(t *testing.T) {
	at := func(minutes ...int) (out []time.Time) {
		for _, m := range minutes {
			out = append(out, time.Unix(int64(m)*60, 0))
		}
		return out
	}
	for _, c := range []struct {
		times []time.Time
		want  int
	}{{nil, 0}, {at(0), 1}, {at(0, 10, 20), 2}, {at(0, 11, 12, 13, 30), 3}} {
		if got := busiest(c.times, 10*time.Minute); got != c.want {
			t.Errorf("%v: %d, want %d", c.times, got, c.want)
		}
	}
}
