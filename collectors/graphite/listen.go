package graphite

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/navcloud/binnacle/collectors/sockets"
)

const (
	openAgain = time.Second
	lastRead  = 50 * time.Millisecond // what has arrived when the collector ends is still read
)

// slot is one listener. The collector's lock guards socket and fault.
type slot struct {
	name   string // as the operator wrote it
	place  sockets.Place
	pickle bool
	socket *sockets.Socket // nil while it could not be opened
	fault  error           // why it does not listen
}

// schemePickle is of listeners that read Python's pickle over TCP.
const schemePickle = "pickle"

func listener(text string) (sockets.Place, error) {
	network, address, ok := strings.Cut(text, "://")
	host, port, err := net.SplitHostPort(address)
	if !ok || network != "tcp" && network != "udp" && network != schemePickle || err != nil || port == "" {
		return sockets.Place{}, fmt.Errorf("want tcp://host:port, udp://host:port or pickle://host:port, have %q", text)
	}
	if network == schemePickle {
		network = "tcp"
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return sockets.Place{Owner: "graphite", Network: network, Address: net.JoinHostPort(host, port), Readers: 1}, nil
}

// open opens the slot where it is not.
func (c *collector) open(s *slot) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.socket != nil {
		return nil
	}
	if c.ended {
		return net.ErrClosed
	}
	s.socket, s.fault = sockets.Open(s.place, 0, 0)
	return s.fault
}

// Opened implements collectors.Opener.
func (c *collector) Opened() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, s := range c.slots {
		errs = append(errs, s.fault)
	}
	return errors.Join(errs...)
}

// Close closes the sockets, of a collector that is not going to run, or not again. Run does so itself.
func (c *collector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	var errs []error
	for _, s := range c.slots {
		if s.socket != nil {
			errs = append(errs, s.socket.Close())
			s.socket = nil
		}
	}
	return errors.Join(errs...)
}

// Run receives until ctx ends, then what has arrived, and closes the sockets. A listener that cannot be opened is said by
// Collect, and tried again.
func (c *collector) Run(ctx context.Context) error {
	var running errgroup.Group
	for _, s := range c.slots {
		running.Go(func() error {
			for ctx.Err() == nil {
				err := c.open(s)
				if err == nil {
					err = c.receive(ctx, s)
				}
				c.note(s, err)
				select {
				case <-ctx.Done():
				case <-time.After(openAgain):
				}
			}
			return nil
		})
	}
	<-ctx.Done()
	err := running.Wait()
	return errors.Join(err, c.Close())
}

func (c *collector) note(s *slot, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.fault = err
}

// receive serves one open listener until ctx ends or it fails.
func (c *collector) receive(ctx context.Context, s *slot) error {
	c.note(s, nil)
	if s.place.Network == "udp" {
		return c.packets(ctx, s.socket.Packets())
	}
	l := s.socket.Listener()
	defer context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })()
	var serving errgroup.Group
	defer func() { _ = serving.Wait() }()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case err != nil:
			return err
		}
		if !c.enter(1) {
			_ = conn.Close() // one too many
			continue
		}
		serving.Go(func() error {
			defer c.enter(-1)
			if s.pickle {
				c.messages(ctx, conn)
			} else {
				c.serve(ctx, conn)
			}
			return nil
		})
	}
}

// enter counts a connection; false: there are as many as may be.
func (c *collector) enter(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 && c.conns >= maxConns {
		return false
	}
	c.conns += n
	return true
}

func (c *collector) packets(ctx context.Context, conn net.PacketConn) error {
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(lastRead)) })()
	buf := make([]byte, maxPacket)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for line := range bytes.Lines(buf[:n]) {
			c.take(line)
		}
	}
}

func (c *collector) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ended := func() { _ = conn.SetReadDeadline(time.Now().Add(lastRead)) }
	defer context.AfterFunc(ctx, ended)()
	r := bufio.NewReaderSize(conn, maxLine)
	for {
		if ctx.Err() == nil {
			_ = conn.SetReadDeadline(time.Now().Add(idleEnd))
			if ctx.Err() != nil { // it ended between the two, and its deadline was overwritten
				ended()
			}
		}
		line, err := r.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of it is left out
			line = nil
			if _, err = r.ReadSlice('\n'); err == nil {
				c.reject("long")
			}
		}
		if len(line) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			c.take(line)
		}
		if err != nil {
			return
		}
	}
}
