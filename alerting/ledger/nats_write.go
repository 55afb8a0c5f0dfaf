package ledger

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/navcloud/binnacle/alerting"
)

// Bounds of a batch.
// Source: NATS architecture decision record 50, "JetStream batch publishing", read November 2026.
const (
	maxBatch   = 900 // messages; the server takes 1000
	perMessage = 500 // events
)

// wrongSequence is the server's word for a message that is not the newest any more.
const wrongSequence jetstream.ErrorCode = 10071

// leaseMsg is the lease, to be stored if its newest message has the sequence seq (0: there is none).
func (s *shared) leaseMsg(b leaseBody, seq uint64) *nats.Msg {
	data, _ := json.Marshal(b) // two plain fields
	return s.msg(natsLease, data, s.ttl, &seq)
}

// msg makes a message that runs out after ttl (0: never). expect is the sequence of the one that it replaces.
func (s *shared) msg(subject string, data []byte, ttl time.Duration, expect *uint64) *nats.Msg {
	m := nats.NewMsg(s.prefix + subject)
	m.Data = data
	if ttl > 0 {
		m.Header.Set(jetstream.MsgTTLHeader, max(ttl, time.Second).String())
	}
	if expect != nil {
		m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(*expect, 10))
	}
	return m
}

// publish stores all of msgs or none, and returns the sequence of the last one; the others are right before it. s.mu is held.
func (s *shared) publish(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	// No message but the last is waited for: each would cost a page a round trip, and the commit tells of them all.
	ack, err := jetstreamext.PublishMsgBatch(ctx, s.js, msgs, jetstreamext.BatchFlowControl{})
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode == wrongSequence:
		return 0, fmt.Errorf("%w: %s", ErrConflict, api.Description)
	case err != nil:
		return 0, fmt.Errorf("ledger: write: %w", err)
	}
	return ack.Sequence, nil
}

// Write implements Ledger. A batch of more than maxBatch entries is written in parts. The zero Lease, of a router that
// does not send, may tell what a person did: each entry's revision guards it.
func (s *shared) Write(ctx context.Context, l Lease, b Batch) ([]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.Token != s.lease.Token {
		return nil, ErrFenced
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	msgs, err := s.messages(b)
	if err != nil {
		return nil, err
	}
	var revs []uint64
	for part := range slices.Chunk(msgs, maxBatch) {
		start, lead := time.Now(), 0
		if l.Token > 0 {
			part = append([]*nats.Msg{s.leaseMsg(leaseBody{l.Holder, l.Token}, s.seq)}, part...)
			lead = 1
		}
		last, err := s.publish(ctx, part)
		if err != nil {
			return nil, s.lostBy(ctx, err)
		}
		first := last - uint64(len(part)) + 1
		if lead == 1 {
			s.seq, s.lease.Until = first, start.Add(s.ttl)
		}
		for n := range part[lead:] {
			revs = append(revs, first+uint64(lead+n))
		}
	}
	return revs[:min(len(b.Entries), len(revs))], nil // entries come first
}

// lostBy tells a lease that was lost from an entry that another changed; s.mu is held.
func (s *shared) lostBy(ctx context.Context, err error) error {
	if errors.Is(err, ErrConflict) && s.lease.Token > 0 && !s.stillOurs(ctx) {
		s.lease = Lease{}
		return fmt.Errorf("%w: %w", ErrFenced, err)
	}
	return err
}

// messages are what a batch stores, the entries first.
func (s *shared) messages(b Batch) ([]*nats.Msg, error) {
	var msgs []*nats.Msg
	var errs []error
	add := func(subject string, v any, ttl time.Duration, expect *uint64) {
		data, err := pack(v)
		if err == nil && int64(len(data)) > s.nc.MaxPayload()-4<<10 {
			err = fmt.Errorf("%w: %d bytes, and the server takes %d", ErrTooLarge, len(data), s.nc.MaxPayload())
		}
		errs = append(errs, err)
		msgs = append(msgs, s.msg(subject, data, ttl, expect))
	}
	for _, e := range b.Entries {
		ttl := s.opts.Retention
		if e.Record.Open || e.Record.Pending != "" {
			ttl = 0
		}
		add(natsEntries+digest(string(entryKey(e))), e.bounded(), ttl, &e.Revision)
	}
	for _, x := range b.Silences {
		add(natsSilences+digest(x.ID), x, max(0, time.Until(x.EndsAt))+s.opts.Retention, nil)
	}
	for part := range slices.Chunk(b.Events, perMessage) {
		kept := make([]Event, len(part))
		for i, e := range part {
			kept[i] = e.bounded()
		}
		inbox := nats.NewInbox()
		add(natsEvents+inbox[strings.LastIndexByte(inbox, '.')+1:], kept, s.opts.Retention, nil)
	}
	return msgs, errors.Join(errs...)
}

// pack makes JSON small: a page is mostly labels that repeat.
func pack(v any) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	err := errors.Join(json.NewEncoder(z).Encode(v), z.Close())
	return b.Bytes(), err
}

func unpack(data []byte, v any) error {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return json.NewDecoder(io.LimitReader(z, 16*maxEntry)).Decode(v)
}

// Load implements Ledger.
func (s *shared) Load(ctx context.Context) (State, error) {
	var st State
	err := s.walk(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{s.prefix + natsEntries + ">", s.prefix + natsSilences + ">"}}, func(m jetstream.Msg, seq uint64) error {
		return s.read(m, seq, &st)
	})
	if err != nil {
		return State{}, fmt.Errorf("ledger: load: %w", err)
	}
	return st, nil
}

// read adds what a message holds to st.
func (s *shared) read(m jetstream.Msg, seq uint64, st *State) error {
	if strings.HasPrefix(m.Subject(), s.prefix+natsSilences) {
		var x alerting.Silence
		if err := unpack(m.Data(), &x); err != nil {
			return fmt.Errorf("%s: %w", m.Subject(), err)
		}
		st.Silences = append(st.Silences, x)
		return nil
	}
	e := Entry{}
	if err := unpack(m.Data(), &e); err != nil {
		return fmt.Errorf("%s: %w", m.Subject(), err)
	}
	e.Revision = seq
	st.Entries = append(st.Entries, e)
	return nil
}

// History implements Ledger.
func (s *shared) History(ctx context.Context, q Query) ([]Event, error) {
	c := jetstream.OrderedConsumerConfig{FilterSubjects: []string{s.prefix + natsEvents + ">"}}
	if !q.Since.IsZero() {
		from := q.Since.Add(-time.Hour) // clocks differ
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &from
	}
	var out []Event
	err := s.walk(ctx, c, func(m jetstream.Msg, seq uint64) error {
		var events []Event
		if err := unpack(m.Data(), &events); err != nil {
			return fmt.Errorf("%s: %w", m.Subject(), err)
		}
		for i, e := range events {
			e.Seq = seq*perMessage + uint64(i)
			if q.wants(e) {
				out = append(out, e)
			}
		}
		if over := len(out) - q.limit(); over > 0 {
			out = slices.Delete(out, 0, over)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: history: %w", err)
	}
	return out, nil
}

// walk hands all that a consumer has now to each, in order. It gives up where nothing comes for a while.
func (s *shared) walk(ctx context.Context, c jetstream.OrderedConsumerConfig, each func(m jetstream.Msg, seq uint64) error) error {
	begin, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	cons, err := s.stream.OrderedConsumer(begin, c)
	if err != nil {
		return err
	}
	info, err := cons.Info(begin)
	if err != nil {
		return err
	}
	if info.NumPending == 0 {
		return nil
	}
	msgs, err := cons.Messages()
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextMaxWait(s.timeout))
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if err := each(m, meta.Sequence.Stream); err != nil {
			return err
		}
		if meta.NumPending == 0 {
			return nil
		}
	}
}

// Follow implements Follower.
func (s *shared) Follow(ctx context.Context, changed func(State)) error {
	cons, err := s.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{s.prefix + natsEntries + ">", s.prefix + natsSilences + ">"},
	})
	if err != nil {
		return fmt.Errorf("ledger: follow: %w", err)
	}
	msgs, err := cons.Messages()
	if err != nil {
		return fmt.Errorf("ledger: follow: %w", err)
	}
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("ledger: follow: %w", err)
		}
		var st State
		meta, err := m.Metadata()
		if err == nil {
			err = s.read(m, meta.Sequence.Stream, &st)
		}
		if err != nil {
			return fmt.Errorf("ledger: follow: %w", err)
		}
		changed(st)
	}
}
