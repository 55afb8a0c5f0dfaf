package pagerduty

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// reach dials the pager when the machine is in trouble: it remembers the addresses that its name had, for when no name
// server answers, and keeps a descriptor for when the process has none left.
type reach struct {
	dialer  net.Dialer
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	wait    time.Duration // for a name server

	mu    sync.Mutex
	open  map[string]int          // connections, by address
	last  map[string][]netip.Addr // by name
	spare *os.File
}

const (
	maxNames  = 16
	resolveIn = 2 * time.Second // then the last addresses are tried
)

func newReach(timeout time.Duration) *reach {
	r := &reach{
		dialer: net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}, wait: min(resolveIn, timeout), last: map[string][]netip.Addr{}, open: map[string]int{},
		resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
	}
	r.keep()
	return r
}

// keep takes the descriptor that is kept, if there is one to be had.
func (r *reach) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spare == nil {
		r.spare, _ = os.Open(os.DevNull) // the next connection that closes leaves one
	}
}

// give frees the descriptor that is kept, and says whether there was one.
func (r *reach) give() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spare == nil {
		return false
	}
	_ = r.spare.Close()
	r.spare = nil
	return true
}

// dial is a Transport's DialContext.
func (r *reach) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := r.try(ctx, network, address)
	// Whatever is wrong below, a name server included, may have been the lack of a descriptor.
	if err != nil && r.give() {
		c, err = r.try(ctx, network, address)
		r.keep()
	}
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[address]++
	return &reached{Conn: c, of: r, to: address}, nil
}

func (r *reach) try(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return r.dialer.DialContext(ctx, network, address)
	}
	addrs, err := r.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range addrs {
		c, err := r.dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || errors.Is(err, syscall.EMFILE) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// lookup asks for the addresses of a name, and takes the last ones where nobody answers in time.
func (r *reach) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	asking, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	addrs, err := r.resolve(asking, host)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || len(addrs) == 0 {
		if last := r.last[host]; len(last) > 0 {
			return last, nil
		}
		return nil, errors.Join(err, ctx.Err())
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	if _, ok := r.last[host]; ok || len(r.last) < maxNames {
		r.last[host] = addrs
	}
	return addrs, nil
}

// opened says whether a connection to an address is open.
func (r *reach) opened(address string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[address] > 0
}

// reached is a connection that is counted.
type reached struct {
	net.Conn
	of   *reach
	to   string
	once sync.Once
}

// Close implements net.Conn.
func (c *reached) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		if c.of.open[c.to]--; c.of.open[c.to] <= 0 {
			delete(c.of.open, c.to)
		}
	})
	err := c.Conn.Close()
	c.of.keep()
	return err
}
