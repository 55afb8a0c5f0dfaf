package ledger

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/navcloud/binnacle/alerting"
)

// records are what could be read of a file.
type records struct {
	entries  map[string]stored // by their key in the file
	silences map[string]alerting.Silence
	events   map[uint64]Event
	token    uint64
	lost     int // elements and pages that had the form of a record and could not be read
}

func newRecords() *records {
	return &records{entries: map[string]stored{}, silences: map[string]alerting.Silence{}, events: map[uint64]Event{}}
}

func (r *records) count() int { return len(r.entries) + len(r.silences) + len(r.events) }

// salvage reads all that still looks like a record out of a damaged file, whatever tree it once hung on. Of an older and a
// newer form of one record, both of which stand in a file for a while, it keeps the newer one. What had been deleted may
// come back: such records are old, and are pruned again.
func salvage(r io.ReaderAt, size int64, first int64) *records {
	best := newRecords()
	size = min(size, maxScan)
	for _, page := range []int64{first, int64(os.Getpagesize()), 4 << 10, 16 << 10, 64 << 10} {
		got := scan(r, size, page)
		if got.count() > best.count() || best.count() == 0 && got.lost > best.lost {
			best = got
		}
		if page == first && best.count() > 0 {
			break
		}
	}
	return best
}

// scan takes each page for a leaf and keeps what has the form of a record.
func scan(r io.ReaderAt, size, page int64) *records {
	out := newRecords()
	b := make([]byte, page)
	for id := int64(2); (id+1)*page <= size || id*page < size; id++ {
		n, err := r.ReadAt(b[:page], id*page)
		if err != nil && err != io.EOF {
			out.lost++ // a disk that cannot be read here may be elsewhere
			continue
		}
		whole := b[:n]
		if n < headSize || binary.LittleEndian.Uint64(whole) != uint64(id) || binary.LittleEndian.Uint16(whole[8:]) != flagLeaf {
			continue
		}
		if over := int64(binary.LittleEndian.Uint32(whole[12:])); over > 0 && over*page <= 4*maxEntry {
			whole = make([]byte, (over+1)*page)
			n, _ = r.ReadAt(whole, id*page) // what there is
			whole = whole[:max(n, 0)]
		}
		out.leaf(whole, true)
	}
	return out
}

// leaf takes the records of one page. Small buckets stand within the value of an element.
func (r *records) leaf(b []byte, outer bool) {
	err := elements(b, func(e element) {
		switch {
		case e.branch:
		case e.flags&elemBucket == 0:
			r.take(e.key, e.value)
		case outer && len(e.value) > bucketSize && binary.LittleEndian.Uint64(e.value) == 0:
			r.leaf(e.value[bucketSize:], false)
		}
	})
	if err != nil {
		r.lost++
	}
}

// take keeps one record, by its form: keys of entries begin with r/ or s/, those of events are numbers, those of
// silences are in the silence.
func (r *records) take(k, v []byte) {
	key := string(k)
	switch {
	case key == string(keyToken):
		r.token = max(r.token, number(v))
	case key == string(keyVersion):
	case strings.HasPrefix(key, "r/") || strings.HasPrefix(key, "s/"):
		var s stored
		if json.Unmarshal(v, &s) != nil || string(entryKey(s.Entry)) != key {
			r.lost++
			return
		}
		if old, ok := r.entries[key]; !ok || newer(s, old) {
			r.entries[key] = s
		}
	case len(k) == 8:
		var e Event
		if json.Unmarshal(v, &e) != nil || e.Seq != number(k) {
			r.lost++
			return
		}
		r.events[e.Seq] = e
	default:
		var s alerting.Silence
		if json.Unmarshal(v, &s) != nil || s.ID != key {
			r.lost++
			return
		}
		if old, ok := r.silences[key]; !ok || !s.UpdatedAt.Before(old.UpdatedAt) {
			r.silences[key] = s
		}
	}
}

// newer says whether a says more recent things than b, of the same key.
func newer(a, b stored) bool {
	if !a.Record.UpdatedAt.Equal(b.Record.UpdatedAt) {
		return a.Record.UpdatedAt.After(b.Record.UpdatedAt)
	}
	return a.Revision >= b.Revision
}

// merge writes r into tx, where tx has nothing newer. With after, the events come after those that tx has; else they have
// their own numbers.
func (r *records) merge(tx *bbolt.Tx, after bool) error {
	entries, silences, events, meta := tx.Bucket(bucketEntries), tx.Bucket(bucketSilences), tx.Bucket(bucketEvents), tx.Bucket(bucketMeta)
	for key, s := range r.entries {
		var have stored
		if v := entries.Get([]byte(key)); v != nil && json.Unmarshal(v, &have) == nil {
			if !newer(s, have) {
				continue
			}
			s.Revision = max(s.Revision, have.Revision+1) // who believed in the old one is told of the conflict
		}
		if err := putJSON(entries, []byte(key), s); err != nil {
			return err
		}
	}
	for key, s := range r.silences {
		var have alerting.Silence
		if v := silences.Get([]byte(key)); v != nil && json.Unmarshal(v, &have) == nil && have.UpdatedAt.After(s.UpdatedAt) {
			continue
		}
		if err := putJSON(silences, []byte(key), s); err != nil {
			return err
		}
	}
	if err := r.mergeEvents(events, after); err != nil {
		return err
	}
	token := r.token
	if v := meta.Get(keyToken); v != nil {
		token = max(token, number(v))
	}
	return meta.Put(keyToken, bytesOf(token))
}

func (r *records) mergeEvents(bucket *bbolt.Bucket, after bool) error {
	last := bucket.Sequence()
	for _, seq := range slices.Sorted(maps.Keys(r.events)) {
		e := r.events[seq]
		if after {
			e.Seq = last + 1
		}
		last = max(last, e.Seq)
		if err := putJSON(bucket, bytesOf(e.Seq), e); err != nil {
			return err
		}
	}
	return bucket.SetSequence(last)
}
