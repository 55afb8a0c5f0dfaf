package statsd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/navcloud/binnacle/collectors/sockets"
)

const (
	batchSize = 64
	// packetSize holds the largest datagram of UDP. Only the pages that packets reach are ever touched.
	packetSize = 1 << 16
	// stagger keeps the heads of the buffers out of each other's cache lines.
	stagger = 2048
	// drainFor bounds the last look into the receive buffer.
	drainFor = 500 * time.Millisecond
)

// mmsghdr is the kernel's struct mmsghdr. Source: recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// Receiver reads one datagram socket into one table.
type Receiver struct {
	socket  *sockets.Socket
	dialect Dialect
	table   *Table
	now     func() time.Time

	datagrams atomic.Uint64

	bufs  [batchSize][]byte
	iovs  [batchSize]unix.Iovec
	msgs  [batchSize]mmsghdr
	n     int
	errno syscall.Errno
}

// NewReceiver makes a Receiver of lines in the dialect d. now gives the time of arrival.
func NewReceiver(s *sockets.Socket, d Dialect, t *Table, now func() time.Time) *Receiver {
	r := &Receiver{socket: s, dialect: d, table: t, now: now}
	all := buffers(r)
	for i := range r.bufs {
		r.bufs[i] = all[i*(packetSize+stagger):][:packetSize]
		r.iovs[i].Base = &r.bufs[i][0]
		r.iovs[i].SetLen(packetSize)
		r.msgs[i].hdr.Iov = &r.iovs[i]
		r.msgs[i].hdr.SetIovlen(1)
	}
	return r
}

// buffers is the room of r's datagrams. It lies outside of the heap: there its 4 MB, of which hardly a page is ever touched,
// let as much garbage stand as half of them.
func buffers(r *Receiver) []byte {
	const size = batchSize * (packetSize + stagger)
	all, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return make([]byte, size)
	}
	runtime.AddCleanup(r, func(all []byte) { _ = unix.Munmap(all) }, all)
	return all
}

// Datagrams returns how many were read.
func (r *Receiver) Datagrams() uint64 { return r.datagrams.Load() }

// Run reads until ctx ends, then what still waits in the receive buffer.
func (r *Receiver) Run(ctx context.Context) error {
	pc := r.socket.Packets()
	_ = pc.SetReadDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { _ = pc.SetReadDeadline(time.Unix(1, 0)) })()
	rc, err := r.socket.Packets().SyscallConn()
	if err != nil {
		return err
	}
	recv := r.receive
	for {
		if err := rc.Read(recv); err != nil {
			if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				return r.drain(rc)
			}
			return fmt.Errorf("listener %s: %w", r.socket.Place, err)
		}
		if r.errno != 0 {
			return fmt.Errorf("listener %s: recvmmsg: %w", r.socket.Place, r.errno)
		}
		r.fold(r.now())
	}
}

// receive is one recvmmsg that does not wait; false asks the runtime to wait for the socket.
func (r *Receiver) receive(fd uintptr) bool {
	n, _, e := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
	if e == syscall.EAGAIN || e == syscall.EINTR {
		return false
	}
	r.n, r.errno = int(n), e
	return true
}

func (r *Receiver) fold(now time.Time) {
	ns := now.UnixNano()
	r.datagrams.Add(uint64(r.n))
	t := r.table
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range r.n {
		d := r.dialect
		d.Truncated = r.msgs[i].hdr.Flags&unix.MSG_TRUNC != 0
		t.packet(ns, r.bufs[i][:r.msgs[i].n], d)
		r.msgs[i].hdr.Flags = 0
	}
}

func (r *Receiver) drain(rc syscall.RawConn) error {
	for end := r.now().Add(drainFor); r.now().Before(end); {
		r.n = 0
		if err := rc.Control(func(fd uintptr) { r.receive(fd) }); err != nil {
			return err
		}
		if r.n <= 0 || r.errno != 0 {
			return nil
		}
		r.fold(r.now())
	}
	return nil
}
