// Package alertingtest holds a fake PagerDuty for tests and the demo.
//
// It checks the contract as it is documented (limits, refusals with their text, 120 events a minute), keeps
// every call in order of arrival, has incidents that open, are acknowledged and resolve as they do there, can
// fail in the ways that networks and services fail, and plays a responder. It does not model
// escalation, grouping and orchestration.
package alertingtest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// The documented limits.
// Source: PagerDuty developer documentation, Events API v2 and REST API rate limits, read November 2026.
const (
	maxBody    = 512 << 10
	maxSummary = 1024
	maxDedup   = 255
	keyLength  = 32
	eventRate  = 120 // a minute and routing key, over a sliding window
	restRate   = 960 // a minute and token
)

// RoutingKey has the right form; the fake takes any such key.
const RoutingKey = "0123456789abcdef0123456789abcdef"

// Mode is how the fake behaves.
type Mode string

// The modes.
const (
	OK        Mode = "ok"
	Fail      Mode = "fail"      // 500 to everything
	Stall     Mode = "stall"     // no answer until the mode changes or the caller goes
	LostReply Mode = "lostreply" // takes the event and drops the connection
	Down      Mode = "down"      // drops the connection at once
	Refuse    Mode = "refuse"    // 400 to every event that is not plain
)

// Call is one call as it arrived.
type Call struct {
	At       time.Time
	Status   int    // 0: the caller went, or the connection was dropped before the event was taken
	Why      string // of what was not accepted
	Action   string // trigger, acknowledge, resolve, change; for REST the method and path
	Key      string // dedup key
	Route    string // routing key
	Summary  string // of a trigger; the new title or the note by REST
	Severity string
	Details  string // custom details, raw JSON
	Opened   bool   // the trigger that opened an incident: this one notifies
	Incident int    // its number, 0 for none
}

// Incident is what stands behind a dedup key while it is open.
type Incident struct {
	ID       string
	Number   int
	Key      string // dedup key
	Route    string
	Title    string
	Urgency  string // high or low
	Status   string // triggered, acknowledged, resolved
	Priority string // ID of the priority
	Notes    []string
	By       string    // who changed the status
	Level    int       // of the escalation policy, where somebody escalated
	Until    time.Time // end of a snooze; zero: there is none
	OpenedAt time.Time
	ClosedAt time.Time
}

// PagerDuty is the fake. Set its fields before the first call.
type PagerDuty struct {
	// AckAfter is when the responder takes an incident of high urgency, after it opened; 0: nobody does.
	AckAfter time.Duration
	// WebhookURL gets the v3 webhooks, signed with WebhookSecret, by WebhookTransport (nil: the network).
	WebhookURL       string
	WebhookSecret    string
	WebhookTransport http.RoundTripper
	// DeliverTwice sends each webhook twice, as at-least-once delivery may.
	DeliverTwice bool
	// NoPriorities is an account without that feature.
	NoPriorities bool
	// Account is what else the REST API tells; nil: any token and any routing key will do.
	Account *Account
	// OnCall is called for each call that was recorded, in order, and must not call back.
	OnCall func(Call)

	mu        sync.Mutex
	mode      Mode
	rate      int
	changed   chan struct{}
	window    map[string][]time.Time
	calls     []Call
	open      map[string]*Incident
	incidents []*Incident
	work      sync.WaitGroup // responders and webhooks
	stop      chan struct{}

	once   sync.Once
	server *httptest.Server
	pipes  []*http.Server
}

// NewPagerDuty makes the fake. It listens on a loopback port once URL is called; Transport needs none.
func NewPagerDuty() *PagerDuty {
	return &PagerDuty{
		mode: OK, rate: eventRate, changed: make(chan struct{}), stop: make(chan struct{}),
		window: map[string][]time.Time{}, open: map[string]*Incident{},
	}
}

// URL is the base of both APIs on a loopback port.
func (p *PagerDuty) URL() string {
	p.once.Do(func() { p.server = httptest.NewServer(p) })
	return p.server.URL
}

// Close ends what the fake runs.
func (p *PagerDuty) Close() {
	close(p.stop)
	p.mu.Lock()
	pipes := p.pipes
	p.mu.Unlock()
	for _, s := range pipes {
		_ = s.Close()
	}
	p.once.Do(func() {})
	if p.server != nil {
		p.server.CloseClientConnections()
		p.server.Close()
	}
	p.work.Wait()
}

// Set changes the mode.
func (p *PagerDuty) Set(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
}

// SetRate changes how many events a minute each routing key may send.
func (p *PagerDuty) SetRate(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = n
}

// Calls returns all calls in order of arrival.
func (p *PagerDuty) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Pages returns the triggers that woke a person: those that opened an incident of high urgency.
func (p *PagerDuty) Pages() []Call {
	return slices.DeleteFunc(p.Calls(), func(c Call) bool {
		return !c.Opened || c.Severity != "critical" && c.Severity != "error"
	})
}

// Incidents returns copies of all incidents in order of opening.
func (p *PagerDuty) Incidents() []Incident {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Incident, len(p.incidents))
	for i, in := range p.incidents {
		out[i] = *in
		out[i].Notes = slices.Clone(in.Notes)
	}
	return out
}

// Acknowledge is what a person does.
func (p *PagerDuty) Acknowledge(key, by string) { p.person(key, by, "acknowledged") }

// Snooze acknowledges until a time. The fake does not ring then.
func (p *PagerDuty) Snooze(key, by string, until time.Time) {
	p.Acknowledge(key, by)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.incidents {
		if in.Key == key && in.Status == "acknowledged" {
			in.Until = until
		}
	}
}

// Unacknowledge takes it back.
func (p *PagerDuty) Unacknowledge(key, by string) { p.person(key, by, "triggered") }

// Resolve is what a person does at PagerDuty.
func (p *PagerDuty) Resolve(key, by string) { p.person(key, by, "resolved") }

func (p *PagerDuty) person(key, by, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.incidents {
		if in.Key == key && in.Status != "resolved" {
			p.become(in, status, by)
		}
	}
}

// become changes an incident's status; p.mu is held.
func (p *PagerDuty) become(in *Incident, status, by string) {
	if in.Status == status {
		return
	}
	event := "incident." + status
	if status == "triggered" {
		event = "incident.unacknowledged"
	}
	in.Status, in.By = status, by
	if status == "resolved" {
		in.ClosedAt = time.Now()
		delete(p.open, in.Route+"/"+in.Key)
	}
	p.hook(event, *in)
}

// Transport is a connection to the fake through net.Pipe: in a synctest bubble faked time passes while
// calls wait for it. The fake must have been made in the same bubble.
func (p *PagerDuty) Transport() http.RoundTripper {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: p}
	p.mu.Lock()
	p.pipes = append(p.pipes, s)
	p.mu.Unlock()
	p.work.Go(func() { _ = s.Serve(l) })
	return &http.Transport{DialContext: l.dial, DisableKeepAlives: true}
}
