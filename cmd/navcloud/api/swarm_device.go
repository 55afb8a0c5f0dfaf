package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// device is one client with one stream.
type device struct {
	swarm *swarm
	n     int
	user  string

	// Guarded by tally.mu.
	life int // which stream this is, rises with each; 0 before the first
	open bool
}

// run holds a stream open until ctx ends, at the next node when one fails.
func (d *device) run(ctx context.Context) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 200*time.Millisecond, 5*time.Second
	for try := d.n; ctx.Err() == nil; try++ {
		if d.swarm.ramp.Wait(ctx) != nil {
			return
		}
		node := d.swarm.cfg.Nodes[try%len(d.swarm.cfg.Nodes)]
		held, err := d.hold(ctx, node)
		if ctx.Err() != nil {
			return
		}
		d.swarm.cfg.Log.Debug("stream ended", "device", d.n, "node", node, "held", held, "err", err)
		if held {
			wait.Reset()
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// hold opens one stream and reads it to its end. held says whether it ever was open.
func (d *device) hold(ctx context.Context, node string) (held bool, err error) {
	t := d.swarm.tally
	conn, err := (&net.Dialer{Timeout: d.swarm.cfg.Grace}).DialContext(ctx, "tcp", node)
	if err != nil {
		t.refused()
		return false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	lines, err := d.request(conn, node)
	if err != nil {
		t.refused()
		return false, err
	}
	defer func() {
		if held {
			t.closed(d, node, ctx.Err() == nil)
		}
	}()
	for {
		if err := conn.SetReadDeadline(time.Now().Add(d.swarm.cfg.Silence)); err != nil {
			return held, err
		}
		line, err := lines.ReadSlice('\n')
		if err != nil {
			if !held {
				t.refused()
			}
			return held, err
		}
		if len(line) == 1 {
			t.heartbeat()
			continue
		}
		var e struct {
			Type, ID string
			At       int64
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return held, fmt.Errorf("stream: %w", err)
		}
		if e.Type == "hello" {
			held = true
			if t.opened(d, node) == len(d.swarm.devices) {
				close(d.swarm.full)
			}
			continue
		}
		t.arrived(e.ID, d, time.Since(time.Unix(0, e.At)))
	}
}

// request asks for the stream and returns its lines. Buffers are small: there are many devices.
func (d *device) request(conn net.Conn, node string) (*bufio.Reader, error) {
	if err := conn.SetDeadline(time.Now().Add(d.swarm.cfg.Grace)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "GET /v1/stream HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n\r\n", node, userField, d.user); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1<<10), nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
		return nil, errors.Join(fmt.Errorf("stream: status %d", resp.StatusCode), resp.Body.Close())
	}
	return bufio.NewReaderSize(resp.Body, 2<<10), nil
}
