package statsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/sockets"
)

// What the agent knows of its own receiving. Datagrams sent are datagrams and kernel drops together;
// lines are aggregated and rejected together.
var (
	descDatagrams = &metric.Desc{
		Name: "binnacle_statsd_datagrams_total", Kind: metric.Counter, Help: "Datagrams read, by listener",
	}
	descKernelDrops = &metric.Desc{
		Name: "binnacle_statsd_kernel_drops_total", Kind: metric.Counter, Help: "Datagrams that the kernel threw away since the receive buffer was full (SO_MEMINFO)",
	}
	descBuffer = &metric.Desc{
		Name: "binnacle_statsd_receive_buffer_bytes", Unit: metric.Bytes, Help: "Receive buffer granted, by listener, the kernel's overhead included",
	}
	descConnections = &metric.Desc{
		Name: "binnacle_statsd_connections", Help: "TCP connections open, by listener",
	}
	descRefused = &metric.Desc{
		Name: "binnacle_statsd_connections_refused_total", Kind: metric.Counter, Help: "TCP connections over the bound of 1024",
	}
	descLines = &metric.Desc{
		Name: "binnacle_statsd_lines_total", Kind: metric.Counter, Help: "Lines read",
	}
	descAggregated = &metric.Desc{
		Name: "binnacle_statsd_aggregated_total", Kind: metric.Counter, Help: "Lines that became part of a series, an event or a check",
	}
	descRejected = &metric.Desc{
		Name: "binnacle_statsd_rejected_total", Kind: metric.Counter, Help: "Lines refused, by reason",
	}
	descOverflow = &metric.Desc{
		Name: "binnacle_statsd_overflow_total", Kind: metric.Counter, Help: "Lines that went to a series binnacle_overflow=\"true\", for want of room",
	}
	descClaimed = &metric.Desc{
		Name: "binnacle_statsd_claimed_total", Kind: metric.Counter, Help: "Lines that were renamed since they claimed to come from a collector or another node, or had a reserved label; by claim",
	}
	descLooks = &metric.Desc{
		Name: "binnacle_statsd_other_dialect_total", Kind: metric.Counter, Help: "Lines that look like a dialect that their listener does not read, by dialect",
	}
	descSeries = &metric.Desc{Name: "binnacle_statsd_series", Help: "Series held, idle ones included"}
)

// Config is the section of the collector statsd.
type Config struct {
	// Listen holds udp://host:port, unixgram:///path and tcp://host:port. Each takes ?signed_gauges=true, for plain
	// StatsD clients that send +1 and -1 to move a gauge, and ?other_nodes=true, for a listener to which other nodes send:
	// their label node is believed; ?dialect=influx, librato, signalfx, graphite or etsy, for clients that write tags, or
	// several types in a line, as those do; udp readers=N (SO_REUSEPORT); unixgram mode=0666.
	Listen    []string      `yaml:"listen"`
	Rcvbuf    int           `yaml:"rcvbuf"`     // bytes of receive buffer asked for, 64 KiB to 256 MiB
	MaxSeries int           `yaml:"max_series"` // beyond it new series of a metric share one; 1 to 10 million
	Keep      time.Duration `yaml:"keep"`       // after its last line a gauge is repeated, and a counter says 0, this long
	Expire    time.Duration `yaml:"expire"`     // after its last line a series is forgotten; not below keep
}

// Validate says what is out of bounds.
func (o Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	seen := map[string]bool{}
	for _, s := range o.Listen {
		l, err := ParseListener(s)
		if err != nil {
			bad("listen: %w", err)
			continue
		}
		if seen[l.String()] {
			bad("listen: %s stands there twice", l)
		}
		seen[l.String()] = true
	}
	if len(o.Listen) == 0 {
		bad("listen: want one listener or more")
	}
	if o.Rcvbuf < 64<<10 || o.Rcvbuf > 256<<20 {
		bad("rcvbuf: %d is outside %d to %d", o.Rcvbuf, 64<<10, 256<<20)
	}
	if o.MaxSeries < 1 || o.MaxSeries > 10_000_000 {
		bad("max_series: %d is outside 1 to 10000000", o.MaxSeries)
	}
	if o.Keep < 0 || o.Keep > 24*time.Hour {
		bad("keep: %v is outside 0s to 24h", o.Keep)
	}
	if o.Expire < o.Keep || o.Expire > 7*24*time.Hour {
		bad("expire: %v is outside keep (%v) to 168h", o.Expire, o.Keep)
	}
	return errors.Join(errs...)
}

// Spec is the collector for the catalogue.
var Spec = collectors.Spec{
	Name: "statsd",
	Options: Config{
		Listen: []string{"udp://127.0.0.1:8125"}, Rcvbuf: 4 << 20, MaxSeries: 200_000,
		Keep: time.Minute, Expire: 10 * time.Minute,
	},
	Metrics: []*metric.Desc{
		descDatagrams, descKernelDrops, descBuffer, descConnections, descRefused,
		descLines, descAggregated, descRejected, descOverflow, descClaimed, descLooks, descSeries,
	},
	New: newCollector,
}

// collector receives while Run does and closes the window at each Collect. Its sockets are open from
// New on: whoever replaces it makes the new one first, and no packet is lost between the two.
type collector struct {
	o      Config
	now    func() time.Time
	log    *slog.Logger
	window *Window
	slots  []*slot

	mu     sync.Mutex // of the slots' sockets
	closed bool
	fault  error // why the last attempt to open failed

	warned [styles]bool // Collect's alone
}

// slot is one socket and who reads it.
type slot struct {
	listener Listener
	i        int // which of the listener's sockets
	table    *Table

	socket  *sockets.Socket // nil while it could not be opened
	packets *Receiver
	stream  *Stream
	drops   uint64
}

// newCollector opens the sockets. A port in use does not keep the agent from starting: it is logged, Collect
// says so, and Run tries again.
func newCollector(e collectors.Env) (collectors.Collector, error) {
	o := e.Options.(Config)
	c := &collector{o: o, now: e.Now, log: e.Log}
	for _, s := range o.Listen {
		l, err := ParseListener(s)
		if err != nil {
			return nil, err
		}
		for i := range l.Readers {
			c.slots = append(c.slots, &slot{listener: l, i: i})
		}
	}
	c.window = NewWindow(Options{MaxSeries: o.MaxSeries, Keep: o.Keep, Expire: o.Expire, Node: e.Node, Reserved: e.Reserved}, len(c.slots))
	for i, s := range c.slots {
		s.table = c.window.Table(i)
	}
	if err := c.open(); err != nil {
		c.log.Error("statsd cannot listen", "err", err)
	}
	return c, nil
}

// open opens what is not open. Its error names each listener that could not be.
func (c *collector) open() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.New("statsd is closed")
	}
	var errs []error
	for _, s := range c.slots {
		if s.socket != nil {
			continue
		}
		socket, err := sockets.Open(s.listener.Place, s.i, c.o.Rcvbuf)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.socket = socket
		if s.listener.Network == "tcp" {
			s.stream = NewStream(socket, s.listener.Dialect, s.table, c.now)
		} else {
			s.packets = NewReceiver(socket, s.listener.Dialect, s.table, c.now)
		}
		c.log.Info("statsd listens", "listener", s.listener.String(), "address", socket.Addr().String(), "receive_buffer", socket.Buffer)
		if socket.Buffer > 0 && socket.Buffer < c.o.Rcvbuf && s.listener.Network == "udp" {
			c.log.Warn("statsd: small receive buffer, bursts will be lost: raise net.core.rmem_max or grant CAP_NET_ADMIN",
				"listener", s.listener.String(), "asked", c.o.Rcvbuf, "granted", socket.Buffer)
		}
	}
	c.fault = errors.Join(errs...)
	return c.fault
}

// Opened implements collectors.Opener.
func (c *collector) Opened() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// reopen is how often a listener that could not be opened is tried again.
const reopen = 5 * time.Second

// Run receives until ctx ends, and closes the sockets. What waited in the kernel's buffers is read before.
func (c *collector) Run(ctx context.Context) error {
	running, rctx := errgroup.WithContext(ctx)
	started := map[*slot]bool{}
	start := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, s := range c.slots {
			switch {
			case s.socket == nil || started[s]:
			case s.stream != nil:
				started[s] = true
				running.Go(func() error { return s.stream.Run(rctx) })
			default:
				started[s] = true
				running.Go(func() error { return s.packets.Run(rctx) })
			}
		}
	}
	start()
	running.Go(func() error {
		tick := time.NewTicker(reopen)
		defer tick.Stop()
		for c.open() != nil {
			select {
			case <-rctx.Done():
				return nil
			case <-tick.C:
			}
		}
		start()
		<-rctx.Done()
		return nil
	})
	err := running.Wait()
	if ctx.Err() != nil {
		return errors.Join(err, c.Close())
	}
	return err
}

// Close closes the sockets, for a collector that is not going to run, or not again. Run does so itself.
func (c *collector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	for _, s := range c.slots {
		if s.socket == nil {
			continue
		}
		s.countDrops()
		errs = append(errs, s.socket.Close())
	}
	return errors.Join(errs...)
}

func (s *slot) countDrops() {
	if n, err := s.socket.Drops(); err == nil {
		s.drops += n
	}
}

// Collect closes the window. Its error says which listener is not open.
func (c *collector) Collect(_ context.Context, b *metric.Batch) error {
	c.window.Close(b)
	c.self(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil && !c.closed {
		return collectors.Blind("listen", c.fault)
	}
	return nil
}

// Notes implements collectors.Noter.
func (c *collector) Notes() []string { return c.window.Notes(c.now()) }

// self appends the accounts. Lines are counted before datagrams, so that no line comes without its datagram.
func (c *collector) self(b *metric.Batch) {
	n := c.window.Counts()
	b.Add(descLines, float64(n.Lines))
	b.Add(descAggregated, float64(n.Aggregated))
	b.Add(descOverflow, float64(n.Overflow))
	b.Add(descSeries, float64(c.window.Series()))
	for r := range Reasons {
		b.Add(descRejected, float64(n.Rejected[r]), "reason", r.String())
	}
	for style := range Styles {
		b.Add(descLooks, float64(n.Looks[style]), "dialect", style.String())
		if n.Looks[style] > 0 && !c.warned[style] {
			c.warned[style] = true
			c.log.Warn("statsd: lines look like another dialect; ?dialect= behind their listener's address reads them", "dialect", style.String())
		}
	}
	for claim := range Claims {
		b.Add(descClaimed, float64(n.Claimed[claim]), "claim", claim.String())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; i < len(c.slots); i += c.slots[i].listener.Readers {
		c.listener(b, c.slots[i:i+c.slots[i].listener.Readers])
	}
}

// listener appends the accounts of the sockets of one listener.
func (c *collector) listener(b *metric.Batch, slots []*slot) {
	var datagrams, drops, buffer, refused, conns float64
	name := slots[0].listener.String()
	for _, s := range slots {
		if s.socket == nil {
			return // absent is not zero
		}
		s.countDrops()
		drops += float64(s.drops)
		buffer += float64(s.socket.Buffer)
		if s.stream != nil {
			open, no := s.stream.Connections()
			conns, refused = float64(open), float64(no)
		} else {
			datagrams += float64(s.packets.Datagrams())
		}
	}
	if slots[0].stream != nil {
		b.Add(descConnections, conns, "listener", name)
		b.Add(descRefused, refused, "listener", name)
		return
	}
	b.Add(descDatagrams, datagrams, "listener", name)
	b.Add(descBuffer, buffer, "listener", name)
	if slots[0].listener.Network == "udp" { // a full unix socket holds its sender back instead
		b.Add(descKernelDrops, drops, "listener", name)
	}
}
