package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// Options bound a ledger. The zero Options mean 90 days and 200,000 events.
type Options struct {
	Retention time.Duration // of events, of closed entries and of silences that ended
	MaxEvents int
	Timeout   time.Duration // for the lock of the file, 0 means 1 s; or of one call to NATS, 0 means 2 s
	// StandIn is the path of a second file, in memory, for the time in which the first cannot be written; empty: none.
	StandIn string
	Private func(dir string) error // makes the folder of StandIn, and sees that nobody else can reach it; nil: any will do
	Hang    time.Duration          // after which a write of the first file counts as failed, 0 means 1 s
	Damaged func(damage.Report)    // is called with what was damaged; may be nil
}

func (o Options) orDefault() Options {
	if o.Retention <= 0 {
		o.Retention = 90 * 24 * time.Hour
	}
	if o.MaxEvents <= 0 {
		o.MaxEvents = 200_000
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	if o.Hang <= 0 {
		o.Hang = time.Second
	}
	if o.Private == nil {
		o.Private = func(dir string) error { return os.MkdirAll(dir, 0o700) }
	}
	if o.Damaged == nil {
		o.Damaged = func(damage.Report) {}
	}
	return o
}

// bolt is a Ledger in a file, and in a second one while the first cannot be written.
type bolt struct {
	path string
	opts Options

	mu     sync.Mutex // one write at a time
	lease  Lease
	writes int
	mended int

	files sync.RWMutex // guards the following
	main  *file        // nil while it cannot be opened, or hangs
	stand *file        // nil in good times
	why   error        // main is not in use
	tried time.Time    // when it was last tried
	hung  *hung
}

// Open opens or makes the bbolt file at path. One process has it at a time, so that the lease is free as soon as the file
// is; another one gets ErrInUse. A damaged file is set aside under a name and a new one is begun with every record that can
// be read: what is lost costs at most a line in the pager's log, and a router that does not start costs a page. Where the
// file cannot be written, and Options.StandIn names another, that one takes its place until it can.
func Open(path string, o Options) (Ledger, error) {
	b := &bolt{path: path, opts: o.orDefault()}
	main, err := openFile(path, b.opts, b.opts.Damaged)
	if err == nil {
		b.main = main
		if err = b.takeBack(); err == nil {
			b.compact()
			return b, nil
		}
		_ = main.close()
		b.main = nil
	}
	if b.opts.StandIn == "" || !isDisk(err) {
		return nil, fmt.Errorf("ledger: open %s: %w", path, err)
	}
	if serr := b.useStandIn(err); serr != nil {
		return nil, fmt.Errorf("ledger: open %s: %w", path, errors.Join(err, serr))
	}
	return b, nil
}

// Close implements Ledger.
func (b *bolt) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files.Lock()
	defer b.files.Unlock()
	var errs []error
	for _, f := range []*file{b.main, b.stand} {
		if f != nil {
			errs = append(errs, f.close())
		}
	}
	b.main, b.stand = nil, nil
	return errors.Join(errs...)
}

// Acquire implements Ledger. The lease itself lives in memory: the lock of the file already keeps other
// processes out. The token is durable, so that it rises over restarts. A lease runs out on elapsed time: time.Now carries
// a monotonic reading, which a step of the clock does not move.
func (b *bolt) Acquire(_ context.Context, holder string, ttl time.Duration) (Lease, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.lease.Holder == holder && b.lease.Token > 0 {
		b.lease.Until = now.Add(ttl)
		return b.lease, nil
	}
	if b.lease.Token > 0 && now.Before(b.lease.Until) {
		return Lease{}, fmt.Errorf("%w: %s until %s", ErrHeld, b.lease.Holder, b.lease.Until.Format(time.RFC3339))
	}
	var token uint64
	err := b.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		token = max(number(meta.Get(keyToken)), b.lease.Token) + 1
		return meta.Put(keyToken, bytesOf(token))
	})
	if err != nil {
		return Lease{}, fmt.Errorf("ledger: acquire: %w", err)
	}
	b.lease = Lease{Holder: holder, Token: token, Until: now.Add(ttl)}
	return b.lease, nil
}

// Release implements Ledger.
func (b *bolt) Release(_ context.Context, l Lease) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.Token != b.lease.Token {
		return ErrFenced
	}
	b.lease.Until = time.Time{}
	b.lease.Holder = ""
	return nil
}

// stored is an entry on disk.
type stored struct {
	Revision uint64
	Entry
}

func entryKey(e Entry) []byte {
	if e.Shadow {
		return []byte("s/" + e.Record.Key)
	}
	return []byte("r/" + e.Record.Key)
}

// Load implements Ledger. A record that cannot be read is set aside and told; it refuses nothing.
func (b *bolt) Load(context.Context) (State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var st State
	var bad []badRecord
	load := func(tx *bbolt.Tx) error {
		st, bad = State{}, nil
		err := tx.Bucket(bucketEntries).ForEach(func(k, v []byte) error {
			var s stored
			if err := json.Unmarshal(v, &s); err != nil || string(entryKey(s.Entry)) != string(k) {
				bad = append(bad, badRecord{bucketEntries, slices.Clone(k), slices.Clone(v)})
				return nil
			}
			s.Entry.Revision = s.Revision
			st.Entries = append(st.Entries, s.Entry)
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Bucket(bucketSilences).ForEach(func(k, v []byte) error {
			var s alerting.Silence
			if err := json.Unmarshal(v, &s); err != nil || s.ID != string(k) {
				bad = append(bad, badRecord{bucketSilences, slices.Clone(k), slices.Clone(v)})
				return nil
			}
			st.Silences = append(st.Silences, s)
			return nil
		})
	}
	err := b.view(load)
	if errors.Is(err, errDamaged) {
		if err = b.mend(err); errors.Is(err, ErrMended) {
			err = b.view(load)
		}
	}
	if err != nil {
		return State{}, fmt.Errorf("ledger: load: %w", err)
	}
	if len(bad) > 0 {
		b.putAway(bad)
	}
	return b.withFirst(st), nil
}

type badRecord struct{ bucket, key, value []byte }

// maxBad bounds the records that are kept aside.
const maxBad = 1000

// putAway moves records that cannot be read out of the way, into a bucket of their own.
func (b *bolt) putAway(bad []badRecord) {
	err := b.update(func(tx *bbolt.Tx) error {
		damaged, err := tx.CreateBucketIfNotExists(bucketBad)
		if err != nil {
			return err
		}
		for i, r := range bad {
			if i < maxBad {
				if err := damaged.Put(append(append(slices.Clone(r.bucket), '/'), r.key...), r.value); err != nil {
					return err
				}
			}
			if err := tx.Bucket(r.bucket).Delete(r.key); err != nil {
				return err
			}
		}
		return nil
	})
	where := "in its bucket \"" + string(bucketBad) + "\""
	if err != nil {
		where = "where they were: " + err.Error()
	}
	b.opts.Damaged(damage.Report{
		Store: "ledger", What: fmt.Sprintf("records that make no sense, %q the first; they are %s", bad[0].key, where), Lost: len(bad), At: time.Now(),
	})
}

// Write implements Ledger. It errs with ErrMended where the file had to be begun anew, or another stands in for it now: who
// writes then writes all that it knows, and not what changed alone.
func (b *bolt) Write(_ context.Context, l Lease, batch Batch) ([]uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.Token != b.lease.Token || l.Token == 0 {
		return nil, ErrFenced
	}
	if err := b.comeBack(); err != nil {
		return nil, fmt.Errorf("ledger: write: %w", err)
	}
	var revs []uint64
	n, f := b.writes, b.serving()
	err := b.update(func(tx *bbolt.Tx) error {
		revs = make([]uint64, len(batch.Entries))
		for i, e := range batch.Entries {
			rev, err := putEntry(tx.Bucket(bucketEntries), e)
			if err != nil {
				return err
			}
			revs[i] = rev
		}
		for _, s := range batch.Silences {
			if err := putJSON(tx.Bucket(bucketSilences), []byte(s.ID), s); err != nil {
				return err
			}
		}
		if err := putEvents(tx.Bucket(bucketEvents), batch.Events); err != nil {
			return err
		}
		if n%pruneEvery == 0 {
			return f.prune(tx, b.opts, time.Now())
		}
		return nil
	})
	switch {
	case errors.Is(err, errDamaged):
		err = b.mend(err)
	case err != nil && !isOurs(err):
		err = b.failed(err)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: write: %w", err)
	}
	b.writes++
	return revs, nil
}

// isOurs says that err is about what was to be written, which another file would refuse too.
func isOurs(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrFenced)
}

func putEntry(bucket *bbolt.Bucket, e Entry) (uint64, error) {
	key := entryKey(e)
	var old struct{ Revision uint64 }
	if v := bucket.Get(key); v != nil && json.Unmarshal(v, &old) != nil {
		old.Revision = e.Revision // what cannot be read is replaced
	}
	if old.Revision != e.Revision {
		return 0, fmt.Errorf("%w: %s is at %d, not %d", ErrConflict, key, old.Revision, e.Revision)
	}
	s := stored{Revision: old.Revision + 1, Entry: e.bounded()}
	return s.Revision, putJSON(bucket, key, s)
}

func putEvents(bucket *bbolt.Bucket, events []Event) error {
	for _, e := range events {
		seq, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		e = e.bounded()
		e.Seq = seq
		if err := putJSON(bucket, bytesOf(seq), e); err != nil {
			return err
		}
	}
	return nil
}

func putJSON(bucket *bbolt.Bucket, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(data) > maxEntry {
		return fmt.Errorf("%w: %s", ErrTooLarge, key)
	}
	return bucket.Put(key, data)
}

// History implements Ledger. Lines that cannot be read are passed over.
func (b *bolt) History(_ context.Context, q Query) ([]Event, error) {
	b.files.RLock()
	open := []*file{b.stand, b.main} // the newer first
	b.files.RUnlock()
	var out []Event
	var errs []error
	for _, f := range open {
		if f == nil {
			continue
		}
		found, err := f.history(q, q.limit()-len(out))
		out, errs = append(out, found...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil && len(out) == 0 {
		return nil, fmt.Errorf("ledger: history: %w", err)
	}
	slices.Reverse(out)
	return out, nil
}

// history returns at most limit of the events that q asks for, newest first.
func (f *file) history(q Query, limit int) (out []Event, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		out = nil
		c := tx.Bucket(bucketEvents).Cursor()
		for k, v := c.Last(); k != nil && len(out) < limit; k, v = c.Prev() {
			var e Event
			if json.Unmarshal(v, &e) != nil {
				continue
			}
			// Clocks step back, so an event that is too old does not end the walk at once.
			if !q.Since.IsZero() && e.At.Before(q.Since.Add(-time.Hour)) {
				break
			}
			if q.wants(e) {
				out = append(out, e)
			}
		}
		return nil
	})
	return out, err
}

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func bytesOf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
