// Package collectorstest plays recorded Riak and RabbitMQ: servers that answer as real clusters did while they were
// cut, paused, frozen and overloaded. Tests of collectors and rules use them, and so does the demo.
//
// It imitates answers, not behaviour: what is not recorded is not there (404), nothing is stored, and one situation
// follows another only when Play says so. README.md says which recording each answer comes from.
package collectorstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// User and Password are what the stand-in's management API lets in; others get the 401 of the real one.
const (
	User     = "monitor"
	Password = "monitor"
)

// Nodes are the names of the three nodes.
var Nodes = []string{"n1", "n2", "n3"}

// RabbitMQ is a cluster of three. Its methods may be used by many goroutines.
type RabbitMQ struct {
	now   func() time.Time
	mu    sync.Mutex
	sit   string
	since time.Time
	nodes map[string]*rabbitmqNode
	ports *rabbitmqPorts // nil: in process
}

// NewRabbitMQ starts a healthy cluster on ports of the loopback device. It panics when it can not listen.
func NewRabbitMQ() *RabbitMQ {
	s := NewRabbitMQInProcess()
	s.ports = listenRabbitmq(s)
	return s
}

// NewRabbitMQInProcess makes a healthy cluster that is reached by Transport and Dial alone, so that it may be
// used in a bubble of testing/synctest, where time is faked.
func NewRabbitMQInProcess() *RabbitMQ {
	s := &RabbitMQ{now: time.Now, nodes: map[string]*rabbitmqNode{}}
	for _, n := range Nodes {
		s.nodes[n] = newRabbitmqNode(n)
	}
	s.Play("healthy")
	return s
}

// Play goes over to a situation on all nodes. Counters go on from where they were, but on a node that restarted its
// application in the situation: there they are as recorded. It panics when there is no such situation.
func (s *RabbitMQ) Play(situation string) {
	s.mu.Lock()
	now := s.now()
	for _, n := range s.nodes {
		n.play(situation, now)
	}
	s.sit, s.since = situation, now
	s.mu.Unlock()
	if s.ports != nil {
		s.ports.follow()
	}
}

// Situation is what is played now, and since when.
func (s *RabbitMQ) Situation() (string, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sit, s.since
}

// Close ends all servers.
func (s *RabbitMQ) Close() {
	if s.ports != nil {
		s.ports.close()
	}
}

// URL is that of a node's management API.
func (s *RabbitMQ) URL(node string) string { return "http://" + s.address(node, "management") }

// MetricsURL is that of a node's prometheus plugin.
func (s *RabbitMQ) MetricsURL(node string) string { return "http://" + s.address(node, "prometheus") }

// AMQP is the address of a node's AMQP listener, which takes connections and says nothing.
func (s *RabbitMQ) AMQP(node string) string { return s.address(node, "amqp") }

// Dist is the address of a node's distribution port as its own machine sees it.
func (s *RabbitMQ) Dist(node string) string { return s.address(node, "dist") }

// Peers are the other nodes as node reaches them, each "rabbit@name=address": the option peers of the collector.
// In a cut these addresses swallow connections, as a network does, while Dist of the peer itself is open.
func (s *RabbitMQ) Peers(node string) []string {
	var out []string
	for _, peer := range Nodes {
		if peer != node {
			out = append(out, "rabbit@"+peer+"="+s.address(peer, "from-"+node))
		}
	}
	return out
}

// Config is the section collect.rabbitmq that watches node, as YAML without indentation.
func (s *RabbitMQ) Config(node string) string {
	return fmt.Sprintf(`url: %s
metrics_url: %s
user: %s
password: %s
name: rabbit@%s
amqp: %s
dist: %s
peers: [%s]
exchanges: [{name: nav.events, consumers: 5}]
slow_every: 5s
`, s.URL(node), s.MetricsURL(node), User, Password, node, s.AMQP(node), s.Dist(node), strings.Join(s.Peers(node), ", "))
}

func (s *RabbitMQ) address(node, port string) string {
	if s.ports != nil {
		return s.ports.address(node, port)
	}
	return node + "." + port + ":1"
}

// answerTo finds the answer to a request to one of a node's two servers.
func (s *RabbitMQ) answerTo(node, port string, r *http.Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	if n == nil {
		return answer{refused: true}
	}
	a := n.answer(port, r.URL.Path, s.now())
	if user, password, _ := r.BasicAuth(); port == "management" && a.status > 0 && (user != User || password != Password) {
		return answer{status: http.StatusUnauthorized, body: []byte(rabbitmqLoginFailed)}
	}
	return a
}

// portOf says how a port behaves now.
func (s *RabbitMQ) portOf(node, port string) portMode {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[node]; n != nil {
		return n.port(port)
	}
	return portRefuses
}

// Transport answers requests to URL and MetricsURL of a cluster in process.
func (s *RabbitMQ) Transport() http.RoundTripper { return rabbitmqTransport{s} }

type rabbitmqTransport struct{ s *RabbitMQ }

func (t rabbitmqTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	node, port, _ := strings.Cut(r.URL.Hostname(), ".")
	a := t.s.answerTo(node, port, r)
	switch {
	case a.refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case a.hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", rabbitmqRealm)
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

// Dial connects to an address of a cluster in process.
func (s *RabbitMQ) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	u, err := url.Parse("//" + address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	node, port, _ := strings.Cut(u.Hostname(), ".")
	switch s.portOf(node, port) {
	case portOpen:
		near, far := net.Pipe()
		_ = far.Close()
		return near, nil
	case portSwallows:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
}
