package scrape

import (
	"fmt"
	"net/netip"
	"syscall"
)

// metadata6 is where EC2 answers for an instance over IPv6, which is not link-local.
// Source: Amazon EC2 User Guide, "Access instance metadata", read 30 November 2026.
var metadata6 = netip.MustParseAddr("fd00:ec2::254")

// control refuses an address, after its name was resolved, at which a machine hands out its own credentials: a list of
// targets that somebody else writes must not make us ask there. Redirects are dialled by it as well.
func (c *collector) control(_, address string, _ syscall.RawConn) error {
	if c.options.AllowLinkLocal {
		return nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil // a unix socket
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.IsLinkLocalUnicast() || ip == metadata6 {
		return fmt.Errorf("%s is link-local: refused unless collect.scrape.allow_link_local is true", ip)
	}
	return nil
}
