package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/navcloud/binnacle/alerting"
)

// Options bound a ledger. The zero Options mean 90 days and 200,000 events.
type Options struct {
	Retention time.Duration // of events, of closed entries and of silences that ended
	MaxEvents int
	Timeout   time.Duration // for the lock of the file, 0 means 1 s; or of one call to NATS, 0 means 2 s
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
	return o
}

var (
	bucketEntries  = []byte("entries")
	bucketSilences = []byte("silences")
	bucketEvents   = []byte("events")
	bucketMeta     = []byte("meta")

	keyVersion = []byte("version")
	keyToken   = []byte("token")
)

// version of the file's layout.
const version = 1

// pruneEvery is the number of writes between two looks at what is too old, and pruneBatch bounds what one
// of them deletes, so that no write is long.
const (
	pruneEvery = 128
	pruneBatch = 1000
)

type bolt struct {
	db   *bbolt.DB
	opts Options

	mu     sync.Mutex
	lease  Lease
	writes int
}

// Open opens or makes the bbolt file at path. One process has it at a time, so that the lease is free
// as soon as the file is. A file that is damaged is put aside as path.damaged and a new one is begun:
// its loss costs at most a log entry at the pager, and a router that does not start costs a page.
func Open(path string, o Options) (Ledger, error) {
	o = o.orDefault()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	db, err := open(path, o)
	if isDamaged(err) {
		if err := os.Rename(path, path+".damaged"); err != nil {
			return nil, fmt.Errorf("ledger: put the damaged file aside: %w", err)
		}
		db, err = open(path, o)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: open %s: %w", path, err)
	}
	return &bolt{db: db, opts: o}, nil
}

func isDamaged(err error) bool {
	for _, e := range []error{bolterrors.ErrInvalid, bolterrors.ErrChecksum, bolterrors.ErrVersionMismatch, errPanic} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

var errPanic = errors.New("the file is damaged")

// open makes the buckets as well. bbolt panics on pages that it cannot make sense of.
func open(path string, o Options) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			if db != nil {
				_ = db.Close()
			}
			db, err = nil, fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: o.Timeout, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{bucketEntries, bucketSilences, bucketEvents, bucketMeta} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if v := meta.Get(keyVersion); v != nil && number(v) > version {
			return ErrVersion
		}
		return meta.Put(keyVersion, bytesOf(version))
	})
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

func (b *bolt) Close() error { return b.db.Close() }

// Acquire implements Ledger. The lease itself lives in memory: the lock of the file already keeps other
// processes out. The token is durable, so that it rises over restarts.
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
	err := b.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if v := meta.Get(keyToken); v != nil {
			token = number(v)
		}
		token++
		return meta.Put(keyToken, bytesOf(token))
	})
	if err != nil {
		return Lease{}, fmt.Errorf("ledger: acquire: %w", err)
	}
	b.lease = Lease{Holder: holder, Token: token, Until: now.Add(ttl)}
	return b.lease, nil
}

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

func (b *bolt) Load(context.Context) (State, error) {
	var st State
	err := b.db.View(func(tx *bbolt.Tx) error {
		err := tx.Bucket(bucketEntries).ForEach(func(k, v []byte) error {
			var s stored
			if err := json.Unmarshal(v, &s); err != nil {
				return fmt.Errorf("entry %q: %w", k, err)
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
			if err := json.Unmarshal(v, &s); err != nil {
				return fmt.Errorf("silence %q: %w", k, err)
			}
			st.Silences = append(st.Silences, s)
			return nil
		})
	})
	if err != nil {
		return State{}, fmt.Errorf("ledger: load: %w", err)
	}
	return st, nil
}

func (b *bolt) Write(_ context.Context, l Lease, batch Batch) ([]uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.Token != b.lease.Token || l.Token == 0 {
		return nil, ErrFenced
	}
	revs := make([]uint64, len(batch.Entries))
	err := b.db.Update(func(tx *bbolt.Tx) error {
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
		if b.writes%pruneEvery == 0 {
			return b.prune(tx, time.Now())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: write: %w", err)
	}
	b.writes++
	return revs, nil
}

func putEntry(bucket *bbolt.Bucket, e Entry) (uint64, error) {
	key := entryKey(e)
	var old struct{ Revision uint64 }
	if v := bucket.Get(key); v != nil {
		if err := json.Unmarshal(v, &old); err != nil {
			return 0, fmt.Errorf("entry %q: %w", key, err)
		}
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

func (b *bolt) History(_ context.Context, q Query) ([]Event, error) {
	var out []Event
	err := b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketEvents).Cursor()
		for k, v := c.Last(); k != nil && len(out) < q.limit(); k, v = c.Prev() {
			var e Event
			if err := json.Unmarshal(v, &e); err != nil {
				return fmt.Errorf("event %d: %w", number(k), err)
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
	if err != nil {
		return nil, fmt.Errorf("ledger: history: %w", err)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, nil
}

func number(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

func bytesOf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
