// Package lines is a hash table for lines that come again: a client repeats the same bytes but for the value.
//
// Its key is a hash of 64 bits, and nothing else of the line is kept or compared: a comparison would cost as much as the
// rest of the look-up together, since the bytes are far from the processor. The hash has a secret of this process, which
// no sender can learn, so that the odds hold against those who mean ill: that any two of n different lines are taken for
// one has a chance of n²/2⁶⁵, for 400,000 lines 1 in 200 million.
//
// A place in the table is not promised. A line whose places are all taken replaces one of them, and who misses a line
// finds its series by the long way and puts it in again. So a table never grows by what clients make up.
package lines

import (
	"hash/maphash"
	"math/bits"
)

var seed = maphash.MakeSeed()

// Hash returns the key of a line whose value stands between head and tail. It is never 0.
func Hash(head, tail []byte) uint64 {
	return max(bits.RotateLeft64(maphash.Bytes(seed, head), 17)^maphash.Bytes(seed, tail), 1)
}

// probes is in how many neighbouring places a key may stand: two cache lines or three of small values.
const probes = 8

// Table holds values by key. The zero Table is empty and ready.
type Table[V any] struct {
	slots []slot[V] // their number is a power of two
}

type slot[V any] struct {
	key   uint64 // 0: it is free
	value V
}

// Get returns the value of a key, for reading and changing in place until the next Put, or nil.
func (t *Table[V]) Get(key uint64) *V {
	mask := uint64(len(t.slots) - 1)
	for i := range uint64(min(probes, len(t.slots))) {
		s := &t.slots[(key+i)&mask]
		if s.key == key {
			return &s.value
		}
		if s.key == 0 {
			return nil
		}
	}
	return nil
}

// Put sets the value of a key, which is not 0.
func (t *Table[V]) Put(key uint64, v V) {
	if len(t.slots) == 0 {
		t.slots = make([]slot[V], 64)
	}
	mask := uint64(len(t.slots) - 1)
	for i := range uint64(probes) {
		if s := &t.slots[(key+i)&mask]; s.key == 0 || s.key == key {
			*s = slot[V]{key, v}
			return
		}
	}
	t.slots[key&mask] = slot[V]{key, v}
}

// Room makes room for n values, two places or more for each, and gives room back that n needs no more.
func (t *Table[V]) Room(n int) {
	if want := size(n); want > len(t.slots) || want < len(t.slots)/4 {
		t.remake(want, func(*V) bool { return true })
	}
}

// Keep removes the values that keep does not want.
func (t *Table[V]) Keep(keep func(v *V) bool) { t.remake(len(t.slots), keep) }

func (t *Table[V]) remake(size int, keep func(v *V) bool) {
	old := t.slots
	t.slots = make([]slot[V], size)
	for i := range old {
		if s := &old[i]; s.key != 0 && keep(&s.value) {
			t.Put(s.key, s.value)
		}
	}
}

// size is the least number of places for n values.
func size(n int) int { return 1 << bits.Len(uint(max(2*n-1, 63))) }
