package sinkstest

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Point is one line of Graphite that the fake took.
type Point struct {
	Path  string
	Value float64
	Time  int64 // seconds since 1970
}

// Graphite is a fake carbon: plaintext over TCP. It reads strictly; what it can't read is kept as a fault.
type Graphite struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	points []Point
	faults []string
	refuse int
	hang   chan struct{} // while not nil connections are taken and not read
}

// NewGraphite makes one that listens on loopback.
func NewGraphite() (*Graphite, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &Graphite{listener: l}
	g.wg.Go(g.serve)
	return g, nil
}

// Addr returns host:port.
func (g *Graphite) Addr() string { return g.listener.Addr().String() }

// Close ends the listening and every connection.
func (g *Graphite) Close() error {
	g.mu.Lock()
	if g.hang != nil {
		close(g.hang)
		g.hang = nil
	}
	g.mu.Unlock()
	err := g.listener.Close()
	g.wg.Wait()
	return err
}

// Refuse makes it cut the next n connections without reading them.
func (g *Graphite) Refuse(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = n
}

// Hang makes it take connections and read nothing until it is closed.
func (g *Graphite) Hang() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hang = make(chan struct{})
}

func (g *Graphite) serve() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.wg.Go(func() { g.take(conn) })
	}
}

func (g *Graphite) take(conn net.Conn) {
	defer conn.Close()
	g.mu.Lock()
	cut, hang := g.refuse > 0, g.hang
	g.refuse = max(g.refuse-1, 0)
	g.mu.Unlock()
	if cut {
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset: what was sent is lost, and the sender hears of it
		return
	}
	if hang != nil {
		<-hang
		return
	}
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF && line == "" || err != nil && err != io.EOF {
			return
		}
		p, perr := parsePoint(line)
		g.mu.Lock()
		if perr != nil {
			g.faults = append(g.faults, perr.Error())
		} else {
			g.points = append(g.points, p)
		}
		g.mu.Unlock()
	}
}

func parsePoint(line string) (p Point, err error) {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !strings.HasSuffix(line, "\n") || parts[0] == "" {
		return p, fmt.Errorf("%q: want PATH VALUE SECONDS", line)
	}
	p.Path = parts[0]
	p.Value, err = strconv.ParseFloat(parts[1], 64)
	if err != nil || math.IsNaN(p.Value) {
		return p, fmt.Errorf("%q: value", line)
	}
	if p.Time, err = strconv.ParseInt(strings.TrimSuffix(parts[2], "\n"), 10, 64); err != nil {
		return p, fmt.Errorf("%q: time", line)
	}
	return p, nil
}

// Points returns what was taken, in order.
func (g *Graphite) Points() []Point {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Point(nil), g.points...)
}

// Faults returns the lines that could not be read.
func (g *Graphite) Faults() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.faults...)
}
