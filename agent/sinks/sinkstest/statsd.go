package sinkstest

import (
	"context"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Line is one line of StatsD that the fake took.
type Line struct {
	Name  string
	Value float64
	Type  string  // c, g, ms, h, d
	Rate  float64 // 1 where none was given
	Tags  []string
}

// StatsD is a fake StatsD server. It reads strictly: a line that a plain server would not read, or one with
// tags where it is plain, is kept as a fault.
type StatsD struct {
	plain bool
	conn  net.PacketConn // nil until Listen

	mu     sync.Mutex
	lines  []Line
	faults []string
	news   chan struct{} // closed when something came
}

// NewStatsD makes one that speaks plain StatsD, or Datadog's.
func NewStatsD(plain bool) *StatsD { return &StatsD{plain: plain, news: make(chan struct{})} }

// Dial is for Env.Dial: a packet is taken in the Write that sends it, without a socket.
func (s *StatsD) Dial(context.Context, string, string) (net.Conn, error) {
	client, _ := net.Pipe() // for all that a connection has beside Write
	return taker{client, s}, nil
}

type taker struct {
	net.Conn
	fake *StatsD
}

func (t taker) Write(p []byte) (int, error) {
	t.fake.take(string(p))
	return len(p), nil
}

// Listen receives on a UDP port of loopback and returns its address.
func (s *StatsD) Listen() (string, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.conn = conn
	go s.read(conn)
	return conn.LocalAddr().String(), nil
}

// Close ends the listening.
func (s *StatsD) Close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

func (s *StatsD) read(conn net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		s.take(string(buf[:n]))
	}
}

func (s *StatsD) take(packet string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.SplitSeq(packet, "\n") {
		l, err := parseLine(line, s.plain)
		if err != nil {
			s.faults = append(s.faults, fmt.Sprintf("%q: %v", line, err))
			continue
		}
		s.lines = append(s.lines, l)
	}
	close(s.news)
	s.news = make(chan struct{})
}

// Wait returns the lines once there are n, or when ctx ends.
func (s *StatsD) Wait(ctx context.Context, n int) []Line {
	for {
		s.mu.Lock()
		lines, news := s.lines, s.news
		s.mu.Unlock()
		if len(lines) >= n {
			return lines
		}
		select {
		case <-news:
		case <-ctx.Done():
			return lines
		}
	}
}

func parseLine(line string, plain bool) (l Line, err error) {
	name, rest, ok := strings.Cut(line, ":")
	if !ok || name == "" || strings.ContainsAny(name, " /|@#") && plain {
		return l, fmt.Errorf("no name")
	}
	parts := strings.Split(rest, "|")
	if len(parts) < 2 {
		return l, fmt.Errorf("no type")
	}
	l = Line{Name: name, Type: parts[1], Rate: 1}
	if l.Value, err = strconv.ParseFloat(parts[0], 64); err != nil || math.IsNaN(l.Value) || math.IsInf(l.Value, 0) {
		return l, fmt.Errorf("value %q", parts[0])
	}
	for _, p := range parts[2:] {
		switch {
		case strings.HasPrefix(p, "@"):
			if l.Rate, err = strconv.ParseFloat(p[1:], 64); err != nil || l.Rate <= 0 || l.Rate > 1 {
				return l, fmt.Errorf("rate %q", p)
			}
		case strings.HasPrefix(p, "#") && !plain:
			l.Tags = strings.Split(p[1:], ",")
		default:
			return l, fmt.Errorf("part %q", p)
		}
	}
	return l, nil
}

// Lines returns what was taken, in order.
func (s *StatsD) Lines() []Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Line(nil), s.lines...)
}

// Faults returns the lines that could not be read, and why.
func (s *StatsD) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.faults...)
}
