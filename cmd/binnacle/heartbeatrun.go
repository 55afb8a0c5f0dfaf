package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting/intake"
)

// What a job that is wrapped may cost: its own exit code is what its caller gets, whatever becomes of the heartbeat.
const (
	maxJobTail  = 1500             // bytes of the end of its output that go with a failure
	pingTimeout = 5 * time.Second  // for one ping
	jobGrace    = 10 * time.Second // to end after SIGTERM, and for what it left behind that holds its output open
)

// pingPauses are between the tries to say how the job ended.
var pingPauses = []time.Duration{2 * time.Second, 8 * time.Second}

// Exit codes of a shell for a command that cannot be run.
const (
	exitNotRun   = 126
	exitNotFound = 127
	exitSignal   = 128 // and the signal's number
)

// job is a command under a heartbeat.
type job struct {
	remote
	name   string
	silent bool
}

func (j *job) flags(cmd *cobra.Command) {
	j.remote.flags(cmd)
	cmd.Flags().BoolVar(&j.silent, "no-output", false, "keep the end of what it prints out of the alarm")
}

// jobArgs wants NAME before -- and a command behind it.
func jobArgs(cmd *cobra.Command, args []string) error {
	switch dash := cmd.ArgsLenAtDash(); {
	case len(args) == 0:
		return nil // its help
	case dash < 0 && len(args) == 1:
		return fmt.Errorf("want list, ping, or NAME -- COMMAND; have %q", args[0])
	case dash != 1:
		return fmt.Errorf("want one NAME before --, have %d arguments", max(dash, 0))
	case len(args) == 1:
		return errors.New("want a command after --")
	}
	return nil
}

// run says that the job starts, runs it, and says how it ended. The error is its exit code alone.
func (j *job) run(cmd *cobra.Command, args []string) error {
	j.name = args[0]
	ctx, warn := cmd.Context(), cmd.ErrOrStderr()
	if err := j.ping(ctx, "start", ""); err != nil {
		fmt.Fprintf(warn, "binnacle: that %s starts could not be said: %v\n", plain(j.name), err)
	}
	began := time.Now()
	code, why, tail := runJob(ctx, args[1:], cmd.InOrStdin(), cmd.OutOrStdout(), warn)
	text := "after " + words.Duration(time.Since(began))
	if why != "" {
		text += ": " + why
	}
	if tail != "" && !j.silent {
		text += ": " + tail
	}
	if err := j.end(context.WithoutCancel(ctx), strconv.Itoa(code), text); err != nil {
		fmt.Fprintf(warn, "binnacle: how %s ended could not be said: %v\n", plain(j.name), err)
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}

// end says how it ended, and tries again where nobody answers.
func (j *job) end(ctx context.Context, state, text string) error {
	err := j.ping(ctx, state, text)
	for _, pause := range pingPauses {
		if _, unanswered := errors.AsType[*url.Error](err); !unanswered {
			return err
		}
		time.Sleep(pause)
		err = j.ping(ctx, state, text)
	}
	return err
}

func (j *job) ping(ctx context.Context, state, text string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return j.post(ctx, intake.PathHeartbeat, intake.HeartbeatPing{Name: j.name, State: state, Text: text}, nil)
}

// runJob runs a command with our own input and output. why is what its exit code does not say, tail the end of its output.
func runJob(ctx context.Context, command []string, in io.Reader, out, errs io.Writer) (code int, why, tail string) {
	kept := &lastBytes{}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, io.MultiWriter(out, kept), io.MultiWriter(errs, kept)
	if out == errs { // one writer for both, as the package knows it: one goroutine writes
		cmd.Stderr = cmd.Stdout
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = jobGrace
	err := cmd.Run()
	tail = strings.ToValidUTF8(strings.TrimSpace(string(kept.tail)), "\ufffd")
	ended, _ := errors.AsType[*exec.ExitError](err)
	switch {
	case ended != nil:
		if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return exitSignal + int(status.Signal()), "ended by the signal " + status.Signal().String(), tail
		}
		return ended.ExitCode(), "", tail
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return 0, "", tail
	case cmd.ProcessState != nil && cmd.ProcessState.Success():
		return 0, "", tail // it was told to end, and ended well
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		fmt.Fprintf(errs, "binnacle: %v\n", err)
		return exitNotFound, err.Error(), tail
	}
	fmt.Fprintf(errs, "binnacle: %v\n", err)
	return exitNotRun, err.Error(), tail
}

// lastBytes keeps the end of what is written by two streams at a time. Bytes are taken in the order in which they come.
type lastBytes struct {
	mu   sync.Mutex
	tail []byte
}

func (l *lastBytes) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, b[max(len(b)-maxJobTail, 0):]...)
	if over := len(l.tail) - maxJobTail; over > 0 {
		l.tail = bytes.Clone(l.tail[over:])
	}
	return len(b), nil
}
