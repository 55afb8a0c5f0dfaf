package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// SwarmConfig describes the clients of the service. DefaultSwarm gives the values of an empty command line.
type SwarmConfig struct {
	Nodes   []string      // host:port of each node
	Streams int           // to hold open, over all nodes in turn
	Users   int           // who have them: stream i belongs to user i % Users
	Ramp    float64       // streams opened a second, at most; reconnections too
	Rate    float64       // trips written a second, over all nodes in turn; 0: none
	For     time.Duration // how long to write, once all streams are open; 0: until ctx ends
	Grace   time.Duration // how long an event may take
	Silence time.Duration // a stream without a byte for this long is given up: above the heartbeat

	Conflicts int // conditional updates of one document to make at once, before all else

	Every    time.Duration // between calls of Progress
	Progress func(Report)  // may be nil
	Log      *slog.Logger
}

// DefaultSwarm is 1,000 devices of 250 users at one node.
func DefaultSwarm() SwarmConfig {
	return SwarmConfig{
		Nodes: []string{"127.0.0.1:9700"}, Streams: 1000, Users: 250, Ramp: 500, Rate: 10,
		Grace: 10 * time.Second, Silence: 65 * time.Second, Every: time.Second, Log: slog.New(slog.DiscardHandler),
	}
}

// Report is what the swarm saw. Once it has ended, Expected = Arrived + Missed + Excused.
type Report struct {
	Elapsed    float64        `json:"elapsed_seconds"`
	Open       int            `json:"open"` // streams open now
	ByNode     map[string]int `json:"by_node"`
	Opened     int            `json:"opened"`
	Lost       int            `json:"lost"`    // streams that ended without our doing
	Refused    int            `json:"refused"` // attempts to open that failed
	Heartbeats int            `json:"heartbeats"`
	Writes     int            `json:"writes"`
	Failed     int            `json:"failed_writes"`
	Expected   int            `json:"expected"` // deliveries: streams of the user, open when a trip was written
	Arrived    int            `json:"arrived"`
	Missed     int            `json:"missed"`   // not there after Grace, though the stream stayed open
	Excused    int            `json:"excused"`  // the stream ended before the event came, or the write failed
	Repeated   int            `json:"repeated"` // came twice on one stream
	P50        float64        `json:"p50_seconds"`
	P99        float64        `json:"p99_seconds"`
	Max        float64        `json:"max_seconds"`
	Conflicts  *Conflicts     `json:"conflicts,omitempty"`
}

// Validate says what is wrong with c.
func (c SwarmConfig) Validate() error {
	switch {
	case len(c.Nodes) == 0:
		return errors.New("nodes: want one or more")
	case c.Streams < 1 || c.Users < 1 || c.Users > c.Streams:
		return fmt.Errorf("streams, users: want 1 <= users <= streams, have %d and %d", c.Users, c.Streams)
	case c.Ramp <= 0 || c.Rate < 0:
		return fmt.Errorf("ramp, rate: want above 0, have %g and %g", c.Ramp, c.Rate)
	case c.Conflicts < 0 || c.Conflicts > 100_000:
		return fmt.Errorf("conflicts: want 0 to 100000, have %d", c.Conflicts)
	case c.Grace <= 0 || c.Silence <= 0 || c.Every <= 0:
		return errors.New("grace, silence, every: want above 0")
	}
	return nil
}

// swarm is the clients at work.
type swarm struct {
	cfg     SwarmConfig
	ramp    *rate.Limiter
	devices []*device
	http    *http.Client
	tally   *tally
	full    chan struct{} // all streams have been open once
	started time.Time
}

// Swarm opens the streams, writes trips and checks each delivery until For has passed or ctx ends. The
// error is of the configuration alone: what the service did wrong is in the Report.
func Swarm(ctx context.Context, cfg SwarmConfig) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	s := &swarm{
		cfg: cfg, started: time.Now(), full: make(chan struct{}),
		ramp:  rate.NewLimiter(rate.Limit(cfg.Ramp), max(1, int(cfg.Ramp/10))),
		http:  &http.Client{Timeout: cfg.Grace, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
		tally: newTally(),
	}
	defer s.http.CloseIdleConnections()
	var conflicts *Conflicts
	if cfg.Conflicts > 0 {
		c, err := s.conflicts(ctx, cfg.Conflicts)
		if err != nil {
			return Report{Conflicts: &c}, fmt.Errorf("conflicts: %w", err)
		}
		conflicts = &c
	}
	streams, stopStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStreams()
	var open sync.WaitGroup
	for i := range cfg.Streams {
		d := &device{swarm: s, n: i, user: fmt.Sprintf("user-%d", i%cfg.Users)}
		s.devices = append(s.devices, d)
	}
	for _, d := range s.devices {
		open.Go(func() { d.run(streams) })
	}
	progress, stopProgress := context.WithCancel(streams)
	var reporting sync.WaitGroup
	reporting.Go(func() { s.progress(progress) })

	s.write(ctx)
	settle(s.tally, cfg.Grace)
	stopProgress()
	reporting.Wait()
	r := s.report() // before the streams end by our own doing
	r.Conflicts = conflicts
	stopStreams()
	open.Wait()
	return r, nil
}

// settle waits for the events under way, Grace at most, then judges them.
func settle(t *tally, grace time.Duration) {
	deadline := time.Now().Add(grace)
	for t.pending() > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	t.judge(time.Time{})
}

func (s *swarm) progress(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.tally.judge(now.Add(-s.cfg.Grace))
			if s.cfg.Progress != nil {
				s.cfg.Progress(s.report())
			}
		}
	}
}

func (s *swarm) report() Report {
	r := s.tally.snapshot()
	r.Elapsed = time.Since(s.started).Seconds()
	return r
}

// write makes trips at the rate wanted until it is over. They go out side by side: a slow store must
// not slow down what is asked of it.
func (s *swarm) write(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-s.full:
	}
	if s.cfg.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cfg.For)
		defer cancel()
	}
	if s.cfg.Rate == 0 {
		<-ctx.Done()
		return
	}
	pace := rate.NewLimiter(rate.Limit(s.cfg.Rate), 1)
	var under errgroup.Group
	under.SetLimit(64)
	for i := 0; pace.Wait(ctx) == nil; i++ {
		under.Go(func() error { s.trip(i); return nil })
	}
	_ = under.Wait()
}

// trip writes one trip, each under an id of its own, at a node that takes it, and notes who must hear of it.
func (s *swarm) trip(i int) {
	user := i % s.cfg.Users
	id := fmt.Sprintf("t-%x-%d", s.started.UnixNano(), i)
	s.tally.expect(id, s.devicesOf(user))
	var err error
	for try := range s.cfg.Nodes {
		node := s.cfg.Nodes[(i+try)%len(s.cfg.Nodes)]
		if err = s.put(node, fmt.Sprintf("user-%d", user), id); err == nil {
			s.tally.wrote(id, true)
			return
		}
		s.tally.retried(id)
	}
	s.tally.wrote(id, false)
	s.cfg.Log.Debug("trip not written", "id", id, "err", err)
}

func (s *swarm) devicesOf(user int) (ds []*device) {
	for i := user; i < len(s.devices); i += s.cfg.Users {
		ds = append(ds, s.devices[i])
	}
	return ds
}

func (s *swarm) put(node, user, id string) error {
	body := fmt.Sprintf(`{"title":"trip %s","legs":[{"from":"harbour","to":"island","minutes":42}],"note":%q}`, id, strings.Repeat("~", 120))
	req, err := http.NewRequest(http.MethodPut, "http://"+node+"/v1/trips/"+id, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set(userField, user)
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("PUT %s: status %d", id, resp.StatusCode)
	}
	return nil
}
