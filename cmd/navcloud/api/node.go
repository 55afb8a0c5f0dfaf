package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"
)

// node is one process of the service: it holds the parts together.
type node struct {
	cfg    Config
	store  store
	tel    *telemetry
	hub    *hub
	fanout fanout

	from     string // of the events made here
	seq      atomic.Uint64
	seen     seen
	draining atomic.Bool
	locks    [64]sync.Mutex // one reads, checks and writes a document at a time; by hash of its key
}

func newNode(cfg Config, st store, tel *telemetry) *node {
	return &node{
		cfg: cfg, store: st, tel: tel,
		hub:  newHub(cfg, tel),
		from: fmt.Sprintf("%s@%x", cfg.Node, time.Now().UnixNano()),
		seen: seen{from: map[string]*window{}},
	}
}

func (n *node) lock(k key) *sync.Mutex {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.kind + "/" + k.user + "/" + k.id))
	return &n.locks[h.Sum32()%uint32(len(n.locks))]
}

// want is what a write asks of the document that is there: If-Match ("" any, "*" one that exists, else its ETag) and
// If-None-Match ("*": none).
type want struct{ match, noneMatch string }

// write stores the next version of a document if the one there is what w wants, and publishes it. A nil body deletes.
func (n *node) write(ctx context.Context, k key, body json.RawMessage, w want) (record, error) {
	mu := n.lock(k) // writers of one process do not get into each other's way
	mu.Lock()
	defer mu.Unlock()
	start := time.Now()
	r, err := n.store.swap(ctx, k, func(old record) (record, error) {
		exists := old.Version > 0 && !old.Deleted
		switch {
		case w.match == "*" && !exists, w.match != "" && w.match != "*" && (!exists || w.match != etag(old)), w.noneMatch == "*" && exists:
			return old, errPrecondition
		case body == nil && !exists:
			return old, errNotFound
		}
		return record{Version: old.Version + 1, At: time.Now().UnixNano(), Deleted: body == nil, Body: body}, nil
	})
	if refused := errors.Is(err, errPrecondition) || errors.Is(err, errNotFound); refused {
		n.stored("put", start, nil)
	} else {
		n.stored("put", start, err)
	}
	if err == nil {
		n.publish(k, r)
	}
	return r, err
}

func (n *node) get(ctx context.Context, k key) (record, error) {
	start := time.Now()
	r, err := n.store.get(ctx, k)
	n.stored("get", start, err)
	return r, err
}

// stored counts one operation of the store.
func (n *node) stored(op string, start time.Time, err error) {
	n.tel.timing("store.latency", time.Since(start), "op:"+op)
	n.tel.count("store.operations", 1, "op:"+op)
	if err != nil {
		n.tel.count("store.errors", 1, "op:"+op)
	}
}

// publish tells the streams of this node at once and the other nodes through the fan-out: who is
// connected here must not wait for a broker.
func (n *node) publish(k key, r record) {
	e := &event{
		From: n.from, Seq: n.seq.Add(1), At: r.At,
		Type: "put", Kind: k.kind, User: k.user, ID: k.id, Version: r.Version, Body: r.Body,
	}
	if r.Deleted {
		e.Type = "delete"
	}
	line, err := json.Marshal(e)
	if err != nil { // a body was checked to be JSON when it came in
		n.cfg.Log.Error("event not made", "err", err)
		return
	}
	n.tel.count("events.published", 1)
	n.seen.first(e.From, e.Seq) // a fanout exchange gives it back to its publisher too
	n.deliver(e, line)
	n.fanout.publish(line)
}

// receive takes an event from another node.
func (n *node) receive(line []byte) {
	e, err := decodeEvent(line)
	if err != nil {
		n.tel.count("events.dropped", 1, "reason:malformed")
		return
	}
	if !n.seen.first(e.From, e.Seq) {
		return
	}
	if !n.store.replicates() && (e.Kind == "trips" || e.Kind == "favourites") {
		k := key{e.Kind, e.User, e.ID}
		r := record{Version: e.Version, At: e.At, Deleted: e.Type == "delete", Body: e.Body}
		mu := n.lock(k)
		mu.Lock()
		start := time.Now()
		err := n.store.apply(context.Background(), k, r)
		n.stored("put", start, err)
		if err != nil {
			n.cfg.Log.Warn("event not applied", "err", err)
		}
		mu.Unlock()
	}
	n.deliver(e, line)
}

func (n *node) deliver(e *event, line []byte) {
	n.tel.count("events.received", 1)
	n.hub.deliver(e.User, chunk(line))
	n.tel.timing("fanout.latency", time.Since(e.time()))
}

// report publishes what is a state and not an event, each second.
func (n *node) report(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		n.tel.gauge("info", 1, "version:"+n.cfg.Version)
		for _, dep := range n.cfg.deps() {
			n.tel.gauge("depends", 1, "dep:"+dep)
		}
		n.tel.gauge("streams.open", float64(n.hub.len()))
		n.tel.gauge("streams.limit", float64(n.cfg.Limit))
		n.tel.gauge("broker.connected", map[bool]float64{true: 1}[n.fanout.connected()])
		select {
		case <-ctx.Done():
			n.tel.gauge("streams.open", float64(n.hub.len()))
			return
		case <-tick.C:
			n.tel.count("alive", 1)
		}
	}
}
