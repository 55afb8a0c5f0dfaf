package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// key names a document.
type key struct{ kind, user, id string }

// record is a document as stored. Deleting writes a record without a body: a key that a store really
// deletes can come back from a replica that was away.
type record struct {
	Version uint64          `json:"version"` // 1 for the first; 0: never written
	At      int64           `json:"at"`      // nanoseconds since 1970
	Deleted bool            `json:"deleted,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// newer orders records of one document: by version, then time, then bytes, so that all nodes choose
// the same.
func (r record) newer(o record) bool {
	if r.Version != o.Version {
		return r.Version > o.Version
	}
	if r.At != o.At {
		return r.At > o.At
	}
	return string(r.Body) > string(o.Body)
}

// store keeps records.
type store interface {
	get(ctx context.Context, k key) (record, error)
	// swap writes the record that next makes of the one that is there, unless next refuses with an error, which it returns
	// with the record that is there. No other write comes between: what it has acknowledged is never dropped. next may be
	// called more than once. Any other error says that it is not known whether the record was written.
	swap(ctx context.Context, k key, next func(old record) (record, error)) (record, error)
	// apply takes what another node wrote, where the store does not replicate.
	apply(ctx context.Context, k key, r record) error
	// replicates says whether other nodes see what is written.
	replicates() bool
	close() error
}

func openStore(cfg Config) (store, error) {
	if cfg.Riak != "" {
		return newRiakStore(cfg.Riak)
	}
	return openFile(cfg.Data)
}

// fileStore is the embedded store, of one process. It keeps up with other nodes by their events
// alone: what it missed while it was away it does not have.
type fileStore struct{ db *bbolt.DB }

var fileBuckets = []string{"trips", "favourites"}

func openFile(path string) (*fileStore, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, // for the lock: another process has the file
		// A lost minute of a demonstration's trips is no loss; a sync for each PUT would make the disk the limit.
		NoSync: true,
	})
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range fileBuckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), db.Close())
	}
	return &fileStore{db}, nil
}

func (k key) path() []byte { return []byte(k.user + "/" + k.id) } // neither holds a slash

func (s *fileStore) get(_ context.Context, k key) (r record, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		r, err = fileRecord(tx, k)
		return err
	})
	return r, err
}

func fileRecord(tx *bbolt.Tx, k key) (r record, err error) {
	if v := tx.Bucket([]byte(k.kind)).Get(k.path()); v != nil {
		err = json.Unmarshal(v, &r)
	}
	return r, err
}

func putFileRecord(tx *bbolt.Tx, k key, r record) error {
	v, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return tx.Bucket([]byte(k.kind)).Put(k.path(), v)
}

func (s *fileStore) swap(_ context.Context, k key, next func(record) (record, error)) (r record, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		old, err := fileRecord(tx, k)
		if err != nil {
			return err
		}
		if r, err = next(old); err != nil {
			r = old
			return err
		}
		return putFileRecord(tx, k, r)
	})
	return r, err
}

func (s *fileStore) apply(_ context.Context, k key, r record) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		if have, err := fileRecord(tx, k); err == nil && have.newer(r) {
			return nil // an event that came late
		}
		return putFileRecord(tx, k, r)
	})
}

func (s *fileStore) replicates() bool { return false }
func (s *fileStore) close() error     { return errors.Join(s.db.Sync(), s.db.Close()) }
