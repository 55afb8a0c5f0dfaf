package dispatch

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// Prover is what a Pager also is that can make sure, without waking anybody, that it is heard.
type Prover interface {
	Channels() []string // the ways that pages take, each with a key or an address of its own
	Prove(ctx context.Context, channel, from string) alerting.Result
}

// Channel is what is known of one way that pages take.
type Channel struct {
	Name     string    `json:"name"`
	Accepted time.Time `json:"accepted"`        // when the service last accepted a call; zero: not as far as is known
	Error    string    `json:"error,omitempty"` // why it did not, when it was last tried
}

// Warmer is what a Pager also is that keeps a connection open before it is needed. Warm is called once a minute.
type Warmer interface{ Warm(ctx context.Context) }

const (
	proveAfter = 24 * time.Hour // without an accepted call
	proveFirst = time.Minute    // after the start
	proveEvery = time.Minute    // a look whether one is due
	proveRetry = 10 * time.Minute
	secondName = "second" // the second channel's name
)

// proofs are what is known of the channels.
type proofs struct {
	mu    sync.Mutex
	list  []Channel
	tried map[string]time.Time
}

// took notes that a channel accepted a call.
func (p *proofs) took(name string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.list, func(c Channel) bool { return c.Name == name }); i >= 0 && at.After(p.list[i].Accepted) {
		p.list[i].Accepted, p.list[i].Error = at, ""
	}
}

func (p *proofs) failed(name, why string) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.list, func(c Channel) bool { return c.Name == name })
	if i < 0 {
		return false
	}
	news = p.list[i].Error == ""
	p.list[i].Error = why
	return news
}

// set makes the list of the channels that there are now; a reload may change them.
func (p *proofs) set(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.list
	p.list = make([]Channel, len(names))
	for i, name := range names {
		p.list[i].Name = name
		if j := slices.IndexFunc(old, func(c Channel) bool { return c.Name == name }); j >= 0 {
			p.list[i] = old[j]
		}
	}
}

// due are the channels to try now, which counts as tried.
func (p *proofs) due(now time.Time) (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.list {
		if now.Sub(c.Accepted) > proveAfter && now.Sub(p.tried[c.Name]) > proveRetry {
			if p.tried == nil {
				p.tried = map[string]time.Time{}
			}
			p.tried[c.Name] = now
			names = append(names, c.Name)
		}
	}
	return names
}

func (p *proofs) all() []Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

// channelOf is the channel that a page of a route took, where a pager has routes of several.
func (d *Dispatcher) channelOf(route string) string {
	if p, ok := d.opts.Pager.(interface{ Channel(route string) string }); ok {
		return p.Channel(route)
	}
	return route
}

// channelsOf are the names of a pager's channels and of the second's.
func (d *Dispatcher) channelsOf() (names []string) {
	if p, ok := d.opts.Pager.(Prover); ok {
		names = p.Channels()
	}
	if p, ok := d.opts.Second.(Prover); ok && len(p.Channels()) > 0 {
		names = append(names, secondName)
	}
	return names
}

// prove makes sure that each channel accepts what it is sent: one that has not been used for a day is tried, so that a key
// that was revoked, or a proxy in between, is found before the night it matters. It blocks until ctx ends.
func (d *Dispatcher) prove(ctx context.Context) {
	if d.cfg.Mode != On && d.cfg.Mode != Low {
		return
	}
	d.proofs.set(d.channelsOf())
	for wait := proveFirst; ; wait = proveEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if wait == proveFirst {
			d.recall(ctx)
		}
		for _, p := range []Pager{d.opts.Pager, d.opts.Second} {
			if w, ok := p.(Warmer); ok {
				w.Warm(ctx)
			}
		}
		d.proofs.set(d.channelsOf())
		for _, name := range d.proofs.due(time.Now()) {
			d.proveOne(ctx, name)
		}
	}
}

// recall reads from the ledger what was accepted before the start.
func (d *Dispatcher) recall(ctx context.Context) {
	events, err := d.History(ctx, ledger.Query{
		Since: time.Now().Add(-proveAfter), Kinds: []ledger.Kind{ledger.Accepted, ledger.Proved, ledger.Second},
	})
	if err != nil {
		return // they are tried, which harms nobody
	}
	for _, e := range events {
		channel := d.channelOf(e.Route)
		if e.Kind == ledger.Second {
			if !strings.HasPrefix(e.Detail, alerting.Accepted.String()) {
				continue
			}
			channel = secondName
		}
		d.proofs.took(channel, e.At)
	}
}

func (d *Dispatcher) proveOne(ctx context.Context, name string) {
	pager, channel := d.opts.Pager, name
	if name == secondName {
		pager = d.opts.Second
		if p, ok := pager.(Prover); ok && len(p.Channels()) > 0 {
			channel = p.Channels()[0]
		}
	}
	p, ok := pager.(Prover)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, secondTimeout)
	defer cancel()
	r := p.Prove(ctx, channel, d.opts.Node)
	now := time.Now()
	if r.Outcome == alerting.Accepted {
		d.proofs.took(name, now)
		d.book.put(nil, ledger.Event{At: now, Kind: ledger.Proved, Route: name, Detail: "the daily test was accepted"})
		return
	}
	if d.proofs.failed(name, r.Outcome.String()+": "+r.Detail) {
		d.log.Warn("a channel does not accept its daily test", "channel", name, "outcome", r.Outcome.String(), "detail", r.Detail)
	}
}
