package ledger

import (
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"

	"github.com/navcloud/binnacle/alerting"
)

// prune deletes what is older than the retention or more than the limit, at most pruneBatch of each.
// Open entries stay, however old.
func (b *bolt) prune(tx *bbolt.Tx, now time.Time) error {
	limit := now.Add(-b.opts.Retention)
	if err := b.pruneEvents(tx.Bucket(bucketEvents), limit); err != nil {
		return err
	}
	err := pruneWhere(tx.Bucket(bucketEntries), func(v []byte) bool {
		var s stored
		return json.Unmarshal(v, &s) != nil || !s.Record.Open && s.Record.UpdatedAt.Before(limit)
	})
	if err != nil {
		return err
	}
	return pruneWhere(tx.Bucket(bucketSilences), func(v []byte) bool {
		var s alerting.Silence
		return json.Unmarshal(v, &s) != nil || s.EndsAt.Before(limit)
	})
}

func (b *bolt) pruneEvents(bucket *bbolt.Bucket, limit time.Time) error {
	c := bucket.Cursor()
	first, _ := c.First()
	if first == nil {
		return nil
	}
	// Sequence numbers have no holes but at the front.
	over := int(bucket.Sequence()-number(first)) + 1 - b.opts.MaxEvents
	var old [][]byte
	for k, v := c.First(); k != nil && len(old) < pruneBatch; k, v = c.Next() {
		var e Event
		if len(old) >= over && json.Unmarshal(v, &e) == nil && !e.At.Before(limit) {
			break
		}
		old = append(old, append([]byte(nil), k...))
	}
	return deleteAll(bucket, old)
}

// pruneWhere collects before it deletes: a cursor must not see its bucket change.
func pruneWhere(bucket *bbolt.Bucket, old func(v []byte) bool) error {
	var keys [][]byte
	c := bucket.Cursor()
	for k, v := c.First(); k != nil && len(keys) < pruneBatch; k, v = c.Next() {
		if old(v) {
			keys = append(keys, append([]byte(nil), k...))
		}
	}
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
