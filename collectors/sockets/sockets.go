// Package sockets opens the sockets that collectors receive on: datagrams of UDP and Unix, connections of TCP.
//
// What it opens goes from one configuration to the next without a moment in which nobody listens. It reads nothing itself, and
// any goroutine may call it.
package sockets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Place is where a socket is bound, and for whom.
type Place struct {
	Owner   string      // the collector: two of them share no socket
	Network string      // udp, unixgram, tcp
	Address string      // host:port, or a path
	Readers int         // udp: sockets that share the port by SO_REUSEPORT; 1 to 64
	Mode    os.FileMode // unixgram: of the socket file; 0 leaves it to the umask
}

// String names the place as an operator writes it, without options.
func (p Place) String() string { return p.Network + "://" + p.Address }

// Socket is one open datagram or TCP socket. Two Sockets of one owner that name the same place are the same socket of the
// kernel: a new configuration opens before the old one closes, and what waits in the receive buffer is read by either, once.
type Socket struct {
	Place  Place
	Buffer int // bytes of receive buffer that the kernel granted, its own overhead included; 0 for tcp

	conn   syscall.Conn // *net.UDPConn, *net.UnixConn or *net.TCPListener
	shared *shared
}

// Packets is a socket of datagrams.
type Packets interface {
	net.PacketConn
	syscall.Conn
}

// Packets returns the connection that reads datagrams. It is for udp and unixgram.
func (s *Socket) Packets() Packets { return s.conn.(Packets) }

// Listener returns what accepts connections. It is for tcp.
func (s *Socket) Listener() *net.TCPListener { return s.conn.(*net.TCPListener) }

// shared is what all Sockets on one socket of the kernel have in common.
type shared struct {
	key   string
	file  *os.File // a descriptor of its own, of which further Sockets are made
	refs  int
	drops uint32 // as last read, so that no two Sockets count the same drop
}

// opened are the sockets of this process. It is the process' and no one's, since a descriptor is.
var opened = struct {
	sync.Mutex
	by map[string]*shared
}{by: map[string]*shared{}}

// Open opens socket number i at l (0 but for UDP with several readers) with a receive buffer of rcvbuf bytes, or as much of it
// as the kernel grants; 0 leaves it as it is. The error names the place.
func Open(l Place, i, rcvbuf int) (*Socket, error) {
	opened.Lock()
	defer opened.Unlock()
	key := fmt.Sprintf("%s %s#%d/%d", l.Owner, l, i, l.Readers)
	sh := opened.by[key]
	if sh == nil {
		f, err := bind(l)
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", l, err)
		}
		sh = &shared{key: key, file: f}
		opened.by[key] = sh
	}
	s := &Socket{Place: l, shared: sh}
	var err error
	if l.Network == "tcp" {
		var ln net.Listener
		if ln, err = net.FileListener(sh.file); err == nil {
			s.conn = ln.(*net.TCPListener)
		}
	} else {
		var pc net.PacketConn
		if pc, err = net.FilePacketConn(sh.file); err == nil {
			s.conn = pc.(syscall.Conn)
			if rcvbuf > 0 {
				s.Buffer, err = receiveBuffer(s.conn, rcvbuf)
			}
		}
	}
	if err != nil {
		if sh.refs == 0 {
			sh.end(l)
		}
		return nil, fmt.Errorf("listener %s: %w", l, err)
	}
	sh.refs++
	return s, nil
}

func (sh *shared) end(l Place) {
	delete(opened.by, sh.key)
	_ = sh.file.Close()
	if l.Network == "unixgram" {
		_ = os.Remove(l.Address)
	}
}

// Close closes s, and with the last Socket on it the socket itself. It ends a read under way.
func (s *Socket) Close() error {
	opened.Lock()
	defer opened.Unlock()
	if s.shared == nil {
		return nil
	}
	err := s.conn.(interface{ Close() error }).Close()
	if s.shared.refs--; s.shared.refs == 0 {
		s.shared.end(s.Place)
	}
	s.shared = nil
	return err
}

// Addr returns the address bound, which tells the port where the listener says 0.
func (s *Socket) Addr() net.Addr {
	if ln, ok := s.conn.(*net.TCPListener); ok {
		return ln.Addr()
	}
	return s.conn.(net.PacketConn).LocalAddr()
}

// bind makes the kernel's socket and returns a descriptor of it.
func bind(l Place) (*os.File, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if l.Readers < 2 {
			return nil
		}
		var serr error
		err := c.Control(func(fd uintptr) {
			serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, serr)
	}}
	ctx := context.Background() // binding does not wait
	switch l.Network {
	case "tcp":
		ln, err := lc.Listen(ctx, "tcp", l.Address)
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		return ln.(*net.TCPListener).File()
	case "udp":
		pc, err := lc.ListenPacket(ctx, "udp", l.Address)
		if err != nil {
			return nil, err
		}
		defer pc.Close()
		return pc.(*net.UDPConn).File()
	}
	if err := removeStale(l.Address); err != nil {
		return nil, err
	}
	pc, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: l.Address})
	if err != nil {
		return nil, err
	}
	defer pc.Close() // leaves the file: a datagram socket does not unlink
	if l.Mode != 0 {
		if err := os.Chmod(l.Address, l.Mode); err != nil {
			return nil, err
		}
	}
	return pc.File()
}

// removeStale removes a socket file that nobody listens on; it leaves anything else in place.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&os.ModeSocket == 0:
		return fmt.Errorf("%s exists and is no socket", path)
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path})
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("%s: %w", path, syscall.EADDRINUSE)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// receiveBuffer asks for size bytes, above the system's limit where that is allowed, and returns what
// was granted. Source: socket(7), SO_RCVBUF and SO_RCVBUFFORCE (CAP_NET_ADMIN), read November 2026.
func receiveBuffer(c syscall.Conn, size int) (granted int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := rc.Control(func(fd uintptr) {
		if granted, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); granted >= 2*size {
			return // the kernel doubles what is asked for
		}
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, size)
		}
		granted, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	return granted, errors.Join(cerr, err)
}

// memDrops is the place of the drops in the answer of SO_MEMINFO.
// Source: linux/sock_diag.h, SK_MEMINFO_DROPS, since Linux 4.12; read November 2026.
const memDrops = 8

// Drops returns how many datagrams the kernel threw away since the last call, whichever Socket made it.
func (s *Socket) Drops() (uint64, error) {
	opened.Lock()
	defer opened.Unlock()
	if s.shared == nil || s.Place.Network == "tcp" {
		return 0, nil
	}
	rc, err := s.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var info [16]uint32
	var errno syscall.Errno
	err = rc.Control(func(fd uintptr) {
		size := uint32(unsafe.Sizeof(info))
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil || errno != 0 {
		return 0, errors.Join(err, fmt.Errorf("SO_MEMINFO: %w", errno))
	}
	n := info[memDrops] - s.shared.drops // the kernel's counter has 32 bits and wraps
	s.shared.drops = info[memDrops]
	return uint64(n), nil
}
