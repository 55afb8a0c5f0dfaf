package exec

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
)

// Options are the section collect.exec: programs by name.
type Options map[string]Program

// Program is one program and how it is run. It is run as it stands: there is no shell.
type Program struct {
	Command       []string                 `yaml:"command"`        // the first is an absolute path; $(NAME) in the others is a value of env
	Format        string                   `yaml:"format"`         // nagios, openmetrics, influx or json; nagios
	Interval      time.Duration            `yaml:"interval"`       // 1s to 24h; 1m
	Timeout       time.Duration            `yaml:"timeout"`        // 100ms to 10m; 10s
	Attempts      int                      `yaml:"attempts"`       // failures in a row until an alarm; 1 to 20; 3 (nagios)
	RetryInterval time.Duration            `yaml:"retry_interval"` // between them; 15s, or interval where that is shorter (nagios)
	User          string                   `yaml:"user"`           // to run as; nobody where the agent is root, else the agent's own
	Env           map[string]secret.Secret `yaml:"env"`            // beside PATH, LANG and HOME, which is all it has
	Labels        map[string]string        `yaml:"labels"`         // on its alarm and its series: service, cluster and the like
	Runbook       string                   `yaml:"runbook"`        // URL, on its alarm
	Evidence      *bool                    `yaml:"evidence"`       // whether what it prints is shown in pages; true
	Metrics       []Value                  `yaml:"metrics"`        // of a format json: what is read out of it
}

// Value says where in an answer of JSON a figure stands.
type Value struct {
	Name   string            `yaml:"name"`
	Path   string            `yaml:"path"` // keys and indexes with dots between: queues.0.depth
	Kind   string            `yaml:"kind"` // gauge or counter; gauge
	Labels map[string]string `yaml:"labels"`
}

// Formats that are read.
const (
	formatNagios      = "nagios"
	formatOpenMetrics = "openmetrics"
	formatInflux      = "influx"
	formatJSON        = "json"
)

var (
	shells     = []string{"sh", "bash", "dash", "ksh", "zsh", "ash", "busybox"} // which have a $(COMMAND) of their own
	formats    = []string{formatNagios, formatOpenMetrics, formatInflux, formatJSON}
	metricForm = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	argument   = regexp.MustCompile(`\$\(([A-Za-z_][A-Za-z0-9_]*)\)`)
)

// withDefaults fills in what a program does not say.
func (p Program) withDefaults() Program {
	if p.Format == "" {
		p.Format = formatNagios
	}
	if p.Interval == 0 {
		p.Interval = time.Minute
	}
	if p.Timeout == 0 {
		p.Timeout = 10 * time.Second
	}
	if p.Attempts == 0 {
		p.Attempts = 3
	}
	if p.RetryInterval == 0 {
		p.RetryInterval = min(15*time.Second, p.Interval)
	}
	return p
}

// Validate says what is out of bounds.
func (o Options) Validate() error {
	return collectors.Named(o, func(p Program) []error { return p.withDefaults().faults() })
}

func (p Program) faults() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(p.Command) == 0 || !filepath.IsAbs(p.Command[0]) {
		bad("command: want a list that begins with an absolute path; no shell runs it")
	}
	if !slices.Contains(formats, p.Format) {
		bad("format: %q is none of nagios, openmetrics, influx, json", p.Format)
	}
	if p.Interval < time.Second || p.Interval > 24*time.Hour {
		bad("interval: %v is outside 1s to 24h", p.Interval)
	}
	if p.Timeout < 100*time.Millisecond || p.Timeout > 10*time.Minute {
		bad("timeout: %v is outside 100ms to 10m", p.Timeout)
	}
	if p.Attempts < 1 || p.Attempts > 20 {
		bad("attempts: %d is outside 1 to 20", p.Attempts)
	}
	if p.RetryInterval < time.Second || p.RetryInterval > p.Interval {
		bad("retry_interval: %v is outside 1s to interval (%v)", p.RetryInterval, p.Interval)
	}
	if (p.Format == formatJSON) != (len(p.Metrics) > 0) {
		bad("metrics: want what to read out of the answer, for the format json alone")
	}
	for i, v := range p.Metrics {
		if !metricForm.MatchString(v.Name) || v.Path == "" || v.Kind != "" && v.Kind != "gauge" && v.Kind != "counter" {
			bad("metrics: [%d] wants a name as Prometheus has them, a path, and a kind that is gauge or counter", i)
		}
	}
	return errs
}

// Notes are what an operator should know of the programs, for check and status.
func (o Options) Notes() []string {
	var out []string
	for name, p := range o {
		if len(p.Command) == 0 {
			continue
		}
		base := filepath.Base(p.Command[0])
		info, err := os.Stat(p.Command[0])
		setuid := err == nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0
		if setuid || slices.Contains([]string{"check_icmp", "check_dhcp", "check_ping", "check_fping", "sudo"}, base) {
			out = append(out, fmt.Sprintf("collect.exec.%s: %s raises its own rights, which the shipped unit forbids: "+
				"copy /usr/share/doc/binnacle/examples/exec-setuid.conf into /etc/systemd/system/binnacle.service.d/", name, base))
		}
		for _, m := range argument.FindAllStringSubmatch(strings.Join(p.Command[1:], "\n"), -1) {
			if _, ok := p.Env[m[1]]; !ok && !slices.Contains(shells, base) {
				out = append(out, fmt.Sprintf("collect.exec.%s: command: %s is passed as it stands: env has no %s", name, m[0], m[1]))
			}
		}
	}
	slices.Sort(out)
	return out
}

// account is who a program is run as; nil: as the agent.
type account struct {
	uid, gid uint32
	groups   []uint32
}

// accountOf finds who to run a program as. As root it is nobody unless the program says otherwise.
func accountOf(name string) (*account, error) {
	root := os.Geteuid() == 0
	if name == "" && !root {
		return nil, nil
	}
	if name == "" {
		name = "nobody"
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("user: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("user: %s: %w", name, err)
	}
	if !root {
		if int(uid) != os.Geteuid() {
			return nil, fmt.Errorf("user: only root can run a program as %s", name)
		}
		return nil, nil
	}
	a := &account{uid: uint32(uid), gid: uint32(gid)}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("user: %s: %w", name, err)
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			a.groups = append(a.groups, uint32(n))
		}
	}
	return a, nil
}

// Others says that others than root and the agent may change what stands at path, or a folder on the way there: what they
// write would be run, or say what is run.
func Others(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for at := real; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s: its owner is not known", at)
		}
		sticky := info.IsDir() && info.Mode()&os.ModeSticky != 0
		switch {
		case st.Uid != 0 && int(st.Uid) != os.Geteuid():
			return fmt.Errorf("%s belongs to another user (uid %d), who may change it", at, st.Uid)
		case info.Mode().Perm()&0o002 != 0 && !sticky:
			return fmt.Errorf("%s may be written by anybody: chmod o-w", at)
		case info.Mode().Perm()&0o020 != 0 && !sticky && st.Gid != 0 && int(st.Gid) != os.Getegid():
			return fmt.Errorf("%s may be written by its group (gid %d): chmod g-w", at, st.Gid)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}
