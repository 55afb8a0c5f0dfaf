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

	refused tooMuch

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
	late   chan struct{}         // likewise: a sample of now was too old
	told   bool                  // that nothing is kept in memory; of the loop alone
	shift  time.Duration         // of the clock, when the loop looked last; likewise
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
		o: o, dir: dir, shift: o.shift(), log: o.Log.With("part", "store", "dir", filepath.Base(dir)),
		ready: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{}), failed: make(chan error, 1), late: make(chan struct{}, 1),
	}
}

// open opens the database, and sets aside what of it is damaged.
func (d *disk) open() error {
	db, reg, err := d.openSound()
	if err != nil {
		return err
	}
	d.aside(aheadName, errors.New("the process ended while the history of the time after the clock's was set aside"))
	d.mu.Lock()
	d.db, d.reg = db, reg
	d.era++
	d.mu.Unlock()
	close(d.ready)
	go d.run()
	return nil
}

// openDB opens the database in a folder as it is.
func openDB(dir string, o Options, log *slog.Logger) (*tsdb.DB, *prometheus.Registry, error) {
	to := tsdb.DefaultOptions()
	to.RetentionDuration = o.Retention.Milliseconds()
	to.MaxBytes = o.RetentionSize
	to.MinBlockDuration, to.MaxBlockDuration = blocks(o)
	to.StripeSize = stripeSize
	to.WALCompression = compression.Snappy
	to.WALSegmentSize = 16 << 20
	to.OutOfOrderTimeWindow = outOfOrder.Milliseconds()
	to.EnableSTAsZeroSample = true
	to.EnableExemplarStorage, to.MaxExemplars = o.Exemplars > 0, int64(o.Exemplars)
	to.EnableMemorySnapshotOnShutdown = true            // a start then reads the snapshot and not the whole log
	to.HeadChunksWriteBufferSize = 64 << 10             // the library's default of 4 MiB is for big servers
	to.NoLockfile = true                                // ours spans several openings
	to.BlockReloadInterval = 100 * 365 * 24 * time.Hour // the loop here does it
	reg := prometheus.NewRegistry()
	var db *tsdb.DB
	err := guard(func() (err error) {
		db, err = tsdb.Open(dir, inDetail(log), reg, to, nil)
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
		case <-d.late:
			d.followClock()
		case <-maintain.C:
			d.maintain()
		case <-probe.C:
			d.followClock()
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
