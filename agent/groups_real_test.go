package agent

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// newGroup is a rig of servers that replace each other, under one agent.
func newGroup(t *testing.T, programs ...string) *serviceRig {
	if os.Getenv("BINNACLE_REAL") == "" || os.Getenv("BINNACLE_SERVICES") == "" {
		t.Skip("make services plays it")
	}
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	s := &serviceRig{T: t, dir: t.TempDir(), pd: alertingtest.NewPagerDuty()}
	t.Cleanup(s.pd.Close)
	return s
}

// agent starts the agent with a section of collect and its packs.
func (s *serviceRig) agent(collect, packs string) {
	s.Helper()
	cfg, err := ParseConfig("t.yaml", fmt.Appendf(nil, `
data: %s
listen: %s
node: {name: box}
collect:
  statsd: off
  riak: off
  rabbitmq: off
%s
rules: {interval: 5s, packs: [%s]}
route: {pagerduty: {routing_key: %s, events_url: '%s', api_url: '%s', token: t, from: a@example.org}}
`, s.TempDir(), testport.Free(s.T), collect, packs, alertingtest.RoutingKey, s.pd.URL(), s.pd.URL()))
	must(s.T, err)
	a, end := run(s.T, cfg)
	s.Cleanup(end)
	s.a = a
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// redisGroup starts a primary, two replicas and three Sentinels.
func redisGroup(t *testing.T) (s *serviceRig, servers, sentinels []*os.Process) {
	s = newGroup(t, "redis-server")
	var at, watch []string
	for range 3 {
		at, watch = append(at, testport.Free(t)), append(watch, testport.Free(t))
	}
	var collect strings.Builder
	collect.WriteString("  redis:\n")
	for i := range 3 {
		dir := filepath.Join(s.dir, fmt.Sprint(i))
		must(t, os.Mkdir(dir, 0o700))
		args := []string{"--port", portOf(at[i]), "--bind", "127.0.0.1", "--save", "", "--dir", dir, "--repl-ping-replica-period", "1"}
		if i > 0 {
			args = append(args, "--replicaof", "127.0.0.1", portOf(at[0]))
		}
		servers = append(servers, s.start(nil, "redis-server", args...))
		file := filepath.Join(dir, "sentinel.conf")
		must(t, os.WriteFile(file, fmt.Appendf(nil, "port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor shop 127.0.0.1 %s 2\nsentinel down-after-milliseconds shop 3000\nsentinel failover-timeout shop 10000\n",
			portOf(watch[i]), dir, portOf(at[0])), 0o600))
		sentinels = append(sentinels, s.start(nil, "redis-server", file, "--sentinel"))
		fmt.Fprintf(&collect, "  - {name: r-%d, url: 'redis://%s', group: shop, sentinel: 'redis://%s'}\n", i+1, at[i], watch[i])
	}
	s.agent(collect.String(), "redis")
	s.until("two replicas follow", s.holds(`count(redis_replica_link_up == 1) == 2`))
	s.until("the Sentinels know each other", s.holds(`count(redis_sentinel_quorum_ok == 1) == 3 and count(redis_sentinels == 3) == 3`))
	return s, servers, sentinels
}

func TestRealSentinelFailsOver(t *testing.T) {
	s, servers, sentinels := redisGroup(t)
	must(t, servers[0].Kill())
	s.until("another server is primary", s.holds(`redis_role{role="master",server!="r-1"} == 1`))
	s.one("Redis r-1 on box, no primary now, is down: it refuses connections", "RedisServerDown")
	if in := s.pd.Incidents(); len(in) == 1 && in[0].Urgency != "low" {
		t.Errorf("a failover that went well wakes somebody: %+v", in)
	}
	must(t, sentinels[1].Kill())
	must(t, sentinels[2].Kill())
	s.until("the page of the lost quorum", func() bool { return len(s.pd.Incidents()) == 2 })
	for _, c := range s.pd.Calls() {
		if c.Opened {
			t.Logf("page: %s", c.Summary)
		}
	}
	if in := s.pd.Incidents(); !strings.Contains(in[1].Title, "The Sentinels of shop have no quorum") {
		t.Errorf("incidents %+v; want one of the quorum", in)
	}
}

func TestRealPrimaryWithoutSentinelsIsOnePage(t *testing.T) {
	s, servers, sentinels := redisGroup(t)
	for _, p := range sentinels {
		must(t, p.Signal(syscall.SIGSTOP))
	}
	must(t, servers[0].Signal(syscall.SIGSTOP))
	s.one("Redis r-1 on box, the primary of shop, is frozen: it accepts connections", "RedisNoPrimary")
	for _, p := range append(sentinels, servers[0]) {
		must(t, p.Signal(syscall.SIGCONT))
	}
}

func TestRealEnsembleOfZooKeeper(t *testing.T) {
	s := newGroup(t, "java")
	jar := "/usr/share/java/zookeeper.jar"
	if _, err := os.Stat(jar); err != nil {
		t.Skip(err)
	}
	var members, collect strings.Builder
	var at []string
	collect.WriteString("  zookeeper:\n")
	for i := range 3 {
		at = append(at, testport.Free(t))
		fmt.Fprintf(&members, "server.%d=127.0.0.1:%s:%s\n", i+1, portOf(testport.Free(t)), portOf(testport.Free(t)))
		fmt.Fprintf(&collect, "  - {name: zk-%d, url: 'tcp://%s', group: shop}\n", i+1, at[i])
	}
	zoo := func(i int) *os.Process {
		dir := filepath.Join(s.dir, fmt.Sprint(i))
		must(t, os.MkdirAll(dir, 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "myid"), fmt.Append(nil, i+1), 0o600))
		file := filepath.Join(dir, "zoo.cfg")
		must(t, os.WriteFile(file, fmt.Appendf(nil, "tickTime=1000\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n4lw.commands.whitelist=mntr\ninitLimit=20\nsyncLimit=10\n%s",
			dir, portOf(at[i]), members.String()), 0o600))
		return s.start(nil, "java", "-Xmx64m", "-cp", "/etc/zookeeper/conf:"+jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
	}
	servers := []*os.Process{zoo(0), zoo(1), zoo(2)}
	s.agent(collect.String(), "zookeeper")
	s.until("a leader and two followers", s.holds(`count(zookeeper_mode{mode="follower"} == 1) == 2 and count(zookeeper_mode{mode="leader"} == 1) == 1`))
	must(t, servers[0].Kill())
	s.one("One more loss ends the ZooKeeper ensemble shop: its leader zk-", "ZooKeeperQuorumAtRisk")
	servers[0] = zoo(0)
	s.until("it is back, and nothing fires", func() bool { return len(s.a.route.dispatch.View().Problems) == 0 })
	s.until("the incident is resolved", func() bool { in := s.pd.Incidents(); return len(in) == 1 && in[0].Status == "resolved" })
	must(t, servers[0].Kill())
	must(t, servers[1].Kill())
	s.until("a page that no server serves", func() bool {
		for _, in := range s.pd.Incidents() {
			if strings.Contains(in.Title, "No server of the ZooKeeper ensemble shop serves") {
				return true
			}
		}
		return false
	})
	for _, c := range s.pd.Calls() {
		t.Logf("%s %v: %s", c.Action, c.Opened, c.Summary)
	}
}
