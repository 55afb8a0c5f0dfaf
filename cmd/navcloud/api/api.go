// Package api is the NavCloud reference API: one node of a service that keeps the trips and
// favourites of users in step on all their devices, and the swarm of clients that checks it.
//
// A node serves documents (PUT, GET, DELETE /v1/trips/{id} and /v1/favourites/{id}) and one long-lived
// stream a device (GET /v1/stream), stores in Riak or in a file, and passes each change on to the
// other nodes through a fanout exchange of RabbitMQ or through a Bus. It counts what it does by
// StatsD and knows nothing of who reads that.
//
// It authenticates nobody: the user stands in the header X-Navcloud-User, which the balancer in
// front is trusted to set. It ends no TLS and, without Riak, replicates by events alone.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config describes one node. DefaultConfig gives the values of an empty command line.
type Config struct {
	Listen   string       // host:port
	Listener net.Listener // used in place of Listen where it is set; Run closes it

	Node, AZ, Stack string // who this is; tags of every metric
	Version         string // shown by /v1/version and as a tag of navcloud.info

	StatsD string // address of a DogStatsD listener: host:port or unix:///path; empty: no metrics
	Riak   string // base URL of a Riak node; empty: store in the file Data
	Data   string // path of the embedded file
	Broker string // amqp:// or amqps:// for RabbitMQ, bus://host:port for a Bus; empty: this node alone

	Exchange      string        // name of the fanout exchange
	Heartbeat     time.Duration // between heartbeats on a stream
	IdleTimeout   time.Duration // of the balancer in front
	Limit         int           // connections that the balancer in front can hold, over all nodes
	ProxyProtocol bool          // connections start with a PROXY protocol header, version 1 or 2
	Drain         time.Duration // for requests under way at the end

	Log   *slog.Logger
	Ready func(addr string) // called once when requests are served, may be nil
}

// DefaultConfig is a node alone on loopback.
//
// The idle time-out of 60 s is that of a Classic and of an Application Load Balancer; a heartbeat at half
// of it survives one that comes late.
// Source: Elastic Load Balancing user guides, "Connection idle timeout", read November 2026.
func DefaultConfig() Config {
	node, err := os.Hostname()
	if err != nil {
		node = "navcloud"
	}
	return Config{
		Listen: "127.0.0.1:9700", Node: node, AZ: "local", Stack: "navcloud", Version: "dev",
		StatsD: "127.0.0.1:8125", Data: "navcloud.db", Exchange: "navcloud.events",
		Heartbeat: 30 * time.Second, IdleTimeout: 60 * time.Second, Limit: 10000,
		Drain: 5 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
}

// deps names the services that this node cannot do without.
func (c Config) deps() (deps []string) {
	if strings.HasPrefix(c.Broker, "amqp") {
		deps = append(deps, "rabbitmq")
	}
	if c.Riak != "" {
		deps = append(deps, "riak")
	}
	return deps
}

// Validate says what is wrong with c, all of it at once.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(c.Listen == "" && c.Listener == nil, "listen: is empty")
	fault(c.Node == "", "node: is empty")
	fault(c.Riak == "" && c.Data == "", "riak, data: one of them is needed to store anything")
	fault(c.Heartbeat < 10*time.Millisecond, "heartbeat: %v is below 10ms", c.Heartbeat)
	fault(c.Heartbeat >= c.IdleTimeout, "heartbeat: %v is not below the balancer's idle time-out (%v)", c.Heartbeat, c.IdleTimeout)
	fault(c.Log == nil, "log: is nil")
	return errors.Join(errs...)
}

// Run serves until ctx ends, then lets requests under way finish within Drain and closes the
// streams. When it returns, nothing of it runs on. The error is nil after an end by ctx.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	tel, err := newTelemetry(cfg)
	if err != nil {
		return err
	}
	defer tel.close()
	st, err := openStore(cfg)
	if err != nil {
		return err
	}
	n := newNode(cfg, st, tel)
	if n.fanout, err = newFanout(cfg, tel, n.receive); err != nil {
		return errors.Join(err, st.close())
	}
	ln := cfg.Listener
	if ln == nil {
		if ln, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen); err != nil {
			return errors.Join(fmt.Errorf("listen: %w", err), st.close())
		}
	}
	addr := ln.Addr().String()
	if cfg.ProxyProtocol {
		ln = &proxyListener{Listener: ln}
	}
	if cfg.Ready != nil {
		cfg.Ready(addr)
	}
	cfg.Log.Info("serving", "addr", addr, "node", cfg.Node, "az", cfg.AZ)
	return errors.Join(n.serve(ctx, ln), st.close())
}

// serve runs the parts of the node. Order of the end: no new requests, then the streams, then the
// fan-out, so that what was answered with success still leaves.
func (n *node) serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           n.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * n.cfg.IdleTimeout, // longer than the balancer's, so that the balancer closes first
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(n.cfg.Log.Handler(), slog.LevelDebug),
	}
	back, stopBack := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBack()
	var parts errgroup.Group
	parts.Go(func() error { return n.fanout.run(back) })
	parts.Go(func() error { n.hub.beat(back); return nil })
	parts.Go(func() error { n.report(back); return nil })

	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	var err error
	select {
	case err = <-served: // the listener broke
	case <-ctx.Done():
		n.draining.Store(true)
		n.tel.count("stopped", 1)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.cfg.Drain)
		defer cancel()
		if srv.Shutdown(end) != nil {
			_ = srv.Close()
		}
		<-served
	}
	n.hub.closeAll()
	n.fanout.drain(n.cfg.Drain)
	stopBack()
	return errors.Join(err, parts.Wait())
}
