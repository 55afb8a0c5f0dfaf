package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// echoes is how many requests are sent, since one that is lost says nothing.
const (
	echoes    = 10
	echoPause = 50 * time.Millisecond
)

// errNotAllowed says that the kernel lets nobody send what a probe sends.
var errNotAllowed = errors.New("echo requests are not allowed: set net.ipv4.ping_group_range to the agent's group, 0 2147483647 for all")

// icmp sends ten echo requests and awaits the answers. It is well while one comes.
func (o *one) icmp(ctx context.Context, f *finding) error {
	addr, err := (&net.Resolver{}).LookupIPAddr(ctx, o.target)
	if err != nil {
		return err
	}
	ip := addr[0]
	network, proto, kind := "udp4", 1, icmp.Type(ipv4.ICMPTypeEcho)
	if ip.IP.To4() == nil {
		network, proto, kind = "udp6", 58, ipv6.ICMPTypeEchoRequest
	}
	conn, err := icmp.ListenPacket(network, "")
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EACCES) {
		return errNotAllowed
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	end, _ := ctx.Deadline()
	if err := conn.SetDeadline(end); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- sendEchoes(ctx, conn, kind, &net.UDPAddr{IP: ip.IP, Zone: ip.Zone}) }()
	came, err := awaitEchoes(conn, proto)
	if serr := <-sent; serr != nil {
		err = serr
	}
	f.lost = 1 - float64(came)/echoes
	if came > 0 {
		return nil
	}
	return err
}

func sendEchoes(ctx context.Context, conn *icmp.PacketConn, kind icmp.Type, to net.Addr) error {
	for seq := range echoes {
		m := icmp.Message{Type: kind, Body: &icmp.Echo{Seq: seq, Data: []byte("binnacle")}}
		b, err := m.Marshal(nil)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(b, to); err != nil {
			return fmt.Errorf("echo request: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(echoPause):
		}
	}
	return nil
}

// awaitEchoes counts the answers until all came, or the deadline passed. The kernel hands over those to this socket alone.
func awaitEchoes(conn *icmp.PacketConn, proto int) (came int, err error) {
	var seen [echoes]bool
	buf := make([]byte, 1500)
	for came < echoes {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return came, err
		}
		m, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && e.Seq >= 0 && e.Seq < echoes && !seen[e.Seq] {
			seen[e.Seq] = true
			came++
		}
	}
	return came, nil
}
