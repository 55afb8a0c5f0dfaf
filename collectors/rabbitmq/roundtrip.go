package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
)

// probeOptions is the section collect.rabbitmq.probe: a message of our own goes through the broker to the agents of
// all nodes, the one thing that no API shows while a cut is not noticed. It is off without a user.
type probeOptions struct {
	User     string        `yaml:"user"` // with all rights on the vhost, and none elsewhere
	Password secret.Secret `yaml:"password"`
	TLS      bool          `yaml:"tls"`      // by TLS, where the address amqp speaks that; its authority is ca_file's
	VHost    string        `yaml:"vhost"`    // of its own, so that nothing of NavCloud's is touched
	Exchange string        `yaml:"exchange"` // made when missing; it goes with the last agent
	Every    time.Duration `yaml:"every"`    // between messages; 1s to 5m
}

var probeDefaults = probeOptions{VHost: "binnacle", Exchange: "binnacle.probe", Every: 10 * time.Second}

func (p probeOptions) validate() error {
	var errs []error
	if p.User == "" && !p.Password.IsZero() {
		errs = append(errs, errors.New("probe.user: is empty, but there is a password"))
	}
	if p.User != "" && (p.VHost == "" || p.VHost == "/") {
		errs = append(errs, fmt.Errorf("probe.vhost: want one of its own, have %q", p.VHost))
	}
	if p.User != "" && p.Exchange == "" {
		errs = append(errs, errors.New("probe.exchange: is empty"))
	}
	if p.Every < time.Second || p.Every > 5*time.Minute {
		errs = append(errs, fmt.Errorf("probe.every: %s is outside 1s to 5m", p.Every))
	}
	return errors.Join(errs...)
}

// What became of a message.
const (
	tripConfirmed   = "confirmed"
	tripRefused     = "refused"     // the broker said no
	tripReturned    = "returned"    // no queue took it
	tripTimeout     = "timeout"     // no word within the time to the next
	tripUnconnected = "unconnected" // there was no connection to send it over
)

var tripResults = []string{tripConfirmed, tripRefused, tripReturned, tripTimeout, tripUnconnected}

var (
	descTrips      = counterOf("rabbitmq_roundtrip_published_total", "Messages of the active probe by result")
	descTripTime   = gaugeOf("rabbitmq_roundtrip_confirm_seconds", metric.Seconds, "How long the broker took to confirm the last one")
	descTripsIn    = counterOf("rabbitmq_roundtrip_received_total", "Messages of the active probe that came, by the broker they were sent to")
	descTripInTime = gaugeOf("rabbitmq_roundtrip_delivery_seconds", metric.Seconds, "How long the last one took from there, by the clocks of both machines")
)

// tripLink is a connection to the broker with an exchange, and a queue of its own bound to that.
type tripLink interface {
	// publish sends a message and waits for what becomes of it, until ctx ends.
	publish(ctx context.Context, body []byte) (result string, err error)
	// received are the messages that came; it is closed when the connection ends.
	received() <-chan []byte
	close()
}

// trip is a message.
type trip struct {
	From string    `json:"from"`
	Sent time.Time `json:"sent"`
}

// roundtrip sends and receives, and remembers what came of it.
type roundtrip struct {
	every   time.Duration
	connect func(context.Context) (tripLink, error)
	name    func() string // of the local broker
	now     func() time.Time
	log     *slog.Logger
	lost    bool // there is no connection, and that is logged; of run alone

	mu      sync.Mutex
	results map[string]float64
	confirm time.Duration // of the last that was confirmed; 0: none
	in      map[string]*tripsIn
}

type tripsIn struct {
	n    float64
	took time.Duration
}

func newRoundtrip(every time.Duration, connect func(context.Context) (tripLink, error), name func() string, now func() time.Time, log *slog.Logger) *roundtrip {
	return &roundtrip{every: every, connect: connect, name: name, now: now, log: log, results: map[string]float64{}, in: map[string]*tripsIn{}}
}

// run connects again and again until ctx ends.
func (t *roundtrip) run(ctx context.Context) {
	for ctx.Err() == nil {
		begin := t.now()
		one, cancel := context.WithTimeout(ctx, clusterDeadline)
		link, err := t.connect(one)
		cancel()
		t.connected(err)
		if err != nil {
			t.note(tripUnconnected, 0)
		} else {
			t.over(ctx, link)
		}
		wait := time.NewTimer(max(t.every-t.now().Sub(begin), time.Second))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
	}
}

// connected logs why there is no connection, once, and when there is one again.
func (t *roundtrip) connected(err error) {
	switch {
	case err != nil && !t.lost:
		t.log.Warn("rabbitmq: the active probe does not connect", "err", err)
	case err == nil && t.lost:
		t.log.Info("rabbitmq: the active probe is connected again")
	}
	t.lost = err != nil
}

// over sends and receives over one connection until that ends.
func (t *roundtrip) over(ctx context.Context, link tripLink) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		for body := range link.received() {
			t.take(body)
		}
	})
	defer wg.Wait()
	defer link.close()
	defer cancel()
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for {
		if err := t.send(ctx, link); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (t *roundtrip) send(ctx context.Context, link tripLink) error {
	begin := t.now()
	body, err := json.Marshal(trip{t.name(), begin})
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, t.every)
	defer cancel()
	result, err := link.publish(wait, body)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the connection ended, or we do
	case wait.Err() != nil:
		t.note(tripTimeout, 0)
		return nil
	case err != nil:
		t.note(tripUnconnected, 0)
		return err
	}
	t.note(result, t.now().Sub(begin))
	return nil
}

func (t *roundtrip) note(result string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results[result]++
	if result == tripConfirmed {
		t.confirm = took
	}
}

// take counts a message that came. What is not one of ours is nothing.
func (t *roundtrip) take(body []byte) {
	var m trip
	if json.Unmarshal(body, &m) != nil || m.From == "" || m.Sent.IsZero() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.in[m.From]
	if in == nil {
		if len(t.in) > maxPeers || strings.ContainsAny(m.From, "\n\"") || len(m.From) > 255 {
			return
		}
		in = &tripsIn{}
		t.in[m.From] = in
	}
	in.n++
	in.took = max(0, t.now().Sub(m.Sent))
}

func (t *roundtrip) report(out output) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range tripResults {
		out.add(descTrips, t.results[r], "result", r)
	}
	if t.confirm > 0 {
		out.add(descTripTime, t.confirm.Seconds())
	}
	for from, in := range t.in {
		out.add(descTripsIn, in.n, "from", from)
		out.add(descTripInTime, in.took.Seconds(), "from", from)
	}
}
