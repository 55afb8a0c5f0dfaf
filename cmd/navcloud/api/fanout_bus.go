package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A Bus passes lines between the nodes on one machine where there is no broker: for trying out and for
// demonstrations. It confirms nothing and keeps nothing; a node that is too slow for it is let go and
// connects again. Nodes may be cut apart, as a partition of a real broker would.
type Bus struct {
	ln net.Listener

	mu    sync.Mutex
	nodes map[*busNode]struct{}
	group map[string]int // by name of node; nodes of different groups do not hear each other
	held  int
}

type busNode struct {
	name string
	conn net.Conn
	out  chan []byte
}

const (
	busQueue    = 4096 // lines that a node may be behind
	busPatience = 5 * time.Second
)

// NewBus listens on addr (host:port).
func NewBus(addr string) (*Bus, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return &Bus{ln: ln, nodes: map[*busNode]struct{}{}}, nil
}

// URL is what Config.Broker wants.
func (b *Bus) URL() string { return "bus://" + b.ln.Addr().String() }

// Cut parts the nodes, told by name, into groups that do not hear each other; nodes in none of them form
// one more. Without groups all hear each other again. What was said meanwhile is lost, as with a
// fanout exchange whose queues are on the other side.
func (b *Bus) Cut(groups ...[]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.group = map[string]int{}
	for i, g := range groups {
		for _, name := range g {
			b.group[name] = i + 1
		}
	}
}

// Withheld returns how many lines cuts have kept from a node so far.
func (b *Bus) Withheld() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// Run serves until ctx ends.
func (b *Bus) Run(ctx context.Context) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	defer context.AfterFunc(ctx, func() { b.closeAll() })()
	for {
		conn, err := b.ln.Accept()
		if err != nil {
			b.closeAll()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("bus: %w", err)
		}
		conns.Go(func() { b.serve(ctx, conn) })
	}
}

func (b *Bus) closeAll() {
	_ = b.ln.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for n := range b.nodes {
		_ = n.conn.Close()
	}
}

// serve reads the name of a node, then its lines.
func (b *Bus) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 4<<10), maxEvent)
	_ = conn.SetReadDeadline(time.Now().Add(busPatience))
	if !lines.Scan() {
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	n := &busNode{name: lines.Text(), conn: conn, out: make(chan []byte, busQueue)}
	b.mu.Lock()
	b.nodes[n] = struct{}{}
	over := ctx.Err() != nil
	b.mu.Unlock()
	var writer sync.WaitGroup
	writer.Go(func() { n.write() })
	n.out <- nil // an empty line: welcome
	for !over && lines.Scan() {
		b.pass(n, append([]byte(nil), lines.Bytes()...))
	}
	b.mu.Lock()
	delete(b.nodes, n)
	close(n.out) // under the lock: pass sends under it
	b.mu.Unlock()
	_ = conn.Close()
	writer.Wait()
}

func (b *Bus) pass(from *busNode, line []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n := range b.nodes {
		if n == from {
			continue
		}
		if b.group[n.name] != b.group[from.name] {
			b.held++
			continue
		}
		select {
		case n.out <- line:
		default:
			_ = n.conn.Close() // it will be back
		}
	}
}

func (n *busNode) write() {
	w := bufio.NewWriter(n.conn)
	for line := range n.out {
		_, _ = w.Write(append(line[:len(line):len(line)], '\n')) // an error stays with w
		if len(n.out) == 0 && w.Flush() != nil {
			_ = n.conn.Close()
		}
	}
}

// busSession connects once to a Bus and ends when the connection does, or ctx.
func (l *link) busSession(ctx context.Context, addr string, up func()) error {
	conn, err := (&net.Dialer{Timeout: busPatience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := io.WriteString(conn, l.cfg.Node+"\n"); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 4<<10), maxEvent)
	_ = conn.SetReadDeadline(time.Now().Add(busPatience))
	if !lines.Scan() {
		return errors.New("bus: no welcome")
	}
	_ = conn.SetReadDeadline(time.Time{})
	up()
	ctx, cancel := context.WithCancel(ctx)
	var sender sync.WaitGroup
	sender.Go(func() { l.busSend(ctx, conn) })
	for lines.Scan() {
		l.receive(lines.Bytes()) // keeps nothing of it
	}
	cancel()
	sender.Wait()
	return errors.Join(errors.New("bus: the connection ended"), lines.Err())
}

func (l *link) busSend(ctx context.Context, conn net.Conn) {
	defer l.out.again()
	w := bufio.NewWriter(conn)
	for {
		n := 0
		for line := l.out.take(); line != nil; line = l.out.take() {
			_, _ = w.Write(append(line[:len(line):len(line)], '\n')) // an error stays with w
			n++
		}
		if err := w.Flush(); err != nil {
			_ = conn.Close()
			return
		}
		l.out.confirm(n)
		select {
		case <-ctx.Done():
			return
		case <-l.out.more:
		}
	}
}
