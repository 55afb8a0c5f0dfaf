package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	New: func(e collectors.Env) (collectors.Collector, error) { return networkCollector{e.Root}, nil },
}

type networkCollector struct{ fs collectors.Root }

// Collect reads /proc/net/dev and /proc/net/snmp, and one small file an interface.
func (c networkCollector) Collect(ctx context.Context, b *metric.Batch) error {
	ctx = withRoot(ctx, c.fs)
	return errors.Join(c.interfaces(ctx, b), tcp(ctx, b), conntrack(ctx, b))
}

func (c networkCollector) interfaces(ctx context.Context, b *metric.Batch) error {
	all, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return fmt.Errorf("interfaces: %w", err)
	}
	for _, i := range all {
		if !c.counts(i.Name) {
			continue
		}
		for _, d := range []struct {
			desc    *metric.Desc
			in, out uint64
		}{
			{descNetPackets, i.PacketsRecv, i.PacketsSent},
			{descNetErrors, i.Errin, i.Errout},
			{descNetDrops, i.Dropin, i.Dropout},
		} {
			b.Add(d.desc, float64(d.in), "device", i.Name, "direction", "receive")
			b.Add(d.desc, float64(d.out), "device", i.Name, "direction", "transmit")
		}
	}
	return nil
}

// counts leaves out what is not a link to others, and links that are down.
func (c networkCollector) counts(name string) bool {
	if name == "lo" {
		return false
	}
	for _, prefix := range []string{"veth", "docker", "br-", "virbr", "cni", "flannel", "cali"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	state, err := c.fs.Read("sys/class/net/" + name + "/operstate")
	if err != nil {
		return false // it went between the two looks
	}
	state = strings.TrimSpace(state)
	return state == "up" || state == "unknown" // tunnels don't know
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
