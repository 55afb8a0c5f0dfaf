package statsd

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// notes names what a person may want to mend at a client: names that are lost, or were claimed, and lines that are refused. It is
// bounded, and forgets what has not happened for an hour.
type notes struct {
	mu      sync.Mutex
	by      map[noteKey]*note
	refused [reasons]refusal
}

// refusal are the lines that were refused for one reason.
type refusal struct {
	note
	such string // one of them
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

	showReasons = 4
	maxSuch     = 40 // bytes of a line that is shown
)

// refuse notes a line that was refused. A name that has another type is noted by add.
func (n *notes) refuse(now int64, r Reason, line []byte) {
	if r == TypeClash {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &n.refused[r]
	if now-e.last > int64(noteFor) {
		*e = refusal{such: strconv.QuoteToASCII(string(line[:min(len(line), maxSuch)]))}
	}
	e.lines++
	e.last = now
}

// refusals returns one note of the refused lines, the reason of most lines first; "" where there are none.
func (n *notes) refusals(now int64) string {
	type entry struct {
		Reason
		refusal
	}
	var all []entry
	sum := uint64(0)
	for r, e := range n.refused {
		if e.lines > 0 && now-e.last <= int64(noteFor) {
			all = append(all, entry{Reason(r), e})
			sum += e.lines
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(b.lines, a.lines), cmp.Compare(a.Reason, b.Reason)) })
	var out []string
	for _, e := range all[:min(len(all), showReasons)] {
		out = append(out, fmt.Sprintf("%d %s, such as %s", e.lines, e.Reason.String(), e.such))
	}
	if more := len(all) - showReasons; more > 0 {
		out = append(out, words.Plural(more, "other reason"))
	}
	if len(out) == 0 {
		return ""
	}
	return fmt.Sprintf("%s refused: %s", words.Plural(int(sum), "line"), strings.Join(out, "; "))
}

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

// list returns the notes of the last hour: of what was refused, then those of most lines.
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
	if text := n.refusals(now); text != "" {
		out = append(out, text)
	}
	for _, e := range all[:min(len(all), showNotes)] {
		out = append(out, fmt.Sprintf("%s: %s (%s)", e.name, e.what, words.Plural(int(e.lines), "line")))
	}
	return out
}
