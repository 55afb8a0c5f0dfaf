package intake

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/alerting"
)

// cloud takes what AWS tells, by whichever way, and remembers it: on disk too, where a folder is given.
type cloud struct {
	state cloudWatch
	put   func(ctx context.Context, in ...alerting.Input) error
	lives func(Life)
	log   *slog.Logger
	file  string

	mu     sync.Mutex
	forms  map[string]*CloudForm
	failed bool // the last write did
}

// CloudForm is one kind of word that came from AWS, and how often.
type CloudForm struct {
	Name   string    `json:"name"`
	Result string    `json:"result"` // taken, unknown, unreadable
	Count  uint64    `json:"count"`
	Last   time.Time `json:"last"`
	Detail string    `json:"detail,omitempty"` // why it was not taken, the last time
}

// The results.
const (
	resultTaken      = "taken"
	resultUnknown    = "unknown"
	resultUnreadable = "unreadable"
)

const (
	cloudFile     = "cloudwatch.json"
	maxCloudFile  = 64 << 20
	maxForms      = 60
	formOthers    = "others"
	maxWordDetail = 300
)

// openCloud reads what is remembered in folder. A file that cannot be read is set aside, and told; the rest works all the same.
func openCloud(o Options) *cloud {
	c := &cloud{put: o.Put, lives: o.Lives, log: o.Log, forms: map[string]*CloudForm{}}
	if o.Folder == "" || !o.Config.cloudWatch() {
		return c
	}
	c.file = filepath.Join(o.Folder, cloudFile)
	if !load("alarms of CloudWatch", c.file, maxCloudFile, time.Now(), o.Damaged, &c.state.known) {
		c.state.known = nil
	}
	return c
}

// hears takes a message, with all that its envelopes hold. Its error is that of a form that is not known or cannot be read, which
// keeps nothing else of the message back, or the router's, which has no room.
func (c *cloud) hears(ctx context.Context, data []byte, came time.Time) (worst error) {
	for _, l := range letters(data, came) {
		w, err := l.read()
		if err == nil {
			err = c.takes(ctx, w)
		} else {
			c.count(w.form, err)
		}
		switch {
		case err != nil && !errors.Is(err, errUnknownForm) && !errors.Is(err, errUnreadable):
			return err // the router's
		case worst == nil, errors.Is(err, errUnreadable):
			worst = err
		}
	}
	return worst
}

// takes gives the router what a word says.
func (c *cloud) takes(ctx context.Context, w word) error {
	in, back := c.state.hear(w, time.Now())
	if len(in) > 0 {
		if err := c.put(ctx, in...); err != nil {
			back() // the repetition has to count
			return err
		}
	}
	if w.life.What != 0 && c.lives != nil {
		c.lives(w.life)
	}
	c.count(w.form, nil)
	return nil
}

// count notes a word, and logs the first of a form that was not taken.
func (c *cloud) count(form string, err error) {
	result, detail := resultTaken, ""
	switch {
	case errors.Is(err, errUnknownForm):
		result = resultUnknown
	case err != nil:
		result, detail = resultUnreadable, err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := result + "\x00" + form
	if _, ok := c.forms[key]; !ok && len(c.forms) >= maxForms {
		key, form = result+"\x00"+formOthers, formOthers
	}
	f := c.forms[key]
	if f == nil {
		f = &CloudForm{Name: form, Result: result}
		c.forms[key] = f
		if err != nil {
			c.log.Warn("a word of AWS was not taken; further ones of its form are counted", "form", form, "result", result, "err", err)
		}
	}
	f.Count++
	f.Last, f.Detail = time.Now(), detail[:min(len(detail), maxWordDetail)]
}

// list is what came, by result and name.
func (c *cloud) list() (out []CloudForm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(c.forms)) {
		out = append(out, *c.forms[key])
	}
	return out
}

// keep writes what is remembered, where it changed. Where that fails the alarms are taken all the same, and DescribeAlarms tells
// them again after a start.
func (c *cloud) keep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.write()
	if (err != nil) != c.failed {
		c.failed = err != nil
		c.log.Warn("what is remembered of CloudWatch's alarms on disk", "failing", c.failed, "err", err)
	}
}

func (c *cloud) write() error {
	if c.file == "" {
		return nil
	}
	c.state.mu.Lock()
	dirty := c.state.dirty
	c.state.dirty = false
	data, err := json.Marshal(c.state.known)
	c.state.mu.Unlock()
	if !dirty {
		return nil
	}
	if err == nil {
		err = atomicfile.Write(c.file, data, 0o600)
	}
	if err != nil {
		c.state.mu.Lock()
		c.state.dirty = true
		c.state.mu.Unlock()
	}
	return err
}
