package agent

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/navcloud/binnacle/agent/damage"
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

// lockFile in the data folder is locked by who uses it.
const lockFile = "agent.lock"

// folder is where store, ledger and spools are: the configured folder, or what stands in for it while that cannot be written.
// One agent at a time has it.
type folder struct {
	want string
	log  *slog.Logger

	mu    sync.Mutex
	at    string
	err   error // why want cannot be used
	locks []*os.File
}

// openFolder finds the folder that serves and takes it. That another agent has it is an error.
func openFolder(want string, log *slog.Logger) (*folder, error) {
	f := &folder{want: want, log: log}
	if err := f.lock(want); err != nil {
		return nil, err
	}
	if f.at, f.err = dataDir(want); f.at != want {
		if err := f.lock(f.at); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	f.tell()
	return f, nil
}

// lock takes dir, or says who has it. What cannot be locked for another reason is left to who writes there.
func (f *folder) lock(dir string) error {
	if os.MkdirAll(dir, 0o750) != nil {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil
	}
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		who, _ := io.ReadAll(io.LimitReader(file, 20))
		return errors.Join(fmt.Errorf("data: %s is in use by another binnacle (process %s); --data takes another folder", dir, strings.TrimSpace(string(who))), file.Close())
	case err != nil:
		return file.Close()
	}
	_ = file.Truncate(0) // the number is for people alone
	_, _ = fmt.Fprintln(file, os.Getpid())
	f.locks = append(f.locks, file)
	return nil
}

func (f *folder) close() error {
	var errs []error
	for _, l := range f.locks {
		errs = append(errs, l.Close())
	}
	f.locks = nil
	return errors.Join(errs...)
}

// dir is the folder that serves.
func (f *folder) dir() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// fault says why the configured folder does not serve.
func (f *folder) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// leave lets another folder stand in from now on, since err came up when the configured one was used: a disk can have room
// for a probe and none for a database. It says whether that is so.
func (f *folder) leave(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || !unwritable(err) {
		return false
	}
	at := standIn(f.want)
	if at == f.want || f.lock(at) != nil {
		return false
	}
	f.at, f.err = at, err
	f.tell()
	return true
}

func (f *folder) tell() {
	if f.err != nil {
		f.log.Error("the data folder cannot be written: history, ledger and spools are elsewhere, and gone with a reboot; mend it and restart",
			"data", f.want, "err", f.err, "instead", f.at)
	}
}

// everybodys says whether every user of the machine can write into the folder.
func (f *folder) everybodys() bool {
	info, err := os.Stat(f.dir())
	return err == nil && info.Mode().Perm()&0o002 != 0
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
	return belongs(info, os.Geteuid())
}

func belongs(info os.FileInfo, uid int) bool {
	of, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(of.Uid) == uid
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
	return ledger.Open(filepath.Join(want, ledgerFile), ledgerOptions(want, told))
}

func ledgerOptions(want string, told func(damage.Report)) ledger.Options {
	return ledger.Options{StandIn: filepath.Join(standIns(want)[0], ledgerFile), Private: private, Damaged: told}
}

// systemData is the folder of root and of the user that a package makes. The commands of root look there.
const systemData = "/var/lib/binnacle"

// defaultData is the system's folder for root and for who owns it, else one of the user's own. One that an agent has used stays. Who has
// no home has no default: a folder below /tmp may be anybody's.
func defaultData() string {
	own := ownData()
	switch {
	case os.Geteuid() == 0:
		return systemData
	case own != "" && exists(own):
		return own
	case owned(systemData, os.Geteuid()):
		return systemData
	}
	return own
}

// ownData is the folder below the home of the user.
func ownData() string {
	if dir, err := os.UserCacheDir(); err == nil && filepath.IsAbs(dir) {
		return filepath.Join(dir, "binnacle")
	}
	if u, err := user.Current(); err == nil { // as the system knows it, where HOME is not set
		if info, err := os.Stat(u.HomeDir); err == nil && info.IsDir() && u.HomeDir != "/" {
			return filepath.Join(u.HomeDir, ".cache", "binnacle")
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// owned says whether path is a folder of the user.
func owned(path string, uid int) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() && belongs(info, uid)
}
