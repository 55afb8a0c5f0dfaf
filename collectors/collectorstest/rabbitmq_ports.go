package collectorstest

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// rabbitmqPorts are the loopback listeners of a stand-in.
type rabbitmqPorts struct {
	s     *RabbitMQ
	ports map[string]*playedPort
}

// listenRabbitmq opens all ports of the three nodes.
func listenRabbitmq(s *RabbitMQ) *rabbitmqPorts {
	p := &rabbitmqPorts{s: s, ports: map[string]*playedPort{}}
	for _, node := range Nodes {
		for _, port := range []string{"management", "prometheus"} {
			p.ports[node+"."+port] = newPlayedPort(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serveAnswer(w, r, s.answerTo(node, port, r))
			}))
		}
		names := []string{"amqp", "dist"}
		for _, peer := range Nodes {
			if peer != node {
				names = append(names, "from-"+peer)
			}
		}
		for _, port := range names {
			p.ports[node+"."+port] = newPlayedPort(nil)
		}
	}
	return p
}

func (p *rabbitmqPorts) address(node, port string) string {
	if pp := p.ports[node+"."+port]; pp != nil {
		return pp.addr
	}
	return "127.0.0.1:1"
}

// follow brings every port to what the situation says.
func (p *rabbitmqPorts) follow() {
	for _, node := range Nodes {
		for name, pp := range p.ports {
			if n, port := name[:2], name[3:]; n == node {
				pp.set(p.s.portOf(node, port))
			}
		}
	}
}

func (p *rabbitmqPorts) close() {
	for _, pp := range p.ports {
		pp.set(portRefuses)
	}
}

func serveAnswer(w http.ResponseWriter, r *http.Request, a answer) {
	switch {
	case a.hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case a.refused:
		panic(http.ErrAbortHandler)
	}
	if a.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", rabbitmqRealm)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// playedPort is one port that may be open, closed, or swallow what comes. With a handler it speaks HTTP, without one
// it takes connections and closes them.
type playedPort struct {
	addr    string
	handler http.Handler

	mu     sync.Mutex
	mode   portMode
	ln     *net.TCPListener
	server *http.Server
	filler net.Conn
	done   chan struct{} // closed when the goroutine of the listener ended
}

func newPlayedPort(h http.Handler) *playedPort {
	p := &playedPort{handler: h, mode: portRefuses}
	p.set(portOpen)
	return p
}

// set changes how the port behaves.
func (p *playedPort) set(mode portMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == mode {
		return
	}
	p.stop()
	p.mode = mode
	switch mode {
	case portOpen:
		p.listen()
		p.serve()
	case portSwallows:
		p.listen()
		p.fill()
	}
}

// stop ends what is there and waits for it.
func (p *playedPort) stop() {
	if p.server != nil {
		_ = p.server.Close()
		p.server = nil
	}
	if p.filler != nil {
		_ = p.filler.Close()
		p.filler = nil
	}
	if p.ln != nil {
		_ = p.ln.Close()
		p.ln = nil
	}
	if p.done != nil {
		<-p.done
		p.done = nil
	}
}

// listen binds the port again, the same one as before. For a moment after a close another program may hold it.
func (p *playedPort) listen() {
	addr := p.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var err error
	for range 50 {
		var ln net.Listener
		if ln, err = net.Listen("tcp", addr); err == nil {
			p.ln = ln.(*net.TCPListener)
			p.addr = ln.Addr().String()
			return
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	panic("collectorstest: " + err.Error())
}

func (p *playedPort) serve() {
	ln, done := p.ln, make(chan struct{})
	p.done = done
	if p.handler != nil {
		server := &http.Server{Handler: p.handler, ReadHeaderTimeout: 10 * time.Second}
		p.server = server
		go func() {
			defer close(done)
			_ = server.Serve(ln)
		}()
		return
	}
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
}

// fill makes the port swallow connections as a cut network does: its queue holds one, one is put there, nobody takes it,
// and the kernel drops every SYN that comes after. Source: listen(2), tcp(7); the queue holds backlog + 1.
func (p *playedPort) fill() {
	raw, err := p.ln.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { err = os.NewSyscallError("listen", syscall.Listen(int(fd), 0)) })
	}
	if err != nil {
		panic("collectorstest: " + err.Error())
	}
	p.filler, _ = net.DialTimeout("tcp", p.addr, time.Second) // fails when somebody else was first: full as well
}
