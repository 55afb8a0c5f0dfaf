package dashboards

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// maxLive is how long one stream of updates lasts: a browser comes back by itself, and one that is gone
// without a word frees its place.
const maxLive = 15 * time.Minute

// maxStreams bounds the streams of updates that are open at once: each looks at its page every two seconds.
const maxStreams = 200

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
	At      int64                    `json:"at"` // milliseconds since 1970
	Order   map[string][]string      `json:"order,omitempty"`
	Parts   map[string]template.HTML `json:"parts,omitempty"`
}

// told is what one browser knows.
type told struct {
	parts  map[string]uint64
	orders map[string]string
}

// counted is what a browser counts on by itself: ages, and the numbers of rows by their order. A part of which
// nothing else changed is not sent.
var counted = regexp.MustCompile(`(<time [^>]*>|<span class="number">)[^<]*`)

// diff says what of a page the browser does not know yet, and takes it for known.
func (p *Pages) diff(pg Page, t *told) (news, error) {
	n := news{Version: p.opts.Version, Title: pg.Title + " · binnacle", At: p.opts.Now().UnixMilli(), Order: map[string][]string{}, Parts: map[string]template.HTML{}}
	parts := map[string]uint64{}
	orders := map[string]string{}
	for _, s := range pg.Sections {
		ids := make([]string, 0, len(s.Parts))
		for _, pt := range s.Parts {
			h, err := p.html(pt)
			if err != nil {
				return n, err
			}
			f := fnv.New64a()
			_, _ = f.Write(counted.ReplaceAll([]byte(h), []byte("$1")))
			parts[pt.ID] = f.Sum64()
			if old, ok := t.parts[pt.ID]; !ok || old != parts[pt.ID] {
				n.Parts[pt.ID] = h
			}
			ids = append(ids, pt.ID)
		}
		orders[s.ID] = fmt.Sprint(ids)
		if old, ok := t.orders[s.ID]; !ok || old != orders[s.ID] {
			n.Order[s.ID] = ids
		}
	}
	for id := range t.orders {
		if _, ok := orders[id]; !ok {
			n.Order[id] = []string{}
		}
	}
	t.parts, t.orders = parts, orders
	return n, nil
}

// serveLive sends a page's changes as server-sent events. Each look is an event, also when nothing changed:
// the page shows how long it has heard nothing.
func (p *Pages) serveLive(build func(*http.Request) Page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var t told
		p.stream(w, r, p.live, "news", func() ([]byte, error) {
			n, err := p.diff(build(r), &t)
			if err != nil {
				return nil, err
			}
			return json.Marshal(n)
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
		p.stream(w, r, min(st.Every, p.live), st.Event, look)
	}
}

// stream sends what look returns, at once, every so often and when somebody acted, until the browser goes or the stream
// is old.
func (p *Pages) stream(w http.ResponseWriter, r *http.Request, every time.Duration, event string, look func() ([]byte, error)) {
	if p.streaming.Add(1) > maxStreams {
		p.streaming.Add(-1)
		http.Error(w, "Too many pages are open: this one is fresh when it is loaded anew.", http.StatusServiceUnavailable)
		return
	}
	defer p.streaming.Add(-1)
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
