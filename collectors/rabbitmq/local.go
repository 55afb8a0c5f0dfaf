package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/collectors/host"
)

// processSeen is the Erlang virtual machine of the local broker, by /proc.
type processSeen struct {
	known   bool // /proc speaks of the machine that the broker is on
	there   bool
	stopped bool   // by a signal, a debugger or a freezer
	id      string // pid and start time: changes with each start
	age     time.Duration
}

// askProcess finds the virtual machine among the processes: the one that boots the application rabbit.
func (r *collector) askProcess(context.Context) (func(), error) {
	var p processSeen
	if r.localHost() {
		p = findBroker(r.env.Root.Path("proc"))
	}
	return func() { r.seen.process = p }, nil
}

func findBroker(proc string) processSeen {
	if _, err := os.ReadDir(proc); err != nil {
		return processSeen{}
	}
	pid := host.FindBeam(proc, func(args string) bool { return strings.Contains(args, "\x00-s\x00rabbit\x00") })
	if p, ok := readBroker(proc, pid); ok {
		return p
	}
	return processSeen{known: !host.ProcessesHidden(proc)}
}

func readBroker(proc, pid string) (processSeen, bool) {
	p, ok := host.ReadProcess(proc, pid)
	return processSeen{known: ok, there: ok, id: p.ID, stopped: p.Stopped, age: p.Age}, ok
}

// askUnit asks the service manager whether a node that is down was stopped in order.
func (r *collector) askUnit(ctx context.Context) (func(), error) {
	inOrder := false
	if r.localHost() {
		var err error
		if inOrder, err = host.StoppedInOrder(ctx, r.env.Root, r.opt.Unit); err != nil {
			return nil, err
		}
	}
	return func() { r.seen.inOrder = inOrder }, nil
}

// localPorts are the local listeners by their label, and where they are.
func (r *collector) localPorts() map[string]string {
	at := map[string]string{"amqp": r.opt.AMQP, "distribution": r.opt.Dist}
	for name, text := range map[string]string{"management": r.opt.URL, "prometheus": r.opt.MetricsURL} {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		at[name] = net.JoinHostPort(u.Hostname(), port)
	}
	if r.opt.Epmd != "" && r.localHost() {
		at["epmd"] = r.opt.Epmd
	}
	return at
}

func (r *collector) askPorts(ctx context.Context) (func(), error) {
	ports := r.dialAll(ctx, r.localPorts())
	return func() { r.seen.ports = ports }, nil
}

// askPeers connects to the distribution port of every peer: the one sign of a cut that needs no Erlang.
func (r *collector) askPeers(ctx context.Context) (func(), error) {
	at := map[string]string{}
	r.mu.Lock()
	for name, p := range r.seen.peers {
		at[name] = p.dialAddress(name)
	}
	r.mu.Unlock()
	began := r.env.Now()
	answers := r.dialAll(ctx, at)
	return func() {
		for name, a := range answers {
			p := r.seen.peers[name]
			if p == nil {
				continue
			}
			p.tcp, p.triedAt = a, began
			if a != answerSilent {
				p.silentTCP, p.silentAt = 0, time.Time{}
				continue
			}
			if p.silentTCP++; p.silentTCP == 1 {
				p.silentAt = began
			}
		}
	}, nil
}

// dialAll connects to all at once and closes again. Opening and closing a port is the cheapest thing one can ask of it.
func (r *collector) dialAll(ctx context.Context, at map[string]string) map[string]answer {
	ctx, cancel := context.WithTimeout(ctx, tcpDeadline)
	defer cancel()
	out := make(map[string]answer, len(at))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, addr := range at {
		wg.Go(func() {
			a := r.dial(ctx, addr)
			mu.Lock()
			out[name] = a
			mu.Unlock()
		})
	}
	wg.Wait()
	return out
}

func (r *collector) dial(ctx context.Context, addr string) answer {
	c, err := r.env.Dial(ctx, "tcp", addr)
	if err == nil {
		_ = c.Close()
		return answerOK
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return answerUnasked // a name that does not resolve says nothing of the peer
	}
	return dialAnswer(ctx, fmt.Errorf("dial %s: %w", addr, err))
}
