package services

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// What HAProxy says of itself. Source: HAProxy 2.6 management guide, "Statistics and monitoring" (CSV format), and "show info",
// read November 2026.
var (
	haproxyServerUp      = &metric.Desc{Name: "haproxy_server_up", Help: "1 while the balancer sends requests to a server; a server that was not checked since the balancer started has none"}
	haproxyServerState   = &metric.Desc{Name: "haproxy_server_state", Help: "1 for the state of a server: up, going_down, coming_up, down, maint, drain, nolb, no_check, unknown"}
	haproxyServerReach   = &metric.Desc{Name: "haproxy_server_unreached", Help: "1 for how the check of a server that is down fails: refused, timeout, unreachable, answer"}
	haproxyBackend       = &metric.Desc{Name: "haproxy_backend_servers", Help: "Servers of a backend, by role and state"}
	haproxyCheck         = &metric.Desc{Name: "haproxy_server_check_seconds", Unit: metric.Seconds, Help: "Duration of the last check of a server"}
	haproxyCheckFailures = &metric.Desc{Name: "haproxy_server_check_failures_total", Kind: metric.Counter, Help: "Checks of a server that failed"}
	haproxyChanges       = &metric.Desc{Name: "haproxy_server_downs_total", Kind: metric.Counter, Help: "Times that a server went down"}
	haproxyLastChange    = &metric.Desc{Name: "haproxy_server_last_change_seconds", Unit: metric.Seconds, Help: "Time since the last change of a server's state"}
	haproxyQueue         = &metric.Desc{Name: "haproxy_backend_queue_requests", Help: "Requests that wait for a server"}
	haproxyQueueSeconds  = &metric.Desc{Name: "haproxy_backend_queue_seconds", Unit: metric.Seconds, Help: "Mean wait of the last 1,024 requests, whatever their age"}
	haproxyResponse      = &metric.Desc{Name: "haproxy_backend_response_seconds", Unit: metric.Seconds, Help: "Mean time to a response of the last 1,024 requests, whatever their age"}
	haproxyRequests      = &metric.Desc{Name: "haproxy_requests_total", Kind: metric.Counter, Help: "Responses by proxy, side and class of status; of a backend those that the balancer made itself are among them"}
	haproxyErrors        = &metric.Desc{Name: "haproxy_backend_errors_total", Kind: metric.Counter, Help: "Errors towards servers: connect, response, retry, redispatch"}
	haproxySessions      = &metric.Desc{Name: "haproxy_frontend_sessions", Help: "Sessions of a frontend"}
	haproxySessionsLimit = &metric.Desc{Name: "haproxy_frontend_sessions_limit", Help: "Most sessions of a frontend"}
	haproxyBytes         = &metric.Desc{Name: "haproxy_bytes_total", Kind: metric.Counter, Unit: metric.Bytes, Help: "Bytes of a proxy, by direction"}
	haproxyConns         = &metric.Desc{Name: "haproxy_connections", Help: "Connections of the process"}
	haproxyConnsLimit    = &metric.Desc{Name: "haproxy_connections_limit", Help: "Most connections of the process (maxconn)"}
	haproxyStart         = &metric.Desc{Name: "haproxy_start_time_seconds", Unit: metric.Seconds, Help: "When the process started"}
	haproxyDroppedLogs   = &metric.Desc{Name: "haproxy_dropped_logs_total", Kind: metric.Counter, Help: "Log lines that were lost"}
	haproxyStopping      = &metric.Desc{Name: "haproxy_stopping", Help: "1 while the process only finishes what it has"}
)

// HAProxy is asked by its admin socket, for which the level user is enough, or by its page of statistics.
var HAProxy = system{
	name: "haproxy", schemes: map[string]string{"unix": "", "http": "80", "https": "443", "tcp": "9999"},
	found: "unix:///run/haproxy/admin.sock", missing: "add the agent's user to the group haproxy, or name another socket in collect.haproxy: {url: ...}",
	descs: []*metric.Desc{
		haproxyServerUp, haproxyServerState, haproxyServerReach, haproxyBackend, haproxyCheck, haproxyCheckFailures, haproxyChanges, haproxyLastChange,
		haproxyQueue, haproxyQueueSeconds, haproxyResponse, haproxyRequests, haproxyErrors, haproxySessions, haproxySessionsLimit, haproxyBytes,
		haproxyConns, haproxyConnsLimit, haproxyStart, haproxyDroppedLogs, haproxyStopping,
	},
	look: lookHAProxy,
}.spec()

func lookHAProxy(ctx context.Context, t *target, b *batch) error {
	var info, stat string
	var err error
	if strings.HasPrefix(t.scheme, "http") {
		stat, err = t.get(ctx, haproxyPath(t.URL))
	} else if info, err = t.ask(ctx, "show info\n"); err == nil {
		stat, err = t.ask(ctx, "show stat\n")
	}
	if err != nil {
		return err
	}
	fresh, pid := haproxyInfo(info, b)
	if info != "" {
		servers, _ := t.ask(ctx, "show servers state\n") // one that does not say it has no edges
		t.haproxyEdges(pid, servers)
	}
	return haproxyStat(stat, fresh, t, b)
}

// haproxyPath is the page of statistics as CSV.
func haproxyPath(u string) string {
	if strings.HasSuffix(u, ";csv") {
		return u
	}
	return u + ";csv"
}

// haproxyFresh is how long after a start a server that goes down may never have been up, in seconds: a few intervals of a check.
const haproxyFresh = 30

// haproxyInfo reads "show info". fresh says that the process is so young that servers are called up which no check has found up.
func haproxyInfo(text string, b *batch) (fresh bool, pid string) {
	table := map[string]*metric.Desc{
		"CurrConns": haproxyConns, "Maxconn": haproxyConnsLimit, "DroppedLogs": haproxyDroppedLogs, "Stopping": haproxyStopping,
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		if d := table[key]; d != nil {
			b.add(d, v)
		}
		if key == "Pid" {
			pid = value
		}
		if key == "Uptime_sec" {
			b.add(haproxyStart, float64(b.Time.Unix())-v)
			fresh = v < haproxyFresh
		}
	}
	return fresh, pid
}

// haproxyRow is one line of "show stat", read by the names of its columns: versions have different ones.
type haproxyRow map[string]string

func (r haproxyRow) number(key string) (float64, bool) {
	v, err := strconv.ParseFloat(r[key], 64)
	return v, err == nil
}

// add adds a column where it is not empty: empty is not zero.
func (r haproxyRow) add(b *batch, d *metric.Desc, key string, times float64, kv ...string) {
	if v, ok := r.number(key); ok {
		b.add(d, v*times, kv...)
	}
}

func haproxyStat(text string, fresh bool, t *target, b *batch) error {
	text = strings.TrimPrefix(strings.TrimLeft(text, "\r\n"), "# ")
	rd := csv.NewReader(strings.NewReader(text))
	rd.FieldsPerRecord, rd.LazyQuotes = -1, true
	head, err := rd.Read()
	if err != nil || len(head) < 20 || head[0] != "pxname" {
		return fmt.Errorf("show stat: want columns that begin with pxname, have %.60q", text)
	}
	counts := map[[3]string]float64{}
	for {
		fields, err := rd.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(fields) < 20 {
			t.env.Reject("line", fmt.Sprint(fields))
			continue
		}
		row := haproxyRow{}
		for i, name := range head {
			if i < len(fields) {
				row[name] = fields[i]
			}
		}
		proxy := collectors.Label(row["pxname"])
		switch row["svname"] {
		case "FRONTEND":
			haproxyFrontend(row, proxy, b)
		case "BACKEND":
			haproxyBackendRow(row, proxy, b)
		default:
			state, role := haproxyServer(row, proxy, fresh, b)
			counts[[3]string{proxy, role, state}]++
		}
	}
	for k, n := range counts {
		b.add(haproxyBackend, n, "proxy", k[0], "role", k[1], "state", k[2])
	}
	return nil
}

func (r haproxyRow) shared(b *batch, proxy, side string) {
	for _, code := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
		r.add(b, haproxyRequests, "hrsp_"+code, 1, "proxy", proxy, "side", side, "code", code)
	}
	r.add(b, haproxyBytes, "bin", 1, "proxy", proxy, "side", side, "direction", "in")
	r.add(b, haproxyBytes, "bout", 1, "proxy", proxy, "side", side, "direction", "out")
}

func haproxyFrontend(r haproxyRow, proxy string, b *batch) {
	r.shared(b, proxy, "frontend")
	r.add(b, haproxySessions, "scur", 1, "proxy", proxy)
	r.add(b, haproxySessionsLimit, "slim", 1, "proxy", proxy)
}

// haproxyBackendRow leaves slim out: of a backend it is computed, and no limit.
func haproxyBackendRow(r haproxyRow, proxy string, b *batch) {
	r.shared(b, proxy, "backend")
	r.add(b, haproxyQueue, "qcur", 1, "proxy", proxy)
	r.add(b, haproxyQueueSeconds, "qtime", 1e-3, "proxy", proxy)
	r.add(b, haproxyResponse, "rtime", 1e-3, "proxy", proxy)
	for kind, key := range map[string]string{"connect": "econ", "response": "eresp", "retry": "wretr", "redispatch": "wredis"} {
		r.add(b, haproxyErrors, key, 1, "proxy", proxy, "kind", kind)
	}
}

// haproxyServer reads a server's line. After a start all servers are called up until their first check: that is unknown.
func haproxyServer(r haproxyRow, proxy string, fresh bool, b *batch) (state, role string) {
	name := collectors.Label(r["svname"])
	check := strings.TrimPrefix(r["check_status"], "* ") // it stands there while a check runs
	state, up := haproxyState(r["status"])
	if state == "up" && check == "INI" || fresh && state == "going_down" {
		state = "unknown"
	}
	role = "active"
	if r["bck"] == "1" {
		role = "backup"
	}
	kv := []string{"proxy", proxy, "backend_server", name}
	if state != "unknown" {
		b.bool(haproxyServerUp, up, kv...)
	}
	b.add(haproxyServerState, 1, append(kv, "state", state)...)
	if how := haproxyHow(check); state == "down" && how != "" {
		b.add(haproxyServerReach, 1, append(kv, "how", how)...)
	}
	r.add(b, haproxyCheck, "check_duration", 1e-3, kv...)
	r.add(b, haproxyCheckFailures, "chkfail", 1, kv...)
	r.add(b, haproxyChanges, "chkdown", 1, kv...)
	r.add(b, haproxyLastChange, "lastchg", 1, kv...)
	for _, code := range []string{"2xx", "4xx", "5xx"} {
		r.add(b, haproxyRequests, "hrsp_"+code, 1, "proxy", proxy, "side", "server", "backend_server", name, "code", code)
	}
	return state, role
}

// haproxyState reads words like UP, "UP 1/2" (on its way down), "DOWN 1/2" (on its way up), "MAINT (via a/b)", "no check".
func haproxyState(status string) (state string, up bool) {
	word, rest, _ := strings.Cut(status, " ")
	switch {
	case status == "no check":
		return "no_check", true
	case word == "UP" && rest != "":
		return "going_down", true
	case word == "UP":
		return "up", true
	case word == "DOWN" && strings.Contains(rest, "/"):
		return "coming_up", false
	case word == "DOWN":
		return "down", false
	case word == "MAINT", word == "DRAIN", word == "NOLB":
		return strings.ToLower(word), word == "NOLB"
	}
	return "unknown", false
}

// haproxyHow says how a check fails. Refused is a process that is gone, a timeout of layer 4 its host or zone.
func haproxyHow(check string) string {
	switch check {
	case "L4CON":
		return "refused"
	case "L4TOUT":
		return "timeout"
	case "SOCKERR":
		return "unreachable"
	case "L7TOUT", "L6TOUT":
		return "silent"
	case "L7STS", "L7RSP", "L6RSP":
		return "answer"
	}
	return ""
}
