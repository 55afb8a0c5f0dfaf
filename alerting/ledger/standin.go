package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// Standing is what a Ledger also is that may have had to go to another place.
type Standing interface {
	// StandsIn returns why the ledger is not where it should be, and where it is; nil in good times.
	StandsIn() (where string, why error)
}

// Bounds of the way to the stand-in and back.
const (
	comeBackEvery = 5 * time.Second
	probeSize     = 1 << 20 // bytes that must find room before the first file is written again
	maxMended     = 5       // of one life: a disk that damages what is written again and again is no place for a ledger
)

var (
	errHangs  = errors.New("a write hangs")
	errClosed = errors.New("the ledger is closed")
	errWorn   = errors.New("it was damaged again and again")
)

// StandsIn implements Standing.
func (b *bolt) StandsIn() (where string, why error) {
	b.files.RLock()
	defer b.files.RUnlock()
	if b.stand == nil {
		return "", nil
	}
	return b.stand.path, b.why
}

// update writes to the file that serves. A write of the first file that hangs is left behind; b.mu is held.
func (b *bolt) update(fn func(tx *bbolt.Tx) error) error {
	f := b.serving()
	switch {
	case f == nil:
		return errClosed
	case b.stand != nil:
		return f.update(fn)
	}
	done := make(chan error, 1)
	go func() { done <- f.update(fn) }()
	late := time.NewTimer(b.opts.Hang)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
	}
	b.files.Lock()
	defer b.files.Unlock()
	b.main, b.hung = nil, &hung{f, done}
	return fmt.Errorf("%w for more than %v", errHangs, b.opts.Hang)
}

// hung is a file of which a write has not come back.
type hung struct {
	file *file
	done chan error
}

// view reads the file that serves.
func (b *bolt) view(fn func(tx *bbolt.Tx) error) error {
	f := b.serving()
	if f == nil {
		return errClosed
	}
	return f.view(fn)
}

// serving is the file that serves, nil where there is none.
func (b *bolt) serving() *file {
	b.files.RLock()
	defer b.files.RUnlock()
	if b.stand != nil {
		return b.stand
	}
	return b.main
}

// failed goes over to the stand-in, where there is one; b.mu is held.
func (b *bolt) failed(err error) error {
	if b.opts.StandIn == "" || b.stand != nil {
		return err
	}
	if serr := b.useStandIn(err); serr != nil {
		return errors.Join(err, serr)
	}
	return fmt.Errorf("%w: %w", ErrMended, err)
}

// useStandIn opens the second file. What a life before left in it stays.
func (b *bolt) useStandIn(why error) error {
	o := b.opts
	if err := o.Private(filepath.Dir(o.StandIn)); err != nil {
		return fmt.Errorf("its stand-in: %w", err)
	}
	f, err := openFile(o.StandIn, o, o.Damaged)
	if err != nil {
		return fmt.Errorf("its stand-in: %w", err)
	}
	err = f.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		return meta.Put(keyToken, bytesOf(max(number(meta.Get(keyToken)), b.lease.Token)))
	})
	if err != nil {
		return fmt.Errorf("its stand-in: %w", errors.Join(err, f.close()))
	}
	b.files.Lock()
	defer b.files.Unlock()
	b.stand, b.why, b.tried = f, why, time.Now()
	return nil
}

// comeBack goes back to the first file once that can be written, and takes along what happened meanwhile. It also sees
// where somebody put another file in the place of the first. b.mu is held.
func (b *bolt) comeBack() error {
	if b.stand == nil {
		if b.main != nil && b.main.moved() {
			return b.replaced()
		}
		return nil
	}
	if time.Since(b.tried) < comeBackEvery {
		return nil
	}
	b.tried = time.Now()
	if !b.reopenMain() {
		return nil
	}
	recs, err := readRecords(b.stand.path)
	if err != nil {
		return nil // the stand-in serves on
	}
	main := b.main
	done := make(chan error, 1)
	go func() { done <- main.update(func(tx *bbolt.Tx) error { return recs.merge(tx, true) }) }()
	late := time.NewTimer(b.opts.Hang)
	defer late.Stop()
	select {
	case err = <-done:
	case <-late.C:
		b.files.Lock()
		b.main, b.hung = nil, &hung{main, done}
		b.files.Unlock()
		return nil
	}
	if err != nil { // it is opened anew the next time
		b.files.Lock()
		b.main, b.why = nil, err
		b.files.Unlock()
		_ = main.close()
		return nil
	}
	b.files.Lock()
	defer b.files.Unlock()
	stand := b.stand
	b.stand, b.why = nil, nil
	_ = stand.close()
	_ = b.removeStandIn() // what is left is merged once more at the next start, which changes no entry
	return ErrMended
}

// reopenMain says whether the first file is open and its folder has room.
func (b *bolt) reopenMain() bool {
	if b.hung != nil {
		select {
		case <-b.hung.done:
			b.files.Lock()
			b.main, b.hung = b.hung.file, nil
			b.files.Unlock()
		default:
			return false
		}
	}
	ok := make(chan *file, 1)
	main, path, o := b.main, b.path, b.opts
	go func() { // a disk that hangs may hang here too
		f := main
		if f == nil {
			var err error
			if f, err = openFile(path, o, o.Damaged); err != nil {
				ok <- nil
				return
			}
		}
		if probe(filepath.Dir(path)) != nil {
			if main == nil {
				_ = f.close() // it was opened just now: its lock goes with it
			}
			f = nil
		}
		ok <- f
	}()
	late := time.NewTimer(b.opts.Hang)
	defer late.Stop()
	select {
	case f := <-ok:
		if f == nil {
			return false
		}
		b.files.Lock()
		b.main = f
		b.files.Unlock()
		return true
	case <-late.C:
		if main == nil {
			go func() { // what opens after all holds a lock that the next try needs
				if f := <-ok; f != nil {
					_ = f.close()
				}
			}()
		}
		return false
	}
}

// probe says whether dir has room for what a ledger writes at once.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".ledger-probe-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeSize))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// replaced begins a file anew where somebody moved or removed the one in use, and takes over what that held.
func (b *bolt) replaced() error {
	old := b.main
	recs := newRecords()
	_ = old.view(func(tx *bbolt.Tx) error { // what cannot be read, who writes knows
		for _, name := range [][]byte{bucketEntries, bucketSilences, bucketEvents, bucketMeta} {
			if err := tx.Bucket(name).ForEach(func(k, v []byte) error { recs.take(k, v); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	f, err := openFile(b.path, b.opts, b.opts.Damaged)
	if err == nil {
		err = f.update(func(tx *bbolt.Tx) error { return recs.merge(tx, false) })
	}
	if err != nil {
		return b.failed(err)
	}
	_ = old.close()
	b.files.Lock()
	b.main = f
	b.files.Unlock()
	b.opts.Damaged(damage.Report{Store: "ledger", What: "its file was moved or removed while it was in use; it was written anew", Kept: recs.count(), At: time.Now()})
	return ErrMended
}

// mend begins a file anew that turned out to be damaged while it was in use, with all records that can be read; b.mu is
// held. It returns ErrMended, or why it could not.
func (b *bolt) mend(why error) error {
	b.files.Lock()
	at := &b.main
	if b.stand != nil {
		at = &b.stand
	}
	f := *at
	if f != nil {
		f.abandon()
	}
	*at = nil
	b.files.Unlock()
	if f == nil {
		return why
	}
	fresh, err := b.anew(f.path, why)
	if err != nil {
		return b.failed(errors.Join(why, err))
	}
	b.files.Lock()
	*at = fresh
	b.files.Unlock()
	return fmt.Errorf("%w: %w", ErrMended, why)
}

func (b *bolt) anew(path string, why error) (*file, error) {
	if b.mended++; b.mended > maxMended {
		return nil, errWorn
	}
	return begin(path, b.opts, firstLine(why), b.opts.Damaged)
}

// takeBack merges what a stand-in of an earlier life holds into the first file.
func (b *bolt) takeBack() error {
	if b.opts.StandIn == "" {
		return nil
	}
	if _, err := os.Lstat(b.opts.StandIn); err != nil || b.opts.Private(filepath.Dir(b.opts.StandIn)) != nil {
		return nil // there is none, or others could have put it there
	}
	recs, err := readRecords(b.opts.StandIn)
	if err != nil {
		return nil // tried again at the next start
	}
	if recs.count() > 0 || recs.token > 0 {
		if err := b.main.update(func(tx *bbolt.Tx) error { return recs.merge(tx, true) }); err != nil {
			return err
		}
	}
	return b.removeStandIn()
}

// removeStandIn removes the second file, and its folder where that is empty.
func (b *bolt) removeStandIn() error {
	if err := os.Remove(b.opts.StandIn); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(b.opts.StandIn)) // others may have something in it
	return nil
}

// withFirst adds to what a stand-in holds what can be read of the first file.
func (b *bolt) withFirst(st State) State {
	if b.stand == nil || b.hung != nil {
		return st
	}
	recs, err := readRecords(b.path)
	if err != nil {
		return st
	}
	have := map[string]int{}
	for i, e := range st.Entries {
		have[string(entryKey(e))] = i
	}
	for key, s := range recs.entries {
		i, ok := have[key]
		switch {
		case !ok:
			s.Entry.Revision = 0
			st.Entries = append(st.Entries, s.Entry)
		case s.Record.UpdatedAt.After(st.Entries[i].Record.UpdatedAt):
			s.Entry.Revision = st.Entries[i].Revision
			st.Entries[i] = s.Entry
		}
	}
	silences := map[string]alerting.Silence{}
	for _, s := range st.Silences {
		silences[s.ID] = s
	}
	for id, s := range recs.silences {
		if have, ok := silences[id]; !ok || s.UpdatedAt.After(have.UpdatedAt) {
			silences[id] = s
		}
	}
	st.Silences = st.Silences[:0]
	for _, s := range silences {
		st.Silences = append(st.Silences, s)
	}
	return st
}
