package pagers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// Bounds of what is kept of one pager.
const (
	maxKept  = 64 << 20
	seenFor  = 24 * time.Hour // the router repeats nothing that is older
	saveMost = time.Second    // a page waits no longer for the disk
)

// kept is what of one pager outlives the process: a router that is killed must neither lose a copy nor send it again.
type kept struct {
	Waiting []waiting            `json:"waiting,omitempty"`
	Seen    map[string]time.Time `json:"seen,omitempty"`
	Calls   map[string]bool      `json:"calls,omitempty"`
}

type waiting struct {
	Action alerting.Action `json:"action"`
	Since  time.Time       `json:"since"`
}

// load takes over what an earlier process left. A file that cannot be read is set aside, and said.
func (c *copies) load(folder string, damaged func(damage.Report)) {
	if folder == "" {
		return
	}
	c.path = filepath.Join(folder, "copies-"+c.name+".json")
	var k kept
	if aside, err := damage.Load(c.path, maxKept, time.Now(), &k); err != nil {
		c.log.Error("what waited for a pager is lost", "err", err)
		if damaged != nil {
			damaged(damage.Report{Store: "pagers", What: "what waited for the pager " + c.name + " cannot be read: " + err.Error(), Aside: aside, At: time.Now()})
		}
		return
	}
	all := len(k.Waiting)
	k.Waiting = slices.DeleteFunc(k.Waiting, func(w waiting) bool { return time.Since(w.Since) > copyFor })
	if n := all - len(k.Waiting); n > 0 {
		c.log.Warn("copies dropped: they waited for too long", "dropped", n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take(k)
}

// forget deletes the file of a pager that is not configured any more.
func forget(path string) {
	if path != "" {
		_ = os.Remove(path) // one that stays is read when the pager comes back, and what is old in it is dropped
	}
}

// take puts what another one left before what is here; c.mu is held.
func (c *copies) take(k kept) {
	c.queue = append(k.Waiting, c.queue...)
	for id, at := range k.Seen {
		if time.Since(at) < seenFor {
			c.seen[id] = at
		}
	}
	for key := range k.Calls {
		c.calls[key] = true
	}
	c.wake()
}

// leave gives away what waits, and what is known; c sends nothing any more.
func (c *copies) leave() kept {
	c.close()
	<-c.idle()
	c.mu.Lock()
	defer c.mu.Unlock()
	k := kept{c.queue, c.seen, c.calls}
	c.queue, c.path = nil, ""
	return k
}

// changed has the file written; c.mu is held.
func (c *copies) changed() {
	c.version++
	if c.path == "" || c.saving {
		return
	}
	c.saving = true
	go c.save()
}

// save writes until the file says what is so.
func (c *copies) save() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.saved != c.version && c.path != "" {
		version, path := c.version, c.path
		for id, at := range c.seen {
			if time.Since(at) >= seenFor {
				delete(c.seen, id)
			}
		}
		text, err := json.Marshal(kept{c.queue, c.seen, c.calls})
		c.mu.Unlock()
		if err == nil {
			err = atomicfile.Write(path, text, 0o600)
		}
		c.mu.Lock()
		if err != nil && !c.failing {
			c.log.Error("what waits for a pager cannot be kept: it is lost if this process ends", "err", err)
		}
		c.failing = err != nil
		c.saved = version // a write that failed is tried again with the next change
	}
	c.saving = false
	close(c.written)
	c.written = make(chan struct{})
}

// settled waits until what was put is on the disk, for saveMost at most: pages go out first.
func (c *copies) settled() {
	c.mu.Lock()
	saving, written := c.saving, c.written
	c.mu.Unlock()
	if !saving {
		return
	}
	select {
	case <-written:
	case <-time.After(saveMost):
	}
}
