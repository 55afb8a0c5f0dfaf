package collectors

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/common"
)

// WithRoot returns a context under which gopsutil reads below root what it would read below "/". The
// schedule gives it to every Collect; Env.Root says the same to a collector's own reading.
func WithRoot(ctx context.Context, root string) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: filepath.Join(root, "proc"),
		common.HostSysEnvKey:  filepath.Join(root, "sys"),
		common.HostEtcEnvKey:  filepath.Join(root, "etc"),
		common.HostVarEnvKey:  filepath.Join(root, "var"),
		common.HostRunEnvKey:  filepath.Join(root, "run"),
		common.HostDevEnvKey:  filepath.Join(root, "dev"),
		common.HostRootEnvKey: root,
	})
}

// maxHostFile bounds what is read of one file, in bytes. /proc/1/mountinfo of a host with a thousand
// containers has some 500 kB.
const maxHostFile = 4 << 20

// hostFS reads below Env.Root.
type hostFS string

func (root hostFS) path(name string) string { return filepath.Join(string(root), name) }

func (root hostFS) read(name string) (string, error) {
	f, err := os.Open(root.path(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxHostFile))
	return string(b), err
}

// number reads a file that holds one number.
func (root hostFS) number(name string) (float64, error) {
	text, err := root.read(name)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: want a number, have %.40q", name, text)
	}
	return v, nil
}

func (root hostFS) exists(name string) bool {
	_, err := os.Stat(root.path(name))
	return err == nil
}

// glob returns the names below root that match, without the root.
func (root hostFS) glob(pattern string) []string {
	paths, _ := filepath.Glob(root.path(pattern)) // the pattern is ours, so it is well-formed
	for i, p := range paths {
		paths[i], _ = filepath.Rel(string(root), p)
	}
	return paths
}

// inContainer says whether /sys/fs/cgroup is a control group of its own and not the machine's: the
// root group of version 2 has no cgroup.type.
// Source: docs.kernel.org/admin-guide/cgroup-v2.html, "Core Interface Files", read November 2026.
func (root hostFS) inContainer() bool { return root.exists("sys/fs/cgroup/cgroup.type") }

// cgroupLimit reads a limit of the container's control group; ok is false where there is none ("max").
func (root hostFS) cgroupLimit(name string) (v float64, ok bool) {
	v, err := root.number("sys/fs/cgroup/" + name)
	return v, err == nil
}

// keyValues yields the lines "key value" whose value is a number.
func keyValues(text string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err == nil && !yield(key, v) {
				return
			}
		}
	}
}
