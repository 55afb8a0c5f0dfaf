package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what a program may print, in bytes: text for a page, figures for the store.
const (
	maxText    = 64 << 10
	maxFigures = 4 << 20
)

// killWait is for what a program left behind and that holds its output open.
const killWait = time.Second

// niceness of programs: the stack that is watched comes first.
const niceness = 10

// result is what became of one run.
type result struct {
	exit   int    // -1: it did not end by itself, or could not be run
	output []byte // of stdout, and of stderr where that is empty
	cut    bool   // it printed more than is kept
	err    error  // why exit is -1
}

// run runs a program once, and ends it with all of its group when ctx ends.
func (p *program) run(ctx context.Context) result {
	account, err := accountOf(p.User) // asked each time: it may be made, or lose a group, while we run
	if err != nil {
		return result{exit: -1, err: err}
	}
	if err := Others(p.Command[0]); err != nil {
		return result{exit: -1, err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	limit := maxFigures
	if p.Format == formatNagios {
		limit = maxText
	}
	out, errs := &firstBytes{limit: limit}, &firstBytes{limit: maxText}
	cmd := exec.CommandContext(ctx, p.Command[0], p.arguments()...)
	mark := markOf(p.name)
	cmd.Dir, cmd.Env = "/", append(p.environment(), mark)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, errs, killWait
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if account != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: account.uid, Gid: account.gid, Groups: account.groups}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Start()
	if err == nil {
		_ = unix.Setpriority(unix.PRIO_PGRP, cmd.Process.Pid, niceness) // it may have ended
		err = cmd.Wait()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
		killMarked(mark)
	}
	r := result{output: out.kept.Bytes(), cut: out.cut}
	if len(bytes.TrimSpace(r.output)) == 0 {
		r.output = errs.kept.Bytes()
	}
	ended, isExit := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		r.exit, r.err = -1, fmt.Errorf("%s took longer than %v", filepath.Base(p.Command[0]), p.Timeout)
	case isExit && ended.ExitCode() >= 0:
		r.exit = ended.ExitCode()
	case isExit:
		r.exit, r.err = -1, fmt.Errorf("%s was ended by a signal: %v", filepath.Base(p.Command[0]), ended)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		r.exit, r.err = -1, err
	}
	return r
}

// arguments are those of the command with the values of env in their places. A name that env does not have stays as it is: it may
// be for a shell that the command starts.
func (p *program) arguments() []string {
	out := make([]string, len(p.Command)-1)
	for i, a := range p.Command[1:] {
		out[i] = argument.ReplaceAllStringFunc(a, func(ref string) string {
			if v, ok := p.Env[argument.FindStringSubmatch(ref)[1]]; ok {
				return v.Reveal()
			}
			return ref
		})
	}
	return out
}

// environment is all that a program has of ours.
func (p *program) environment() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/"}
	for _, k := range slices.Sorted(maps.Keys(p.Env)) {
		env = append(env, k+"="+p.Env[k].Reveal())
	}
	return env
}

// firstBytes keeps the first bytes that are written and lets go of the rest, so that a program that prints without end fills
// no memory and is not held up.
type firstBytes struct {
	limit int
	kept  bytes.Buffer
	cut   bool
}

func (f *firstBytes) Write(b []byte) (int, error) {
	room := max(f.limit-f.kept.Len(), 0)
	if len(b) > room {
		f.cut = true
	}
	f.kept.Write(b[:min(len(b), room)])
	return len(b), nil
}
