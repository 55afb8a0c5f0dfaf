package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/navcloud/binnacle/agent/secret"
)

// NATS says where the ledger of a fleet is: an existing JetStream cluster of version 2.12 or newer, which has batches
// that are stored whole or not at all.
type NATS struct {
	URLs        []string      `yaml:"urls"` // empty: the ledger is a file of this machine alone
	Credentials string        `yaml:"credentials"`
	User        string        `yaml:"user"`
	Password    secret.Secret `yaml:"password"`
	CAFile      string        `yaml:"ca_file"`
	Replicas    int           `yaml:"replicas"` // of what is stored; 1, 3 or 5
}

// DefaultNATS is what an empty section means.
func DefaultNATS() NATS { return NATS{Replicas: 3} }

// Configured says whether the ledger is shared.
func (c NATS) Configured() bool { return len(c.URLs) > 0 }

// Validate says what is out of bounds.
func (c NATS) Validate() error {
	var errs []error
	for _, u := range c.URLs {
		if !strings.HasPrefix(u, "nats://") && !strings.HasPrefix(u, "tls://") {
			errs = append(errs, fmt.Errorf("urls: %q is no nats or tls URL", u))
		}
	}
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		errs = append(errs, fmt.Errorf("replicas: %d is none of 1, 3, 5", c.Replicas))
	}
	return errors.Join(errs...)
}

// natsTimeout bounds one call, unless Options.Timeout does.
const natsTimeout = 2 * time.Second

// Names within a stream; each subject holds its newest message alone.
const (
	natsLease    = "lease"
	natsEntries  = "entry."
	natsSilences = "silence."
	natsEvents   = "events."
	natsVersion  = "binnacle_version"
)

// shared is a Ledger in a JetStream stream. Every write renews the lease in the same batch and says which message of
// the lease it believes to be the newest: who has lost it writes nothing. The lease runs out at the server, by no
// clock of a router. What is over runs out there too, so that nothing has to be pruned.
type shared struct {
	opts    Options
	timeout time.Duration // of one call
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  jetstream.Stream
	prefix  string

	mu    sync.Mutex // one write or renewal at a time
	lease Lease
	ttl   time.Duration
	seq   uint64 // of the lease's newest message
}

// leaseBody is the lease as it is stored. Token 0: the sequence of the message is the token.
type leaseBody struct {
	Holder string
	Token  uint64
}

// OpenNATS opens or makes the ledger of a fleet. Options.MaxEvents does not count: events run out by age alone.
func OpenNATS(ctx context.Context, c NATS, fleet string, o Options) (Ledger, error) {
	timeout := cmp.Or(o.Timeout, natsTimeout)
	opts := []nats.Option{
		nats.Name("binnacle"), nats.Timeout(timeout), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be written now must not be written later
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
	}
	if c.Credentials != "" {
		opts = append(opts, nats.UserCredentials(c.Credentials))
	}
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password.Reveal()))
	}
	if c.CAFile != "" {
		opts = append(opts, nats.RootCAs(c.CAFile))
	}
	nc, err := nats.Connect(strings.Join(c.URLs, ","), opts...)
	if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", strings.Join(c.URLs, ", "), err)
	}
	s := &shared{opts: o.orDefault(), timeout: timeout, nc: nc}
	if err := s.open(ctx, c, fleet); err != nil {
		nc.Close()
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return s, nil
}

func (s *shared) open(ctx context.Context, c NATS, fleet string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*s.timeout)
	defer cancel()
	var err error
	if s.js, err = jetstream.New(s.nc); err != nil {
		return err
	}
	name := "binnacle-" + digest(fleet)
	s.prefix = name + "."
	s.stream, err = s.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s.stream, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{s.prefix + ">"}, Description: "binnacle, ledger of fleet " + fleet, Replicas: c.Replicas,
			Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1, MaxMsgSize: maxEntry,
			AllowMsgTTL: true, AllowAtomicPublish: true, Metadata: map[string]string{natsVersion: fmt.Sprint(version)},
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another router, just now
			s.stream, err = s.js.Stream(ctx, name)
		}
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", name, err)
	}
	if v := s.stream.CachedInfo().Config.Metadata[natsVersion]; v > fmt.Sprint(version) {
		return ErrVersion
	}
	if !s.stream.CachedInfo().Config.AllowAtomicPublish {
		return fmt.Errorf("stream %s takes no batches: want a NATS server of version 2.12 or newer", name)
	}
	return nil
}

// digest makes a name of any text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}

// Close implements Ledger.
func (s *shared) Close() error {
	s.nc.Close()
	return nil
}

// Acquire implements Ledger. A holder that is known from an earlier life takes over at once, and fences that off.
func (s *shared) Acquire(ctx context.Context, holder string, ttl time.Duration) (Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	s.ttl = ttl
	if s.lease.Token > 0 && s.lease.Holder == holder {
		err := s.renew(ctx)
		if !errors.Is(err, ErrConflict) {
			return s.lease, err
		}
		s.lease = Lease{}
	}
	body, seq, err := s.readLease(ctx)
	if err != nil {
		return Lease{}, err
	}
	if body.Holder != "" && body.Holder != holder {
		return Lease{}, fmt.Errorf("%w: %s", ErrHeld, body.Holder)
	}
	start := time.Now()
	ack, err := s.publish(ctx, []*nats.Msg{s.leaseMsg(leaseBody{Holder: holder}, seq)})
	if errors.Is(err, ErrConflict) {
		return Lease{}, fmt.Errorf("%w: another was faster", ErrHeld)
	}
	if err != nil {
		return Lease{}, err
	}
	s.seq = ack
	s.lease = Lease{Holder: holder, Token: ack, Until: start.Add(ttl)}
	return s.lease, nil
}

// renew keeps the lease for another while; s.mu is held.
func (s *shared) renew(ctx context.Context) error {
	start := time.Now()
	ack, err := s.publish(ctx, []*nats.Msg{s.leaseMsg(leaseBody{s.lease.Holder, s.lease.Token}, s.seq)})
	if errors.Is(err, ErrConflict) && s.stillOurs(ctx) {
		ack, err = s.publish(ctx, []*nats.Msg{s.leaseMsg(leaseBody{s.lease.Holder, s.lease.Token}, s.seq)})
	}
	if err != nil {
		return err
	}
	s.seq, s.lease.Until = ack, start.Add(s.ttl)
	return nil
}

// stillOurs reads the lease after a write whose answer was lost; s.mu is held.
func (s *shared) stillOurs(ctx context.Context) bool {
	body, seq, err := s.readLease(ctx)
	if err != nil || seq == 0 || body.Token != s.lease.Token {
		return false
	}
	s.seq = seq
	return true
}

// readLease returns the lease as it is stored, the zero body where it has run out.
func (s *shared) readLease(ctx context.Context) (body leaseBody, seq uint64, err error) {
	m, err := s.stream.GetLastMsgForSubject(ctx, s.prefix+natsLease)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return leaseBody{}, 0, nil
	}
	if err != nil {
		return leaseBody{}, 0, fmt.Errorf("ledger: lease: %w", err)
	}
	if err := json.Unmarshal(m.Data, &body); err != nil {
		return leaseBody{}, 0, fmt.Errorf("ledger: lease: %w", err)
	}
	body.Token = cmp.Or(body.Token, m.Sequence)
	return body, m.Sequence, nil
}

// Release implements Ledger.
func (s *shared) Release(ctx context.Context, l Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if l.Token != s.lease.Token || l.Token == 0 {
		return ErrFenced
	}
	s.lease = Lease{}
	if err := s.stream.DeleteMsg(ctx, s.seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("ledger: release: %w", err)
	}
	return nil
}
