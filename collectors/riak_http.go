package collectors

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
)

const (
	// riakMaxBody bounds /stats: 16 kB on a node of 3.2.3, more where many disks and members are listed.
	riakMaxBody = 1 << 20
	// riakMaxDiagnosis is how much of an error page is read: the reason stands at its beginning.
	riakMaxDiagnosis = 2 << 10
)

// Why /stats gave no figures. Only connect says that nobody listens.
const (
	riakConnect     = "connect"
	riakTimeout     = "timeout"        // no answer in time, ours
	riakCalcTimeout = "calc_timeout"   // Riak's own 5 s for its figures are over: something in the node is slow
	riakOverload    = "vnode_overload" // the vnode that was asked for a figure refuses work
	riakHTTP        = "http"           // another status
	riakParse       = "parse"          // no JSON object, or too long
)

var riakReasons = []string{riakConnect, riakTimeout, riakCalcTimeout, riakOverload, riakHTTP, riakParse}

// riakReply is what came of one request.
type riakReply struct {
	stats  riakStats
	status int
	took   time.Duration
	reason string // empty when err is nil
	err    error
}

// unreachable says that nobody took the connection.
func (r riakReply) unreachable() bool { return r.reason == riakConnect }

// isRiak says whether /ping was answered as Riak answers it.
func (r riakReply) isRiak() bool { return r.err == nil }

// ping asks /ping, which visits no vnode. With security on it is answered 426, by a node that lives.
func (r *riak) ping(ctx context.Context) riakReply {
	ctx, cancel := context.WithTimeout(ctx, riakPingDeadline)
	defer cancel()
	return r.get(ctx, "/ping", func(status int, body io.Reader) (riakStats, string, error) {
		if status == http.StatusUpgradeRequired {
			return nil, "", nil
		}
		text, err := io.ReadAll(io.LimitReader(body, riakMaxDiagnosis))
		if err != nil {
			return nil, riakTimeout, err
		}
		if status != http.StatusOK || strings.TrimSpace(string(text)) != "OK" {
			return nil, riakHTTP, fmt.Errorf("status %d %.40q, want 200 OK", status, text)
		}
		return nil, "", nil
	})
}

// stats asks for the figures.
func (r *riak) stats(ctx context.Context) riakReply {
	ctx, cancel := context.WithTimeout(ctx, riakStatsDeadline)
	defer cancel()
	return r.get(ctx, "/stats", func(status int, body io.Reader) (riakStats, string, error) {
		if status != http.StatusOK {
			page, _ := io.ReadAll(io.LimitReader(body, riakMaxDiagnosis)) // what was cut off is judged by what there is
			reason := riakDiagnose(string(page))
			return nil, reason, fmt.Errorf("status %d, %s", status, reason)
		}
		var s riakStats
		err := json.NewDecoder(bounded(body, riakMaxBody)).Decode(&s)
		switch {
		case ctx.Err() != nil:
			return nil, riakTimeout, ctx.Err()
		case err != nil:
			return nil, riakParse, err
		case s == nil:
			return nil, riakParse, errors.New("want an object, have null")
		}
		return s, "", nil
	})
}

// riakDiagnose tells by its error page why a node has no figures.
func riakDiagnose(page string) string {
	switch {
	case strings.Contains(page, "no_backend_status"):
		return riakOverload
	case strings.Contains(page, "timeout") && strings.Contains(page, "get_stats"):
		return riakCalcTimeout
	}
	return riakHTTP
}

func (r *riak) get(ctx context.Context, path string, read func(int, io.Reader) (riakStats, string, error)) riakReply {
	start := r.env.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.opt.URL+path, nil)
	if err != nil {
		return riakReply{reason: riakHTTP, err: err}
	}
	req.Header.Set("Accept", map[bool]string{true: "application/json", false: "*/*"}[path == "/stats"])
	resp, err := r.env.HTTP.RoundTrip(req)
	if err != nil {
		return riakReply{reason: riakTransport(ctx, err), err: fmt.Errorf("GET %s: %w", path, err), took: r.env.Now().Sub(start)}
	}
	defer func() { _ = resp.Body.Close() }()
	reply := riakReply{status: resp.StatusCode}
	if reply.stats, reply.reason, err = read(resp.StatusCode, resp.Body); err != nil {
		reply.err = fmt.Errorf("GET %s: %w", path, err)
	}
	reply.took = r.env.Now().Sub(start)
	return reply
}

// riakTransport tells a port that nobody listens on from an answer that did not come whole.
func riakTransport(ctx context.Context, err error) string {
	var n net.Error
	var op *net.OpError
	switch {
	case ctx.Err() != nil, errors.As(err, &n) && n.Timeout():
		return riakTimeout
	case errors.As(err, &op) && op.Op == "dial":
		return riakConnect
	}
	return riakHTTP
}

// The protocol-buffer ping: a length of 1, then the code; the answer has the next code.
// Source: Riak KV documentation, "PBC API", and a recorded exchange (3.2.3), November 2026.
var riakPBRequest, riakPBAnswer = []byte{0, 0, 0, 1, 1}, [5]byte{0, 0, 0, 1, 2}

// pbPing says whether the protocol-buffer listener answers.
func (r *riak) pbPing(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, riakPingDeadline)
	defer cancel()
	conn, err := r.env.Dial(ctx, "tcp", r.opt.PB)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := conn.Write(riakPBRequest); err != nil {
		return false
	}
	var got [5]byte
	_, err = io.ReadFull(conn, got[:])
	return err == nil && got == riakPBAnswer
}
