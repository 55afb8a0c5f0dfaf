package statsd

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// notes names what a person may want to mend at a client: names that are lost, or were claimed. It is bounded, and
// forgets what has not happened for an hour.
type notes struct {
	mu sync.Mutex
	by map[noteKey]*note
}

type noteKey struct{ what, name string }

type note struct {
	lines uint64
	last  int64 // ns
}

const (
	maxNotes  = 50
	showNotes = 5
	noteFor   = time.Hour
)

func (n *notes) add(now int64, what, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := noteKey{what, name}
	e := n.by[key]
	if e == nil {
		if len(n.by) >= maxNotes {
			for k, e := range n.by {
				if now-e.last > int64(noteFor) {
					delete(n.by, k)
				}
			}
			if len(n.by) >= maxNotes {
				return
			}
		}
		e = &note{}
		if n.by == nil {
			n.by = map[noteKey]*note{}
		}
		n.by[key] = e
	}
	e.lines++
	e.last = now
}

// list returns the notes of the last hour, those of most lines first.
func (n *notes) list(now int64) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	type entry struct {
		noteKey
		note
	}
	var all []entry
	for k, e := range n.by {
		if now-e.last <= int64(noteFor) {
			all = append(all, entry{k, *e})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.lines, a.lines), cmp.Compare(a.name, b.name), cmp.Compare(a.what, b.what))
	})
	var out []string
	for _, e := range all[:min(len(all), showNotes)] {
		out = append(out, fmt.Sprintf("%s: %s (%d lines)", e.name, e.what, e.lines))
	}
	return out
}
