package agent

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// The stack of a small service: HAProxy in front of an application that asks MariaDB, which has a replica, and Redis. A probe asks
// as users do. All stands on one machine under one agent.
type serviceRig struct {
	*testing.T
	pd                          *alertingtest.PagerDuty
	a                           *Agent
	dir                         string
	db, replica, cache          *os.Process
	app                         *os.Process
	front, appAt, dbAt, redisAt string
	cable                       *cable // between the replica and its primary
	sockets                     string
}

// start runs a program until the test ends.
func (s *serviceRig) start(env []string, name string, args ...string) *os.Process {
	s.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = append(os.Environ(), env...), s.dir
	out, err := os.Create(filepath.Join(s.TempDir(), "out"))
	must(s.T, err)
	cmd.Stdout, cmd.Stderr = out, out
	must(s.T, cmd.Start())
	s.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, _ := os.ReadFile(out.Name()); s.Failed() {
			s.Logf("%s said at last: %s", filepath.Base(name), text[max(0, len(text)-2000):])
		}
	})
	return cmd.Process
}

func (s *serviceRig) until(what string, holds func() bool) {
	s.Helper()
	for begin := time.Now(); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Since(begin) > stateLimit {
			s.Fatalf("%s: not within %v; incidents %+v; problems %s", what, stateLimit, s.pd.Incidents(), s.problems())
		}
	}
	s.Logf("%s: %s", time.Now().Format("15:04:05"), what)
}

func (s *serviceRig) problems() string {
	var out []string
	for _, p := range s.a.route.dispatch.View().Problems {
		text := p.Priority.String() + " " + p.Root.Rule()
		for _, e := range p.Explained {
			text += " > " + e.Alarm.Rule()
		}
		out = append(out, text)
	}
	for _, p := range s.a.roster.list() {
		if p.Error != "" {
			out = append(out, p.Name+": "+p.Error)
		}
	}
	return strings.Join(out, "; ")
}

// mariadb starts a server, and waits until it answers at its socket.
func (s *serviceRig) mariadb(id int, port string) *os.Process {
	s.Helper()
	dir := filepath.Join(s.dir, fmt.Sprintf("db%d", id))
	if _, err := os.Stat(dir); err != nil {
		out, err := exec.Command("mariadb-install-db", "--no-defaults", "--datadir="+dir, "--auth-root-authentication-method=normal",
			"--skip-test-db", fmt.Sprintf("--user=%s", userName())).CombinedOutput()
		if err != nil {
			s.Fatalf("mariadb-install-db: %v: %s", err, out)
		}
	}
	p := s.start(nil, "mariadbd", "--no-defaults", "--user="+userName(), "--datadir="+dir, "--socket="+s.socket(id), "--port="+port,
		"--bind-address=127.0.0.1", fmt.Sprintf("--server-id=%d", id), "--log-bin=bin", "--skip-name-resolve", "--innodb-buffer-pool-size=16M",
		"--innodb-log-file-size=8M", "--max-connections=12", "--performance-schema=0", "--pid-file="+dir+"/pid",
		"--extra-port=0", fmt.Sprintf("--read-only=%d", id-1))
	s.until(fmt.Sprintf("database %d", id), func() bool { return s.sql(id, "DO 1") == nil })
	return p
}

func userName() string {
	if os.Getuid() == 0 {
		return "root"
	}
	return fmt.Sprint(os.Getuid())
}

func (s *serviceRig) socket(id int) string { return filepath.Join(s.sockets, fmt.Sprintf("db%d", id)) }

func (s *serviceRig) sql(id int, lines ...string) error {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.Logger = "root", "unix", s.socket(id), &mysql.NopLogger{}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(c)
	defer db.Close()
	for _, line := range lines {
		if _, err := db.Exec(line); err != nil {
			return err
		}
	}
	return nil
}

// newStack starts all of it and waits until users are served and the router knows who needs whom. With a cable the replica reaches
// its primary by that.
func newStack(t *testing.T, cable bool) *serviceRig {
	s := &serviceRig{T: t, dir: t.TempDir(), pd: alertingtest.NewPagerDuty()}
	t.Cleanup(s.pd.Close)
	var err error
	s.sockets, err = os.MkdirTemp("", "s") // a path of a socket is at most 107 bytes
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(s.sockets) })
	s.front, s.appAt, s.dbAt, s.redisAt = testport.Free(t), testport.Free(t), testport.Free(t), testport.Free(t)
	port := func(at string) string { return at[strings.LastIndexByte(at, ':')+1:] }
	s.db = s.mariadb(1, port(s.dbAt))
	must(t, s.sql(1, "CREATE USER app@'%' IDENTIFIED BY 'app'", "CREATE USER mon@'%' IDENTIFIED BY 'mon'", "GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO mon@'%'",
		"CREATE USER rep@'%' IDENTIFIED BY 'rep'", "GRANT REPLICATION SLAVE ON *.* TO rep@'%'"))
	primary := s.dbAt
	if cable {
		s.cable = newCable(t, s.dbAt)
		primary = s.cable.Addr().String()
	}
	replicaAt := testport.Free(t)
	s.replica = s.mariadb(2, port(replicaAt))
	must(t, s.sql(2, fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER='rep', MASTER_PASSWORD='rep', MASTER_CONNECT_RETRY=2, MASTER_HEARTBEAT_PERIOD=2",
		port(primary)), "START SLAVE"))
	s.cache = s.start(nil, "redis-server", "--port", port(s.redisAt), "--bind", "127.0.0.1", "--save", "")
	s.application()
	sock := filepath.Join(s.sockets, "h")
	must(t, os.WriteFile(filepath.Join(s.dir, "h.cfg"), fmt.Appendf(nil, `global
  stats socket %s mode 600 level user
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 1s
frontend www
  bind %s
  default_backend app
backend app
  option httpchk GET /
  server app-1 %s check inter 1s fall 3
`, sock, s.front, s.appAt), 0o600))
	s.start(nil, "haproxy", "-db", "-f", filepath.Join(s.dir, "h.cfg"))
	cfg, err := ParseConfig("t.yaml", fmt.Appendf(nil, `
data: %s
listen: %s
node: {name: box}
collect:
  statsd: off
  riak: off
  rabbitmq: off
  connections: {interval: 2s}
  haproxy: {url: 'unix://%s', name: lb}
  mysql: [{name: db-1, url: 'tcp://%s', user: mon, password: mon, group: main}, {name: db-2, url: 'tcp://%s', user: mon, password: mon, group: main}]
  redis: {url: 'redis://%s', name: cache}
  probe: {front: {http: 'http://%s/', interval: 5s, timeout: 4s}}
rules: {interval: 5s, packs: [haproxy, mysql, redis, probe, services]}
route: {pagerduty: {routing_key: %s, events_url: '%s', api_url: '%s', token: t, from: a@example.org}}
`, t.TempDir(), testport.Free(t), sock, s.dbAt, replicaAt, s.redisAt, s.front, alertingtest.RoutingKey, s.pd.URL(), s.pd.URL()))
	must(t, err)
	a, end := run(t, cfg)
	t.Cleanup(end)
	s.a = a
	s.until("users are served", s.holds(`probe_up == 1`))
	s.until("the replica follows", s.holds(`mysql_replica_lag_seconds == 0`))
	s.until("traffic of an hour", s.holds(`haproxy:backend_requests:rate1h > 0`))
	s.until("the application's connections", s.holds(fmt.Sprintf(`count(connections_uses{port=%q,address=~":(%s|%s)"}) == 2`, port(s.appAt), port(s.dbAt), port(s.redisAt))))
	g, _, err := a.graph(t.Context(), new(fileGraph))
	must(t, err)
	must(t, a.route.dispatch.Put(t.Context(), alerting.Topology{Graph: g})) // the agent does so each half a minute
	return s
}

func (s *serviceRig) application() {
	s.app = s.start([]string{stackApp + "=" + s.appAt + " " + s.dbAt + " " + s.redisAt}, os.Args[0])
}

// holds says whether a query has an answer.
func (s *serviceRig) holds(query string) func() bool {
	return func() bool {
		main := s.a.store.get().main
		if main == nil {
			return false
		}
		got, err := main.Instant(context.Background(), query, time.Now())
		return err == nil && len(got) > 0
	}
}

// one awaits a page, and that the problem explains the alarms that follow; then it wants no other incident.
func (s *serviceRig) one(title, rule string, explains ...string) {
	s.Helper()
	s.until("the problem of "+rule+" with "+strings.Join(explains, ", "), func() bool {
		return slices.ContainsFunc(s.a.route.dispatch.View().Problems, func(p alerting.ProblemView) bool {
			return p.Root.Rule() == rule && !slices.ContainsFunc(explains, func(want string) bool {
				return !slices.ContainsFunc(p.Explained, func(e alerting.ExplainedAlarm) bool { return e.Alarm.Rule() == want })
			})
		})
	})
	s.until("the page", func() bool { return len(s.pd.Incidents()) > 0 })
	if in := s.pd.Incidents(); len(in) != 1 || !strings.Contains(in[0].Title, title) {
		s.Errorf("incidents %+v; want one that says %q; problems: %s", in, title, s.problems())
	}
	for _, c := range s.pd.Calls() {
		if c.Opened {
			s.Logf("page: %s\n%s", c.Summary, c.Details)
		}
	}
}

func TestRealStackIsOnePage(t *testing.T) {
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("real servers are started only where BINNACLE_REAL is set")
	}
	for _, name := range []string{"haproxy", "redis-server", "mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	for _, situation := range []struct {
		name  string
		quick bool // make test plays it; make services plays all
		cable bool
		play  func(s *serviceRig)
	}{
		{"the database freezes", true, false, func(s *serviceRig) {
			must(s.T, s.db.Signal(syscall.SIGSTOP))
			s.one("MySQL db-1 on box is frozen: it accepts connections and answers nothing", "MySQLPrimaryDown", "HAProxyNoServer", "ProbeFails")
			must(s.T, s.db.Signal(syscall.SIGCONT))
		}},
		{"the database is killed", false, false, func(s *serviceRig) {
			must(s.T, s.db.Kill())
			s.one("MySQL db-1 on box is down: it refuses connections", "MySQLPrimaryDown", "HAProxyNoServer", "ProbeFails", "MySQLReplicaSilent")
		}},
		{"the database is full", false, false, func(s *serviceRig) {
			db, err := sql.Open("mysql", "app:app@tcp("+s.dbAt+")/")
			must(s.T, err)
			defer db.Close()
			var held []*sql.Conn
			s.until("every connection is taken", func() bool {
				c, err := db.Conn(context.Background())
				if err == nil {
					held = append(held, c)
				}
				return err != nil
			})
			s.one("MySQL db-1 on box refuses clients: too many connections", "MySQLFull")
			for _, c := range held {
				_ = c.Close()
			}
		}},
		{"the replica is cut off", false, true, func(s *serviceRig) {
			close(s.cable.cut)
			s.one("Replica db-2 on box does not hear its primary", "MySQLReplicaSilent")
		}},
		{"the cache freezes", false, false, func(s *serviceRig) {
			must(s.T, s.cache.Signal(syscall.SIGSTOP))
			s.one("Redis cache on box, the primary, is frozen: it accepts connections", "RedisNoPrimary", "HAProxyNoServer", "ProbeFails")
			must(s.T, s.cache.Signal(syscall.SIGCONT))
		}},
		{"the application is killed", false, false, func(s *serviceRig) {
			must(s.T, s.app.Kill())
			s.one("Backend app of HAProxy lb has no server left: users get 503 (1 refused)", "HAProxyNoServer", "ProbeFails")
		}},
	} {
		t.Run(situation.name, func(t *testing.T) {
			if !situation.quick && os.Getenv("BINNACLE_SERVICES") == "" {
				t.Skip("make services plays it")
			}
			situation.play(newStack(t, situation.cable))
		})
	}
}
