package exec

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// script writes a program of the shell and returns its path.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prog")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func whoami(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func open(t *testing.T, o Options) (*collector, map[string]int) {
	t.Helper()
	for name, p := range o {
		if p.User == "" {
			p.User = whoami(t) // the folders of tests are closed to nobody
		}
		o[name] = p
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	rejected := map[string]int{}
	c, err := newCollector(collectors.Env{
		Options: o, Node: "n1", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Reserved: func(name string) bool { return strings.HasPrefix(name, "host_") },
		Rejected: func(reason, _ string) { rejected[reason]++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*collector), rejected
}

// look runs each program once and collects.
func look(t *testing.T, c *collector) string {
	t.Helper()
	c.set.Once(t.Context())
	b := &metric.Batch{Time: time.Now()}
	if err := c.Collect(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	b.Samples = slices.DeleteFunc(b.Samples, func(s metric.Sample) bool { return s.Desc == descTook })
	for i := range b.Events {
		b.Events[i].Time = time.Time{}
	}
	return fixture.Show(b, nil, "")
}

func TestAFailureIsSoftUntilItCameThreeTimes(t *testing.T) {
	exit := filepath.Join(t.TempDir(), "exit")
	set := func(n string) {
		t.Helper()
		if err := os.WriteFile(exit, []byte(n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := open(t, Options{"disk": {
		Command: []string{script(t, "read n < $1; echo \"state $n | /=97%;80;90\"; exit $n"), exit}, Labels: map[string]string{"service": "api"}, Runbook: "https://r/1",
	}})
	perf := "exec_perfdata_crit{check=\"disk\",label=\"/\",unit=\"ratio\"} 0.9\nexec_perfdata_warn{check=\"disk\",label=\"/\",unit=\"ratio\"} 0.8\nexec_perfdata{check=\"disk\",label=\"/\",unit=\"ratio\"} 0.97\n"
	for i, step := range []struct {
		exit           string
		failed, hard   int
		event          string
		rest           time.Duration
		differentRunOf string
	}{
		{exit: "0", event: `level=0 "disk" "state 0|/=97%;80;90"`, rest: time.Minute},
		{exit: "0", rest: time.Minute},
		{exit: "1", failed: 1, rest: 15 * time.Second},
		{exit: "2", failed: 2, rest: 15 * time.Second}, // another kind of failure does not begin anew
		{exit: "0", rest: time.Minute},                 // soft, and over: nobody heard of it
		{exit: "1", failed: 1, rest: 15 * time.Second},
		{exit: "1", failed: 2, rest: 15 * time.Second},
		{exit: "1", failed: 3, hard: 1, event: `level=1 "disk" "state 1|/=97%;80;90"`, rest: time.Minute},
		{exit: "1", failed: 4, hard: 1, rest: time.Minute},
		{exit: "2", failed: 5, hard: 2, event: `level=2 "disk" "state 2|/=97%;80;90"`, rest: time.Minute},
		{exit: "7", failed: 6, hard: 3, event: `level=3 "disk" "UNKNOWN - PROG ended with 7, which is no state\nstate 7|/=97%;80;90"`, rest: time.Minute},
		{exit: "0", event: `level=0 "disk" "state 0|/=97%;80;90"`, rest: time.Minute},
	} {
		set(step.exit)
		got := strings.ReplaceAll(look(t, c), c.programs[0].Command[0], "PROG")
		want := ""
		if step.event != "" {
			want = "event " + step.event + "{runbook_url=\"https://r/1\",service=\"api\"}\n"
		}
		want += fmt.Sprintf("exec_failed_attempts{check=\"disk\"} %d\n", step.failed) + perf + fmt.Sprintf("exec_state{check=\"disk\"} %d\n", step.hard)
		if got != want || c.programs[0].rest() != step.rest {
			t.Errorf("step %d, exit %s: rest %v\n%swant rest %v\n%s", i, step.exit, c.programs[0].rest(), got, step.rest, want)
		}
	}
}

func TestProgramsThatDoNotBehave(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	for name, tc := range map[string]struct {
		p    Program
		want string
	}{
		"hangs":               {Program{Command: []string{script(t, "sleep 1000 & echo $! > $1; wait"), pid}, Timeout: 300 * time.Millisecond}, "UNKNOWN - prog took longer than 300ms"},
		"leaves a child":      {Program{Command: []string{script(t, "sleep 1000 & echo fine; exit 0")}}, `level=0 "x" "fine|"`},
		"prints for ever":     {Program{Command: []string{script(t, "yes | head -c 10000000; exit 2")}, Attempts: 1}, `level=2 "x" "y`},
		"kills itself":        {Program{Command: []string{script(t, "kill -9 $$")}, Attempts: 1}, "UNKNOWN - prog was ended by a signal"},
		"is no program":       {Program{Command: []string{mode(t, script(t, ""), 0o644)}, Attempts: 1}, "UNKNOWN - "},
		"commands a terminal": {Program{Command: []string{script(t, `printf 'a\000b \033[31mred\377|x=1\000 y=2\377'; exit 2`)}}, "\"ab red\uFFFD|x=1 y=2\uFFFD\""},
		"is killed within":    {Program{Command: []string{script(t, "exit 137")}}, "ended with 137, which is no state (what it calls was ended by signal 9, killed)"},
		"complains aside":     {Program{Command: []string{script(t, "echo no way >&2; exit 2")}, Attempts: 1}, `level=2 "x" "no way|"`},
		"has no evidence":     {Program{Command: []string{script(t, "echo password=hunter2; exit 2")}, Attempts: 1, Evidence: new(bool)}, `"CRITICAL (what it prints is not shown)|"`},
		"is given a secret":   {Program{Command: []string{script(t, "test \"$1 $2\" = '-p=S3 $(DATE)' && echo fine; exit 0"), "-p=$(PW)", "$(DATE)"}, Env: map[string]secret.Secret{"PW": secret.New("S3")}}, `level=0 "x" "fine|"`},
		"sees little of us":   {Program{Command: []string{script(t, "echo \"[$SECRET] $LANG\"; exit 0")}}, `level=0 "x" "[] C.UTF-8|"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SECRET", "hunter2")
			tc.p.Attempts = 1
			c, _ := open(t, Options{"x": tc.p})
			if got := look(t, c); !strings.Contains(got, tc.want) || len(got) > 3*maxText {
				t.Errorf("%.2000s\nwant %q in it", got, tc.want)
			}
		})
	}
	body, _ := os.ReadFile(pid)
	var child int
	if _, err := fmt.Sscan(string(body), &child); err != nil {
		t.Skip("the program that hangs was ended before it had a child: ", err)
	}
	if err := syscall.Kill(child, 0); err == nil && !zombie(child) {
		t.Errorf("the child %d of a program that was ended runs on", child)
	}
}

func TestWhatLeavesTheGroupOfItsProgramEndsWithIt(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip(err)
	}
	pid := filepath.Join(t.TempDir(), "pid")
	if err := os.Chmod(filepath.Dir(pid), 0o777); err != nil {
		t.Fatal(err)
	}
	c, _ := open(t, Options{"x": {Command: []string{script(t, "setsid sh -c 'echo $$ >"+pid+".new; mv "+pid+".new "+pid+"; exec sleep 1000' >/dev/null 2>&1 &\nwhile ! test -s "+pid+"; do sleep 0.01; done; echo OK")}, Attempts: 1}})
	if got := look(t, c); !strings.Contains(got, "OK") {
		t.Fatal(got)
	}
	body, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscan(string(body), &child); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, 0); err == nil && !zombie(child) {
		_ = syscall.Kill(child, syscall.SIGKILL)
		t.Errorf("the child %d with a session of its own runs on after its program", child)
	}
}

// zombie says whether a process has ended and only waits to be noticed.
func zombie(pid int) bool {
	for range 12_000 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(10 * time.Millisecond) // a signal is on its way
	}
	return false
}

func mode(t *testing.T, path string, m os.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, m); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatOthersMayChangeIsNotRun(t *testing.T) {
	good := script(t, "exit 0")
	if err := Others(good); err != nil {
		t.Errorf("Others(%s) = %v", good, err)
	}
	bad := mode(t, script(t, "exit 0"), 0o757)
	if err := Others(bad); err == nil || !strings.Contains(err.Error(), "may be written by anybody") {
		t.Errorf("a program that anybody may write: %v", err)
	}
	in := script(t, "exit 0")
	mode(t, filepath.Dir(in), 0o777)
	if err := Others(in); err == nil {
		t.Error("a program in a folder that anybody may write is run")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(bad, link); err != nil {
		t.Fatal(err)
	}
	if err := Others(link); err == nil {
		t.Error("a link to a program that anybody may write is run")
	}
	c, _ := open(t, Options{"x": {Command: []string{bad}, Attempts: 1}, "gone": {Command: []string{bad + "none"}, Attempts: 1}, "well": {Command: []string{good}}})
	if err := c.Opened(); err == nil || !strings.Contains(err.Error(), "x.command: ") || !strings.Contains(err.Error(), "gone.command: ") || strings.Contains(err.Error(), "well") {
		t.Errorf("Opened = %v; want the two that cannot be run, with their places", err)
	}
	got := look(t, c) // the others run
	for _, want := range []string{`exec_state{check="well"} 0`, `exec_state{check="x"} 3`, `exec_state{check="gone"} 3`, "no such file"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s in it", got, want)
		}
	}
	c, _ = open(t, Options{"x": {Command: []string{good}, Attempts: 1}})
	mode(t, good, 0o777) // after it was opened
	if got := look(t, c); !strings.Contains(got, "may be written by anybody") {
		t.Errorf("a program that became writable is run: %s", got)
	}
}

func TestAsRootAProgramRunsAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		if _, err := accountOf("root"); err == nil || !strings.Contains(err.Error(), "only root can") {
			t.Errorf("user: root, by another user: %v", err)
		}
		t.Skip("the rest wants root")
	}
	c, err := newCollector(collectors.Env{Options: Options{"x": {Command: []string{"/usr/bin/id", "-u"}}}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	if got := look(t, c.(*collector)); !strings.Contains(got, `"`+nobody.Uid+`|"`) {
		t.Errorf("it ran as %s; want nobody (%s)", got, nobody.Uid)
	}
}

func TestFormats(t *testing.T) {
	for name, tc := range map[string]struct {
		p              Program
		want, rejected string
	}{
		"openmetrics": {
			Program{Command: []string{script(t, "printf '# TYPE a counter\\na_total{x=\"1\"} 3\\n# TYPE b gauge\\nb{job=\"j\"} 2\\n# EOF\\n'")}, Format: "openmetrics"},
			"a_total{check=\"x\",x=\"1\"} 3\nb{check=\"x\"} 2\n", "",
		},
		"prometheus text, and a name of ours": {
			Program{Command: []string{script(t, "echo 'host_load1 9'; echo 'mine 1'")}, Format: "openmetrics", Labels: map[string]string{"service": "s"}},
			"mine{check=\"x\",service=\"s\"} 1\n", "reserved",
		},
		"influx": {
			Program{Command: []string{script(t, `echo 'queue\ one,host=a\,b,q=x depth=5i,ok=true,name="a b, c=d" 1700000000'; echo 'no line'; echo '# note'`)}, Format: "influx"},
			"queue_one_depth{check=\"x\",host=\"a,b\",q=\"x\"} 5\nqueue_one_ok{check=\"x\",host=\"a,b\",q=\"x\"} 1\n", "line",
		},
		"json": {
			Program{
				Command: []string{script(t, `echo '{"q": [{"depth": 12}], "n": "7", "up": true}'`)}, Format: "json",
				Metrics: []Value{
					{Name: "depth", Path: "q.0.depth"},
					{Name: "n_total", Path: "n", Kind: "counter", Labels: map[string]string{"a": "b"}},
					{Name: "up_now", Path: "up"},
					{Name: "none", Path: "q.1.depth"},
				},
			},
			"depth{check=\"x\"} 12\nn_total{a=\"b\",check=\"x\"} 7\nup_now{check=\"x\"} 1\n", "line",
		},
		"one that fails":      {Program{Command: []string{script(t, "echo 'a 1'; exit 1")}, Format: "openmetrics"}, "", ""},
		"one that is no JSON": {Program{Command: []string{script(t, "echo '{'")}, Format: "json", Metrics: []Value{{Name: "a", Path: "a"}}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, rejected := open(t, Options{"x": tc.p})
			got := look(t, c)
			if got != tc.want || tc.rejected != "" && rejected[tc.rejected] == 0 {
				t.Errorf("%srejected %v; want %q\n%s", got, rejected, tc.rejected, tc.want)
			}
			if blind := c.Checks()[0].Err != nil; blind != (tc.want == "") {
				t.Errorf("check: %+v; want one that fails only where there is nothing", c.Checks())
			}
		})
	}
}

func TestFaultsOfPrograms(t *testing.T) {
	for text, want := range map[string]string{
		"x: {command: [check_disk]}":                               "x.command: want a list that begins with an absolute path",
		"x: {command: []}":                                         "x.command: want",
		"x: {command: [/bin/true], format: xml}":                   `x.format: "xml" is none of`,
		"x: {command: [/bin/true], interval: 10ms}":                "x.interval: 10ms is outside",
		"x: {command: [/bin/true], timeout: 1h}":                   "x.timeout: 1h0m0s is outside",
		"x: {command: [/bin/true], retry_interval: 2m}":            "x.retry_interval: 2m0s is outside",
		"x: {command: [/bin/true], format: json}":                  "x.metrics: want",
		"x: {command: [/bin/true], metrics: [{name: a, path: b}]}": "x.metrics: want",
		"'a b': {command: [/bin/true]}":                            "a b: want a name",
	} {
		var o Options
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
	o := Options{"ping": {Command: []string{"/usr/lib/nagios/plugins/check_icmp"}}, "lacks": {Command: []string{"/bin/true", "$(PW)"}}, "shell": {Command: []string{"/bin/sh", "-c", "$(date)"}}}
	if n := o.Notes(); len(n) != 2 || !strings.Contains(n[0], "lacks: command: $(PW) is passed as it stands") || !strings.Contains(n[1], "exec-setuid.conf") {
		t.Errorf("Notes = %q; want the name that env lacks, and the drop-in", n)
	}
}

func TestABoundedNumberOfProgramsRunsAtATime(t *testing.T) {
	dir, counts := t.TempDir(), filepath.Join(t.TempDir(), "counts")
	prog := script(t, "echo x > $1/$$; ls $1 | wc -l >> $2; sleep 0.1; rm $1/$$")
	o := Options{}
	const programs = atOnce + 8
	for i := range programs {
		o[fmt.Sprintf("p%d", i)] = Program{Command: []string{prog, dir, counts}, Interval: 10 * time.Minute, Timeout: 5 * time.Minute}
	}
	c, _ := open(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	c.set.Once(ctx)
	b := &metric.Batch{Time: time.Now()}
	if err := c.Collect(ctx, b); err != nil || len(b.Events) != programs {
		t.Fatalf("%v, %d events; want %d", err, len(b.Events), programs)
	}
	body, err := os.ReadFile(counts)
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Fields(string(body))
	for _, word := range told {
		if n, err := strconv.Atoi(word); err != nil || n > atOnce {
			t.Errorf("%q ran at a time; want at most %d", word, atOnce)
		}
	}
	if len(told) != programs {
		t.Errorf("%d programs counted, want %d", len(told), programs)
	}
}
