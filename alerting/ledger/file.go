package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/navcloud/binnacle/agent/damage"
)

// version of the file's layout.
const version = 1

var (
	bucketEntries  = []byte("entries")
	bucketSilences = []byte("silences")
	bucketEvents   = []byte("events")
	bucketMeta     = []byte("meta")
	bucketBad      = []byte("damaged") // records that could not be read, by bucket and key

	keyVersion = []byte("version")
	keyToken   = []byte("token")
)

// file is one open bbolt file. bbolt panics on pages that it cannot make sense of, and reads them from mapped memory, of
// which the kernel ends a process where the disk fails: so every call is guarded, and gives errDamaged.
type file struct {
	path string
	db   *bbolt.DB
	f    *os.File // bbolt's, which holds the lock

	sweep map[string][]byte // where the search for old records goes on, by bucket; of the write under way
}

var errDamaged = errors.New("the file is damaged")

// guard runs f and makes an error of its panics and of faults in mapped memory.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

func (f *file) update(fn func(tx *bbolt.Tx) error) error {
	return guard(func() error { return f.db.Update(fn) })
}

func (f *file) view(fn func(tx *bbolt.Tx) error) error {
	return guard(func() error { return f.db.View(fn) })
}

func (f *file) close() error { return guard(f.db.Close) }

// abandon gives the lock up without a word to bbolt, whose own locks a panic may have left closed. What it mapped stays, and
// would keep the lock if that were not given up by name.
func (f *file) abandon() {
	_ = syscall.Flock(int(f.f.Fd()), syscall.LOCK_UN)
	_ = f.f.Close()
}

// moved says that the path leads to another file now, or nowhere: somebody has put another in its place.
func (f *file) moved() bool {
	there, err := os.Stat(f.path)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	mine, err := f.f.Stat()
	return err == nil && !os.SameFile(there, mine)
}

// openFile opens or makes the file at path. It looks at the whole of it first: a damaged one is set aside under a name, a
// new one is begun with all records that can be read, and told is called.
func openFile(path string, o Options, told func(damage.Report)) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() && info.Mode()&os.ModeSymlink == 0 {
		if err := setAside(path, "a "+kindOf(info)+" is where the ledger was", nil, told); err != nil {
			return nil, err
		}
	}
	emptied := err == nil && info.Mode().IsRegular() && info.Size() == 0
	f, err := lockFile(path, o.Timeout)
	if err != nil {
		return nil, err
	}
	if emptied {
		told(damage.Report{Store: "ledger", What: "its file is empty: what was decided before is lost", At: time.Now()})
	}
	kept, err := examine(f, path, told)
	if err == nil && kept == nil {
		var out *file
		out, err = openSound(path, f, nil)
		if !errors.Is(err, errDamaged) && !errors.Is(err, ErrVersion) {
			return out, err
		}
		return begin(path, o, firstLine(err), told) // what a look at the pages did not show
	}
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	if f, err = lockFile(path, o.Timeout); err != nil {
		return nil, err
	}
	return openSound(path, f, kept)
}

// begin sets the file at path aside and begins a new one with all records that can be read.
func begin(path string, o Options, why string, told func(damage.Report)) (*file, error) {
	f, err := lockFile(path, o.Timeout)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	kept, err := asideWithRecords(f, path, why, told)
	if err != nil {
		return nil, err
	}
	fresh, err := lockFile(path, o.Timeout)
	if err != nil {
		return nil, err
	}
	return openSound(path, fresh, kept)
}

func kindOf(info os.FileInfo) string {
	if info.IsDir() {
		return "folder"
	}
	return "special file"
}

// lockFile opens path, or makes it, and takes the lock that bbolt takes too.
func lockFile(path string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for begun := time.Now(); ; time.Sleep(min(wait, 20*time.Millisecond)) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		if time.Since(begun) >= wait {
			err = ErrInUse
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// examine looks at the whole of a file that is not empty. kept is nil where all is well; else the file is aside.
func examine(f *os.File, path string, told func(damage.Report)) (kept *records, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	m, err := openImage(f, info.Size())
	if err == nil {
		err = guard(m.check)
	}
	if err == nil {
		return nil, nil
	}
	if isDisk(err) {
		return nil, err // of the disk, not of the file
	}
	return asideWithRecords(f, path, firstLine(err), told)
}

// asideWithRecords reads all records that it can and sets the file aside.
func asideWithRecords(f *os.File, path, what string, told func(damage.Report)) (*records, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, _ := openImage(f, info.Size()) // for the size of its pages
	kept := salvage(f, info.Size(), m.page)
	return kept, setAside(path, what, kept, told)
}

func setAside(path, what string, kept *records, told func(damage.Report)) error {
	aside, err := damage.Aside(path, time.Now())
	if err != nil {
		return fmt.Errorf("%s, and it cannot be set aside: %w", what, err)
	}
	r := damage.Report{Store: "ledger", What: what, Aside: aside, At: time.Now()}
	if kept != nil {
		r.Kept, r.Lost = kept.count(), kept.lost
	}
	told(r)
	return nil
}

func firstLine(err error) string {
	for i, c := range err.Error() {
		if c == '\n' {
			return err.Error()[:i]
		}
	}
	return err.Error()
}

// openSound opens what is locked in f, makes what is missing, and writes kept into it. It writes nothing where nothing is
// missing: a full disk is no reason not to read.
func openSound(path string, f *os.File, kept *records) (*file, error) {
	out := &file{path: path, f: f, sweep: map[string][]byte{}}
	err := guard(func() (err error) {
		out.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: time.Second, FreelistType: bbolt.FreelistMapType,
			OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		return err
	})
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	ready := false
	err = out.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil || tx.Bucket(bucketEntries) == nil || tx.Bucket(bucketSilences) == nil || tx.Bucket(bucketEvents) == nil {
			return nil
		}
		v := number(meta.Get(keyVersion))
		if v > version {
			return fmt.Errorf("%w: layout %d, and this one knows %d", ErrVersion, v, version)
		}
		ready = v == version
		return nil
	})
	if err == nil && (!ready || kept != nil) {
		err = out.update(func(tx *bbolt.Tx) error { return prepare(tx, kept) })
	}
	if err != nil {
		out.abandon()
		return nil, err
	}
	return out, nil
}

func prepare(tx *bbolt.Tx, kept *records) error {
	for _, b := range [][]byte{bucketEntries, bucketSilences, bucketEvents, bucketMeta} {
		if _, err := tx.CreateBucketIfNotExists(b); err != nil {
			return err
		}
	}
	if kept != nil {
		if err := kept.merge(tx, false); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyVersion, bytesOf(version))
}

// isDisk says that err is the disk's or the folder's, not what is in the file.
func isDisk(err error) bool {
	for _, e := range []error{
		syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EIO, syscall.EACCES, syscall.EPERM, syscall.EMFILE, syscall.ENFILE,
		syscall.ENOENT, syscall.ENOTDIR, syscall.ESTALE, syscall.ENODEV, syscall.ENXIO,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// readRecords reads the file at path, as far as it can be read, without opening it as a ledger: it may be on a disk that
// cannot be written, or be another's.
func readRecords(path string) (*records, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, err := openImage(f, info.Size())
	out := newRecords()
	if err == nil && m.walk(func(_, k, v []byte) { out.take(k, v) }) == nil {
		return out, nil
	}
	return salvage(f, info.Size(), m.page), nil
}
