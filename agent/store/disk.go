package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

// disk is a database in a folder. While that cannot be written, the database stays readable and a second one in memory
// takes what comes: queries read both. Once there is room again, the first is opened anew and gets what the second holds.
//
// The library's own background work is off: a write of it that fails panics in a goroutine of its own, which ends the
// process. The loop here does the same work, each minute, where a panic is caught.
// Source: tsdb v0.316, head_append.go, handleChunkWriteError, and db.go, DB.run; read 30 November 2026.
type disk struct {
	o   Options
	dir string
	log *slog.Logger

	ready chan struct{} // closed once db is open
	quit  chan struct{}
	ended sync.Once
	done  chan struct{}

	// gate is held for reading by who reads the database, for writing while it is closed: a mapped chunk must not be
	// read after that. Who holds mu does not wait for the gate.
	gate  sync.RWMutex
	mu    sync.RWMutex // held for reading while a querier or an appender is made
	db    *tsdb.DB     // nil while it is not open
	reg   *prometheus.Registry
	spare *tsdb.DB // nil in good times
	lock  *os.File
	era   uint64 // rises each time that appends go elsewhere; see tag

	fault  atomic.Pointer[fault] // nil in good times
	failed chan error            // to the loop
	told   bool                  // that nothing is kept in memory; of the loop alone
}

// fault is why the folder is not written.
type fault struct {
	err   error
	since time.Time
}

// Bounds of the second database, and the loop.
const (
	spareSeries  = 100_000
	spareTime    = 2 * time.Hour
	maintainEach = time.Minute
	probeEach    = 5 * time.Second
	probeSize    = 1 << 20 // bytes that must find room before the folder is written again
	roomToMap    = 2 << 20 // bytes that must be free before chunks are written out
	settled      = 5 * time.Minute
	maxPause     = 5 * time.Minute
	copySpan     = 10 * time.Minute // of samples that are copied at once
)

// ErrOpening says that the history is still being read.
var ErrOpening = errors.New("the history is being read")

func newDisk(dir string, o Options) *disk {
	return &disk{
		o: o, dir: dir, log: o.Log.With("part", "store", "dir", filepath.Base(dir)),
		ready: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{}), failed: make(chan error, 1),
	}
}

// open opens the database, and sets aside what of it is damaged.
func (d *disk) open() error {
	db, reg, err := d.openSound()
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.db, d.reg = db, reg
	d.era++
	d.mu.Unlock()
	close(d.ready)
	go d.run()
	return nil
}

// openDB opens the database as it is.
func (d *disk) openDB() (*tsdb.DB, *prometheus.Registry, error) {
	to := tsdb.DefaultOptions()
	to.RetentionDuration = d.o.Retention.Milliseconds()
	to.MaxBytes = d.o.RetentionSize
	to.MinBlockDuration, to.MaxBlockDuration = blocks(d.o)
	to.StripeSize = stripeSize
	to.WALCompression = compression.Snappy
	to.WALSegmentSize = 16 << 20
	to.OutOfOrderTimeWindow = outOfOrder.Milliseconds()
	to.EnableSTAsZeroSample = true
	to.EnableMemorySnapshotOnShutdown = true            // a start then reads the snapshot and not the whole log
	to.HeadChunksWriteBufferSize = 64 << 10             // the library's default of 4 MiB is for big servers
	to.NoLockfile = true                                // ours spans several openings
	to.BlockReloadInterval = 100 * 365 * 24 * time.Hour // the loop here does it
	reg := prometheus.NewRegistry()
	var db *tsdb.DB
	err := guard(func() (err error) {
		db, err = tsdb.Open(d.dir, d.log, reg, to, nil)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	db.DisableCompactions() // likewise
	return db, reg, nil
}

var (
	errPanic  = errors.New("panic")
	errCommit = errors.New("in a commit")
)

// guard runs f and makes an error of its panics and of faults in mapped memory, of which the kernel ends a process else.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
			if e, ok := p.(error); ok {
				err = fmt.Errorf("%w: %w", errPanic, e)
			}
		}
	}()
	return f()
}

// isDisk says that err is the disk's or the folder's, which is no damage to what is in it.
func isDisk(err error) bool {
	for _, e := range []error{
		syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EIO, syscall.EACCES, syscall.EPERM, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// run does what the library would in the background, and goes to the second database and back.
func (d *disk) run() {
	defer close(d.done)
	maintain := time.NewTicker(maintainEach)
	defer maintain.Stop()
	probe := time.NewTicker(probeEach)
	defer probe.Stop()
	back := pause{}
	for {
		select {
		case <-d.quit:
			return
		case err := <-d.failed:
			d.fail(err)
		case <-maintain.C:
			d.maintain()
		case <-probe.C:
			if f := d.fault.Load(); f != nil {
				d.useSpare(f.err)
				if back.over(time.Now()) {
					d.comeBack(&back)
				}
			}
		}
	}
}

// pause is the time before the next try to go back, longer each time that the last one did not hold.
type pause struct {
	wait  time.Duration
	until time.Time
	came  time.Time // back
}

func (p *pause) over(now time.Time) bool { return !now.Before(p.until) }

// again notes a try that failed, or that the folder failed again soon after one that had not.
func (p *pause) again(now time.Time) {
	p.wait = min(max(2*p.wait, probeEach), maxPause)
	p.until = now.Add(p.wait)
}

// maintain writes out full chunks and cuts blocks. Where there is hardly any room it leaves that.
func (d *disk) maintain() {
	d.mu.RLock()
	db, spare := d.db, d.spare
	d.mu.RUnlock()
	if spare != nil {
		d.trimSpare(spare)
		return
	}
	if free, err := room(d.dir); err == nil && free < roomToMap {
		return
	}
	err := guard(func() error {
		db.ForceHeadMMap()
		return db.Compact(context.Background())
	})
	switch {
	case err == nil:
	case isDisk(err) || errors.Is(err, errPanic):
		d.fail(err)
	default:
		d.log.Error("the history is not compacted", "err", err)
	}
}

// trimSpare forgets what is older than the second database may be.
func (d *disk) trimSpare(spare *tsdb.DB) {
	head := spare.Head()
	if oldest := head.MaxTime() - spareTime.Milliseconds(); head.MinTime() < oldest {
		if err := guard(func() error { return head.Truncate(oldest) }); err != nil {
			d.log.Error("the history in memory is not bounded", "err", err)
		}
	}
}

// room is how many bytes are free in dir.
func room(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// broken tells the loop that a commit failed.
func (d *disk) broken(err error) {
	select {
	case d.failed <- err:
	default: // it knows
	}
}

// fail lets the second database take what comes.
func (d *disk) fail(why error) {
	if d.fault.Load() != nil {
		return
	}
	d.fault.Store(&fault{why, time.Now()})
	d.told = false
	if errors.Is(why, errCommit) {
		// A panic in a commit may have left the lock of a series closed, at which every reader of it would wait for ever.
		d.mu.Lock()
		d.db = nil
		d.mu.Unlock()
	}
	d.useSpare(why)
}

// useSpare lets the second database take what comes, where there is none yet.
func (d *disk) useSpare(why error) {
	d.mu.RLock()
	there := d.spare != nil
	d.mu.RUnlock()
	if there {
		return
	}
	spare, err := d.openSpare()
	if err != nil {
		if !d.told {
			d.told = true
			d.log.Error("history not written, nor kept in memory", "err", why, "memory", err)
		}
		return
	}
	d.mu.Lock()
	d.spare = spare
	d.era++
	d.mu.Unlock()
	d.log.Error("history not written; it is kept in memory until it can be", "err", why)
}

func (d *disk) openSpare() (*tsdb.DB, error) {
	if d.o.Spare == nil {
		return nil, errors.New("there is no folder for it")
	}
	dir, err := d.o.Spare()
	if err != nil {
		return nil, err
	}
	_ = os.RemoveAll(dir) // of a life before, in memory alone
	to := tsdb.DefaultOptions()
	to.WALSegmentSize = -1 // none
	to.NoLockfile = true
	to.MinBlockDuration, to.MaxBlockDuration = 4*spareTime.Milliseconds(), 4*spareTime.Milliseconds() // it is never cut
	to.StripeSize = stripeSize
	to.OutOfOrderTimeWindow = outOfOrder.Milliseconds()
	to.HeadChunksWriteBufferSize = 64 << 10
	to.BlockReloadInterval = 100 * 365 * 24 * time.Hour
	var db *tsdb.DB
	err = guard(func() (err error) {
		db, err = tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, to, nil)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	db.DisableCompactions()
	return db, nil
}

// comeBack opens the database anew where its folder can be written again: its log ends in the middle of what failed, which
// only an opening repairs. Then it gets what the second one holds.
func (d *disk) comeBack(p *pause) {
	if err := probeDir(d.dir); err != nil {
		p.wait = 0
		return
	}
	if err := d.reopen(); err != nil {
		d.log.Error("history not written: the folder has room, and the database does not open", "err", err)
		p.again(time.Now())
		return
	}
	if err := d.moveSpare(); err != nil {
		if d.fault.Load() != nil {
			p.again(time.Now())
			return
		}
	}
	if now := time.Now(); now.Sub(p.came) < settled {
		p.again(now)
	}
	p.came = time.Now()
}

// probeDir says whether dir has room for what the database writes at once.
func probeDir(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeSize))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// reopen closes the database and opens it again. Queries wait meanwhile.
func (d *disk) reopen() error {
	d.gate.Lock()
	defer d.gate.Unlock()
	d.mu.Lock()
	old := d.db
	d.db = nil
	d.mu.Unlock()
	if old != nil {
		if err := guard(old.Close); err != nil {
			d.log.Debug("closing the database that could not be written", "err", err)
		}
	}
	db, reg, err := d.openSound()
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.db, d.reg = db, reg
	d.mu.Unlock()
	return nil
}

// moveSpare copies what the second database holds into the first, and ends the second.
func (d *disk) moveSpare() error {
	d.mu.RLock()
	db, spare := d.db, d.spare
	d.mu.RUnlock()
	since := d.fault.Load().since
	refused := 0
	move := func(from, to int64) error {
		n, err := copySamples(spare, db, from, to)
		refused += n
		return err
	}
	if spare != nil {
		// Most of it while appends go on to the second; the rest while they wait.
		last := spare.Head().MaxTime()
		err := guard(func() error { return move(spare.Head().MinTime(), last) })
		if err == nil {
			d.mu.Lock()
			err = guard(func() error { return move(last+1, spare.Head().MaxTime()) })
			if err == nil {
				d.spare, d.era = nil, d.era+1
				d.fault.Store(nil)
			}
			d.mu.Unlock()
		}
		if err != nil {
			d.log.Warn("history not written again yet", "err", err)
			return err
		}
		d.closeSpare(spare)
	} else {
		d.mu.Lock()
		d.era++
		d.fault.Store(nil)
		d.mu.Unlock()
	}
	select {
	case <-d.failed: // of before
	default:
	}
	d.log.Info("history written again", "after", time.Since(since).Round(time.Second), "samples_refused", refused)
	return nil
}

func (d *disk) closeSpare(spare *tsdb.DB) {
	d.gate.Lock()
	defer d.gate.Unlock()
	dir := spare.Dir()
	if err := errors.Join(guard(spare.Close), os.RemoveAll(dir)); err != nil {
		d.log.Debug("closing the history in memory", "err", err)
	}
	_ = os.Remove(filepath.Dir(dir)) // where it is empty
}

// failing returns why the folder is not written, and since when; nil in good times.
func (d *disk) failing() (since time.Time, err error) {
	if f := d.fault.Load(); f != nil {
		return f.since, f.err
	}
	return time.Time{}, nil
}

func (d *disk) close() error {
	d.ended.Do(func() { close(d.quit) })
	select {
	case <-d.ready:
		<-d.done
	default: // it was never open
	}
	d.mu.Lock()
	db, spare := d.db, d.spare
	d.db, d.spare = nil, nil
	d.mu.Unlock()
	var errs []error
	if db != nil {
		if err := guard(db.Close); d.fault.Load() == nil {
			errs = append(errs, err) // else it is known
		}
	}
	if spare != nil {
		d.closeSpare(spare)
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
		d.lock = nil
	}
	return errors.Join(errs...)
}

var (
	_ storage.AppendableV2   = (*disk)(nil)
	_ storage.Queryable      = (*disk)(nil)
	_ storage.ChunkQueryable = (*disk)(nil)
)
