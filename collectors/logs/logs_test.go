package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// bench is a folder with a log, and who reads it. Time moves by hand.
type bench struct {
	t    *testing.T
	dir  string
	opts Options
	now  time.Time
	c    *collector
	sums map[string]float64 // of what was counted, by series
	said []metric.Event
}

func newBench(t *testing.T, l Log) *bench {
	t.Helper()
	k := &bench{t: t, dir: t.TempDir(), now: time.Now(), sums: map[string]float64{}}
	if len(l.Files) == 0 && l.Journal == nil {
		l.Files = []string{filepath.Join(k.dir, "app.log")}
	}
	k.opts = Options{"app": l}
	if err := k.opts.Validate(); err != nil {
		t.Fatal(err)
	}
	k.start()
	return k
}

func (k *bench) start() {
	k.t.Helper()
	c, err := Spec.New(collectors.Env{
		Options: k.opts, State: filepath.Join(k.dir, "state"), Now: func() time.Time { return k.now }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.c = c.(*collector)
}

// stop ends the agent as its schedule does: Run, then a last collection.
func (k *bench) stop() {
	k.c.ended = true
	k.collect()
}

func (k *bench) look(after time.Duration) { k.now = k.now.Add(after); k.c.look() }

func (k *bench) collect() *metric.Batch {
	k.t.Helper()
	b := &metric.Batch{Time: k.now}
	if err := k.c.Collect(k.t.Context(), b); err != nil && !strings.Contains(err.Error(), "not exist") {
		k.t.Error(err)
	}
	for _, s := range b.Samples {
		key := strings.TrimSuffix(s.Desc.Name+s.Labels.With("log", "").String(), "{}")
		switch {
		case s.Desc.Kind == metric.Delta:
			k.sums[key] += s.Value
		case s.Hist != nil:
			k.sums[key] += s.Hist.Sum
		default:
			k.sums[key] = s.Value
		}
	}
	k.said = append(k.said, b.Events...)
	return b
}

func (k *bench) path(name string) string { return filepath.Join(k.dir, name) }

func (k *bench) open(name string, flag int) *os.File {
	k.t.Helper()
	f, err := os.OpenFile(k.path(name), os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (k *bench) write(f *os.File, text string) {
	k.t.Helper()
	if _, err := f.WriteString(text); err != nil {
		k.t.Fatal(err)
	}
}

func (k *bench) rename(from, to string) {
	k.t.Helper()
	if err := os.Rename(k.path(from), k.path(to)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *bench) want(series string, want float64) {
	k.t.Helper()
	k.collect()
	if got := k.sums[series]; got != want {
		k.t.Errorf("%s is %v, want %v", series, got, want)
	}
}

func hits() Log { return Log{Patterns: []Pattern{{Name: "hits_total", Match: "hit"}}} }

func TestEachLineIsCountedOnceThroughRotations(t *testing.T) {
	k := newBench(t, hits())
	f := k.open("app.log", os.O_APPEND)
	k.write(f, "hit before it was watched\n")
	k.want("hits_total", 0)
	wrote := 0
	for round := range 20 {
		for range 50 {
			k.write(f, fmt.Sprintf("line %d hit\nother\n", wrote))
			wrote++
		}
		if round%3 == 0 {
			k.look(time.Second)
		}
		for n := 4; n > 0; n-- { // as logrotate does: .3 to .4 and so on
			_ = os.Rename(k.path(fmt.Sprintf("app.log.%d", n)), k.path(fmt.Sprintf("app.log.%d", n+1)))
		}
		k.rename("app.log", "app.log.1")
		k.write(f, "hit into the renamed file\n") // who has it open writes on
		wrote++
		old := f
		f = k.open("app.log", os.O_APPEND)
		k.look(time.Second)
		k.write(old, "late hit\n")
		wrote++
		k.look(time.Second)
	}
	k.want("hits_total", float64(wrote))
	k.want("logs_behind_bytes", 0)
}

func TestARenamedFileThatTheGlobMatchesAsWellIsNoNewOne(t *testing.T) {
	k := newBench(t, hits())
	k.c.logs[0].Files = []string{k.path("app.log*")}
	f := k.open("app.log", os.O_APPEND)
	k.look(time.Second)
	k.write(f, "hit\nhit\n")
	k.look(time.Second)
	k.rename("app.log", "app.log.1")
	k.write(k.open("app.log", os.O_APPEND), "hit\n")
	k.look(time.Second)
	k.write(k.open("app.log.2.gz", 0), "hit\n")
	k.look(time.Second)
	k.want("hits_total", 3)
	k.want("logs_files", 2)
}

func TestAFileThatIsEmptiedInPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		flag  int
		again string // what is written behind the cut
		want  float64
	}{
		"who appends begins anew":                     {os.O_APPEND, "hit x\n", 4},
		"who does not append leaves a hole of zeros":  {0, "hit x\n", 4},
		"a hole longer than a line":                   {0, "hit y\n", 4},
		"refilled beyond where it was read to before": {os.O_APPEND, strings.Repeat("another line that is no match\n", 40) + "hit z\n", 4},
	} {
		t.Run(name, func(t *testing.T) {
			k := newBench(t, hits())
			f := k.open("app.log", tc.flag)
			k.look(time.Second)
			k.write(f, "hit 1\nhit 2\nhit 3\n")
			if name == "a hole longer than a line" {
				k.write(f, strings.Repeat("-", 3*maxLine)+"\n")
			}
			k.look(time.Second)
			if err := os.Truncate(k.path("app.log"), 0); err != nil {
				t.Fatal(err)
			}
			if name != "refilled beyond where it was read to before" {
				k.look(time.Second)
			}
			k.write(f, tc.again)
			k.look(time.Second)
			k.want("hits_total", tc.want)
			if k.sums["logs_files_emptied_total"] != 1 {
				t.Errorf("emptied %v times, want 1", k.sums["logs_files_emptied_total"])
			}
		})
	}
}

func TestLongLinesPartsAndLineEnds(t *testing.T) {
	k := newBench(t, hits())
	f := k.open("app.log", os.O_APPEND)
	k.look(time.Second)
	k.write(f, "no end yet, a h")
	k.look(time.Second)
	k.write(f, "it\r\n\n")
	k.want("hits_total", 1)
	k.want("logs_lines_total", 1)
	k.write(f, strings.Repeat("x", 10*maxLine)+" hit far behind\nhit\n") // the rest of a long line is left out, and not taken for another
	k.want("hits_total", 2)
	k.want("logs_lines_total", 3)
	k.want("logs_cut_total", 1)
	k.write(f, "hit "+strings.Repeat("y", 2*maxLine)+"\n")
	k.want("hits_total", 3)
}

func TestPlacesSurviveARestart(t *testing.T) {
	k := newBench(t, hits())
	f := k.open("app.log", os.O_APPEND)
	k.look(time.Second)
	k.write(f, "hit\nhit\npart of a h")
	k.stop()
	k.write(f, "it\n")
	k.start()
	k.want("hits_total", 3)

	k.write(f, "hit before the end\n")
	k.stop() // and nobody looks while it is rotated twice
	k.write(f, "hit while nobody looks\n")
	k.rename("app.log", "app.log.1")
	f = k.open("app.log", os.O_APPEND)
	k.write(f, "hit in the new file\n")
	k.start()
	k.want("hits_total", 6)

	k.stop()
	_ = os.Remove(k.path("app.log"))
	_ = os.Remove(k.path("app.log.1"))
	k.write(k.open("app.log", 0), "hit\n") // maybe with the number of a file that was removed
	k.start()
	k.want("hits_total", 7)
}

func TestAFileThatWasNotReadBeforeARestartIsReadFromItsEnd(t *testing.T) {
	k := newBench(t, hits())
	k.write(k.open("old.log", 0), "hit\nhit\n")
	k.open("app.log", 0)
	k.now = k.now.Add(time.Hour)
	k.stop()
	k.opts = Options{"app": {Files: []string{k.path("*.log")}, Patterns: k.opts["app"].Patterns}}
	k.start()
	k.want("hits_total", 0)
	k.write(k.open("new.log", 0), "hit\n")
	k.want("hits_total", 1)
}

func TestFiguresOfPatterns(t *testing.T) {
	no := false
	k := newBench(t, Log{Patterns: []Pattern{
		{Name: "requests_total", Match: `"(GET|POST) [^"]*" (?P<code>\d)\d\d`, Labels: map[string]string{"method": "$1", "code": "${code}xx"}},
		{Name: "request_seconds", Kind: "timer", Match: `took (\S+) ms`, Value: "1", Scale: 0.001},
		{Name: "depth", Kind: "gauge", Match: `depth=(?P<d>\S+)`, Value: "d", Labels: map[string]string{"queue": "q"}},
		{Name: "users_total", Match: `user=(\w+)`, Labels: map[string]string{"user": "$1"}, MaxSeries: 2, Evidence: &no},
	}})
	f := k.open("app.log", os.O_APPEND)
	k.look(time.Second)
	k.write(f, `1.2.3.4 "GET /a" 200 took 12 ms depth=4
1.2.3.4 "GET /b" 204 took 8 ms depth=7
1.2.3.4 "POST /a" 503 took x ms depth=nan
user=a user=b
user=b
user=c
`)
	k.want(`requests_total{code="2xx",method="GET"}`, 2)
	k.want(`requests_total{code="5xx",method="POST"}`, 1)
	k.want(`request_seconds`, 0.02)
	k.want(`depth{queue="q"}`, 7)
	k.want(`users_total{user="b"}`, 1)
	k.want(`logs_unmatched_values_total{pattern="users_total",reason="series"}`, 1)
	k.want(`logs_unmatched_values_total{pattern="request_seconds",reason="value"}`, 1)
	k.want(`logs_unmatched_values_total{pattern="depth",reason="value"}`, 1)
	if k.sums[`users_total{user="c"}`] != 0 {
		t.Error("a series more than max_series")
	}
}

func TestEntriesOfSeveralLines(t *testing.T) {
	k := newBench(t, Log{Begin: `^\d{4}-`, Patterns: []Pattern{{Name: "oom_total", Match: `(?s)ERROR.*OutOfMemory`}}})
	f := k.open("app.log", os.O_APPEND)
	k.look(time.Second)
	k.write(f, "2026-11-30 ERROR it failed\n\tat x\n\tcaused by OutOfMemoryError\n2026-11-30 INFO\n")
	k.want("oom_total", 1)
	k.write(f, "2026-11-30 ERROR again\n")
	k.look(time.Second)
	k.write(f, "\tOutOfMemoryError\n")
	k.want("oom_total", 1) // more may come
	k.look(idleEnd)
	k.want("oom_total", 2)
}

func TestAnAlarmOfAPattern(t *testing.T) {
	k := newBench(t, Log{Patterns: []Pattern{{Name: "disk_errors_total", Match: `I/O error`, Alarm: "critical", Above: 3, Within: time.Minute}}})
	f := k.open("app.log", os.O_APPEND)
	said := func(want string) {
		t.Helper()
		k.collect()
		var got []string
		for _, e := range k.said {
			got = append(got, fmt.Sprint(e.Level, " ", e.Title, ": ", e.Text))
		}
		k.said = nil
		if s := strings.Join(got, "\n"); s != want {
			t.Errorf("it said %q, want %q", s, want)
		}
	}
	said("")
	k.write(f, "I/O error 1\nI/O error 2\n")
	said("")
	k.now = k.now.Add(50 * time.Second)
	k.write(f, "I/O error 3\n")
	said("2 disk_errors_total: 3 lines of app matched, the last: I/O error 3")
	said("")
	k.now = k.now.Add(30 * time.Second)
	said("0 disk_errors_total: no line of app matched within 1 min")
}

func TestFilesThatCannotBeRead(t *testing.T) {
	k := newBench(t, hits())
	b := &metric.Batch{Time: k.now}
	if err := k.c.Collect(t.Context(), b); err == nil || !strings.Contains(err.Error(), "not exist") {
		t.Errorf("a file that is not there is %v", err)
	}
	if err := os.Mkdir(k.path("app.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.c.Collect(t.Context(), b); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder is %v", err)
	}
}

func TestValidateNamesEachFault(t *testing.T) {
	err := Options{"x y": {}, "a": {Files: []string{"rel", "/[", "/ok"}, Begin: "(", Patterns: []Pattern{
		{Name: "9", Match: "("},
		{Name: "t", Kind: "timer", Match: "x"},
		{Name: "g", Kind: "gauge", Match: "(x)", Value: "2"},
		{Name: "c", Match: "x", Labels: map[string]string{"job": "a"}, MaxSeries: -1, Alarm: "loud", Above: -1, Within: time.Second},
		{Name: "c", Kind: "gauge", Match: "(x)", Value: "1"},
	}}}.Validate()
	for _, want := range []string{
		"x y: want a name", `have "rel"`, `have "/["`, "begin: error parsing", `have "9"`, "patterns: [0] match: error parsing", "patterns: [1] value: want the group",
		`match has no group "2"`, `"job" cannot be one`, "max_series: -1", `alarm: "loud"`, "above: -1", "within: 1s", "c is a counter elsewhere",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults: %v", want, err)
		}
	}
}

func FuzzTake(f *testing.F) {
	f.Add([]byte("a\nb\n"), 3)
	f.Add([]byte("\x00\x00a\r\n\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		step = max(1, min(step, 1<<10))
		var got []byte
		tl, at := &tail{}, 0
		for at < len(text) {
			end := min(at+step, len(text))
			tl.take(text[at:end], func(l []byte) { got = append(append(got, l...), '\n') })
			at = end
			if int(tl.Offset)+len(tl.part) != at {
				t.Fatalf("read %d bytes, and knows of %d", at, int(tl.Offset)+len(tl.part))
			}
		}
		if whole := bytes.Count(text, []byte("\n")); bytes.Count(got, []byte("\n")) > whole {
			t.Fatalf("%q has %d lines, and gave %q", text, whole, got)
		}
	})
}
