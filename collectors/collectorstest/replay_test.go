package collectorstest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/collectors/collectorstest"
)

// scene is one situation and how long it is played.
type scene struct {
	situation string
	lasts     time.Duration
	every     time.Duration // between collections; 2 s when 0
}

// taken is what all agents collected at one time.
type taken struct {
	at      time.Time
	samples []metric.Sample // with the label node
}

// gather plays scenes to an agent on every node, in faked time, and collects.
func gather(t *testing.T, scenes []scene, password string) (all []taken) {
	t.Helper()
	spec, ok := catalogue.Lookup("rabbitmq")
	if !ok {
		t.Fatal("no collector rabbitmq")
	}
	synctest.Test(t, func(t *testing.T) {
		s := collectorstest.NewRabbitMQInProcess()
		cs := map[string]collectors.Collector{}
		for _, node := range collectorstest.Nodes {
			cs[node] = watch(t, spec, strings.Replace(s.Config(node), "password: "+collectorstest.Password, "password: "+password, 1), collectors.Env{Node: node, HTTP: s.Transport(), Dial: s.Dial})
		}
		for _, sc := range scenes {
			s.Play(sc.situation)
			for end := time.Now().Add(sc.lasts); time.Now().Before(end); time.Sleep(cmp.Or(sc.every, 2*time.Second)) {
				all = append(all, collectAll(t, cs))
			}
		}
	})
	return all
}

// watch makes a collector with the options of config, and runs it until the end of the test.
func watch(t *testing.T, spec collectors.Spec, config string, env collectors.Env) collectors.Collector {
	t.Helper()
	opt := reflect.New(reflect.TypeOf(spec.Options))
	opt.Elem().Set(reflect.ValueOf(spec.Options))
	if err := yaml.Unmarshal([]byte(config), opt.Interface()); err != nil {
		t.Fatal(err)
	}
	env.Options, env.Root, env.Now, env.Log = opt.Elem().Interface(), collectors.Root(t.TempDir()), time.Now, slog.New(slog.DiscardHandler)
	c, err := spec.New(env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		_ = c.(collectors.Runner).Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return c
}

func collectAll(t *testing.T, cs map[string]collectors.Collector) taken {
	t.Helper()
	at := taken{at: time.Now()}
	for node, c := range cs {
		b := &metric.Batch{Time: at.at}
		var blind *collectors.BlindError
		if err := c.Collect(t.Context(), b); err != nil && !errors.As(err, &blind) && !errors.Is(err, collectors.ErrAbsent) {
			t.Fatal(err)
		}
		for _, s := range b.Samples {
			s.Labels = s.Labels.With("node", node)
			at.samples = append(at.samples, s)
		}
	}
	return at
}

// fired is when an alert began to fire and its summary.
type fired struct {
	after   time.Duration // since the first sample
	summary string
	until   time.Duration // when it had ended; 0: not before the end
}

// judge runs a shipped pack over what was taken and returns the alerts that fired, by rule and entity.
func judge(t *testing.T, pack string, all []taken) map[string]fired {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute})
	m := promrules.NewManager(&promrules.ManagerOptions{
		NameValidationScheme: model.UTF8Validation, QueryFunc: promrules.EngineQueryFunc(engine, db),
		NotifyFunc: func(context.Context, string, ...*promrules.Alert) {}, Context: t.Context(), AppendableV2: db, Queryable: db,
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Parser: parser.NewParser(parser.Options{}),
	})
	groups, errs := m.LoadGroups(10*time.Second, labels.EmptyLabels(), "", nil, false, "../../alerting/rules/packs/"+pack+".yaml")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, g := range groups {
		for _, r := range g.Rules() {
			if a, ok := r.(*promrules.AlertingRule); ok {
				a.SetRestored(true) // else it writes no ALERTS
			}
		}
	}
	out := map[string]fired{}
	begin := all[0].at
	last := map[string]time.Time{}
	for _, at := range all {
		app := db.Appender(t.Context())
		for _, s := range at.samples {
			m := s.Labels.Map()
			m["__name__"] = metric.PromName(s.Desc)
			if _, err := app.Append(0, labels.FromMap(m), at.at.UnixMilli(), s.Value); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			g := groups[name]
			if at.at.Sub(last[name]) < g.Interval() {
				continue
			}
			last[name] = at.at
			g.Eval(t.Context(), at.at)
			note(t, g, at.at.Sub(begin), out)
		}
	}
	return out
}

func note(t *testing.T, g *promrules.Group, after time.Duration, out map[string]fired) {
	t.Helper()
	for _, r := range g.Rules() {
		if r.Health() == promrules.HealthBad {
			t.Fatalf("%s: %v", r.Name(), r.LastError())
		}
		rule, ok := r.(*promrules.AlertingRule)
		if !ok {
			continue
		}
		firing := map[string]bool{}
		for _, a := range rule.ActiveAlerts() {
			if a.State != promrules.StateFiring {
				continue
			}
			key := rule.Name() + " " + a.Labels.Get("entity")
			firing[key] = true
			f, was := out[key]
			if !was {
				f = fired{after: after, summary: a.Annotations.Get("summary")}
				if strings.Contains(a.Annotations.String(), "error expanding template") {
					t.Errorf("%s: %s", key, a.Annotations)
				}
			}
			f.until = 0
			out[key] = f
		}
		for key, f := range out {
			if strings.HasPrefix(key, rule.Name()+" ") && !firing[key] && f.until == 0 {
				f.until = after
				out[key] = f
			}
		}
	}
}

// skipUnderRace: the collectors have races of their own looked for beside them, and judging is one goroutine.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("hours of evaluation, ten times slower; .ci/test runs it without -race")
	}
}

func TestReplay(t *testing.T) {
	skipUnderRace(t)
	const calm = 2 * time.Minute
	quiet := 15 * time.Minute
	if os.Getenv("BINNACLE_REAL") != "" {
		quiet = time.Hour
	}
	// While node 2 is lost, so is the home of one of the queues bound to the exchange: explained, but true.
	homeless := []string{"RabbitMQNoSpareReplica cluster:nav-rig", "RabbitMQEventsNotDelivered cluster:nav-rig"}
	cut := scene{"partition-cut-unnoticed", 70 * time.Second, 0}
	for name, c := range map[string]struct {
		scenes   []scene
		password string                   // "" is the right one
		want     map[string]time.Duration // alerts that must fire, and at most how long after calm; 0: some time
		may      []string
		says     map[string]string
	}{
		"healthy for long": {scenes: []scene{{"healthy", quiet, 10 * time.Second}}},
		"before a pause":   {scenes: []scene{{"paused-minority-before", 5 * time.Minute, 10 * time.Second}}},
		"with wrong password": {
			scenes: []scene{{"healthy", 5 * time.Minute, 10 * time.Second}}, password: "wrong",
			want: map[string]time.Duration{"RabbitMQBlind node:n1": time.Minute, "RabbitMQBlind node:n2": time.Minute, "RabbitMQBlind node:n3": time.Minute},
			says: map[string]string{"RabbitMQBlind node:n1": "login failed"},
		},
		"cut, ignore, healed": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, cut, {"partition-ignore-cut-noticed", 40 * time.Second, 0}, {"partition-ignore-healed", time.Minute, 0}, {"healthy", 2 * time.Minute, 0}},
			want: map[string]time.Duration{
				"RabbitMQPartitionHint cluster:nav-rig":      10 * time.Second,
				"RabbitMQPartitionSuspected cluster:nav-rig": 15 * time.Second,
				"RabbitMQSplitBrain cluster:nav-rig":         90 * time.Second,
				"RabbitMQNoSpareReplica cluster:nav-rig":     0,
			},
			may:  homeless,
			says: map[string]string{"RabbitMQSplitBrain cluster:nav-rig": "n1+n3 against n2"},
		},
		"cut, pause_minority, healed": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, cut, {"paused-minority-during", time.Minute, 0}, {"paused-minority-healed", 2 * time.Minute, 0}},
			want: map[string]time.Duration{
				"RabbitMQPartitionHint cluster:nav-rig":      10 * time.Second,
				"RabbitMQPartitionSuspected cluster:nav-rig": 15 * time.Second,
				"RabbitMQNodePaused node:n2":                 90 * time.Second,
			},
			may: homeless,
		},
		"cut, autoheal, healed": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, cut, {"partition-autoheal-cut-noticed", 40 * time.Second, 0}, {"partition-autoheal-healed", 3 * time.Minute, 0}},
			want: map[string]time.Duration{
				"RabbitMQPartitionHint cluster:nav-rig":      10 * time.Second,
				"RabbitMQPartitionSuspected cluster:nav-rig": 15 * time.Second,
				"RabbitMQSplitBrain cluster:nav-rig":         90 * time.Second,
				"RabbitMQAutohealed node:n2":                 150 * time.Second,
			},
			may: homeless,
		},
		"node frozen": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, {"frozen-node", time.Minute, 0}, {"healthy", time.Minute, 0}},
			want:   map[string]time.Duration{"RabbitMQNodeFrozen node:n2": 20 * time.Second},
			may:    homeless,
		},
		"node down": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, {collectorstest.Down, 2 * time.Minute, 0}, {"healthy", time.Minute, 0}},
			want: map[string]time.Duration{
				"RabbitMQNodeDown node:n2":               20 * time.Second,
				"RabbitMQNoSpareReplica cluster:nav-rig": 0,
			},
			may: homeless,
		},
		"one link dropped once": {
			scenes: []scene{
				{"paused-minority-before", calm, 10 * time.Second}, {"blip-one-link-after-1s", 6 * time.Second, 0}, {"blip-one-link-after-20s", 2 * time.Minute, 0},
			},
			want: map[string]time.Duration{
				"RabbitMQHiddenRestart node:n1": 20 * time.Second, "RabbitMQHiddenRestart node:n2": 20 * time.Second,
			},
			may: []string{"RabbitMQConsumersLost node:n1"}, // recorded before its client came back
		},
		"memory alarm": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, {"memory-alarm", time.Minute, 0}, {"memory-alarm-cleared", time.Minute, 0}},
			want:   map[string]time.Duration{"RabbitMQPublishersBlocked cluster:nav-rig": 40 * time.Second},
			says:   map[string]string{"RabbitMQPublishersBlocked cluster:nav-rig": "memory alarm on n1"},
		},
		"disk alarm": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, {"disk-alarm", time.Minute, 0}, {"healthy", time.Minute, 0}},
			want:   map[string]time.Duration{"RabbitMQPublishersBlocked cluster:nav-rig": 40 * time.Second},
			says:   map[string]string{"RabbitMQPublishersBlocked cluster:nav-rig": "disk alarm on n1"},
		},
		"a vhost goes down on one node": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, {"vhost-down", 2 * time.Minute, 0}, {"healthy", time.Minute, 0}},
			want:   map[string]time.Duration{"RabbitMQVHostDown node:n2": 50 * time.Second},
			says:   map[string]string{"RabbitMQVHostDown node:n2": "1 vhost: binnacle"},
		},
		"unroutable": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, {"unroutable", 2 * time.Minute, 0}},
			want:   map[string]time.Duration{"RabbitMQUnroutable cluster:nav-rig": 30 * time.Second},
		},
		"backlog without a reader that nobody configured": {scenes: []scene{{"healthy", calm, 10 * time.Second}, {"queue-backlog", 5 * time.Minute, 10 * time.Second}}},
		"flow for seconds":         {scenes: []scene{{"healthy", calm, 10 * time.Second}, {"flow", 30 * time.Second, 0}, {"healthy", 5 * time.Minute, 10 * time.Second}}},
		"many connections at once": {scenes: []scene{{"healthy", calm, 10 * time.Second}, {"many-connections", 11 * time.Minute, 10 * time.Second}}},
		"flow for minutes": {
			scenes: []scene{{"healthy", calm, 10 * time.Second}, {"flow", 8 * time.Minute, 10 * time.Second}},
			want:   map[string]time.Duration{"RabbitMQFlowControl node:n1": 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := judge(t, "rabbitmq", gather(t, c.scenes, cmp.Or(c.password, collectorstest.Password)))
			compare(t, got, calm, c.want, c.may, c.says)
		})
	}
}

// compare wants the alerts of want, each at most so long after calm (0: some time), and none that is neither in it nor
// in may; says is what their summaries must hold.
func compare(t *testing.T, got map[string]fired, calm time.Duration, want map[string]time.Duration, may []string, says map[string]string) {
	t.Helper()
	for key, limit := range want {
		f, ok := got[key]
		switch {
		case !ok:
			t.Errorf("%s does not fire", key)
		case limit > 0 && f.after-calm > limit:
			t.Errorf("%s fires %s after, want %s", key, f.after-calm, limit)
		case !strings.Contains(f.summary, says[key]):
			t.Errorf("%s says %q, want %q in it", key, f.summary, says[key])
		}
	}
	for key, f := range got {
		text := fmt.Sprintf("%s after %s until %s: %s", key, f.after-calm, f.until-calm, f.summary)
		if _, ok := want[key]; !ok && !slices.Contains(may, key) {
			t.Errorf("not asked for: %s", text)
		} else {
			t.Log(text)
		}
	}
}
