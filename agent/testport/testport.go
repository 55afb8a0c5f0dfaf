// Package testport gives tests addresses that nobody has.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// Ports from first on, so many, lie below those that Linux hands to connections and to listeners without a port (32768 and up,
// ip_local_port_range), so that no other test takes one between this look and its use.
const first, many = 20_000, 5_000

// next begins anywhere: tests of several packages run side by side.
var next atomic.Uint32

func init() { next.Store(rand.Uint32N(many)) }

// Free returns an address of this machine, host:port, on which nobody listens by TCP or UDP.
func Free(t testing.TB) string {
	t.Helper()
	for range many {
		address := fmt.Sprintf("127.0.0.1:%d", first+next.Add(1)%many)
		if free(address) {
			return address
		}
	}
	t.Fatalf("all of %d ports from %d on are taken", many, first)
	return ""
}

func free(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = l.Close() }()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
