package ledger

import (
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// A file is compacted when it is opened, where more than half of it, and this many bytes, are free.
const compactAbove = 16 << 20

// compact makes the first file small again. Where it cannot, the file stays as it is.
func (b *bolt) compact() {
	info, err := b.main.f.Stat()
	if err != nil || info.Size() < compactAbove {
		return
	}
	m, err := openImage(b.main.f, info.Size())
	if err != nil || m.walk(func(_, _, _ []byte) {}) != nil || m.freePages() < m.end/2 {
		return
	}
	tmp := b.path + ".compact"
	_ = os.Remove(tmp) // of a try that was killed
	f, err := lockFile(tmp, b.opts.Timeout)
	if err != nil {
		return
	}
	small := &file{path: b.path, f: f, sweep: map[string][]byte{}}
	err = guard(func() (err error) {
		small.db, err = bbolt.Open(tmp, 0o600, &bbolt.Options{
			Timeout: time.Second, FreelistType: bbolt.FreelistMapType, OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		if err != nil {
			return err
		}
		if err := bbolt.Compact(small.db, b.main.db, 8<<20); err != nil {
			return err
		}
		return os.Rename(tmp, b.path)
	})
	if err != nil {
		_ = f.Close()
		_ = os.Remove(tmp)
		return
	}
	old := b.main
	b.main = small
	_ = old.close()
}
