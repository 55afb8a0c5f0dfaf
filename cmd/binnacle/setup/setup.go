// Package setup makes a machine a router or a node of a fleet, step by step, and takes it back.
//
// Each step looks first and makes only what is not there, so that a second run, or one after a half, ends the same. What it
// decides is in one file of the configuration, conf.d/setup.yaml; files that a person wrote are read and never changed.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/authority"
	"github.com/navcloud/binnacle/agent/strict"
)

// Where packages put things.
const (
	DefaultConfig = "/etc/binnacle/binnacle.yaml"
	DefaultData   = "/var/lib/binnacle"
	systemUser    = "binnacle"
	unit          = "binnacle.service"
)

// World is the machine as setup sees it; tests have another.
type World struct {
	Out     io.Writer
	Root    bool                                    // this is root
	Systemd bool                                    // it is the service manager
	Run     func(name string, args ...string) error // runs a program of the system
	User    func(name string) (uid, gid int, ok bool)
	Answers func(url string) (status int) // of a service on this machine; 0: nobody answers
	Taken   func(udp string) bool         // somebody listens there
}

// Machine is this one.
func Machine(out io.Writer) World {
	_, err := os.Stat("/run/systemd/system")
	return World{
		Out: out, Root: os.Geteuid() == 0, Systemd: err == nil, Run: run, User: lookup, Answers: answers, Taken: taken,
	}
}

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func lookup(name string) (uid, gid int, ok bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, false
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return uid, gid, err1 == nil && err2 == nil
}

// Place are the files of one agent.
type Place struct {
	Config string // the main file of the configuration
	Data   string // the data folder
}

// absolute is the same place from every folder.
func (p Place) absolute() (Place, error) {
	config, err1 := filepath.Abs(p.Config)
	data, err2 := filepath.Abs(p.Data)
	return Place{config, data}, errors.Join(err1, err2)
}

func (p Place) dir() string            { return filepath.Dir(p.Config) }
func (p Place) fragment() string       { return filepath.Join(p.dir(), "conf.d", "setup.yaml") }
func (p Place) web() string            { return filepath.Join(p.dir(), "web.yaml") }
func (p Place) client() string         { return filepath.Join(p.dir(), "client.yaml") }
func (p Place) secret(n string) string { return filepath.Join(p.dir(), "secrets", n) }

// ours says that this is the place of the package, which the system's user and unit serve.
func (p Place) ours() bool { return p.Config == DefaultConfig && p.Data == DefaultData }

// job is one run of setup, join or undo.
type job struct {
	World
	Place
	changed bool
}

// did says what a step made.
func (j *job) did(format string, args ...any) {
	j.changed = true
	fmt.Fprintf(j.Out, "  made  "+format+"\n", args...)
}

// kept says what a step found.
func (j *job) kept(format string, args ...any) { fmt.Fprintf(j.Out, "  kept  "+format+"\n", args...) }

// say is a sentence for who runs it.
func (j *job) say(format string, args ...any) { fmt.Fprintf(j.Out, format+"\n", args...) }

// rights errs, before anything is changed, where this user cannot do it.
func (j *job) rights() error {
	if j.Root || !j.ours() {
		return nil
	}
	return fmt.Errorf("this makes a system user, %s and %s: run it as root (sudo binnacle ...), or with --config and --data below your home folder, where it needs no rights; nothing was changed", j.dir(), j.Data)
}

// room is what must find place on each disk before anything is changed, in bytes.
const room = 1 << 20

// probe errs where a folder, or the nearest that is there above it, cannot be written or has no room.
func probe(dir string) error {
	at := dir
	for {
		if _, err := os.Stat(at); err == nil || filepath.Dir(at) == at {
			break
		}
		at = filepath.Dir(at)
	}
	f, err := os.CreateTemp(at, ".setup-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w; nothing was changed", dir, err)
	}
	gone := os.Remove(f.Name()) // first: nothing of it stays, whatever ends this process
	_, err = f.Write(make([]byte, room))
	if err = errors.Join(gone, err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s cannot be written: %w; nothing was changed", dir, err)
	}
	return nil
}

// prepare checks all that can be checked before the first change.
func (j *job) prepare() error {
	if err := j.rights(); err != nil {
		return err
	}
	for _, dir := range []string{j.dir(), j.Data} {
		if err := probe(dir); err != nil {
			return err
		}
	}
	if _, err := os.Stat(j.Config); err == nil {
		if err := j.theirFaults(); err != nil {
			return fmt.Errorf("the configuration has errors: mend them first; nothing was changed\n%w", err)
		}
	}
	return nil
}

// theirFaults are what is wrong in files of people; what is in our own is made anew.
func (j *job) theirFaults() error {
	_, err := agent.LoadConfig(j.Config)
	all, ok := errors.AsType[strict.Faults](err)
	if !ok {
		return err
	}
	var theirs strict.Faults
	for _, f := range all {
		if f.File != j.fragment() {
			theirs = append(theirs, f)
		}
	}
	if len(theirs) == 0 {
		return nil
	}
	return theirs
}

// account makes the system's user.
func (j *job) account() error {
	if !j.ours() {
		return nil
	}
	if _, _, ok := j.User(systemUser); ok {
		j.kept("the user %s", systemUser)
		return nil
	}
	err := j.Run("systemd-sysusers", "binnacle.conf")
	if _, _, ok := j.User(systemUser); err != nil || !ok {
		err = j.Run("useradd", "--system", "--user-group", "--home-dir", DefaultData, "--no-create-home", "--shell", "/usr/sbin/nologin", "--comment", "binnacle monitoring agent", systemUser)
		if err != nil {
			return fmt.Errorf("the user %s: %w", systemUser, err)
		}
	}
	j.did("the user %s", systemUser)
	return nil
}

// folders makes the folders with their owners: root writes the configuration, the agent reads it and writes its data.
func (j *job) folders() error {
	uid, gid := -1, -1
	if j.ours() {
		uid, gid, _ = j.User(systemUser)
	}
	if err := j.sweep(time.Now().Add(-time.Minute)); err != nil { // the agent may be writing right now
		return err
	}
	n, a := authority.NodeOf(j.Data), authority.Dir(j.Data)
	for _, f := range []struct {
		path string
		mode os.FileMode
		uid  int
	}{
		{j.dir(), 0o750, 0},
		{filepath.Dir(j.fragment()), 0o750, 0},
		{filepath.Dir(j.secret("x")), 0o750, 0},
		{j.Data, 0o750, uid},
		{n.Dir, 0o750, uid},
		{a, 0o700, uid},
	} {
		_, err := os.Stat(f.path)
		if err == nil && !j.ours() {
			continue
		}
		if err := os.MkdirAll(f.path, f.mode); err != nil {
			return err
		}
		if err != nil {
			j.did("%s", f.path)
		}
		if j.ours() {
			if err := os.Chown(f.path, f.uid, gid); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep removes what an earlier run left half written, since it was killed.
func (j *job) sweep(before time.Time) error {
	var errs []error
	for _, dir := range []string{j.dir(), filepath.Dir(j.fragment()), filepath.Dir(j.secret("x")), j.Data} {
		errs = append(errs, atomicfile.Sweep(dir, before))
	}
	return errors.Join(errs...)
}

// stub is the main file where a package brought none.
const stub = "# binnacle: settings of your own. `binnacle setup` keeps its own in conf.d/setup.yaml; `binnacle check` shows all in force.\n"

// mainFile makes the file of the configuration that a person edits.
func (j *job) mainFile() error {
	if _, err := os.Stat(j.Config); err == nil {
		return nil
	}
	_, err := j.write(j.Config, []byte(stub))
	if err == nil {
		j.did("%s, empty", j.Config)
	}
	return err
}

// write puts a file of the configuration in place, readable by the agent, and says whether it differs from what was there.
func (j *job) write(path string, text []byte) (changed bool, err error) {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) {
		return false, nil
	}
	if err := atomicfile.Write(path, text, 0o640); err != nil {
		return false, err
	}
	if j.ours() {
		if _, gid, ok := j.User(systemUser); ok {
			return true, os.Chown(path, 0, gid)
		}
	}
	return true, nil
}

// start enables the unit, or says how to start the agent where systemd does not run.
func (j *job) start() error {
	how := fmt.Sprintf("binnacle run --config %s", j.Config)
	switch {
	case !j.ours():
		j.say("\nStart it with:  %s", how)
	case !j.Systemd:
		j.say("\nsystemd does not run here, so nothing was started. Start it with:\n  runuser -u %s -- %s", systemUser, how)
	case j.changed:
		// A unit that runs already has what it needs but for the new configuration.
		if err := j.Run("systemctl", "enable", unit); err != nil {
			return err
		}
		if err := j.Run("systemctl", "restart", unit); err != nil {
			return fmt.Errorf("%w: `journalctl -u binnacle` says why", err)
		}
		j.did("%s: enabled and started", unit)
	default:
		if err := j.Run("systemctl", "enable", "--now", unit); err != nil {
			return err
		}
		j.kept("%s: enabled and running", unit)
	}
	return nil
}

// check reads the configuration as the agent will.
func (j *job) check(ctx context.Context) (agent.Config, error) {
	cfg, err := agent.LoadConfig(j.Config)
	if err == nil {
		err = cfg.Validate()
	}
	if err == nil {
		err = agent.CheckOpen(ctx, cfg)
	}
	return cfg, err
}

// full explains an error of a disk.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: make room and run it again: it goes on where it stopped", err)
	}
	return err
}
