package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/authority"
)

// Undo takes back what setup and join made. Data and ledger stay, unless Purge says that they go too.
type Undo struct {
	Place
	Purge bool
}

// Run takes it back. What is not there is no error.
func (u Undo) Run(w World) error {
	place, err := u.absolute()
	if err != nil {
		return err
	}
	u.Place = place
	j := &job{World: w, Place: u.Place}
	if err := j.rights(); err != nil {
		return err
	}
	if u.Purge {
		if err := purgeable(u.Data); err != nil {
			return err
		}
	}
	if j.ours() && j.Systemd {
		if err := j.Run("systemctl", "disable", "--now", unit); err != nil && !strings.Contains(err.Error(), "not exist") && !strings.Contains(err.Error(), "not loaded") {
			return err
		}
	}
	if running(u.Data) {
		return fmt.Errorf("an agent runs with %s: stop it first; nothing was taken away", u.Data)
	}
	gone := []string{
		j.fragment(), j.client(), j.web(), j.secret("pagerduty"), j.secret("commands"), j.secret("router-token"),
		authority.NodeOf(u.Data).Dir, authority.Dir(u.Data), filepath.Join(u.Data, "tokens.yaml"),
	}
	if text, err := os.ReadFile(u.Config); err == nil && string(text) == stub {
		gone = append(gone, u.Config)
	}
	if u.Purge {
		gone = append(gone, u.Data)
	}
	errs := []error{j.sweep(time.Now())}
	for _, path := range gone {
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			errs = append(errs, err)
			continue
		}
		j.changed = true
		fmt.Fprintf(j.Out, "  gone  %s\n", path)
	}
	switch {
	case errors.Join(errs...) != nil:
		return errors.Join(errs...)
	case !j.changed:
		j.say("There was nothing to take back.")
	case u.Purge:
		j.say("Data and ledger are deleted. The user %s stays, and what you wrote into the configuration.", systemUser)
	default:
		j.say("Data and ledger stay in %s (--purge deletes them). Nodes that joined have to join again.", u.Data)
	}
	return nil
}

// purgeable errs for a folder that cannot be one of ours: what is deleted does not come back.
func purgeable(data string) error {
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	abs, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	for _, name := range []string{"agent.lock", "ledger.db", "authority", "tls"} {
		if _, err := os.Stat(filepath.Join(abs, name)); err == nil && strings.Count(abs, "/") > 1 {
			return nil
		}
	}
	if left, err := os.ReadDir(abs); err == nil && len(left) == 0 {
		return nil
	}
	return fmt.Errorf("--purge: %s does not look like a data folder of binnacle; nothing was taken away", abs)
}
