package services

import (
	"sync"
	"time"
)

// doors are those at which servers are looked for that nobody configured: at most one connection to each within tryFound,
// whichever system asks. Of several that would ask at one door, as Apache and Nginx at port 80, each has its turn.
var doors = struct {
	sync.Mutex
	at map[string]*door
}{at: map[string]*door{}}

type door struct {
	last        time.Time
	by, waiting string
}

// mayLook says whether a server that nobody configured and nobody has seen may be looked for now.
func (c *collector) mayLook(now time.Time) bool {
	t := c.targets[0]
	if !t.found || t.seen || c.env.State == "" {
		return true
	}
	doors.Lock()
	defer doors.Unlock()
	key := c.env.State + " " + t.network + " " + t.address
	d := doors.at[key]
	if d == nil {
		d = &door{}
		doors.at[key] = d
	}
	since := now.Sub(d.last)
	switch {
	case since >= 0 && since < tryFound && d.by != c.name:
		d.waiting = c.name
		return false
	case since >= 0 && since < tryFound:
		return false
	case d.waiting != "" && d.waiting != c.name && since < 2*tryFound:
		return false
	}
	*d = door{last: now, by: c.name}
	return true
}
