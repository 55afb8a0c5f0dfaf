package host

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/common"

	"github.com/navcloud/binnacle/collectors"
)

// withRoot returns a context under which gopsutil reads below root what it would read below "/". Env.Root
// says the same to a collector's own reading.
func withRoot(ctx context.Context, r collectors.Root) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: r.Path("proc"),
		common.HostSysEnvKey:  r.Path("sys"),
		common.HostEtcEnvKey:  r.Path("etc"),
		common.HostVarEnvKey:  r.Path("var"),
		common.HostRunEnvKey:  r.Path("run"),
		common.HostDevEnvKey:  r.Path("dev"),
		common.HostRootEnvKey: string(r),
	})
}

// inContainer says whether /sys/fs/cgroup is a control group of its own and not the machine's: the
// root group of version 2 has no cgroup.type.
// Source: docs.kernel.org/admin-guide/cgroup-v2.html, "Core Interface Files", read November 2026.
func inContainer(root collectors.Root) bool { return root.Exists("sys/fs/cgroup/cgroup.type") }

// cgroupLimit reads a limit of the container's control group; ok is false where there is none ("max").
func cgroupLimit(root collectors.Root, name string) (v float64, ok bool) {
	v, err := root.Number("sys/fs/cgroup/" + name)
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
