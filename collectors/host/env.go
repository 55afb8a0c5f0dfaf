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
