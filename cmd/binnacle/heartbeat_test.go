package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting/dispatch"
)

func TestHeartbeat(t *testing.T) {
	atDesk(t, dispatch.On, func(_ *testing.T, k *desk) {
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: never heard, watched for 1 min", "/ping/6ba7b810-9dad-11d1-80b4-00c04fd430c8")
		k.want(0, "heartbeat ping backup --state start", "Noted: backup")
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: runs for 1 min")
		k.want(0, "heartbeat ping backup --state 3 --text full", "Noted: backup")
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: failed 1 min ago: exit code 3: full")
		k.want(0, "heartbeat ping backup", "Noted: backup")
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: heard 1 min ago")
		k.want(3, "heartbeat ping other", `no heartbeat is named "other"`)
		k.want(3, "heartbeat ping backup --state late", "state: want nothing, start, fail")
	})
}

func TestHeartbeatRunsAJob(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		job := func(code int, script string, saying ...string) {
			t.Helper()
			wants(t, code, []string{"heartbeat", "backup", "--", "/bin/sh", "-c", script}, saying...)
			k.tell(time.Second)
		}
		job(0, "echo done", "done")
		k.want(0, "heartbeat list", "backup: heard 1 s ago")
		job(3, "echo first; seq 1000; echo disk full >&2; exit 3", "first", "disk full")
		out := k.want(0, "heartbeat list", "backup: failed 1 s ago: exit code 3: after", "disk full")
		if strings.Contains(out, "first") || len(out) > 2000 {
			t.Errorf("more than the end of the output is kept:\n%s", out)
		}
		job(137, "kill -9 $$")
		k.want(0, "heartbeat list", "exit code 137: after", "ended by the signal killed")
		job(0, "true")
		k.want(0, "heartbeat list", "backup: heard 1 s ago")
		wants(t, 4, []string{"heartbeat", "backup", "--no-output", "--", "/bin/sh", "-c", "echo secret; exit 4"}, "secret")
		k.tell(time.Second)
		if out := k.want(0, "heartbeat list", "exit code 4"); strings.Contains(out, "secret") {
			t.Errorf("--no-output keeps the output:\n%s", out)
		}
		k.want(127, "heartbeat backup -- /no/such/program", "no such file")
		wants(t, 5, []string{"heartbeat", "other", "--", "/bin/sh", "-c", "exit 5"}, "how other ended could not be said", `no heartbeat is named "other"`)
		k.want(3, "heartbeat backup", "want list, ping, or NAME -- COMMAND")
		k.want(3, "heartbeat backup --", "want a command after --")
		k.want(3, "heartbeat a b -- true", "want one NAME before --")
	})
}

func TestAJobRunsThoughNobodyAnswers(t *testing.T) {
	pauses := pingPauses
	pingPauses = []time.Duration{0}
	defer func() { pingPauses = pauses }()
	t.Setenv("BINNACLE_URL", "http://127.0.0.1:1")
	wants(t, 7, []string{"heartbeat", "backup", "--", "/bin/sh", "-c", "echo ran; exit 7"}, "ran", "starts could not be said", "ended could not be said")
}

func TestAJobIsToldToEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	code, why, tail := runJob(ctx, []string{"/bin/sh", "-c", "trap 'echo ended; exit 9' TERM; echo begun; while :; do sleep 0.05; done"}, nil, out, io.Discard)
	if code != 9 || why != "" || tail != "begun\nended" {
		t.Errorf("runJob: %d, %q, %q; want 9, nothing, both lines", code, why, tail)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
