package intake

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/navcloud/binnacle/alerting"
)

// ClientOptions are what a Client works with.
type ClientOptions struct {
	Routers   []string      // base URLs
	Resend    time.Duration // of all that fires; 0 means 60 s
	Timeout   time.Duration // of one post; 0 means 5 s
	Beat      time.Duration // a router that was told nothing for so long is told just that; 0 means 60 s
	Transport http.RoundTripper
	Header    http.Header // on each request, to show who this is
	Node      string      // this one's name, which routers list
	// Facts are what this node sees of its clusters now, and OfFleet says which alarms routers judge from them: those are not
	// posted to a router that takes facts. Both nil: all alarms are judged here.
	Facts   func() []Figure
	OfFleet func(alerting.Alarm) bool
	Log     *slog.Logger
}

// Bounds of a Client.
const (
	maxTable    = 20_000 // alarms
	perPost     = 1000
	postBytes   = 4 << 20          // about, of one post: routers refuse 16 MiB
	provedFor   = 5 * time.Minute  // what answered as a router is believed to be one for so long
	keepEnded   = 15 * time.Minute // an end is told for so long, since a post may be lost; as Prometheus has it
	lookEvery   = 12               // looks at what is due, in one re-send
	firstRetry  = time.Second
	longestWait = 30 * time.Second
)

// Client posts a node's alarms to every router: at once when something changed, and each of them again a minute after it
// was posted, so that a router that lost its memory has it back. It keeps a table, not a queue: what could
// not be posted is posted as it is by then.
type Client struct {
	opts    ClientOptions
	http    *http.Client
	routers []*router

	mu      sync.Mutex
	table   map[string]*line
	dropped uint64 // alarms that found no room
}

// line is one alarm with the moment it ended.
type line struct {
	alarm   alerting.Alarm
	ended   time.Time
	changed uint64 // rises with every change of the table
}

// router is one receiver and what it knows.
type router struct {
	url  string
	wake chan struct{} // holds one

	mu       sync.Mutex
	ok       time.Time // when a post last succeeded, at first when the client was made
	proved   time.Time // when it last showed that it is a router
	answered bool      // whether one did
	judgedAt time.Time // when it last took facts: it judges clusters
	fails    int
	err      error // of the last post
}

// RouterState is what a Client knows of a router.
type RouterState struct {
	URL     string    `json:"url"`
	Reached time.Time `json:"reached"`         // when it last answered; zero while it never did
	Error   string    `json:"error,omitempty"` // of the last post
}

// Routers tells of each router in the order of the options.
func (c *Client) Routers() []RouterState {
	states := make([]RouterState, len(c.routers))
	for i, r := range c.routers {
		r.mu.Lock()
		states[i] = RouterState{URL: r.url}
		if r.answered {
			states[i].Reached = r.ok
		}
		if r.err != nil {
			states[i].Error = r.err.Error()
		}
		r.mu.Unlock()
	}
	return states
}

// NewClient makes a Client.
func NewClient(o ClientOptions) *Client {
	if o.Resend <= 0 {
		o.Resend = time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Beat <= 0 {
		o.Beat = time.Minute
	}
	c := &Client{opts: o, table: map[string]*line{}, http: &http.Client{
		Transport: o.Transport, Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it leads where nobody configured
	}}
	for _, u := range o.Routers {
		c.routers = append(c.routers, &router{url: strings.TrimSuffix(u, "/"), wake: make(chan struct{}, 1), ok: time.Now()})
	}
	return c
}

// Put takes Firing and Ended as the router's own Put does; other inputs are a router's own matter and
// ignored. It does not block.
func (c *Client) Put(_ context.Context, in ...alerting.Input) error {
	changed := false
	c.mu.Lock()
	for _, i := range in {
		switch i := i.(type) {
		case alerting.Firing:
			changed = c.fire(i.Alarm) || changed
		case alerting.Ended:
			if l := c.table[i.Fingerprint]; l != nil && l.ended.IsZero() {
				l.ended = time.Now()
				l.changed++
				changed = true
			}
		}
	}
	c.mu.Unlock()
	if changed {
		for _, r := range c.routers {
			select {
			case r.wake <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

// Know takes over what another Client knows, which this one replaces: its alarms, and the ends that may not have arrived.
func (c *Client) Know(before *Client) {
	before.mu.Lock()
	defer before.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for fp, l := range before.table {
		known := *l
		c.table[fp] = &known
	}
	c.dropped = before.dropped
	for _, r := range c.routers {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// fire says whether a router must know at once; c.mu is held.
func (c *Client) fire(a alerting.Alarm) bool {
	fp := a.Fingerprint()
	l := c.table[fp]
	switch {
	case l == nil && len(c.table) >= maxTable && !c.forget(time.Now(), keepEnded/3):
		c.dropped++
		return false
	case l == nil:
		l = &line{}
		c.table[fp] = l
	case l.ended.IsZero():
		l.alarm = a
		return false
	}
	l.alarm, l.ended = a, time.Time{}
	l.changed++
	return true
}

// Dropped counts the alarms that found no room in the table.
func (c *Client) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Unreachable is how long no router has answered; 0 while one does.
func (c *Client) Unreachable() time.Duration {
	var newest time.Time
	for _, r := range c.routers {
		r.mu.Lock()
		if r.fails == 0 {
			r.mu.Unlock()
			return 0
		}
		if r.ok.After(newest) {
			newest = r.ok
		}
		r.mu.Unlock()
	}
	if newest.IsZero() {
		return 0
	}
	return time.Since(newest)
}

// Run posts until ctx ends. Routers do not wait for each other.
func (c *Client) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, r := range c.routers {
		wg.Go(func() { c.feed(ctx, r) })
		if c.opts.Facts != nil {
			wg.Go(func() { c.tellFacts(ctx, r) })
		}
	}
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			wg.Wait()
			return nil
		case now := <-ticker.C:
			c.mu.Lock()
			c.forget(now, keepEnded)
			c.mu.Unlock()
		}
	}
}

// forget drops what ended longer than age ago, and says whether that made room; c.mu is held.
func (c *Client) forget(now time.Time, age time.Duration) (room bool) {
	for fp, l := range c.table {
		if !l.ended.IsZero() && now.Sub(l.ended) > age {
			delete(c.table, fp)
			room = true
		}
	}
	return room
}

// told is what a router was told of an alarm last.
type told struct {
	changed uint64
	at      time.Time
}

// feed keeps one router informed. known is the table as that router has it.
func (c *Client) feed(ctx context.Context, r *router) {
	known := map[string]told{}
	due := time.NewTicker(c.opts.Resend / lookEvery)
	defer due.Stop()
	beat := time.NewTicker(c.opts.Beat)
	defer beat.Stop()
	c.tell(ctx, r)
	wait := time.Duration(0)
	for {
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		} else {
			select {
			case <-r.wake:
			case now := <-due.C:
				// A re-send is due from the alarm's own last post on: what takes alarms as Alertmanager does expects it so.
				maps.DeleteFunc(known, func(_ string, t told) bool { return now.Sub(t.at) >= c.opts.Resend })
			case <-beat.C:
				c.beat(ctx, r)
			case <-ctx.Done():
				return
			}
		}
		wait = c.post(ctx, r, known, wait)
	}
}

// post sends what the router does not know, and returns how long to wait before the next try, 0 when it
// knows all.
func (c *Client) post(ctx context.Context, r *router, known map[string]told, wait time.Duration) time.Duration {
	for {
		batch, news := c.news(known, r.judges())
		if len(batch) == 0 {
			return 0
		}
		err := c.send(ctx, r, batch)
		if ctx.Err() != nil {
			return 0
		}
		c.outcome(r, err)
		if err != nil {
			return min(max(2*wait, firstRetry), longestWait)
		}
		wait = 0
		for fp, changed := range news {
			known[fp] = told{changed, time.Now()}
		}
	}
}

// beat posts no alarm at all, to a router that has answered nothing lately: whether one can be reached must be known
// before there is something to tell.
func (c *Client) beat(ctx context.Context, r *router) {
	r.mu.Lock()
	fresh := time.Since(r.ok) < c.opts.Beat
	r.mu.Unlock()
	if !fresh {
		c.tell(ctx, r)
	}
}

func (c *Client) tell(ctx context.Context, r *router) {
	if err := c.send(ctx, r, models.PostableAlerts{}); ctx.Err() == nil {
		c.outcome(r, err)
	}
}

// news are the alarms that differ from known, at most perPost. What fires ends four re-sends from now, as
// Prometheus has it: a router that hears nothing until then is out of contact with us. judged says that the router judges
// clusters itself.
func (c *Client) news(known map[string]told, judged bool) (models.PostableAlerts, map[string]uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, bytes := time.Now(), 0
	var batch models.PostableAlerts
	news := map[string]uint64{}
	for fp, l := range c.table {
		if known[fp].changed == l.changed || judged && c.opts.OfFleet(l.alarm) {
			continue
		}
		a := l.alarm
		a.EndsAt = now.Add(4 * c.opts.Resend)
		if !l.ended.IsZero() {
			a.EndsAt = l.ended
		}
		batch = append(batch, postable(a))
		news[fp] = l.changed
		bytes += weight(a)
		if len(batch) == perPost || bytes > postBytes {
			break
		}
	}
	return batch, news
}

// outcome logs when a router goes and when it is back.
func (c *Client) outcome(r *router, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	switch {
	case err != nil:
		r.fails++
		if r.fails == 1 {
			c.opts.Log.Warn("router unreachable", "router", r.url, "err", err)
		}
	case r.fails > 0:
		c.opts.Log.Info("router reached again", "router", r.url, "down", time.Since(r.ok).Round(time.Second))
		r.fails = 0
		fallthrough
	default:
		r.ok, r.answered = time.Now(), true
	}
}
