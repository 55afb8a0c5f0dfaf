package api

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

const usage = `navcloud serve   one node of the service
navcloud swarm   clients that hold streams, write trips and check that each event arrives
navcloud bus     passes events between the nodes on one machine, where there is no RabbitMQ
navcloud COMMAND -h lists the options of each.`

// Main runs a command line: serve, swarm or bus. It blocks until ctx ends or the command does. The
// swarm prints its progress and, last, its report as lines of JSON on standard output; its error says
// that an event was missed or came twice.
func Main(ctx context.Context, args []string) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "serve":
		err = mainServe(ctx, args)
	case "swarm":
		err = mainSwarm(ctx, args, os.Stdout)
	case "bus":
		err = mainBus(ctx, args)
	default:
		return fmt.Errorf("want a command, have %q\n%s", command, usage)
	}
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

func newFlags(name string) *flag.FlagSet {
	return flag.NewFlagSet("navcloud "+name, flag.ContinueOnError)
}

func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%s: want options only, have %q", f.Name(), f.Arg(0))
	}
	return nil
}

func logger(quiet bool) *slog.Logger {
	level := slog.LevelInfo
	if quiet {
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func mainServe(ctx context.Context, args []string) error {
	cfg := DefaultConfig()
	f := newFlags("serve")
	f.StringVar(&cfg.Listen, "listen", cfg.Listen, "`host:port` for requests and streams")
	f.StringVar(&cfg.Node, "node", cfg.Node, "name of this node")
	f.StringVar(&cfg.AZ, "az", cfg.AZ, "availability zone of this node")
	f.StringVar(&cfg.Stack, "stack", cfg.Stack, "stack that this node belongs to")
	f.StringVar(&cfg.Version, "version", cfg.Version, "version to show")
	f.StringVar(&cfg.StatsD, "statsd", cfg.StatsD, "DogStatsD `address`, host:port or unix:///path; empty: no metrics")
	f.StringVar(&cfg.Riak, "riak", cfg.Riak, "`URLs` of Riak nodes, http://127.0.0.1:8098 say, parted by commas: the next is asked where one fails; empty: store in the file of -data")
	f.StringVar(&cfg.Data, "data", cfg.Data, "`file` to store in, without Riak")
	f.StringVar(&cfg.Broker, "broker", cfg.Broker, "`URL` of RabbitMQ (amqp://user:password@host:5672/vhost) or of a bus (bus://host:port); empty: no other nodes")
	f.StringVar(&cfg.Exchange, "exchange", cfg.Exchange, "name of the fanout exchange")
	f.DurationVar(&cfg.Heartbeat, "heartbeat", cfg.Heartbeat, "between heartbeats on a stream")
	f.DurationVar(&cfg.IdleTimeout, "idle-timeout", cfg.IdleTimeout, "of the balancer in front")
	f.IntVar(&cfg.Limit, "limit", cfg.Limit, "connections that the balancer in front can hold, over all nodes")
	f.BoolVar(&cfg.ProxyProtocol, "proxy-protocol", cfg.ProxyProtocol, "want a PROXY protocol header (version 1 or 2) on each connection")
	f.DurationVar(&cfg.Drain, "drain", cfg.Drain, "time for requests under way at the end")
	quiet := f.Bool("quiet", false, "log errors only")
	if err := parse(f, args); err != nil {
		return err
	}
	if env := os.Getenv("NAVCLOUD_BROKER"); cfg.Broker == "" {
		cfg.Broker = env // keeps a password off the command line
	}
	cfg.Log = logger(*quiet)
	return Run(ctx, cfg)
}

func mainSwarm(ctx context.Context, args []string, out io.Writer) error {
	cfg := DefaultSwarm()
	f := newFlags("swarm")
	nodes := f.String("nodes", strings.Join(cfg.Nodes, ","), "`host:port,...` of the nodes")
	f.IntVar(&cfg.Streams, "streams", cfg.Streams, "streams to hold open, over all nodes in turn")
	f.IntVar(&cfg.Users, "users", 0, "users who have them (a quarter of the streams)")
	f.Float64Var(&cfg.Ramp, "ramp", cfg.Ramp, "streams opened a second, at most")
	f.Float64Var(&cfg.Rate, "rate", cfg.Rate, "trips written a second")
	f.DurationVar(&cfg.For, "for", cfg.For, "how long to write once all streams are open; 0: until stopped")
	f.DurationVar(&cfg.Grace, "grace", cfg.Grace, "how long an event may take")
	f.DurationVar(&cfg.Silence, "silence", cfg.Silence, "give a stream up after this long without a byte")
	f.DurationVar(&cfg.Every, "every", cfg.Every, "between lines of progress")
	f.IntVar(&cfg.Conflicts, "conflicts", 0, "conditional updates of one document by eight writers at once, before all else; none that is acknowledged may be lost")
	quiet := f.Bool("quiet", false, "print the last report only")
	if err := parse(f, args); err != nil {
		return err
	}
	cfg.Nodes = strings.Split(*nodes, ",")
	if cfg.Users == 0 {
		cfg.Users = max(1, cfg.Streams/4)
	}
	cfg.Log = logger(*quiet)
	lines := json.NewEncoder(out)
	if !*quiet {
		cfg.Progress = func(r Report) { _ = lines.Encode(r) }
	}
	r, err := Swarm(ctx, cfg)
	if err != nil {
		return err
	}
	if err := lines.Encode(r); err != nil {
		return err
	}
	if c := r.Conflicts; c != nil && c.Lost > 0 {
		return fmt.Errorf("%d acknowledged updates were lost: %s", c.Lost, c.words())
	}
	if r.Missed+r.Repeated > 0 {
		return fmt.Errorf("of %d deliveries %d were missed and %d came twice", r.Expected, r.Missed, r.Repeated)
	}
	return nil
}

func mainBus(ctx context.Context, args []string) error {
	f := newFlags("bus")
	addr := f.String("listen", "127.0.0.1:9690", "`host:port` for the nodes")
	if err := parse(f, args); err != nil {
		return err
	}
	b, err := NewBus(*addr)
	if err != nil {
		return err
	}
	logger(false).Info("passing events", "broker", b.URL())
	return b.Run(ctx)
}
