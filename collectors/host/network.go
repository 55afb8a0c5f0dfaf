package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	stdnet "net"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/net"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: proc_net_dev(5), proc_net_snmp(5); nf_conntrack_* of docs.kernel.org/networking/nf_conntrack-sysctl.html, read
// November 2026. Labels of the first three: device, and direction receive or transmit.
var (
	descNetPackets = &metric.Desc{Name: "host_network_packets_total", Kind: metric.Counter, Help: "Packets of an interface"}
	descNetErrors  = &metric.Desc{Name: "host_network_errors_total", Kind: metric.Counter, Help: "Packets that were broken"}
	descNetDrops   = &metric.Desc{Name: "host_network_drops_total", Kind: metric.Counter, Help: "Packets that had no room"}
	descTCPSent    = &metric.Desc{Name: "host_tcp_segments_sent_total", Kind: metric.Counter, Help: "TCP segments sent, the repeated not among them"}
	descTCPRepeat  = &metric.Desc{Name: "host_tcp_segments_retransmitted_total", Kind: metric.Counter, Help: "TCP segments sent again"}
	descConntrack  = &metric.Desc{Name: "host_conntrack_entries", Help: "Connections that the firewall follows"}
	descConnLimit  = &metric.Desc{Name: "host_conntrack_entries_limit", Help: "Connections that it can follow; above, new ones are dropped"}
)

var networkSpec = collectors.Spec{
	Name: "host_network",
	Metrics: []*metric.Desc{
		descNetPackets, descNetErrors, descNetDrops, descTCPSent, descTCPRepeat, descConntrack, descConnLimit,
	},
	New: func(e collectors.Env) (collectors.Collector, error) {
		c := networkCollector{fs: e.Root, reject: e.Reject, up: sysUp(e.Root)}
		if e.Root == "/" {
			c.up = netlinkUp // /sys may be another network namespace's
		}
		return c, nil
	},
}

type networkCollector struct {
	fs     collectors.Root
	reject func(reason, line string)
	up     func() (func(name string) bool, error) // which interfaces are up
}

// Collect reads /proc/net/dev and /proc/net/snmp, which are those of our own network namespace, and asks the kernel which
// interfaces are up.
func (c networkCollector) Collect(ctx context.Context, b *metric.Batch) error {
	ctx = withRoot(ctx, c.fs)
	return errors.Join(
		collectors.Part("interfaces", c.interfaces(b)), collectors.Part("tcp", tcp(ctx, b)), collectors.Part("conntrack", conntrack(ctx, b)))
}

func (c networkCollector) interfaces(b *metric.Batch) error {
	text, err := c.fs.Read("proc/net/dev")
	if err != nil {
		return err
	}
	up, err := c.up()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(text) {
		if n++; n <= devHeader {
			continue
		}
		name, v, err := parseDev(line)
		if err != nil || seen[name] {
			c.reject("interface", line)
			continue
		}
		seen[name] = true
		if !isLink(name) || !up(name) {
			continue
		}
		for _, d := range []struct {
			desc    *metric.Desc
			in, out float64
		}{
			{descNetPackets, v[1], v[9]},
			{descNetErrors, v[2], v[10]},
			{descNetDrops, v[3], v[11]},
		} {
			b.Add(d.desc, d.in, "device", name, "direction", "receive")
			b.Add(d.desc, d.out, "device", name, "direction", "transmit")
		}
	}
	return nil
}

// devHeader is how many lines of /proc/net/dev stand above the interfaces, devFields how many figures each has.
const devHeader, devFields = 2, 16

// parseDev reads a line of /proc/net/dev. A name may hold colons (an alias), and the first figure may follow its own colon
// without a space. Source: proc_pid_net(5), read 30 November 2026.
func parseDev(line string) (name string, v [devFields]float64, err error) {
	at := strings.LastIndexByte(line, ':')
	if at < 0 {
		return "", v, fmt.Errorf("proc/net/dev: want an interface, have %.120q", line)
	}
	name = strings.TrimSpace(line[:at])
	f := strings.Fields(line[at+1:])
	if name == "" || len(f) < devFields {
		return "", v, fmt.Errorf("proc/net/dev: want a name and %d figures, have %.120q", devFields, line)
	}
	for i := range v {
		n, err := strconv.ParseUint(f[i], 10, 64)
		if err != nil {
			return "", v, fmt.Errorf("proc/net/dev: %s: want figures, have %.40q", name, f[i])
		}
		v[i] = float64(n)
	}
	return collectors.Label(name), v, nil
}

// isLink leaves out what is not a link to others.
func isLink(name string) bool {
	if name == "lo" {
		return false
	}
	for _, prefix := range []string{"veth", "docker", "br-", "virbr", "cni", "flannel", "cali"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// netlinkUp asks the kernel for the interfaces of our own network namespace.
func netlinkUp() (func(string) bool, error) {
	all, err := stdnet.Interfaces()
	if err != nil {
		return nil, err
	}
	running := map[string]bool{}
	for _, i := range all {
		running[i.Name] = i.Flags&(stdnet.FlagUp|stdnet.FlagRunning) == stdnet.FlagUp|stdnet.FlagRunning
	}
	return func(name string) bool {
		base, _, _ := strings.Cut(name, ":") // an alias is as its interface is
		is, known := running[name]
		return is || !known && running[base]
	}, nil
}

// sysUp looks in /sys. Of an interface that is not there nothing is known: /proc says that it exists, so it is told.
func sysUp(fs collectors.Root) func() (func(string) bool, error) {
	return func() (func(string) bool, error) {
		return func(name string) bool {
			state, err := fs.Read("sys/class/net/" + name + "/operstate")
			state = strings.TrimSpace(state)
			return err != nil || state == "up" || state == "unknown" // tunnels don't know
		}, nil
	}
}

func tcp(ctx context.Context, b *metric.Batch) error {
	protocols, err := net.ProtoCountersWithContext(ctx, []string{"tcp"})
	if err != nil {
		return fmt.Errorf("protocols: %w", err)
	}
	for _, p := range protocols {
		b.Add(descTCPSent, float64(p.Stats["OutSegs"]))
		b.Add(descTCPRepeat, float64(p.Stats["RetransSegs"]))
	}
	return nil
}

func conntrack(ctx context.Context, b *metric.Batch) error {
	all, err := net.FilterCountersWithContext(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no firewall that follows connections
	}
	if err != nil {
		return fmt.Errorf("connection tracking: %w", err)
	}
	for _, f := range all {
		b.Add(descConntrack, float64(f.ConnTrackCount))
		b.Add(descConnLimit, float64(f.ConnTrackMax))
	}
	return nil
}
