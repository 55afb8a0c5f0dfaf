package agent

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// The folder that serves while Data cannot be written is mostly memory, hence small bounds, in bytes.
const (
	standInStore = 128 << 20
	standInSpool = 32 << 20
)

// probeSize is what must find room in the data folder at the start, in bytes: less than the store writes at once.
const probeSize = 1 << 20

const (
	ledgerFile = "ledger.db"
	totalsFile = "totals.json" // the running totals, while no agent runs
)

// openData finds the folder that serves, and opens the store in it. A disk can have room for a probe and none
// for a database.
func (a *Agent) openData() error {
	a.data, a.dataErr = dataDir(a.cfg.Data)
	a.series = series.New(series.Options{Interval: a.cfg.Interval})
	if !a.cfg.Store.Off {
		var err error
		a.store, err = a.openStore()
		if err != nil && a.dataErr == nil && unwritable(err) {
			a.data, a.dataErr = standIn(a.cfg.Data), err
			a.store, err = a.openStore()
		}
		if err != nil {
			return err
		}
	}
	if a.dataErr != nil {
		a.log.Error("the data folder cannot be written: history, ledger and spools are elsewhere, and gone with a reboot; mend it and restart",
			"data", a.cfg.Data, "err", a.dataErr, "instead", a.data)
	}
	if err := a.series.Load(filepath.Join(a.data, totalsFile)); err != nil {
		a.log.Warn("totals of an earlier run are not used", "err", err)
	}
	a.openPlanner()
	a.openRollup()
	return nil
}

func (a *Agent) openStore() (*store.Store, error) {
	o := store.Options{Retention: a.cfg.Store.Retention, RetentionSize: a.cfg.Store.RetentionSize, Interval: a.cfg.Interval, Series: a.series, Log: a.log}
	if a.dataErr != nil {
		o.RetentionSize = min(o.RetentionSize, standInStore)
	}
	return store.Open(filepath.Join(a.data, "store"), o)
}

func (a *Agent) closeStore() error {
	var errs []error
	if err := a.series.Save(filepath.Join(a.data, totalsFile)); err != nil {
		a.log.Warn("totals begin at zero with the next start", "err", err)
	}
	for _, s := range []*store.Store{a.store, a.kept, a.long} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// dataDir returns want when it can be written. Otherwise it returns a folder that stands in for it, and
// why: a full disk is when the agent is needed most. The stand-in is the same for the same want, so that a restart finds
// what it left. The ledger is none of its business: that has a stand-in of its own, in the same folder.
func dataDir(want string) (string, error) {
	err := writable(want)
	if err == nil {
		leaveStandIns(want)
		return want, nil
	}
	return standIn(want), err
}

// writable makes dir and tries to write into it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".write-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeSize))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// unwritable says that err is the disk's, which another folder cures.
func unwritable(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EIO, syscall.EACCES, syscall.EPERM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// standIns are the folders that may stand in for want, the best first. Who else may write beside them cannot
// know what a random name would hide either, so they are taken only when they are ours alone.
func standIns(want string) []string {
	if abs, err := filepath.Abs(want); err == nil {
		want = abs
	}
	name := fmt.Sprintf("binnacle-%d-%x", os.Geteuid(), sha256.Sum256([]byte(want)))[:32]
	return []string{filepath.Join("/dev/shm", name), filepath.Join(os.TempDir(), name)}
}

// ours says that dir is a folder that only this user can reach.
func ours(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// standIn makes a folder that can be written in place of want. Where none can, it returns want: the parts then say what
// they miss.
func standIn(want string) string {
	for _, dir := range standIns(want) {
		if private(dir) == nil && writable(dir) == nil {
			return dir
		}
	}
	return want
}

// private makes dir, or sees that it is a folder that only this user can reach.
func private(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !ours(dir) {
		return fmt.Errorf("%s: %w, and it is not ours alone", dir, err)
	}
	return nil
}

// leaveStandIns deletes what an earlier life kept in place of dir, but for the ledger, which takes that back itself.
func leaveStandIns(dir string) {
	for _, old := range standIns(dir) {
		if !ours(old) {
			continue
		}
		names, err := os.ReadDir(old)
		if err != nil {
			continue
		}
		for _, n := range names {
			if n.Name() != ledgerFile {
				_ = os.RemoveAll(filepath.Join(old, n.Name())) // tried again at the next start
			}
		}
		_ = os.Remove(old) // where it is empty
	}
}

// openLedger opens the ledger in the configured folder, with a second file in memory for when that cannot be written.
func openLedger(want string, told func(damage.Report)) (ledger.Ledger, error) {
	return ledger.Open(filepath.Join(want, ledgerFile), ledger.Options{
		StandIn: filepath.Join(standIns(want)[0], ledgerFile), Private: private, Damaged: told,
	})
}
