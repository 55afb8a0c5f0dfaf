package rabbitmqrig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// starts runs what starts children on a thread that lives as long as the process: a child ends with the thread that started
// it. Source: PR_SET_PDEATHSIG(2const), read 30 November 2026.
var starts = sync.OnceValue(func() chan<- func() {
	todo := make(chan func())
	go func() { // until the process ends
		runtime.LockOSThread()
		for do := range todo {
			do()
		}
	}()
	return todo
})

// start starts a command in a process group of its own, which ends with this process, however that ends.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starts() <- func() { started <- cmd.Start() }
	return <-started
}

// note writes into the file whose lock is held which cluster is there, for one that comes after a test that was killed.
func note(turn *os.File, id, dir string) error {
	if err := turn.Truncate(0); err != nil {
		return err
	}
	_, err := turn.WriteAt([]byte(id+" "+dir), 0)
	return err
}

// reap ends what a killed test left of the cluster that the file names, and deletes its namespaces. The lock of the file is held,
// so nobody uses that cluster any more.
func reap(turn *os.File) error {
	text, err := io.ReadAll(turn)
	if err != nil {
		return err
	}
	id, dir, ok := strings.Cut(string(text), " ")
	if !ok || !strings.HasPrefix(id, "bnc") || !filepath.IsAbs(dir) {
		return nil
	}
	return sweep(id, dir)
}

// sweep ends all that was started for a cluster and deletes its namespaces.
func sweep(id, dir string) error {
	var errs []error
	spaces, err := filepath.Glob("/run/netns/" + id + "-*")
	if err != nil {
		return err
	}
	for _, space := range spaces {
		name := filepath.Base(space)
		pids, err := exec.Command("ip", "netns", "pids", name).Output()
		if err != nil {
			errs = append(errs, fmt.Errorf("who is in %s: %w", name, err))
		}
		for _, pid := range strings.Fields(string(pids)) {
			errs = append(errs, end(pid, dir))
		}
		errs = append(errs, run("ip", "netns", "del", name))
	}
	return errors.Join(errs...)
}

// end kills a process if it bears the home that the rig gives to what it starts, and what that starts in turn. Its descriptor
// makes sure that it is that process which is killed, and none that has its number by then. Source: pidfd_open(2).
func end(pid, home string) error {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		return ended(err)
	}
	defer func() { _ = unix.Close(fd) }()
	env, err := os.ReadFile("/proc/" + pid + "/environ")
	if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00HOME="+home+"\x00")) {
		return ended(err)
	}
	return ended(unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
}

// ended takes for no error that a process is not there any more.
func ended(err error) error {
	if errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
