package ledger

import (
	"encoding/json"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/navcloud/binnacle/alerting"
)

// pruneEvery is the number of writes between two looks at what is too old. pruneBatch bounds the events that one of them
// deletes, pruneLook the entries and the silences that it reads: the next goes on where it ended. So no write is long,
// however much there is.
const (
	pruneEvery = 128
	pruneBatch = 1000
	pruneLook  = 200
)

// prune deletes what is older than the retention or more than the limit. Open entries stay, however old.
func (f *file) prune(tx *bbolt.Tx, o Options, now time.Time) error {
	limit := now.Add(-o.Retention)
	if err := pruneEvents(tx.Bucket(bucketEvents), o.MaxEvents, limit); err != nil {
		return err
	}
	err := f.pruneWhere(tx, bucketEntries, func(v []byte) bool {
		var s stored
		return json.Unmarshal(v, &s) == nil && !s.Record.Open && s.Record.UpdatedAt.Before(limit)
	})
	if err != nil {
		return err
	}
	return f.pruneWhere(tx, bucketSilences, func(v []byte) bool {
		var s alerting.Silence
		return json.Unmarshal(v, &s) == nil && s.EndsAt.Before(limit)
	})
}

func pruneEvents(bucket *bbolt.Bucket, most int, limit time.Time) error {
	c := bucket.Cursor()
	first, _ := c.First()
	if first == nil {
		return nil
	}
	// Sequence numbers have no holes but at the front.
	over := int(bucket.Sequence()-number(first)) + 1 - most
	var old [][]byte
	for k, v := c.First(); k != nil && len(old) < pruneBatch; k, v = c.Next() {
		var e Event
		if len(old) >= over && json.Unmarshal(v, &e) == nil && !e.At.Before(limit) {
			break
		}
		old = append(old, slices.Clone(k))
	}
	return deleteAll(bucket, old)
}

// pruneWhere collects before it deletes: a cursor must not see its bucket change.
func (f *file) pruneWhere(tx *bbolt.Tx, name []byte, old func(v []byte) bool) error {
	var keys [][]byte
	bucket := tx.Bucket(name)
	c := bucket.Cursor()
	k, v := c.Seek(f.sweep[string(name)])
	for n := 0; k != nil && n < pruneLook; n++ {
		if old(v) {
			keys = append(keys, slices.Clone(k))
		}
		k, v = c.Next()
	}
	f.sweep[string(name)] = slices.Clone(k) // nil at the end: from the beginning
	return deleteAll(bucket, keys)
}

func deleteAll(bucket *bbolt.Bucket, keys [][]byte) error {
	for _, k := range keys {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
