package collectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// maxCommand bounds what a command may print, in bytes.
const maxCommand = 4 << 20

// Command runs one of a system's own programs for what it prints, and ends it with its group when ctx ends. Nothing of
// what it prints to stderr is kept but the first line, for the error. Which program that is stands in the code, never in a file.
func Command(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, errs := Limited{Limit: maxCommand}, Limited{Limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case out.Over:
		return nil, fmt.Errorf("%s printed more than %d bytes", filepath.Base(name), maxCommand)
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		line, _, _ := bytes.Cut(bytes.TrimSpace(errs.Bytes()), []byte("\n"))
		return out.Bytes(), fmt.Errorf("%s: %w: %.200s", filepath.Base(name), err, line)
	}
	return out.Bytes(), err
}
