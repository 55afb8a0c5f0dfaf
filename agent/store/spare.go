package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/tsdb"
)

// The second database: how it comes into force, what moves back out of it, and its end.

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
	if old := d.withdraw(); old != nil {
		if err := guard(old.Close); err != nil {
			d.log.Debug("closing the database that could not be written", "err", err)
		}
	}
	return d.openAgain()
}

// withdraw takes the database away from all who ask it; nil: it was not open.
func (d *disk) withdraw() *tsdb.DB {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.db
	d.db = nil
	return old
}

// openAgain gives back a database that was withdrawn and closed.
func (d *disk) openAgain() error {
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
