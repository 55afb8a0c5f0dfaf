package host

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/collectors"
)

// mount is a line of mountinfo. Names are bytes as the kernel has them: they need not be UTF-8.
type mount struct {
	id, parent string
	dev        string // major:minor of the file system, the one name that is its own
	root       string // what of it is mounted
	point      string
	fstype     string
	source     string
	readonly   bool // the mount, or all of the file system
}

// errMount says that a line is no mount.
var errMount = errors.New("want a mount")

// parseMount reads "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue". The fields stand one
// space apart, so that an empty source is a field too; spaces in them are escaped.
// Source: proc_pid_mountinfo(5); show_mountinfo of fs/proc_namespace.c, Linux 6.1, read 30 November 2026.
func parseMount(line string) (mount, error) {
	f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	const optional = 6
	if len(f) < optional {
		return mount{}, fmt.Errorf("%w, have %.120q", errMount, line)
	}
	dash := slices.Index(f[optional:], "-")
	if dash < 0 || len(f) < optional+dash+4 || !strings.Contains(f[2], ":") || !strings.HasPrefix(f[4], "/") {
		return mount{}, fmt.Errorf("%w, have %.120q", errMount, line)
	}
	r := f[optional+dash+1:]
	super := hasOption(r[len(r)-1], "ro")
	return mount{
		id: f[0], parent: f[1], dev: f[2], root: unescapeMount(f[3]), point: unescapeMount(f[4]),
		fstype: r[0], source: unescapeMount(r[1]), readonly: super || hasOption(f[5], "ro"),
	}, nil
}

func hasOption(options, want string) bool { return slices.Contains(strings.Split(options, ","), want) }

// unescapeMount turns \040 into a space, and the like.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1], s[i+2], s[i+3]) {
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func octal(digits ...byte) bool {
	for i, d := range digits {
		if d < '0' || d > '7' || i == 0 && d > '3' {
			return false
		}
	}
	return true
}

// readMounts returns all mounts. A line that is none costs itself alone and is handed to reject; where no line is a mount
// the first of them is the error.
func readMounts(root collectors.Root, reject func(reason, line string)) ([]mount, error) {
	// Of process 1, because the service manager may show us a world of our own (ProtectSystem=strict).
	name := "proc/1/mountinfo"
	text, err := root.Read(name)
	if err != nil {
		name = "proc/self/mountinfo"
		if text, err = root.Read(name); err != nil {
			return nil, err
		}
	}
	var out []mount
	var first error
	for line := range strings.Lines(text) {
		m, err := parseMount(line)
		if err != nil {
			first = cmp.Or(first, fmt.Errorf("%s: %w", name, err))
			reject("mount", line)
			continue
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, first
	}
	return out, nil
}

// volume is a file system and the mounts that show it, the best to look at first.
type volume struct {
	mounts []mount
}

// volumes groups mounts by file system. One that is mounted more than once (bind mounts, subvolumes) counts where it can be
// written, there where its own root is, else at the shortest path.
func volumes(mounts []mount) []volume {
	slices.SortStableFunc(mounts, func(a, b mount) int {
		return cmp.Or(cmp.Compare(a.dev, b.dev), compareBool(a.readonly, b.readonly), compareBool(a.root != "/", b.root != "/"),
			compareBool(runtimeFile(a.point), runtimeFile(b.point)), cmp.Compare(len(a.point), len(b.point)), cmp.Compare(a.point, b.point))
	})
	var out []volume
	for _, m := range mounts {
		if n := len(out); n > 0 && out[n-1].mounts[0].dev == m.dev {
			out[n-1].mounts = append(out[n-1].mounts, m)
			continue
		}
		out = append(out, volume{[]mount{m}})
	}
	return out
}

// runtimeFile reports whether a container runtime mounts a file of the machine's disk there: any folder of that disk names
// it better.
func runtimeFile(point string) bool {
	return slices.Contains([]string{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log"}, point)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// readonly reports whether the file system can be written nowhere.
func (d volume) readonly() bool { return d.mounts[0].readonly }

// labels name the disk in valid UTF-8: what is not is refused by every destination, with all that is sent beside it.
func (d volume) labels() []string {
	m := d.mounts[0]
	return []string{"mountpoint", collectors.Label(m.point), "device", collectors.Label(m.source)}
}
