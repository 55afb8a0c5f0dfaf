package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
)

func TestAck(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		k.tell(time.Second, failing())
		out := k.want(0, "ack StreamsFailing --by bo", "Nobody was paged for it yet", "Acknowledged by bo: 12 % of streams fail", "binnacle ack --undo ")
		k.tell(30 * time.Second) // its page was not sent yet
		if in := k.pd.Incidents(); len(in) != 1 || in[0].Status != "acknowledged" {
			t.Errorf("incidents %+v; want one, acknowledged", in)
		}
		_, undo, _ := strings.Cut(out, "binnacle ")
		k.want(0, undo, "Acknowledgement taken back: 12 % of streams fail")
		k.tell(time.Second)
		if p := k.d.View().Problems[0]; p.AckedBy != "" {
			t.Errorf("still taken by %s", p.AckedBy)
		}
		k.want(3, "ack Nonsense", `no problem "Nonsense"`)
		k.want(3, "ack", "accepts 1 arg(s), received 0")
	})
}

func TestSilence(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		k.tell(time.Second, failing(), full())
		k.want(0, "silence list", "Nothing is silenced.")
		out := k.want(0, "silence add alertname=DiskFull --for 2h --comment disk-ordered",
			`until 02:00:01 (2 h): alertname="DiskFull"`, "It covers 1 alarm:\n  P2 DiskFull on node:riak-3", "binnacle silence expire ")
		id := strings.Fields(out)[1]
		k.want(0, "silence add service=api --for 1d", "It covers no alarm that fires now", "does not cover symptoms", "  P1 StreamsFailing on service:api")
		k.want(0, "silence list", id+"  until 02:00:01 (2 h)", "by ann: disk-ordered", "by ann: no comment")
		k.tell(2 * time.Minute)
		if pages := k.pd.Pages(); len(pages) != 1 {
			t.Errorf("%d pages, want the symptom's alone", len(pages))
		}
		k.want(0, "silence expire "+id[:6], "Ended: "+id)
		k.tell(time.Minute)
		if out := k.want(0, "silence list"); strings.Contains(out, id) {
			t.Errorf("it is silenced still:\n%s", out)
		}
		if pages := k.pd.Pages(); len(pages) != 2 {
			t.Errorf("%d pages, want the disk's too", len(pages))
		}
		k.want(0, "silence add --for 1h --problem "+full().Fingerprint(), `alertname="DiskFull", entity="node:riak-3"`, "It covers 1 alarm")

		for _, c := range []struct{ command, want string }{
			{"silence add --for 1h", "want at least one matcher"},
			{"silence add DiskFull --for 1h", `matcher "DiskFull": want a label and its value`},
			{"silence add a=b", `required flag(s) "for" not set`},
			{"silence add a=b --for soon", "--for: want a duration such as"},
			{"silence add a=b --for -1h", "--for: want more than nothing"},
			{`silence add a=~( --for 1h`, `matcher "a=~("`},
			{`silence add a=~.* --for 1h`, "must not match the empty string"},
			{"silence add service=api --for 2d --problem Nonsense", `no problem "Nonsense"`},
			{"silence add alertname=StreamsFailing --for 2d", "must end within 1 d"},
			{"silence expire zzz", `no silence "zzz"`},
		} {
			k.want(3, c.command, c.want)
		}
	})
}

func TestSilenceID(t *testing.T) {
	all := []alerting.Silence{{ID: "ab"}, {ID: "abc"}, {ID: "xyz"}}
	for prefix, want := range map[string]string{"ab": "ab", "x": "xyz", "abc": "abc", "a": "", "": "", "q": ""} {
		if got, err := silenceID(all, prefix); got != want || (err == nil) != (want != "") {
			t.Errorf("%q means %q, %v; want %q", prefix, got, err, want)
		}
	}
}

func TestMaintenance(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		k.want(0, "maintenance service=riak --start 22:30 --for 2h", "from 22:30:00 until 2 Jan 00:30:00 (2 h)", "Now it would cover no alarm")
		k.tell(2*time.Minute, full())
		if pages := k.pd.Pages(); len(pages) != 1 {
			t.Errorf("%d pages before the window, want 1", len(pages))
		}
		k.want(0, "maintenance service=riak --start 2000-01-01T23:00:00+02:00 --for 10m", "from 21:00:00", "Now it would cover 1 alarm:")
		k.want(3, "maintenance service=riak --start 2000-01-01T00:01 --for 2h", "--start: want a time ahead")
		k.want(3, "maintenance service=riak --start noon --for 2h", "--start: want a time like")
		k.want(3, "maintenance service=riak --for 2h", `required flag(s) "start" not set`)
	})
}

func TestDeploy(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		k.want(0, "deploy api v7 --text tuned --ago 10m", "Marked: api v7, to blame for 1 h.")
		k.tell(30*time.Second, failing())
		if p := k.d.View().Problems[0].Page; len(p.Changed) != 1 || !strings.HasPrefix(p.Changed[0], "deploy api v7 at 23:50 UTC by ann: tuned") {
			t.Errorf("the page says that %q changed", p.Changed)
		}
		k.want(3, "deploy api v7 --ago 2h", "--ago: want less than the 1 h")
		k.want(3, "deploy api v7 --blame 2d", "blame: want a duration up to 24h")
		k.want(3, "deploy api", "accepts 2 arg(s), received 1")
		for _, c := range k.pd.Pages() {
			if strings.Contains(c.Summary, "[Deploy]") {
				t.Errorf("a deploy mark woke somebody: %s", c.Summary)
			}
		}
	})
}

func TestCheckResult(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		wants(t, 0, []string{"check-result", "web-1", "disk", "2", "DISK", "CRITICAL|/=97%", "--label", "service=web"}, "Sent: web-1 disk CRITICAL: DISK CRITICAL|/=97%")
		k.tell(time.Second)
		a := k.d.View().Problems[0].Root
		if a.Rule() != "disk" || a.Labels["instance"] != "web-1" || a.Labels["service"] != "web" || a.Annotations["summary"] != "DISK CRITICAL" {
			t.Errorf("the alarm is %+v", a)
		}
		wants(t, 0, []string{"check-result", "web-1", "disk", "0", "fine", "--label", "service=web"}, "disk OK: fine")
		wants(t, 0, []string{"check-result", "web-1", "-", "2", "dead"}, "Sent")
		k.tell(time.Second)
		v := k.d.View()
		if v.Firing != 1 || v.Why("HostCheck") == "" {
			t.Errorf("%d alarms fire, want the host's check alone: %s", v.Firing, v.Why("HostCheck"))
		}
		for want, args := range map[string]string{
			"have 2 arguments":                "web-1 disk",
			`EXIT: want 0 (OK), 1 (warning)`:  "web-1 disk 4 x",
			"HOST SERVICE before --, have 1":  "web-1 -- true",
			"want a command after --":         "web-1 disk --",
			"--timeout: want 1s to 10m":       "web-1 disk --timeout 1h -- true",
			"--fresh: want a duration":        "web-1 disk 0 x --fresh q",
			"fresh: want a duration of 1s to": "web-1 disk 0 x --fresh 30d",
		} {
			k.want(3, "check-result "+args, want)
		}
	})
}

func TestRunPlugin(t *testing.T) {
	for _, c := range []struct {
		script string
		exit   int
		output string
	}{
		{"echo fine", 0, "fine"},
		{"echo 'warm|t=40' >&2; exit 1", 1, "warm|t=40"},
		{"exit 2", 2, "CRITICAL - sh said nothing"},
		{"echo odd; exit 7", 3, "UNKNOWN - sh: exit status 7\nodd"},
		{"kill -9 $$", 3, "UNKNOWN - sh: signal: killed"},
		{"yes | head -c 1000000", 0, strings.TrimSpace(strings.Repeat("y\n", maxPlugin/2))},
	} {
		if exit, output := runPlugin(t.Context(), time.Minute, []string{"sh", "-c", c.script}); exit != c.exit || output != c.output {
			t.Errorf("%s: %d %.60q, want %d %.60q", c.script, exit, output, c.exit, c.output)
		}
	}
	if exit, output := runPlugin(t.Context(), time.Minute, []string{"/no/such"}); exit != 3 || !strings.HasPrefix(output, "UNKNOWN - /no/such: ") {
		t.Errorf("what is not there: %d %q", exit, output)
	}
}

// A plugin that hangs is ended with all that it started: when the last of it is gone, the fifo has no writer. On a busy machine
// it may be ended before it has said anything; then it has more time.
func TestRunPluginEndsWhatHangs(t *testing.T) {
	for patience := 200 * time.Millisecond; ; patience *= 4 {
		exit, output := runHanging(t, patience)
		late := fmt.Sprintf("UNKNOWN - sh took longer than %v", patience)
		if exit == 3 && output == late+"\nbegun" {
			return
		}
		if exit != 3 || output != late+"\n" || patience > time.Minute {
			t.Fatalf("%d %q", exit, output)
		}
	}
}

// runHanging runs a plugin that hangs, and returns once nothing of it is left.
func runHanging(t *testing.T, patience time.Duration) (exit int, output string) {
	t.Helper()
	fifo := t.TempDir() + "/fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	exit, output = runPlugin(t.Context(), patience, []string{"sh", "-c", "exec 3> " + fifo + "; echo begun; sleep 600 & wait"})
	if err := f.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(f); err != nil { // it ends with the last writer
		t.Errorf("what it started runs on: %v", err)
	}
	return exit, output
}

// The command runs a plugin and tells what it found.
func TestCheckResultRuns(t *testing.T) {
	s := newTeller(t)
	wants(t, 0, []string{"check-result", "web-1", "load", "--url", s.url, "--", "sh", "-c", "echo 'high|l=9'; exit 1"}, "Sent: web-1 load WARNING: high|l=9")
	if got := <-s.bodies; !strings.Contains(got, `"exit":1,"output":"high|l=9"`) {
		t.Errorf("told %s", got)
	}
}
