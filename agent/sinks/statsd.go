package sinks

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/navcloud/binnacle/agent/metric"
)

// StatsD are the options of the destination statsd.
type StatsD struct {
	Address string `yaml:"address"` // host:port, udp://host:port or unixgram:///path
	// Flavor is plain, which every StatsD server reads and which knows no tags: labels become parts of the
	// name; or datadog, with tags.
	Flavor string `yaml:"flavor"`
	Prefix string `yaml:"prefix"` // in front of every name, with its dot
}

// DefaultStatsD returns the defaults.
func DefaultStatsD() StatsD { return StatsD{Address: "127.0.0.1:8125", Flavor: flavorPlain} }

const (
	flavorPlain   = "plain"
	flavorDatadog = "datadog"
)

// Validate says all that is wrong.
func (o StatsD) Validate() error {
	var errs []error
	if network, addr := splitAddress(o.Address); network == "udp" {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("address: want host:port, udp://host:port or unixgram:///path: %w", err))
		}
	} else if addr == "" {
		errs = append(errs, fmt.Errorf("address: %q has no path", o.Address))
	}
	if o.Flavor != flavorPlain && o.Flavor != flavorDatadog {
		errs = append(errs, fmt.Errorf("flavor: %q is none of plain, datadog", o.Flavor))
	}
	return errors.Join(errs...)
}

func splitAddress(a string) (network, addr string) {
	if path, ok := strings.CutPrefix(a, "unixgram://"); ok {
		return "unixgram", path
	}
	return "udp", strings.TrimPrefix(a, "udp://")
}

// statsdSink sends through datadog-go, whose own aggregation is off: the figures are aggregated already.
type statsdSink struct {
	opts   StatsD
	env    Env
	client *statsd.ClientDirect
	out    *statsdWriter
}

// flushEvery bounds how many samples stand between two flushes of the client, so that its own queue,
// which drops what is over its size, is never near it.
const flushEvery = 20

// NewStatsD returns the Sink of a StatsD server. It dials with the first Write.
func NewStatsD(o StatsD, env Env) (Sink, error) {
	s := &statsdSink{opts: o, env: env}
	network, addr := splitAddress(o.Address)
	payload := 1432 // fits an Ethernet frame. Source: datadog-go, OptimalUDPPayloadSize
	if network == "unixgram" {
		payload = 8192
	}
	s.out = &statsdWriter{network: network, addr: addr, dial: env.Dial, plain: o.Flavor == flavorPlain}
	if s.out.dial == nil {
		s.out.dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	client, err := statsd.NewDirectWithWriter(s.out,
		statsd.WithoutClientSideAggregation(), statsd.WithoutTelemetry(),
		statsd.WithoutOriginDetection(), statsd.WithMutexMode(), statsd.WithWorkersCount(1),
		statsd.WithMaxBytesPerPayload(payload), statsd.WithBufferPoolSize(4), statsd.WithSenderQueueSize(1024),
		statsd.WithBufferFlushInterval(time.Hour), statsd.WithErrorHandler(func(error) {}), // the writer keeps it
	)
	if err != nil {
		return nil, fmt.Errorf("statsd: %w", err)
	}
	s.client = client
	return s, nil
}

// Close implements io.Closer.
func (s *statsdSink) Close() error {
	return errors.Join(s.client.Close(), s.out.hangUp())
}

// shaper makes whole Deltas of all that counts.
func (s *statsdSink) shaper() shaper {
	return &wholes{increases: newIncreases(), rest: map[seriesKey]remainder{}}
}

// Check implements Checker.
func (s *statsdSink) Check(sm metric.Sample) string {
	if sm.Hist == nil && (math.IsNaN(sm.Value) || math.IsInf(sm.Value, 0)) {
		return "not_finite"
	}
	return ""
}

// Write implements Sink. A datagram is either sent or not; nobody says whether it arrived.
func (s *statsdSink) Write(ctx context.Context, samples []metric.Sample) error {
	for i := 0; i < len(samples); i += flushEvery {
		if err := ctx.Err(); err != nil {
			return Partial(i, err)
		}
		s.out.begin(ctx)
		for _, sm := range samples[i:min(i+flushEvery, len(samples))] {
			if err := s.send(sm); err != nil {
				return Partial(i, fmt.Errorf("statsd: %w", err))
			}
		}
		if err := errors.Join(s.client.Flush(), s.out.err); err != nil {
			return Partial(i, fmt.Errorf("statsd: %w", err))
		}
	}
	return nil
}

// WriteEvents implements Eventer. A plain server knows neither events nor checks: they are not for it.
func (s *statsdSink) WriteEvents(ctx context.Context, events []metric.Event) error {
	if s.opts.Flavor != flavorDatadog {
		return nil
	}
	s.out.begin(ctx)
	var errs []error
	for _, e := range events {
		_, tags := s.spell(metric.Sample{Desc: &metric.Desc{}, Labels: e.Labels.With("host", "")})
		host := cmp.Or(e.Labels.Get("host"), s.env.Node)
		if e.Check {
			errs = append(errs, s.client.ServiceCheck(&statsd.ServiceCheck{
				Name: clean(e.Title, "|"), Status: statsd.ServiceCheckStatus(min(e.Level, metric.Unknown)), Timestamp: e.Time, Hostname: host, Message: e.Text, Tags: tags,
			}))
			continue
		}
		errs = append(errs, s.client.Event(&statsd.Event{
			Title: e.Title, Text: e.Text, Timestamp: e.Time, Hostname: host, AggregationKey: e.Key, AlertType: alertTypes[e.Level], Tags: tags,
		}))
	}
	return errors.Join(append(errs, s.client.Flush(), s.out.err)...)
}

var alertTypes = map[metric.Level]statsd.EventAlertType{
	metric.OK: statsd.Success, metric.Warning: statsd.Warning, metric.Critical: statsd.Error, metric.Unknown: statsd.Warning, metric.Info: statsd.Info,
}

func (s *statsdSink) send(sm metric.Sample) error {
	name, tags := s.spell(sm)
	switch {
	case sm.Hist != nil && sm.Hist.Count == 0:
		return nil
	case sm.Hist != nil && s.opts.Flavor == flavorDatadog:
		return s.weighted(name, tags, sm)
	case sm.Hist != nil:
		return s.summary(name, sm)
	case sm.Desc.Kind == metric.Delta:
		return s.client.Count(name, int64(sm.Value), tags, 1)
	case sm.Value < 0 && s.opts.Flavor == flavorPlain:
		// A sign makes a change of it there: from zero it is the value. Source: etsy/statsd, metric_types.md.
		if err := s.client.Gauge(name, 0, nil, 1); err != nil {
			return err
		}
	}
	return s.client.Gauge(name, sm.Value, tags, 1)
}

// weighted sends each bucket as one value whose rate says how often it occurred.
func (s *statsdSink) weighted(name string, tags []string, sm metric.Sample) error {
	values, counts := sm.Hist.Values(64)
	for i, v := range values {
		rate := min(1/counts[i], 1)
		if err := s.client.DistributionSamples(name, []float64{v * timerScale(sm.Desc)}, tags, rate); err != nil {
			return err
		}
	}
	return nil
}

// summary sends what a plain server would have made of the timings: it can't be told weights.
func (s *statsdSink) summary(name string, sm metric.Sample) error {
	if err := s.client.Count(name+".count", int64(math.Round(sm.Hist.Count)), nil, 1); err != nil {
		return err
	}
	for _, f := range summaryOf(sm) {
		if f.suffix == "count" {
			continue
		}
		if err := s.client.Gauge(name+"."+f.suffix, f.value, nil, 1); err != nil {
			return err
		}
	}
	return nil
}

// figure is one number of a distribution.
type figure struct {
	suffix string
	value  float64
}

// summaryOf tells a distribution in numbers, timers in milliseconds.
func summaryOf(sm metric.Sample) []figure {
	h, by := sm.Hist, timerScale(sm.Desc)
	return []figure{
		{"count", h.Count},
		{"sum", h.Sum * by},
		{"mean", h.Sum / h.Count * by},
		{"lower", h.Min * by},
		{"upper", h.Max * by},
		{"p50", h.Quantile(0.5) * by},
		{"p95", h.Quantile(0.95) * by},
		{"p99", h.Quantile(0.99) * by},
	}
}

// timerScale is 1000 for a timer under its StatsD name, which has been in milliseconds from of old,
// and 1 for what names its unit.
func timerScale(d *metric.Desc) float64 {
	if d.Kind == metric.Distribution && d.Unit == metric.Seconds && !strings.HasSuffix(d.Name, "seconds") {
		return 1000
	}
	return 1
}

// spell returns the name and the tags of sm in the flavor.
func (s *statsdSink) spell(sm metric.Sample) (name string, tags []string) {
	if s.opts.Flavor == flavorDatadog {
		for _, l := range sm.Labels {
			tags = append(tags, clean(l.Name, ",|#:")+":"+clean(l.Value, ",|#"))
		}
		return s.opts.Prefix + clean(sm.Desc.Name, ":|@#"), tags
	}
	var b strings.Builder
	b.WriteString(s.opts.Prefix)
	b.WriteString(clean(sm.Desc.Name, ":|@# /"))
	for _, l := range sm.Labels {
		b.WriteByte('.')
		b.WriteString(clean(l.Value, ":|@# /."))
	}
	return b.String(), nil
}

// clean puts an underscore in place of control characters and those of bad.
func clean(s, bad string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(bad, r) {
			return '_'
		}
		return r
	}, s)
}

// statsdWriter is the socket. It dials again after an error and keeps the first one since begin.
type statsdWriter struct {
	network, addr string
	dial          func(ctx context.Context, network, address string) (net.Conn, error)
	plain         bool

	ctx  context.Context // of the Write under way
	conn net.Conn
	err  error
}

func (w *statsdWriter) begin(ctx context.Context) { w.ctx, w.err = ctx, nil }

func (w *statsdWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.err = w.write(p)
	if w.err != nil {
		_ = w.hangUp()
		return 0, w.err
	}
	return len(p), nil
}

func (w *statsdWriter) write(p []byte) (err error) {
	if w.conn == nil {
		if w.conn, err = w.dial(w.ctx, w.network, w.addr); err != nil {
			return err
		}
	}
	if w.plain {
		p = untagged(p)
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err = w.conn.Write(bytes.TrimSuffix(p, []byte("\n")))
	return err
}

// untagged cuts the tags off each line: the client adds some from the environment (DD_ENV and others),
// and a plain server reads no line that has any.
func untagged(p []byte) []byte {
	if !bytes.Contains(p, []byte("|#")) {
		return p
	}
	lines := bytes.Split(p, []byte("\n"))
	for i, l := range lines {
		lines[i], _, _ = bytes.Cut(l, []byte("|#"))
	}
	return bytes.Join(lines, []byte("\n"))
}

func (w *statsdWriter) hangUp() error {
	if w.conn == nil {
		return nil
	}
	err := w.conn.Close()
	w.conn = nil
	return err
}

// Close implements io.Closer for the client; Close of the sink hangs up.
func (w *statsdWriter) Close() error { return nil }
