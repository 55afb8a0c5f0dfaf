package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/navcloud/binnacle/agent/words"
)

// A clock that goes back by more than the database takes late would leave the rules without a sample until it is where it had been; by
// less, the samples of two runs of the same minutes would stand between each other, and each counter would seem to be reset all the time.
// So the history of the time that has not come yet is set aside, and the database goes on from now.

const (
	aheadMost = outOfOrder + time.Minute // what others send may be ten minutes ahead, and is refused beyond that
	backMost  = 15 * time.Second         // what the clock may go back by, as it goes on, without any of that
	aheadName = "ahead"                  // holds, while the rest is read out of it, what is set aside
	lookAhead = time.Minute              // a history that has samples of the next minute was written by this clock's hours before
	longestOf = 2 * time.Hour            // no shipped rule counts over a longer time
)

// ahead is how far the newest sample lies ahead of the clock, and whether that is too far to take what comes.
func (d *disk) ahead(now time.Time) (by time.Duration, tooFar bool) {
	if d.fault.Load() != nil {
		return 0, false
	}
	_ = d.with(func(db *tsdb.DB) error { // not open: nothing is ahead
		by = time.UnixMilli(newestIn(db)).Sub(now)
		return nil
	})
	return by, by > aheadMost
}

// tooOld tells the loop that a sample was refused as too old, which the clock may be at fault for.
func (d *disk) tooOld() {
	select {
	case d.late <- struct{}{}:
	default: // it knows
	}
}

// followClock turns the history back where the clock went back.
func (d *disk) followClock() {
	if d.o.Clock == nil {
		return
	}
	now, shift := d.o.Clock(), d.o.shift()
	wentBack := d.shift-shift > backMost
	d.shift = shift
	if by, tooFar := d.ahead(now); tooFar || wentBack && by > backMost {
		d.turnBack(now, by)
	}
}

// turnBack sets aside what was stored for the time after now, and keeps the rest. Samples go into memory meanwhile.
func (d *disk) turnBack(now time.Time, by time.Duration) {
	why := fmt.Errorf("the clock went back by %s: what was stored of the time after %s is set aside",
		words.Duration(by), now.UTC().Format("2006-01-02 15:04:05 UTC"))
	d.fail(why)
	if err := d.reopenWithout(now); err != nil {
		d.log.Error("the history of the time after the clock's is not set aside", "err", err) // the loop tries to open it anew
		return
	}
	if err := d.keepUntil(now, by); err != nil {
		d.log.Error("the history of before the clock went back is not in view", "err", err)
	}
	d.aside(aheadName, why)
	_ = d.moveSpare() // it is logged there, and tried again
}

// reopenWithout closes the database, moves the head and the blocks of the time after now away, and opens it again.
func (d *disk) reopenWithout(now time.Time) error {
	d.gate.Lock()
	defer d.gate.Unlock()
	old := d.withdraw()
	if old == nil {
		return ErrOpening
	}
	move := append(d.named(snapshots), dirWAL, dirWBL, dirChunks)
	for _, b := range old.Blocks() {
		if b.MaxTime() > now.UnixMilli() {
			move = append(move, filepath.Base(b.Dir()))
		}
	}
	d.aside(aheadName, errors.New("left by an attempt before"))
	err := guard(old.Close)
	move = append(move, d.named(snapshots)...) // it wrote one more
	to := filepath.Join(d.dir, aheadName)
	err = errors.Join(err, os.Mkdir(to, 0o750))
	for _, name := range move {
		if e := os.Rename(filepath.Join(d.dir, name), filepath.Join(to, name)); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, d.openAgain())
}

// keepUntil copies what was moved away and is not of the time after now. Where the same hours are lived a second time, a gap as long as
// the clock went back stays before them: a counter that grew meanwhile would seem to have grown at once.
func (d *disk) keepUntil(now time.Time, by time.Duration) error {
	o := d.o
	o.Exemplars = 0
	old, _, err := openDB(filepath.Join(d.dir, aheadName), o, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = guard(old.Close) }() // it is only read
	if old.Head().NumSeries() > spareSeries {
		return fmt.Errorf("%d series are not copied, at most %d are", old.Head().NumSeries(), spareSeries)
	}
	until := now
	return guard(func() error {
		twice, err := hasSamples(old, now.Add(time.Second), now.Add(lookAhead))
		if err != nil {
			return err
		}
		if twice {
			until = now.Add(-min(by, longestOf))
		}
		oldest := old.Head().MinTime()
		for _, b := range old.Blocks() {
			oldest = min(oldest, b.MinTime())
		}
		d.mu.RLock()
		db := d.db
		d.mu.RUnlock()
		if db == nil {
			return ErrOpening
		}
		_, err = copySamples(old, db, oldest, until.UnixMilli()-1)
		return err
	})
}

func hasSamples(db *tsdb.DB, from, to time.Time) (bool, error) {
	q, err := db.Querier(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return false, err
	}
	defer func() { _ = q.Close() }()
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*"))
	for set.Next() {
		if set.At().Iterator(nil).Next() != chunkenc.ValNone {
			return true, nil
		}
	}
	return false, set.Err()
}
