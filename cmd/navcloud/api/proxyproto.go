package api

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of the PROXY protocol and of a sender's patience.
// Source: haproxy.org/download/3.0/doc/proxy-protocol.txt (2020/03/05), read November 2026.
const (
	proxyV1Max    = 107 // bytes of the line, CRLF included
	proxyV2Max    = 4 << 10
	proxyPatience = 5 * time.Second
)

var proxyV2Signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// proxyListener wants a PROXY protocol header, version 1 or 2, at the start of each connection. It is read
// where the connection is served, so one that sends nothing holds up no other.
type proxyListener struct{ net.Listener }

func (l *proxyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &proxyConn{Conn: c, buf: bufio.NewReaderSize(c, 256)}, nil
}

// proxyConn is a connection whose remote address is what the header says.
type proxyConn struct {
	net.Conn
	once sync.Once
	buf  *bufio.Reader // nil once it is empty
	addr net.Addr
	err  error
}

func (c *proxyConn) header() {
	c.once.Do(func() {
		_ = c.Conn.SetReadDeadline(time.Now().Add(proxyPatience))
		defer func() { _ = c.Conn.SetReadDeadline(time.Time{}) }()
		var a netip.AddrPort
		if a, c.err = readProxy(c.buf); a.IsValid() {
			c.addr = net.TCPAddrFromAddrPort(a)
		}
	})
}

func (c *proxyConn) Read(b []byte) (int, error) {
	c.header()
	if c.err != nil {
		return 0, c.err
	}
	if c.buf == nil {
		return c.Conn.Read(b)
	}
	if c.buf.Buffered() == 0 {
		c.buf = nil
		return c.Conn.Read(b)
	}
	return c.buf.Read(b)
}

// RemoteAddr waits for the header: net/http asks in the goroutine of the connection.
func (c *proxyConn) RemoteAddr() net.Addr {
	if c.header(); c.addr != nil {
		return c.addr
	}
	return c.Conn.RemoteAddr()
}

// SyscallConn implements syscall.Conn.
func (c *proxyConn) SyscallConn() (syscall.RawConn, error) {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no socket", c.Conn)
	}
	return sc.SyscallConn()
}

// SetWriteBuffer passes on to the socket.
func (c *proxyConn) SetWriteBuffer(n int) error {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		return t.SetWriteBuffer(n)
	}
	return nil
}

var errProxy = errors.New("PROXY protocol")

// readProxy reads one header and returns the client's address, the zero one where the header says
// that there is none (a health check of the balancer itself).
func readProxy(r *bufio.Reader) (netip.AddrPort, error) {
	sig, err := r.Peek(len(proxyV2Signature))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
	}
	if string(sig) == string(proxyV2Signature) {
		return readProxyV2(r)
	}
	if !strings.HasPrefix(string(sig), "PROXY ") {
		return netip.AddrPort{}, fmt.Errorf("%w: want its header first, have %q", errProxy, sig)
	}
	line, err := r.ReadSlice('\n') // the buffer bounds it
	if err != nil || len(line) > proxyV1Max {
		return netip.AddrPort{}, fmt.Errorf("%w: line of over %d bytes or cut off", errProxy, proxyV1Max)
	}
	f := strings.Fields(string(line))
	if len(f) >= 2 && f[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return netip.AddrPort{}, fmt.Errorf("%w: want six fields, have %q", errProxy, line)
	}
	a, err := netip.ParseAddrPort(net.JoinHostPort(f[2], f[4]))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
	}
	return a, nil
}

func readProxyV2(r *bufio.Reader) (netip.AddrPort, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
	}
	size := int(binary.BigEndian.Uint16(head[14:]))
	if head[12]>>4 != 2 || size > proxyV2Max {
		return netip.AddrPort{}, fmt.Errorf("%w: version %d with %d bytes", errProxy, head[12]>>4, size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
	}
	if head[12]&0xf == 0 { // LOCAL
		return netip.AddrPort{}, nil
	}
	for family, n := range map[byte]int{0x11: 4, 0x21: 16} { // TCP over IPv4, IPv6
		if head[13] == family && size >= 2*n+4 {
			a, _ := netip.AddrFromSlice(body[:n])
			return netip.AddrPortFrom(a, binary.BigEndian.Uint16(body[2*n:])), nil
		}
	}
	return netip.AddrPort{}, nil // a family that we need not know
}
