package sinks

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
)

// Env is what sinks take from the world.
type Env struct {
	Node string            // name of this node
	Tags map[string]string // of this node: stack, group, az, ...
	// Instance is the ID of the EC2 instance that this node is; empty: it is none, or does not know yet.
	Instance string
	Data     string            // directory of the spools; empty: none
	HTTP     http.RoundTripper // nil: the default
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Log      *slog.Logger

	Damaged func(damage.Report) // is called with what of a spool was damaged; may be nil
}

// Common are the options that every destination has beside its own. Their keys are CommonKeys.
type Common struct {
	Queue QueueOptions `yaml:"queue"`
	Spool SpoolOptions `yaml:"spool"`
	View  View         `yaml:"view"`
}

// CommonKeys are the keys of Common in a destination's section.
var CommonKeys = []string{"queue", "spool", "view"}

// Spec describes a destination before there is one.
type Spec struct {
	Name    string
	Kind    string // of one that has a name of its own; empty: the name is the kind
	Options any    // default options, a struct with Validate; the configuration is decoded into a copy
	Common  Common // defaults of the rest
	Spooled bool   // whether samples can wait: what carries no time of its own cannot
	New     func(options any, env Env) (Sink, error)
}

func common(every, deadline, maxAge time.Duration) Common {
	c := Common{Queue: DefaultQueue(), Spool: DefaultSpool()}
	c.Queue.Every, c.Queue.Deadline, c.Queue.MaxAge = every, deadline, maxAge
	return c
}

// cloudWatchCommon leaves out the agent's figures of itself: about a hundred series, each billed and each
// under the cap, that the agent's own rules watch already. What came from CloudWatch is not paid for a second time.
// What the router's graph alone is made of, who needs whom, is no figure.
func cloudWatchCommon() Common {
	c := common(time.Minute, 45*time.Second, 13*24*time.Hour)
	c.View.Exclude = []string{"binnacle_*", "aws_*", "service_listens", "service_needs", "connections_address", "connections_uses"}
	return c
}

var catalogue = []Spec{
	{
		// CloudWatch refuses what is older than two weeks. Source: API Reference, MetricDatum, read November 2026.
		Name: "cloudwatch", Options: DefaultCloudWatch(), Common: cloudWatchCommon(), Spooled: true,
		New: func(o any, env Env) (Sink, error) { return NewCloudWatch(o.(CloudWatch), env) },
	},
	{
		// A line of StatsD has no time of its own: what is older than an interval would pass for today's.
		Name: "statsd", Options: DefaultStatsD(), Common: common(10*time.Second, 9*time.Second, 25*time.Second),
		New: func(o any, env Env) (Sink, error) { return NewStatsD(o.(StatsD), env) },
	},
	{
		Name: "remote_write", Options: DefaultRemoteWrite(), Common: common(remoteWriteEvery, remoteWriteEvery, 0), Spooled: true,
		New: func(o any, env Env) (Sink, error) { return NewRemoteWrite(o.(RemoteWrite), env) },
	},
	{
		Name: "graphite", Options: DefaultGraphite(), Common: common(10*time.Second, 9*time.Second, 0), Spooled: true,
		New: func(o any, env Env) (Sink, error) { return NewGraphite(o.(Graphite), env) },
	},
	{
		Name: "otlp", Options: DefaultOTLP(), Common: common(10*time.Second, 9*time.Second, 0), Spooled: true,
		New: func(o any, env Env) (Sink, error) { return NewOTLP(o.(OTLP), env) },
	},
}

// All returns the catalogue.
func All() []Spec { return slices.Clone(catalogue) }

// Lookup returns the Spec of name.
func Lookup(name string) (Spec, bool) {
	i := slices.IndexFunc(catalogue, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, false
	}
	return catalogue[i], true
}

// Open builds the destination with its queue and spool. options is of the type of s.Options.
func (s Spec) Open(options any, c Common, env Env) (*Queue, error) {
	sink, err := s.New(options, env)
	if err != nil {
		return nil, err
	}
	return s.Queue(sink, options, c, env)
}

// Queue puts sink, which New made of the same options, behind its queue and spool.
func (s Spec) Queue(sink Sink, options any, c Common, env Env) (*Queue, error) {
	if env.Log == nil {
		return nil, fmt.Errorf("sink %s: want a logger", s.Name)
	}
	var spool *Spool
	if s.Spooled && env.Data != "" && c.Spool.Bytes > 0 {
		var err error
		if spool, err = OpenSpool(filepath.Join(env.Data, "spool", s.Name), c.Spool, env.Damaged); err != nil {
			env.Log.Error("no spool: samples wait in memory alone", "sink", s.Name, "err", err)
			spool = nil
		}
	}
	offset := time.Duration(0)
	if cwo, ok := options.(CloudWatch); ok {
		offset = phase(env.Node)
		if len(cwo.HighResolution) > 0 {
			c.Queue.Every = min(c.Queue.Every, 10*time.Second)
			c.Queue.Deadline = min(c.Queue.Deadline, c.Queue.Every)
		}
	}
	q := NewQueue(s.Name, sink, c.Queue, offset, spool, env.Log)
	q.view = newViewer(c.View)
	return q, nil
}
