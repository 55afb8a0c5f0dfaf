package services

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// What Redis says of itself. Source: redis.io, commands INFO and SENTINEL, read November 2026.
var (
	redisRole         = &metric.Desc{Name: "redis_role", Help: "1 for the role that a server says it has: master, slave; one that was replaced says master for some seconds after it is back"}
	redisStart        = &metric.Desc{Name: "redis_start_time_seconds", Unit: metric.Seconds, Help: "When the server started"}
	redisMemory       = &metric.Desc{Name: "redis_memory_bytes", Unit: metric.Bytes, Help: "Memory in use"}
	redisMemoryLimit  = &metric.Desc{Name: "redis_memory_limit_bytes", Unit: metric.Bytes, Help: "Most memory (maxmemory); absent where there is no limit"}
	redisNoEviction   = &metric.Desc{Name: "redis_noeviction", Help: "1 where writes are refused once the memory is full"}
	redisKeys         = &metric.Desc{Name: "redis_keys", Help: "Keys by database"}
	redisEvicted      = &metric.Desc{Name: "redis_evicted_keys_total", Kind: metric.Counter, Help: "Keys that were let go for want of memory"}
	redisLookups      = &metric.Desc{Name: "redis_lookups_total", Kind: metric.Counter, Help: "Lookups of keys: hit, miss"}
	redisClients      = &metric.Desc{Name: "redis_clients", Help: "Clients that are connected"}
	redisClientsLimit = &metric.Desc{Name: "redis_clients_limit", Help: "Most clients (maxclients)"}
	redisRejected     = &metric.Desc{Name: "redis_rejected_connections_total", Kind: metric.Counter, Help: "Clients that were refused, looks of our own among them"}
	redisCommands     = &metric.Desc{Name: "redis_commands_total", Kind: metric.Counter, Help: "Commands"}
	redisErrors       = &metric.Desc{Name: "redis_errors_total", Kind: metric.Counter, Help: "Errors that clients got, by their first word: OOM, MISCONF, READONLY, NOREPLICAS, LOADING and the like"}
	redisLinkUp       = &metric.Desc{Name: "redis_replica_link_up", Help: "1 while a replica has a link to its primary; it says so until repl-timeout after the primary froze"}
	redisIOAge        = &metric.Desc{Name: "redis_replica_io_age_seconds", Unit: metric.Seconds, Help: "Time since a replica last heard of its primary"}
	redisReplicas     = &metric.Desc{Name: "redis_replicas", Help: "Replicas of a primary, by state: online, wait_bgsave and the like"}
	redisSnapshotOK   = &metric.Desc{Name: "redis_snapshot_ok", Help: "1 while the last snapshot was written; 0 refuses writes unless stop-writes-on-bgsave-error is off"}
	redisQuorum       = &metric.Desc{Name: "redis_sentinel_quorum_ok", Help: "1 while a Sentinel could have a failover authorised (CKQUORUM)"}
	redisSentinels    = &metric.Desc{Name: "redis_sentinels", Help: "Sentinels that a Sentinel knows, dead ones among them"}
	redisMasterState  = &metric.Desc{Name: "redis_sentinel_master_state", Help: "1 for what a Sentinel thinks of the primary: ok, sdown, odown"}
)

var redisSchemes = map[string]string{"redis": "6379", "rediss": "6379", "tcp": "6379", "unix": ""}

// Redis is asked by its own protocol, and a Sentinel beside it where the section names one.
var Redis = system{
	name: "redis", schemes: redisSchemes,
	found: "redis://127.0.0.1:6379", missing: `give it a user: ACL SETUSER binnacle on >PASSWORD -@all +ping +info; and write collect.redis: {url: "redis://127.0.0.1:6379", user: binnacle, password: "${file:...}"}`,
	descs: []*metric.Desc{
		redisRole, redisStart, redisMemory, redisMemoryLimit, redisNoEviction, redisKeys, redisEvicted, redisLookups, redisClients, redisClientsLimit, redisRejected,
		redisCommands, redisErrors, redisLinkUp, redisIOAge, redisReplicas, redisSnapshotOK, redisQuorum, redisSentinels, redisMasterState,
	},
	look: lookRedis,
}.spec()

func lookRedis(ctx context.Context, t *target, b *batch) error {
	if t.Sentinel != "" {
		lookSentinel(ctx, t, b)
	}
	c, err := t.redis(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	text, err := c.do("INFO", "everything")
	if err != nil {
		return err
	}
	info := redisInfo(text)
	if info["redis_version"] == "" {
		return fmt.Errorf("INFO: want redis_version, have %.60q", text)
	}
	if err := redisStarting(info); err != nil {
		return err // figures of keys and memory are partial meanwhile
	}
	redisFigures(info, b)
	redisReplication(info, b)
	t.edges = edges{listens: t.port(info["tcp_port"])}
	if info["role"] == "slave" {
		t.edges.needs = []edge{{part: "replication", address: net.JoinHostPort(info["master_host"], info["master_port"])}}
	}
	if _, err := c.do("PING"); err != nil {
		return err // a server that refuses writes refuses this too, and says why
	}
	return nil
}

// redisConn is a connection that speaks Redis' protocol, a command at a time.
// Source: redis.io, "Redis serialization protocol specification" (RESP 2), read November 2026.
type redisConn struct {
	net.Conn
	r *bufio.Reader
}

func (t *target) redis(ctx context.Context) (*redisConn, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &redisConn{conn, bufio.NewReader(collectors.Bounded(conn, 4<<20))}
	args := []string{"AUTH", t.User, t.Password.Reveal()}
	switch {
	case t.Password.IsZero():
		return c, nil
	case t.User == "":
		args = []string{"AUTH", t.Password.Reveal()}
	}
	if _, err := c.do(args...); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// do sends a command and returns a status, an integer or a string. An error of the server is a state.
func (c *redisConn) do(args ...string) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(a), a)
	}
	_, sent := io.WriteString(c.Conn, out.String())
	line, err := c.r.ReadString('\n') // a server that is full answers before it is asked, and closes
	if err != nil {
		if sent != nil && !errors.Is(err, context.DeadlineExceeded) {
			err = sent
		}
		if errors.Is(err, io.EOF) {
			return "", inState(stateError, "%s: the connection was closed without an answer", args[0])
		}
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("%s: an empty answer", args[0])
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", redisError(rest)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > 4<<20 {
			return "", fmt.Errorf("%s: a string of %.20q bytes", args[0], rest)
		}
		body := make([]byte, n+2)
		_, err = io.ReadFull(c.r, body)
		return string(body[:n]), err
	}
	return "", fmt.Errorf("%s: want an answer of Redis, have %.40q", args[0], line)
}

// redisError says which state an error means, by its first word.
func redisError(text string) error {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "NOAUTH", "WRONGPASS", "NOPERM", "DENIED":
		return inState(stateUnauthorised, "%s", text)
	case "LOADING":
		return inState(stateStarting, "%s", text)
	case "MISCONF", "READONLY", "NOREPLICAS", "OOM":
		return inState(stateReadOnly, "%s", text)
	case "BUSY":
		return inState(stateFrozen, "%s", text) // a script runs, and all others wait
	case "MASTERDOWN":
		return nil // a replica that does not serve old data: its link says it
	}
	if strings.Contains(text, "max number of clients") {
		return inState(stateFull, "%s", text)
	}
	if strings.Contains(text, "invalid password") || strings.Contains(text, "without any password") {
		return inState(stateUnauthorised, "%s", text)
	}
	return inState(stateError, "%s", text)
}

func redisInfo(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[key] = value
		}
	}
	return out
}

func redisStarting(info map[string]string) error {
	if info["loading"] == "1" {
		return inState(stateStarting, "it loads its data: %s s to go", info["loading_eta_seconds"])
	}
	return nil
}

func redisFigures(info map[string]string, b *batch) {
	for _, f := range []struct {
		d   *metric.Desc
		key string
		kv  []string
	}{
		{redisMemory, "used_memory", nil},
		{redisEvicted, "evicted_keys", nil},
		{redisLookups, "keyspace_hits", []string{"result", "hit"}},
		{redisLookups, "keyspace_misses", []string{"result", "miss"}},
		{redisClients, "connected_clients", nil},
		{redisClientsLimit, "maxclients", nil},
		{redisRejected, "rejected_connections", nil},
		{redisCommands, "total_commands_processed", nil},
	} {
		if v, err := strconv.ParseFloat(info[f.key], 64); err == nil {
			b.add(f.d, v, f.kv...)
		}
	}
	if v, err := strconv.ParseFloat(info["maxmemory"], 64); err == nil && v > 0 { // 0: none
		b.add(redisMemoryLimit, v)
	}
	b.bool(redisNoEviction, info["maxmemory_policy"] == "noeviction")
	b.bool(redisSnapshotOK, info["rdb_last_bgsave_status"] != "err")
	if up, err := strconv.ParseFloat(info["uptime_in_seconds"], 64); err == nil {
		b.add(redisStart, float64(b.Time.Unix())-up)
	}
	for key, value := range info {
		if word, ok := strings.CutPrefix(key, "errorstat_"); ok {
			if v, err := strconv.ParseFloat(strings.TrimPrefix(value, "count="), 64); err == nil {
				b.add(redisErrors, v, "kind", collectors.Label(word))
			}
		}
		if db, ok := strings.CutPrefix(key, "db"); ok && strings.HasPrefix(value, "keys=") {
			n, _, _ := strings.Cut(strings.TrimPrefix(value, "keys="), ",")
			if v, err := strconv.ParseFloat(n, 64); err == nil {
				b.add(redisKeys, v, "db", db)
			}
		}
	}
}

// redisReplication counts a replica by its state: connected_slaves counts one that still waits for its first copy.
func redisReplication(info map[string]string, b *batch) {
	if role := info["role"]; role != "" {
		b.add(redisRole, 1, "role", role)
	}
	if info["role"] == "slave" {
		b.bool(redisLinkUp, info["master_link_status"] == "up", "primary", info["master_host"]+":"+info["master_port"])
		if v, err := strconv.ParseFloat(info["master_last_io_seconds_ago"], 64); err == nil && v >= 0 { // -1: not known
			b.add(redisIOAge, v, "primary", info["master_host"]+":"+info["master_port"])
		}
		return
	}
	states := map[string]float64{"online": 0}
	for key, value := range info {
		if n, ok := strings.CutPrefix(key, "slave"); ok && strings.Contains(value, "state=") {
			if _, err := strconv.Atoi(n); err == nil {
				_, rest, _ := strings.Cut(value, "state=")
				state, _, _ := strings.Cut(rest, ",")
				states[state]++
			}
		}
	}
	for state, n := range states {
		b.add(redisReplicas, n, "state", collectors.Label(state))
	}
}

// lookSentinel asks a Sentinel what it thinks of each primary, and whether it could replace it. Its state is not the server's:
// one that does not answer says nothing, and the others of its kind do.
func lookSentinel(ctx context.Context, t *target, b *batch) {
	s, err := system{name: "sentinel", schemes: redisSchemes}.target(Server{URL: t.Sentinel, User: t.User, Password: t.Password, CAFile: t.CAFile})
	if err != nil {
		return // it was checked when the collector was opened
	}
	s.env = t.env
	c, err := s.redis(ctx)
	if err != nil {
		return
	}
	defer c.Close()
	text, err := c.do("INFO", "sentinel")
	if err != nil {
		return
	}
	for key, value := range redisInfo(text) {
		if !strings.HasPrefix(key, "master") || !strings.Contains(value, "name=") {
			continue
		}
		fields := map[string]string{}
		for _, f := range strings.Split(value, ",") {
			k, v, _ := strings.Cut(f, "=")
			fields[k] = v
		}
		name := collectors.Label(fields["name"])
		b.add(redisMasterState, 1, "master", name, "state", collectors.Label(fields["status"]))
		if n, err := strconv.ParseFloat(fields["sentinels"], 64); err == nil {
			b.add(redisSentinels, n, "master", name)
		}
		answer, err := c.do("SENTINEL", "CKQUORUM", fields["name"])
		b.bool(redisQuorum, err == nil && strings.HasPrefix(answer, "OK"), "master", name)
	}
}
