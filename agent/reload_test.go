package agent

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/testport"
)

// parsed is the configuration of a text with %s for a data folder and a free address to serve at.
func parsed(t *testing.T, text string, args ...any) Config {
	t.Helper()
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf(text, args...)))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// bound says whether somebody listens on a UDP address.
func bound(address string) bool {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = c.Close()
	return false
}

func TestARefusedReloadLeavesNothingOpen(t *testing.T) {
	data, web, first, second := t.TempDir(), testport.Free(t), testport.Free(t), testport.Free(t)
	const text = "data: %s\nlisten: %s\ncollect: {statsd: {listen: ['udp://%s']}}\nroute: {mode: shadow}\n"
	base := parsed(t, text, data, web, first)
	a, end := run(t, base)
	defer end()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenTCP, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer takenTCP.Close()
	for name, more := range map[string]string{
		"a listener that another has":       "statsd",
		"a port of Graphite that is in use": "graphite",
		"rules that are not there":          "rules: {files: ['/nowhere/*.yaml']}\n",
		"a destination without its file":    "ship: {remote_write: {url: 'https://127.0.0.1:1/x', ca_file: /nowhere.pem}}\n",
		"a login of routers":                "rules: {routers: ['http://127.0.0.1:1']}\n",
		"a port that another has":           "",
		"a web-config file that is damaged": "web: {config_file: /nowhere.yml}\n",
	} {
		addresses := second
		if more == "statsd" {
			addresses, more = second+"', 'udp://"+taken.LocalAddr().String(), "ship: {}\n"
		}
		if more == "graphite" {
			addresses, more = second+"']}, graphite: {listen: ['tcp://"+takenTCP.Addr().String(), "ship: {}\n"
		}
		next, err := ParseConfig("t.yaml", []byte(fmt.Sprintf(text, data, web, addresses)+more))
		if more == "" {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			next.Listen = l.Addr().String()
		}
		before := a.Status().Loaded
		if err := a.Reload(t.Context(), next, err); err == nil {
			t.Errorf("%s: taken; want a refusal", name)
		}
		if bound(second) {
			t.Errorf("%s: refused, and %s is bound", name, second)
		}
		if s := a.Status(); !bound(first) || s.Reload == "" || !s.Loaded.Equal(before) {
			t.Errorf("%s: %s bound %v, status says %q of %v; want the configuration before in force", name, first, bound(first), s.Reload, s.Loaded)
		}
	}
	if err := a.Reload(t.Context(), parsed(t, text, data, web, second), nil); err != nil {
		t.Fatal(err)
	}
	if bound(first) || !bound(second) || a.Status().Reload != "" {
		t.Errorf("after one that was taken %s is bound %v, %s %v; want the second alone", first, bound(first), second, bound(second))
	}
}

// TestPacketsAreReadThroughReloads sends packets while the configuration changes and a destination hangs: each is read, and no
// reload waits for what the destination still has to take.
func TestPacketsAreReadThroughReloads(t *testing.T) {
	answers := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answers }))
	defer hang.Close()
	statsd := testport.Free(t)
	const text = "data: %s\nlisten: %s\ninterval: 1s\ndrain: 5m\nrules: off\nroute: off\n" +
		"collect: {statsd: {listen: ['udp://%s'], keep: %s}, host_systemd: off, rabbitmq: off, riak: off}\nship: {remote_write: {url: '%s', queue: {every: 10m, deadline: %s}}}\n"
	data, web := t.TempDir(), testport.Free(t)
	config := func(keep, deadline string) Config {
		return parsed(t, text, data, web, statsd, keep, hang.URL, deadline)
	}
	a, end := begin(t, config("1m", "5m"))
	defer func() { _ = end() }() // what was replaced before it was open has lost its samples
	defer close(answers)
	first := a.ship.list()[0]
	await(t, func() bool { return first.stats().Depth > 0 })
	sent, stop := packets(t, a, statsd)
	for i, cfg := range []Config{config("1m", "5m"), config("1m", "6m"), config("2m", "6m"), config("1m", "7m"), config("1m", "7m")} {
		if err := a.Reload(t.Context(), cfg, nil); err != nil {
			t.Errorf("reload %d: %v", i, err)
		}
		select {
		case <-first.done:
			t.Errorf("reload %d ended after the destination that hangs; want no wait for it", i)
		default:
		}
		before := total(t, a)
		await(t, func() bool { return total(t, a) > before })
	}
	stop()
	await(t, func() bool { return total(t, a) >= float64(sent.Load()) })
	if got, want := total(t, a), float64(sent.Load()); got != want {
		t.Errorf("%v packets counted of %v sent", got, want)
	}
	if s := a.Status(); slices.ContainsFunc(s.Sinks, func(k health.Sink) bool { return k.Dropped[dropNotOpen] > 0 }) {
		t.Errorf("destinations %+v; want none that lost samples while another drained", s.Sinks)
	}
}

// packets sends them until stop, never more at a time than a socket holds while its reader waits for a busy machine.
func packets(t *testing.T, a *Agent, address string) (sent *atomic.Int64, stop func()) {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	sent = new(atomic.Int64)
	ended := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		counted := 0.0
		for tick := time.NewTicker(4 * time.Millisecond); ; {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			if float64(sent.Load())-counted >= 200 {
				counted = total(t, a)
			} else if _, err := c.Write([]byte("seen:1|c")); err == nil {
				sent.Add(1)
			}
		}
	})
	return sent, func() {
		close(ended)
		sender.Wait()
		_ = c.Close()
	}
}

// total is what the store has counted of the packets, whatever became of the collector meanwhile.
func total(t *testing.T, a *Agent) float64 {
	t.Helper()
	series, err := a.store.get().main.Instant(t.Context(), "sum(seen_total) or sum(seen)", time.Now())
	if err != nil || len(series) == 0 {
		return 0
	}
	return series[0].Points[0].V
}

// TestWhatCannotOpenIsShownAndTheRestRuns starts agents that lack a part.
func TestWhatCannotOpenIsShownAndTheRestRuns(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("groups: [{name: g, rules: [{alert: A, expr: 'up =='}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		more, part, want string
		code             int
	}{
		"no region":        {"ship: {cloudwatch: {namespace: NavCloud}}", "ship.cloudwatch", "region: want one", health.ExitWarning},
		"no authority":     {"ship: {remote_write: {url: 'https://127.0.0.1:1/x', ca_file: /nowhere.pem}}", "ship.remote_write", "/nowhere.pem: no such file", health.ExitWarning},
		"no rule file":     {"rules: {files: ['" + dir + "/none-*.yaml']}", "rules", "no file matches", health.ExitCritical},
		"a bad rule file":  {"rules: {files: ['" + bad + "']}", "rules", "bad.yaml", health.ExitCritical},
		"no topology file": {"route: {topology: /nowhere.json}", "topology", "/nowhere.json: no such file", health.ExitWarning},
	} {
		t.Run(name, func(t *testing.T) {
			text := "listen: " + testport.Free(t) + "\ncollect: {statsd: off, rabbitmq: off, riak: off}\n" + tc.more + "\n"
			text += "data: " + t.TempDir() + "\n"
			a, end := begin(t, parsed(t, "%s", text))
			defer func() { _ = end() }() // a destination that never opened may say what it leaves behind
			await(t, func() bool { return a.roster.fault(tc.part) != "" })
			s := a.Status()
			var words strings.Builder
			code := s.Write(&words)
			if code != tc.code || !strings.Contains(words.String(), tc.want) {
				t.Errorf("status %d:\n%s\nwant %d and %q", code, words.String(), tc.code, tc.want)
			}
			if s.Store == nil || s.Rules == nil || s.Rules.Rules == 0 {
				t.Errorf("store %v, rules %+v; want the rest at work", s.Store, s.Rules)
			}
			if s.Loaded.IsZero() || len(s.Collectors) == 0 {
				t.Errorf("status %+v; want collectors", s)
			}
		})
	}
}

func TestTwoAgentsDoNotShareAFolder(t *testing.T) {
	data := t.TempDir()
	const text = "data: %s\nlisten: %s\nstore: off\ncollect: off\n"
	_, end := run(t, parsed(t, text, data, testport.Free(t)))
	_, err := New(parsed(t, text, data, testport.Free(t)), Hooks{})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("data: %s is in use by another binnacle (process %d)", data, os.Getpid())) {
		t.Errorf("a second agent: %v; want that the folder is in use", err)
	}
	end()
	_, end = run(t, parsed(t, text, data, testport.Free(t)))
	end()
}

// TestNoSectionIsSilentlyNotInForce holds that whoever adds a section of the configuration says what a reload does with it.
func TestNoSectionIsSilentlyNotInForce(t *testing.T) {
	known := map[string]string{
		"data": "restart", "aws": "restart", "store": "restart", "capacity": "restart", "intake": "restart", "query": "restart",
		"listen": "web", "web": "web", "node": "collect, ship, routers", "interval": "collect", "deadline": "collect", "drain": "read when it is needed",
		"log": "Hooks.Applied; format: restart", "collect": "collect", "ship": "ship", "rules": "rules, routers; cut_off: restart", "route": "route; order, ledger, mode: restart",
	}
	typ := reflect.TypeFor[Config]()
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" && known[name] == "" {
			t.Errorf("a reload does nothing with %s: add it to a role's change, or to reloadable", name)
		}
	}
	for name, text := range map[string]string{
		"store": "store: {retention: 2d}", "capacity": "capacity: off", "data": "data: /elsewhere",
		"log.format": "log: {format: json}", "route": "route: {mode: shadow}", "intake": "intake: off", "query": "query: {timeout: 1m}",
	} {
		next, err := ParseConfig("t.yaml", []byte(text+"\n"))
		if err != nil && name == "intake" {
			continue // it cannot be switched off
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := reloadable(Default(), next); err == nil || !strings.Contains(err.Error(), "only a restart changes "+name) {
			t.Errorf("%s: %v; want a refusal that names %s", text, err, name)
		}
	}
}
