package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Graphite are the options of the destination graphite: carbon's plaintext protocol over TCP.
type Graphite struct {
	Address string `yaml:"address"` // host:port
	Prefix  string `yaml:"prefix"`  // in front of every name, with its dot
	// Format is path, where the values of labels become parts of the name, or tags, which wants Graphite 1.1.
	Format string `yaml:"format"`
}

// DefaultGraphite returns the defaults.
func DefaultGraphite() Graphite { return Graphite{Address: "127.0.0.1:2003", Format: formatPath} }

const (
	formatPath = "path"
	formatTags = "tags"
)

// Validate says all that is wrong.
func (o Graphite) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		errs = append(errs, fmt.Errorf("address: want host:port: %w", err))
	}
	if o.Format != formatPath && o.Format != formatTags {
		errs = append(errs, fmt.Errorf("format: %q is none of path, tags", o.Format))
	}
	return errors.Join(errs...)
}

type graphite struct {
	opts Graphite
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewGraphite returns the Sink of a carbon server.
func NewGraphite(o Graphite, env Env) (Sink, error) {
	g := &graphite{opts: o, dial: env.Dial}
	if g.dial == nil {
		g.dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	return g, nil
}

// Check implements Checker.
func (g *graphite) Check(s metric.Sample) string {
	if s.Hist == nil && (math.IsNaN(s.Value) || math.IsInf(s.Value, 0)) {
		return "not_finite"
	}
	return ""
}

// Write implements Sink. It has a connection to itself and ends by waiting until the server closes its
// side, which says that it read all: the protocol has no other answer. A repetition overwrites.
func (g *graphite) Write(ctx context.Context, samples []metric.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	conn, err := g.dial(ctx, "tcp", g.opts.Address)
	if err != nil {
		return fmt.Errorf("graphite: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	var text []byte
	for _, s := range samples {
		text = g.lines(text, s)
	}
	if _, err = conn.Write(text); err == nil {
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			err = half.CloseWrite()
		}
	}
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(conn, 1<<10)) // ends with the server's close
	}
	if cerr := ctx.Err(); cerr != nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("graphite: %w", err)
	}
	return nil
}

// lines appends what carbon reads of s: NAME VALUE SECONDS.
func (g *graphite) lines(dst []byte, s metric.Sample) []byte {
	line := func(suffix string, v float64) {
		if math.IsNaN(v) {
			return
		}
		dst = g.path(dst, s, suffix)
		dst = append(dst, ' ')
		dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, s.Time.Unix(), 10)
		dst = append(dst, '\n')
	}
	switch {
	case s.Hist == nil:
		line("", s.Value)
	case s.Hist.Count > 0:
		for _, f := range summaryOf(s) {
			line("."+f.suffix, f.value)
		}
	}
	return dst
}

// path appends the name. Source of what tags may hold: graphite.readthedocs.io, Tag Support, read November 2026.
func (g *graphite) path(dst []byte, s metric.Sample, suffix string) []byte {
	b := bytes.NewBuffer(append(dst, g.opts.Prefix...))
	b.WriteString(clean(s.Desc.Name, " ;/~"))
	if g.opts.Format == formatPath {
		for _, l := range s.Labels {
			b.WriteByte('.')
			b.WriteString(clean(l.Value, " ;/~."))
		}
		b.WriteString(suffix)
		return b.Bytes()
	}
	b.WriteString(suffix)
	for _, l := range s.Labels {
		b.WriteString(";" + clean(l.Name, " ;!^=") + "=" + clean(l.Value, " ;~"))
	}
	return b.Bytes()
}
