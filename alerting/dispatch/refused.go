package dispatch

import (
	"fmt"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// maxRefusals are the refused acts that the ledger keeps in a minute: strangers must not fill it.
const maxRefusals = 30

// refusals bounds what is kept of refused acts.
type refusals struct {
	mu   sync.Mutex
	from time.Time // of the minute
	n    int
}

// take says whether one more is kept, and how many were left out in the minute before.
func (r *refusals) take(now time.Time) (keep bool, left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.from) >= time.Minute {
		left = max(0, r.n-maxRefusals)
		r.from, r.n = now, 0
	}
	r.n++
	return r.n <= maxRefusals, left
}

// ActRefused keeps in the ledger that somebody was not allowed to do something. It does not block.
func (d *Dispatcher) ActRefused(p alerting.Person, what, why string) {
	now := time.Now()
	keep, left := d.refusals.take(now)
	if !keep {
		return
	}
	by := p.Login
	if !p.Known() {
		by = "unknown at " + p.From
	}
	if left > 0 {
		why += fmt.Sprintf(" (%d more were refused in the minute before)", left)
	}
	d.book.put(nil, ledger.Event{At: now, Kind: ledger.ActRefused, By: by, Title: what, Detail: why})
}
