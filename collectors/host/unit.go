package host

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/navcloud/binnacle/collectors"
)

// StoppedInOrder asks the service manager whether a service that does not run was stopped and ended well. A service
// that it does not know is no such. Source: systemctl(1), systemd 252.
func StoppedInOrder(ctx context.Context, root collectors.Root, unit []string) (bool, error) {
	if len(unit) == 0 {
		return false, nil
	}
	if !root.Exists("run/systemd/system") {
		return false, nil // no systemd here
	}
	out, err := exec.CommandContext(ctx, unit[0], unit[1:]...).Output()
	if err != nil {
		return false, fmt.Errorf("%s: %w", strings.Join(unit, " "), err)
	}
	text := "\n" + string(out)
	has := func(line string) bool { return strings.Contains(text, "\n"+line+"\n") }
	return has("ActiveState=inactive") && has("Result=success") && !has("LoadState=not-found"), nil
}
