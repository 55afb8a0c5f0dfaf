package collectors

import (
	"context"
	"path/filepath"

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
