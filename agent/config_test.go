package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnEmptyFileMeansTheDefaults(t *testing.T) {
	cfg, err := ParseConfig("empty.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("the defaults are out of bounds: %v", err)
	}
	if cfg.Listen != "127.0.0.1:9600" || cfg.Interval != 10*time.Second || cfg.Collect.Off || cfg.Route.Off {
		t.Errorf("defaults = %+v", cfg)
	}
}

// A message of a queue is one reader's: two routers without a shared ledger would each know half of the alarms.
func TestTwoRoutersOnOneQueueAreNoted(t *testing.T) {
	const (
		queue   = "aws: {region: eu-west-1}\nintake: {aws: {queue: 'https://sqs.eu-west-1.amazonaws.com/123456789012/q'}}\n"
		routers = "rules: {routers: ['https://a:9600', 'https://b:9600']}\n"
	)
	for text, want := range map[string]bool{
		queue: false, routers: false, queue + routers: true,
		queue + routers + "route: {ledger: {nats: {urls: ['nats://n:4222']}}}\n": false,
	} {
		cfg, err := ParseConfig("two.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(cfg.Notes, "\n"), "each message of the queue reaches one of them"); got != want {
			t.Errorf("%s\nnoted: %v, want %v: %q", text, got, want, cfg.Notes)
		}
	}
}

func TestDeadlineFollowsInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 5 * time.Second, "interval: 4s": 2 * time.Second, "interval: 1m": 5 * time.Second, "{interval: 4s, deadline: 3s}": 3 * time.Second,
	} {
		cfg, err := ParseConfig("d.yaml", []byte(text))
		if err != nil || cfg.deadline() != want {
			t.Errorf("%q: deadline %v, %v; want %v", text, cfg.deadline(), err, want)
		}
	}
}

func TestEveryFaultIsToldWithItsPlace(t *testing.T) {
	_, err := ParseConfig("b.yaml", []byte(`intervall: 10s
deadline: 20s
collect:
  host_laod: {}
  statsd: {listen: [tdp://127.0.0.1:8125]}
ship:
  cloudwatch: {scope: everywhere, max_series: -1}
store: {retention: 1m}
rules: {cut_off: {after: 1s, pagerduty: {routing_key: 0123456789abcdef0123456789abcdef}}}
route: {pagerduty: {routing_key: short}, order: {wait: {symptom_alone: 1h}}}
`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"b.yaml:1:1: intervall: unknown name; did you mean \"interval\"?\nb.yaml:2:11: deadline: ",
		`b.yaml:4:14: collect.host_laod: no such collector; did you mean "host_load"?`,
		`b.yaml:5:20: collect.statsd.listen: `,
		`b.yaml:7:23: ship.cloudwatch.scope: `,
		`b.yaml:7:47: ship.cloudwatch.max_series: `,
		`b.yaml:8:20: store.retention: `,
		`b.yaml:9:26: rules.cut_off.after: 1s is outside 30s to 1h`,
		`rules.cut_off: want routers`,
		`b.yaml:10:34: route.pagerduty.routing_key: has 5 characters`,
		`b.yaml:10:72: route.order.wait.symptom_alone: `,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("faults:\n%v\nwant among them %s", err, want)
		}
	}
}

func TestListeningBeyondLoopbackWantsProtection(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	users := write("users.yml", "basic_auth_users: {ops: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n")
	for name, tc := range map[string]struct{ listen, file, want string }{
		"loopback":               {"127.0.0.1:1", "", ""},
		"loopback by name":       {"localhost:1", "", ""},
		"all addresses":          {":9600", "", ""}, // others read and send; status says so
		"passwords here":         {"127.0.0.1:9600", users, ""},
		"passwords in the clear": {"0.0.0.0:9600", users, "in the clear"},
		"no port":                {"127.0.0.1", "", "want host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.Listen, cfg.Web.ConfigFile = tc.listen, tc.file
			err := cfg.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Validate = %v; want %q", err, tc.want)
			}
		})
	}
}

func TestWhoMayActMustBeKnown(t *testing.T) {
	cfg := Default()
	cfg.Web.Act = []string{"maria"}
	if err := cfg.Web.Validate(); err == nil || !strings.Contains(err.Error(), "web.act") {
		t.Errorf("Validate with names and without authentication = %v; want that nobody is known by name", err)
	}
}

func TestDescribeShowsAllButSecrets(t *testing.T) {
	cfg, err := ParseConfig("b.yaml", []byte("route: {pagerduty: {routing_key: 0123456789abcdef0123456789abcdef}}\nship: {graphite: {address: '127.0.0.1:2003'}}\nstore: off\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Describe(cfg)
	if err != nil || strings.Contains(text, "0123456789abcdef") {
		t.Errorf("Describe = %v, or shows the secret:\n%s", err, text)
	}
	for _, want := range []string{"store: off", "routing_key: <secret>", "host_load:", "graphite:", "symptom_alone: 15s", "listen: 127.0.0.1:9600"} {
		if !strings.Contains(text, want) {
			t.Errorf("Describe does not show %q:\n%s", want, text)
		}
	}
	again, err := ParseConfig("again.yaml", []byte(strings.ReplaceAll(text, "<secret>", "0123456789abcdef0123456789abcdef")))
	if err != nil {
		t.Fatalf("what Describe writes is not a configuration: %v", err)
	}
	if text2, err := Describe(again); err != nil || text2 != text {
		t.Errorf("what Describe writes means something else: %v\n%s", err, text2)
	}
}

// TestIntervalsOfCollectors holds that a general interval slows down what may wait, and not what finds a cut.
func TestIntervalsOfCollectors(t *testing.T) {
	for text, want := range map[string]map[string]time.Duration{
		"":                                       {"rabbitmq": 2 * time.Second, "riak": 15 * time.Second, "host_disk": 30 * time.Second, "host_cpu": 10 * time.Second},
		"interval: 20s":                          {"rabbitmq": 2 * time.Second, "riak": 20 * time.Second, "host_disk": 30 * time.Second, "host_cpu": 20 * time.Second},
		"collect: {rabbitmq: {interval: 30s}}\n": {"rabbitmq": 30 * time.Second},
	} {
		cfg, err := ParseConfig("t.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		plans, err := collectorPlans(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plans {
			if w, ok := want[p.spec.Name]; ok && p.interval != w {
				t.Errorf("%q: %s is collected every %s, want %s", text, p.spec.Name, p.interval, w)
			}
		}
	}
}

func TestWhereDataAreWithoutAHome(t *testing.T) {
	cfg := Default()
	cfg.Data = ""
	for what, err := range map[string]error{"New": func() error { _, err := New(cfg, Hooks{}); return err }(), "CheckOpen": CheckOpen(t.Context(), cfg)} {
		if err == nil || !strings.Contains(err.Error(), "no home folder") {
			t.Errorf("%s without a data folder: %v; want that nobody said where", what, err)
		}
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	if dir := defaultData(); strings.HasPrefix(dir, os.TempDir()) {
		t.Errorf("without HOME the data folder is %s, where anybody may write", dir)
	}
}

func TestCheckShowsEverySection(t *testing.T) {
	text, err := Describe(Default())
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Config]().Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" && !strings.Contains("\n"+text, "\n"+name+":") {
			t.Errorf("check does not show %s", name)
		}
	}
}

func TestDestinationsOfOneKindHaveNames(t *testing.T) {
	cfg, err := ParseConfig("b.yaml", []byte(`ship:
  graphite: {address: '127.0.0.1:2003'}
  old-graphite: {kind: graphite, address: '127.0.0.1:2004', queue: {every: 30s}}
  mimir: {kind: remote_write, url: 'http://127.0.0.1:9009/api/v1/push'}
`))
	if err != nil {
		t.Fatal(err)
	}
	plans, err := sinkPlans(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range plans {
		got = append(got, fmt.Sprintf("%s %T %v", p.spec.Name, p.options, p.common.Queue.Every))
	}
	want := []string{"graphite sinks.Graphite 10s", "mimir sinks.RemoteWrite 5s", "old-graphite sinks.Graphite 30s"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if text, err := Describe(cfg); err != nil || !strings.Contains(text, "kind: graphite") {
		t.Errorf("described as %s, %v", text, err)
	}
	for in, want := range map[string]string{
		"ship: {x: {kind: graphit}}":          `kind: "graphit" is no destination`,
		"ship: {x: {url: y}}":                 "no such destination",
		"ship: {'../x': {kind: graphite}}":    "want a name of letters",
		"ship: {x: {kind: statsd, hosts: 1}}": "hosts",
	} {
		cfg, err := ParseConfig("b.yaml", []byte(in))
		if err == nil {
			_, err = sinkPlans(cfg)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", in, err, want)
		}
	}
}
