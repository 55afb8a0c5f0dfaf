package services

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Who uses whom, as the kernel sees it: no process is asked. Source: proc(5), /proc/net/tcp, /proc/PID/fd, read 30 November 2026.
var (
	connAddress = &metric.Desc{Name: "connections_address", Help: "1 for an address of this node"}
	connUses    = &metric.Desc{Name: "connections_uses", Help: "1 for what a process that listens on a port of this node was connected to within a day, by address; without a host that is a port of this node"}
)

// Connections looks at the connections of this machine's services: with what the collectors of systems say of themselves the
// router learns from them that an application needs its database.
var Connections = collectors.Spec{
	Name: "connections", Options: struct{}{}, Interval: time.Minute, Metrics: []*metric.Desc{connAddress, connUses},
	New: func(e collectors.Env) (collectors.Collector, error) {
		return &connections{env: e, self: strconv.Itoa(os.Getpid()), seen: map[use]time.Time{}, pids: map[string][]string{}}, nil
	},
}

const (
	keepUse     = 24 * time.Hour // a service whose database is gone is connected to nothing, and needs it still
	maxUses     = 500            // of one node
	maxSockets  = 200_000        // lines of a table that are read
	maxLooked   = 200_000        // open files that are looked at for sockets' owners, once for what is new
	maxUnknowns = 50_000         // sockets that are remembered
)

// use is that who listens on a port is connected to an address.
type use struct{ port, address string }

type connections struct {
	env  collectors.Env
	self string // its own process
	seen map[use]time.Time
	pids map[string][]string // by inode, of those looked for: none, where it may not be seen
}

// socket is one line of the kernel's table.
type socket struct {
	local, remote netip.AddrPort
	listens       bool
	uid, inode    string
}

// Collect tells what is connected now, or was within a day.
func (c *connections) Collect(_ context.Context, b *metric.Batch) error {
	table, err := c.sockets()
	if err != nil {
		return fmt.Errorf("%w: %v", collectors.ErrAbsent, err)
	}
	for _, address := range c.addresses() {
		b.Add(connAddress, 1, "address", address)
	}
	c.owners(table)
	for u := range c.uses(table) {
		if _, known := c.seen[u]; known || len(c.seen) < maxUses {
			c.seen[u] = b.Time
		}
	}
	for u, last := range c.seen {
		if b.Time.Sub(last) > keepUse {
			delete(c.seen, u)
			continue
		}
		b.Add(connUses, 1, "port", u.port, "address", u.address)
	}
	return nil
}

// sockets reads those that listen, and those that are connected.
func (c *connections) sockets() (out []socket, err error) {
	for _, name := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		var text string
		if text, err = c.env.Root.Read(name); err != nil && len(out) == 0 && name == "proc/net/tcp" {
			return nil, err
		}
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" && f[3] != "01" || len(out) == maxSockets {
				continue
			}
			local, err1 := kernelAddress(f[1])
			remote, err2 := kernelAddress(f[2])
			if err1 == nil && err2 == nil {
				out = append(out, socket{local, remote, f[3] == "0A", f[7], f[9]})
			}
		}
	}
	return out, nil
}

// kernelAddress reads "0100007F:0CEA": words of four bytes in the machine's order, which is little-endian on all that we build
// for, and a port.
func kernelAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("want an address, have %.40q", text)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	n, err := strconv.ParseUint(port, 16, 16)
	ip, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), err
}

// addresses are those of this node that others may know, without those of its loopback.
// Source: the kernel's fib_trie: an address stands on the line before "/32 host LOCAL"; read 30 November 2026.
func (c *connections) addresses() (out []string) {
	text, _ := c.env.Root.Read("proc/net/fib_trie")
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "|-- "); ok {
			last = rest
		} else if line == "/32 host LOCAL" {
			out = append(out, last)
		}
	}
	text, _ = c.env.Root.Read("proc/net/if_inet6")
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(line, " ")
		if raw, err := hex.DecodeString(word); err == nil && len(raw) == 16 {
			out = append(out, net.IP(raw).String())
		}
	}
	out = slices.DeleteFunc(out, func(a string) bool {
		ip := net.ParseIP(a)
		return ip == nil || ip.IsLoopback() || ip.IsLinkLocalUnicast()
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// owners finds the processes of sockets that were not looked for before: a walk over /proc costs, and most sockets stay.
func (c *connections) owners(table []socket) {
	have, unknown := map[string]bool{}, map[string]bool{}
	for _, s := range table {
		have[s.inode] = true
		if _, known := c.pids[s.inode]; !known && len(c.pids)+len(unknown) < maxUnknowns {
			unknown[s.inode] = true
		}
	}
	for inode := range c.pids {
		if !have[inode] {
			delete(c.pids, inode)
		}
	}
	if len(unknown) == 0 {
		return
	}
	for inode := range unknown {
		c.pids[inode] = nil
	}
	looked := 0
	for _, dir := range c.env.Root.Glob("proc/[0-9]*/fd") {
		files, err := os.ReadDir(c.env.Root.Path(dir))
		if err != nil {
			continue // of another user: it is matched by that
		}
		pid := filepath.Base(filepath.Dir(dir))
		if pid == c.self {
			continue // the agent is connected to all that it looks at, and needs none of it
		}
		for _, f := range files {
			if looked++; looked > maxLooked {
				return
			}
			to, err := os.Readlink(c.env.Root.Path(filepath.Join(dir, f.Name())))
			inode, isSocket := strings.CutPrefix(to, "socket:[")
			if inode = strings.TrimSuffix(inode, "]"); err == nil && isSocket && unknown[inode] {
				c.pids[inode] = append(c.pids[inode], pid)
			}
		}
	}
}

// uses matches what listens with what is connected, by process, else by user where that is not root: a service of its own
// user is the rule, and what runs as root is many things.
func (c *connections) uses(table []socket) map[use]bool {
	ports, mine := map[uint16]bool{}, map[netip.Addr]bool{}
	byOwner := map[string]map[uint16]bool{} // ports that a process, or a user, listens on
	for _, s := range table {
		if !s.listens {
			mine[s.local.Addr()] = true
			continue
		}
		ports[s.local.Port()] = true
		for _, owner := range c.ownersOf(s) {
			if byOwner[owner] == nil {
				byOwner[owner] = map[uint16]bool{}
			}
			byOwner[owner][s.local.Port()] = true
		}
	}
	out := map[use]bool{}
	for _, s := range table {
		if s.listens || ports[s.local.Port()] {
			continue // a client of ours
		}
		host := s.remote.Addr().String()
		if s.remote.Addr().IsLoopback() || mine[s.remote.Addr()] {
			host = ""
		}
		to := ":" + strconv.Itoa(int(s.remote.Port()))
		if host != "" {
			to = net.JoinHostPort(host, to[1:])
		}
		for _, owner := range c.ownersOf(s) {
			for port := range byOwner[owner] {
				if host != "" || port != s.remote.Port() {
					out[use{strconv.Itoa(int(port)), to}] = true
				}
			}
		}
	}
	return out
}

func (c *connections) ownersOf(s socket) []string {
	if pids := c.pids[s.inode]; len(pids) > 0 || s.uid == "0" {
		return pids
	}
	return []string{"user " + s.uid}
}
