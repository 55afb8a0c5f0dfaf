package services

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// What MySQL and MariaDB say of themselves. Sources: MariaDB 10.11 and MySQL 8.4 reference manuals, "SHOW GLOBAL STATUS",
// "SHOW REPLICA STATUS", read November 2026.
var (
	mysqlConnections = &metric.Desc{Name: "mysql_connections", Help: "Clients that are connected"}
	mysqlConnLimit   = &metric.Desc{Name: "mysql_connections_limit", Help: "Most clients (max_connections)"}
	mysqlConnPeak    = &metric.Desc{Name: "mysql_connections_peak", Help: "Most clients since the start"}
	mysqlRunning     = &metric.Desc{Name: "mysql_threads_running", Help: "Clients whose statement runs now, this look's among them"}
	mysqlQueries     = &metric.Desc{Name: "mysql_queries_total", Kind: metric.Counter, Help: "Statements by command: select, insert, update, delete, commit, rollback"}
	mysqlQuestions   = &metric.Desc{Name: "mysql_questions_total", Kind: metric.Counter, Help: "Statements that clients sent"}
	mysqlSlow        = &metric.Desc{Name: "mysql_slow_queries_total", Kind: metric.Counter, Help: "Statements that took longer than long_query_time"}
	mysqlAborted     = &metric.Desc{Name: "mysql_aborted_total", Kind: metric.Counter, Help: "Connections that were not closed (clients) or not made (connects)"}
	mysqlConnErrors  = &metric.Desc{Name: "mysql_connection_errors_total", Kind: metric.Counter, Help: "Connections that were refused, by reason"}
	mysqlPool        = &metric.Desc{Name: "mysql_buffer_pool_bytes", Unit: metric.Bytes, Help: "Buffer pool of InnoDB by state: data, dirty, free"}
	mysqlPoolReads   = &metric.Desc{Name: "mysql_buffer_pool_reads_total", Kind: metric.Counter, Help: "Reads of the buffer pool: requests, and those that went to disk"}
	mysqlLockWaits   = &metric.Desc{Name: "mysql_row_lock_waits_total", Kind: metric.Counter, Help: "Waits for a lock of a row"}
	mysqlLogWaits    = &metric.Desc{Name: "mysql_log_waits_total", Kind: metric.Counter, Help: "Waits for room in the log buffer"}
	mysqlReadOnly    = &metric.Desc{Name: "mysql_read_only", Help: "1 while the server takes writes of its own replication alone"}
	mysqlServerID    = &metric.Desc{Name: "mysql_server_id", Help: "server_id"}
	mysqlStart       = &metric.Desc{Name: "mysql_start_time_seconds", Unit: metric.Seconds, Help: "When the server started"}
	mysqlReplica     = &metric.Desc{Name: "mysql_replica", Help: "1 of a server that replicates from another; 0 of one that does not"}
	mysqlThreadUp    = &metric.Desc{Name: "mysql_replica_thread_up", Help: "1 while a thread of replication runs: io, sql; connecting is not running"}
	mysqlThreadState = &metric.Desc{Name: "mysql_replica_thread_state", Help: "1 for the state of a thread: yes, connecting, no"}
	mysqlLag         = &metric.Desc{Name: "mysql_replica_lag_seconds", Unit: metric.Seconds, Help: "Age of what is applied, less a wanted delay; absent where the server does not know it"}
	mysqlMoved       = &metric.Desc{Name: "mysql_replica_heartbeat_age_seconds", Unit: metric.Seconds, Help: "Time since a replica last heard of its primary, by our clock: a heartbeat, or a position that moved"}
	mysqlError       = &metric.Desc{Name: "mysql_replica_error", Help: "1 for the error that stopped a thread, by its number"}
	mysqlReplicas    = &metric.Desc{Name: "mysql_replicas_connected", Help: "Replicas that read from this server"}
)

// MySQL is asked by its own protocol. It wants a user; without one it is found, and not watched.
var MySQL = system{
	name: "mysql", schemes: map[string]string{"tcp": "3306", "unix": "", "mysql": "3306", "tcps": "3306"},
	found: "unix:///run/mysqld/mysqld.sock", missing: `give it a user: CREATE USER binnacle@localhost IDENTIFIED BY '...' WITH MAX_USER_CONNECTIONS 3; GRANT PROCESS, REPLICATION CLIENT, REPLICA MONITOR ON *.* TO binnacle@localhost; and write collect.mysql: {url: unix:///run/mysqld/mysqld.sock, user: binnacle, password: "${file:...}"}`,
	descs: []*metric.Desc{
		mysqlConnections, mysqlConnLimit, mysqlConnPeak, mysqlRunning, mysqlQueries, mysqlQuestions, mysqlSlow, mysqlAborted, mysqlConnErrors, mysqlPool,
		mysqlPoolReads, mysqlLockWaits, mysqlLogWaits, mysqlReadOnly, mysqlServerID, mysqlStart, mysqlReplica, mysqlThreadUp, mysqlThreadState, mysqlLag,
		mysqlMoved, mysqlError, mysqlReplicas,
	},
	look: lookMySQL,
}.spec()

// mysqlMemory is what is remembered of a replica by channel.
type mysqlMemory struct {
	mark  map[string]string
	moved map[string]time.Time
}

// Codes of MySQL's errors that say in which state a server is.
// Source: MySQL 8.4 Error Message Reference, read November 2026.
const (
	mysqlTooMany      = 1040
	mysqlDenied       = 1045
	mysqlNoDatabase   = 1044
	mysqlHostDenied   = 1130
	mysqlUserTooMany  = 1203
	mysqlUserLimit    = 1226
	mysqlNoPrivilege  = 1227
	mysqlHostBlocked  = 1129
	mysqlPluginDenied = 1698
	mysqlSyntax       = 1064
)

func lookMySQL(ctx context.Context, t *target, b *batch) error {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = t.User, t.Password.Reveal(), t.network, t.address
	cfg.AllowNativePasswords, cfg.InterpolateParams, cfg.Logger = true, true, &mysql.NopLogger{}
	var unreached error // of the driver's error it is only known that there is one
	cfg.DialFunc = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		conn, err = t.env.Dial(ctx, network, address)
		unreached = err
		return conn, err
	}
	if t.tls != nil {
		cfg.TLS = t.tls
		if t.CAFile == "" {
			cfg.TLS = &tls.Config{ServerName: t.tls.ServerName, MinVersion: tls.VersionTLS12}
		}
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxOpenConns(1)
	status, err := mysqlPairs(ctx, db, "SHOW GLOBAL STATUS")
	if unreached != nil {
		return unreached
	}
	if err != nil {
		return mysqlState(ctx, err)
	}
	variables, err := mysqlPairs(ctx, db, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return mysqlState(ctx, err)
	}
	mysqlFigures(status, variables, b)
	t.edges = edges{listens: t.port(variables["port"])}
	replicating, err := mysqlReplication(ctx, db, variables["version"], t, b)
	if err != nil {
		return mysqlState(ctx, err)
	}
	if n, err := strconv.ParseFloat(status["Slaves_connected"], 64); err == nil {
		b.add(mysqlReplicas, n)
	}
	readOnly := variables["read_only"] == "ON" || variables["read_only"] == "1"
	b.bool(mysqlReadOnly, readOnly)
	if readOnly && !replicating {
		return inState(stateReadOnly, "read_only is on, and it replicates from nobody")
	}
	return nil
}

// mysqlState says what an error means. One that arrives after the deadline is a server that says nothing.
func mysqlState(ctx context.Context, err error) error {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		switch e.Number {
		case mysqlTooMany, mysqlUserTooMany, mysqlUserLimit:
			return inState(stateFull, "%s", e.Message)
		case mysqlDenied, mysqlNoDatabase, mysqlHostDenied, mysqlNoPrivilege, mysqlHostBlocked, mysqlPluginDenied:
			return inState(stateUnauthorised, "error %d: %s", e.Number, e.Message)
		}
		return inState(stateError, "error %d: %s", e.Number, e.Message)
	}
	if ctx.Err() != nil {
		return context.DeadlineExceeded
	}
	if errors.Is(err, io.EOF) || errors.Is(err, mysql.ErrInvalidConn) {
		return inState(stateError, "the connection was closed in the middle: %v", err)
	}
	return err
}

// mysqlPairs reads a table of names and values.
func mysqlPairs(ctx context.Context, db *sql.DB, query string) (map[string]string, error) {
	rows, err := mysqlRows(ctx, db, query)
	out := map[string]string{}
	for _, r := range rows {
		out[r["Variable_name"]] = r["Value"]
	}
	return out, err
}

// mysqlRows reads an answer by the names of its columns; NULL is a column that is not there.
func mysqlRows(ctx context.Context, db *sql.DB, query string) ([]map[string]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []map[string]string
	for rows.Next() && len(out) < 10_000 {
		values, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for i, v := range values {
			if v.Valid {
				row[names[i]] = v.String
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func mysqlFigures(status, variables map[string]string, b *batch) {
	for _, f := range []struct {
		d    *metric.Desc
		from map[string]string
		key  string
		kv   []string
	}{
		{mysqlConnections, status, "Threads_connected", nil},
		{mysqlConnPeak, status, "Max_used_connections", nil},
		{mysqlRunning, status, "Threads_running", nil},
		{mysqlQuestions, status, "Questions", nil},
		{mysqlSlow, status, "Slow_queries", nil},
		{mysqlAborted, status, "Aborted_clients", []string{"kind", "clients"}},
		{mysqlAborted, status, "Aborted_connects", []string{"kind", "connects"}},
		{mysqlConnErrors, status, "Connection_errors_max_connections", []string{"reason", "max_connections"}},
		{mysqlConnErrors, status, "Connection_errors_internal", []string{"reason", "internal"}},
		{mysqlPool, status, "Innodb_buffer_pool_bytes_data", []string{"state", "data"}},
		{mysqlPool, status, "Innodb_buffer_pool_bytes_dirty", []string{"state", "dirty"}},
		{mysqlPoolReads, status, "Innodb_buffer_pool_read_requests", []string{"from", "pool"}},
		{mysqlPoolReads, status, "Innodb_buffer_pool_reads", []string{"from", "disk"}},
		{mysqlLockWaits, status, "Innodb_row_lock_waits", nil},
		{mysqlLogWaits, status, "Innodb_log_waits", nil},
		{mysqlConnLimit, variables, "max_connections", nil},
		{mysqlServerID, variables, "server_id", nil},
	} {
		if v, err := strconv.ParseFloat(f.from[f.key], 64); err == nil {
			b.add(f.d, v, f.kv...)
		}
	}
	for _, cmd := range []string{"select", "insert", "update", "delete", "commit", "rollback"} {
		if v, err := strconv.ParseFloat(status["Com_"+cmd], 64); err == nil {
			b.add(mysqlQueries, v, "cmd", cmd)
		}
	}
	free, err1 := strconv.ParseFloat(status["Innodb_buffer_pool_pages_free"], 64)
	page, err2 := strconv.ParseFloat(status["Innodb_page_size"], 64)
	if err1 == nil && err2 == nil {
		b.add(mysqlPool, free*page, "state", "free")
	}
	if up, err := strconv.ParseFloat(status["Uptime"], 64); err == nil {
		b.add(mysqlStart, float64(b.Time.Unix())-up)
	}
}

// mysqlReplication asks in the words of the version: the old ones are a syntax error from MySQL 8.4 on.
func mysqlReplication(ctx context.Context, db *sql.DB, version string, t *target, b *batch) (bool, error) {
	queries := []string{"SHOW REPLICA STATUS", "SHOW SLAVE STATUS"}
	if strings.Contains(version, "MariaDB") {
		queries = []string{"SHOW ALL SLAVES STATUS"}
	}
	var rows []map[string]string
	var err error
	for _, q := range queries {
		var e *mysql.MySQLError
		if rows, err = mysqlRows(ctx, db, q); err == nil || !errors.As(err, &e) || e.Number != mysqlSyntax {
			break
		}
	}
	if err != nil {
		return false, err
	}
	b.bool(mysqlReplica, len(rows) > 0)
	memory, ok := t.memory.(*mysqlMemory)
	if !ok {
		memory = &mysqlMemory{map[string]string{}, map[string]time.Time{}}
		t.memory = memory
	}
	seen := map[string]bool{}
	for _, r := range rows {
		channel := collectors.Label(mysqlColumn(r, "Connection_name", "Channel_Name"))
		if !seen[channel] {
			seen[channel] = true
			memory.channel(r, channel, b)
			if host, port := mysqlColumn(r, "Master_Host", "Source_Host"), cmp.Or(mysqlColumn(r, "Master_Port", "Source_Port"), "3306"); host != "" {
				t.edges.needs = append(t.edges.needs, edge{part: "replication", address: net.JoinHostPort(host, port)})
			}
		}
	}
	return len(rows) > 0, nil
}

// mysqlColumn is the first of some columns that there is: old and new words, MariaDB's and MySQL's.
func mysqlColumn(r map[string]string, names ...string) string {
	for _, n := range names {
		if v := r[n]; v != "" {
			return v
		}
	}
	return ""
}

func (m *mysqlMemory) channel(r map[string]string, channel string, b *batch) {
	primary := mysqlColumn(r, "Master_Host", "Source_Host")
	kv := []string{"channel", channel, "primary", primary}
	running := true
	for thread, word := range map[string]string{
		"io":  mysqlColumn(r, "Slave_IO_Running", "Replica_IO_Running"),
		"sql": mysqlColumn(r, "Slave_SQL_Running", "Replica_SQL_Running"),
	} {
		of := append([]string{"thread", thread}, kv...)
		running = running && strings.EqualFold(word, "yes")
		b.bool(mysqlThreadUp, strings.EqualFold(word, "yes"), of...)
		b.add(mysqlThreadState, 1, append([]string{"state", strings.ToLower(word)}, of...)...)
		errno := mysqlColumn(r, map[string]string{"io": "Last_IO_Errno", "sql": "Last_SQL_Errno"}[thread])
		if errno != "" && errno != "0" {
			b.add(mysqlError, 1, append([]string{"errno", errno}, of...)...)
		}
	}
	// A stopped or broken replica says NULL; with the thread that fetches alone gone some versions say 0.
	if lag, err := strconv.ParseFloat(mysqlColumn(r, "Seconds_Behind_Master", "Seconds_Behind_Source"), 64); err == nil && running {
		delay, _ := strconv.ParseFloat(r["SQL_Delay"], 64) // none: 0
		b.add(mysqlLag, max(lag-delay, 0), kv...)
	}
	if r["Slave_received_heartbeats"] == "" {
		return // MySQL does not say it here, and a primary that is idle moves nothing
	}
	mark := fmt.Sprint(r["Slave_received_heartbeats"], r["Gtid_IO_Pos"], r["Retrieved_Gtid_Set"],
		mysqlColumn(r, "Read_Master_Log_Pos", "Read_Source_Log_Pos"), mysqlColumn(r, "Master_Log_File", "Source_Log_File"))
	if m.mark[channel] != mark || m.moved[channel].IsZero() {
		m.mark[channel], m.moved[channel] = mark, b.Time
	}
	b.add(mysqlMoved, b.Time.Sub(m.moved[channel]).Seconds(), kv...)
}
