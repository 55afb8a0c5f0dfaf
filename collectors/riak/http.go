package riak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/navcloud/binnacle/collectors"
)

const (
	// maxBody bounds /stats: 16 kB on a node of 3.2.3, more where many disks and members are listed.
	maxBody = 1 << 20
	// maxDiagnosis is how much of an error page is read: the reason stands at its beginning.
	maxDiagnosis = 2 << 10
)

// Why /stats gave no figures. Only connect says that nobody listens.
const (
	reasonConnect     = "connect"
	reasonTimeout     = "timeout"        // no answer in time, ours
	reasonCalcTimeout = "calc_timeout"   // Riak's own 5 s for its figures are over: something in the node is slow
	reasonOverload    = "vnode_overload" // the vnode that was asked for a figure refuses work
	reasonHTTP        = "http"           // another status
	reasonParse       = "parse"          // no JSON object, or too long
	reasonTLS         = "tls"            // whoever answers is not trusted, or speaks no TLS
)

var reasons = []string{reasonConnect, reasonTimeout, reasonCalcTimeout, reasonOverload, reasonHTTP, reasonParse, reasonTLS}

// response is what came of one request.
type response struct {
	stats   figures
	status  int
	secured bool // it wants a login
	took    time.Duration
	reason  string // empty when err is nil
	err     error
}

// unreachable says that nobody took the connection.
func (r response) unreachable() bool { return r.reason == reasonConnect }

// isRiak says whether /ping was answered as Riak answers it.
func (r response) isRiak() bool { return r.err == nil }

// ping asks /ping, which visits no vnode. With security on it is answered 426, over TLS 401, by a node that lives.
// Source: a recorded 426 (3.2.3, November 2026); riak_api's riak_api_web_security and riak_kv_wm_ping, read 30 November 2026.
func (r *collector) ping(ctx context.Context) response {
	ctx, cancel := context.WithTimeout(ctx, pingDeadline)
	defer cancel()
	return r.get(ctx, "/ping", func(resp *http.Response) (figures, string, error) {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxDiagnosis))
		switch status := resp.StatusCode; {
		case wantsLogin(resp):
			return nil, "", nil
		case err != nil:
			return nil, reasonTimeout, err
		case status != http.StatusOK || strings.TrimSpace(string(text)) != "OK":
			return nil, reasonHTTP, fmt.Errorf("status %d %.40q, want 200 OK", status, text)
		}
		return nil, "", nil
	})
}

// wantsLogin says whether an answer is that of a Riak with security on.
func wantsLogin(resp *http.Response) bool {
	return resp.StatusCode == http.StatusUpgradeRequired ||
		resp.StatusCode == http.StatusUnauthorized && strings.Contains(resp.Header.Get("WWW-Authenticate"), `"Riak"`)
}

// stats asks for the figures.
func (r *collector) stats(ctx context.Context) response {
	ctx, cancel := context.WithTimeout(ctx, statsDeadline)
	defer cancel()
	return r.get(ctx, "/stats", func(resp *http.Response) (figures, string, error) {
		if status := resp.StatusCode; status != http.StatusOK {
			page, _ := io.ReadAll(io.LimitReader(resp.Body, maxDiagnosis)) // what was cut off is judged by what there is
			reason := diagnose(string(page))
			return nil, reason, fmt.Errorf("status %d, %s", status, reason)
		}
		var s figures
		err := json.NewDecoder(collectors.Bounded(resp.Body, maxBody)).Decode(&s)
		switch {
		case ctx.Err() != nil:
			return nil, reasonTimeout, ctx.Err()
		case err != nil:
			return nil, reasonParse, err
		case s.text("nodename") == "": // each names itself: it is something else
			return nil, reasonParse, errors.New("want the figures of a node, have no nodename in them")
		}
		return s, "", nil
	})
}

// statsOr asks for the figures, but of a node that does not answer a ping: its state is told sooner without.
func (r *collector) statsOr(ctx context.Context, ping response) response {
	if ping.reason == reasonTimeout {
		return ping
	}
	return r.stats(ctx)
}

// diagnose tells by its error page why a node has no figures.
func diagnose(page string) string {
	switch {
	case strings.Contains(page, "no_backend_status"):
		return reasonOverload
	case strings.Contains(page, "timeout") && strings.Contains(page, "get_stats"):
		return reasonCalcTimeout
	}
	return reasonHTTP
}

func (r *collector) get(ctx context.Context, path string, read func(*http.Response) (figures, string, error)) response {
	start := r.env.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.opt.URL+path, nil)
	if err != nil {
		return response{reason: reasonHTTP, err: err}
	}
	req.Header.Set("Accept", map[bool]string{true: "application/json", false: "*/*"}[path == "/stats"])
	resp, err := r.env.HTTP.RoundTrip(req)
	if err != nil {
		return response{reason: transportReason(ctx, err), err: fmt.Errorf("GET %s: %w", path, err), took: r.env.Now().Sub(start)}
	}
	defer func() { _ = resp.Body.Close() }()
	reply := response{status: resp.StatusCode, secured: wantsLogin(resp)}
	if reply.stats, reply.reason, err = read(resp); err != nil {
		reply.err = fmt.Errorf("GET %s: %w", path, err)
	}
	reply.took = r.env.Now().Sub(start)
	return reply
}

// transportReason tells a port that nobody listens on from an answer that did not come whole.
func transportReason(ctx context.Context, err error) string {
	var n net.Error
	var op *net.OpError
	switch {
	case collectors.IsTLS(err):
		return reasonTLS
	case ctx.Err() != nil, errors.As(err, &n) && n.Timeout():
		return reasonTimeout
	case errors.As(err, &op) && op.Op == "dial":
		return reasonConnect
	}
	return reasonHTTP
}
