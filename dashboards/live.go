package dashboards

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// maxLive is how long one stream of updates lasts: a browser comes back by itself, and one that is gone
// without a word frees its place.
const maxLive = 15 * time.Minute

// Bounds of what is open at once.
const (
	maxStreams = 2000 // streams of updates
	maxScenes  = 200  // pages that are looked at, by address and rights: each costs the same however many look at it
	maxAlone   = 200  // streams, where another one looks for itself
)

// maxLook bounds one look at a page.
const maxLook = 10 * time.Second

// afterAct is how long after an act the streams look once more: the router takes a moment.
const afterAct = 250 * time.Millisecond

// bell wakes all who wait for it.
type bell struct {
	mu sync.Mutex
	c  chan struct{}
}

func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}

// news is what changed since the browser was last told: the order of the parts of each section whose order
// changed, and the parts that are new or different.
type news struct {
	Version string                   `json:"version"`
	Title   string                   `json:"title"`
	Urgent  string                   `json:"urgent"` // beside the board in the menu
	At      int64                    `json:"at"`     // milliseconds since 1970
	Order   map[string][]string      `json:"order,omitempty"`
	Parts   map[string]template.HTML `json:"parts,omitempty"`
}

// told is what one browser knows.
type told struct{ last *shot }

// counted is what a browser counts on by itself: ages, and the numbers of rows by their order. A part of which
// nothing else changed is not sent.
var counted = regexp.MustCompile(`(<time [^>]*>|<span class="number">)[^<]*`)

// diff says what of a page the browser does not know yet, and takes it for known.
func (p *Pages) diff(pg Page, t *told) (news, error) {
	s, err := p.shoot(pg)
	if err != nil {
		return news{}, err
	}
	n := s.since(t.last)
	t.last = s
	return n, nil
}

// serveLive sends a page's changes as server-sent events. Each look is an event, also when nothing changed:
// the page shows how long it has heard nothing.
func (p *Pages) serveLive(build func(*http.Request) Page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sc, ok := p.scenes.enter(p.sceneOf(r))
		if !ok {
			tooMany(w)
			return
		}
		defer p.scenes.leave(sc)
		var t told
		p.stream(w, r, &p.streaming, p.live, "news", func() ([]byte, error) {
			s, err := sc.look(time.Now(), p.live/2, time.Unix(0, p.actedAt.Load()), func() (*shot, error) {
				// The first who looks does so for all, also when that browser goes.
				ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), maxLook)
				defer cancel()
				return p.shoot(build(r.WithContext(ctx)))
			})
			if err != nil {
				return nil, err
			}
			body, err := s.body(t.last)
			t.last = s
			return body, err
		})
	}
}

// serveStream sends updates that are not those of a page's parts.
func (p *Pages) serveStream(st Stream) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		look, err := st.Open(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		p.stream(w, r, &p.alone, min(st.Every, p.live), st.Event, look)
	}
}

// bounded counts what is open.
type bounded struct {
	atomic.Int64
	most int64
}

func tooMany(w http.ResponseWriter) {
	http.Error(w, "Too many pages are open: this one is fresh when it is loaded anew.", http.StatusServiceUnavailable)
}

// stream sends what look returns, at once, every so often and when somebody acted, until the browser goes or the stream
// is old.
func (p *Pages) stream(w http.ResponseWriter, r *http.Request, open *bounded, every time.Duration, event string, look func() ([]byte, error)) {
	defer open.Add(-1)
	if open.Add(1) > open.most {
		tooMany(w)
		return
	}
	flush := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx passes each event on at once
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	end := time.NewTimer(maxLive)
	defer end.Stop()
	for {
		acted := p.acted.next()
		body, err := look()
		if err != nil {
			p.opts.Log.Error("live page not made", "path", r.URL.Path, "err", err)
			return
		}
		// A browser that does not read is let go after a while, and not waited for.
		_ = flush.SetWriteDeadline(time.Now().Add(5 * LookEvery)) // not every writer has one
		if _, err := fmt.Fprintf(w, "retry: 2000\nevent: %s\ndata: %s\n\n", event, body); err != nil {
			return
		}
		if err := flush.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		case <-acted:
			ticks.Reset(afterAct)
		case <-ticks.C:
			ticks.Reset(every)
		}
	}
}
