package main

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/navcloud/binnacle/"

// arrows are the imports among our own packages that are allowed, tests apart: readers don't judge, judges
// don't ship, and the core of alerting sees its types alone. A package that is not here may import nothing
// of ours. A name with a star stands for every package below.
var arrows = map[string][]string{
	"agent/metric":     {},                   // the vocabulary
	"agent/damage":     {"agent/atomicfile"}, // what a store found broken
	"agent/aws":        {"agent/atomicfile"}, // what AWS says
	"agent/atomicfile": {},                   // small files, written whole
	"agent/authority":  {"agent/atomicfile", "agent/strict"},
	"agent/secret":     {},
	"agent/login":      {"agent/secret"},
	"agent/strict":     {"agent/secret", "agent/words"},
	"agent/capacity":   {"agent/words"}, // pure functions of numbers
	"agent/query":      {},
	"agent/words":      {},
	"agent/clock":      {},
	"agent/health":     {"agent/query", "agent/words"}, // one status, for all who show it

	"agent": {
		"agent/atomicfile", "agent/authority", "agent/aws", "agent/damage", "agent/door", "agent/health", "agent/inventory", "agent/login", "agent/metric", "agent/planner", "agent/query", "agent/rollup", "agent/secret", "agent/series", "agent/sinks", "agent/store", "agent/strict", "agent/words", "collectors",
		"collectors/catalogue", "collectors/aws", "collectors/exec", "collectors/host", // of which it takes the processes at an alarm's onset
		"alerting", "alerting/dispatch", "alerting/intake", "alerting/ledger", "alerting/pagers", "alerting/pagers/pagerduty", "alerting/people", "alerting/reading", "alerting/router", "alerting/rules",
		"alerting/topology", "dashboards", "dashboards/oncall", "dashboards/views",
	},
	"agent/door":      {"alerting", "agent/atomicfile", "agent/strict", "agent/words"}, // the Person
	"agent/inventory": {"alerting/topology"},                                           // it makes the graph of what agents tell
	"agent/planner":   {"agent/metric", "agent/store", "agent/capacity"},
	"agent/rollup":    {"agent/store"}, // from one to another
	"agent/series":    {"agent/atomicfile", "agent/metric"},
	"agent/store":     {"agent/clock", "agent/damage", "agent/metric", "agent/query", "agent/series", "agent/words"},
	"agent/sinks":     {"agent/atomicfile", "agent/damage", "agent/login", "agent/metric", "agent/secret", "agent/series"},

	"collectors":              {"agent/damage", "agent/login", "agent/metric"}, // what a collector is
	"collectors/host":         {"agent/metric", "collectors"},
	"collectors/aws":          {"agent/aws", "agent/metric", "collectors"},
	"collectors/check":        {"collectors"}, // runs the parts of a collector
	"collectors/riak":         {"agent/metric", "agent/secret", "collectors", "collectors/check", "collectors/host"},
	"collectors/rabbitmq":     {"agent/metric", "agent/secret", "collectors", "collectors/check", "collectors/host"},
	"collectors/exec":         {"agent/metric", "agent/secret", "agent/words", "collectors", "collectors/check"},
	"collectors/graphite":     {"agent/metric", "collectors", "collectors/sockets"},
	"collectors/logs":         {"agent/metric", "agent/words", "collectors"},
	"collectors/probe":        {"agent/metric", "agent/secret", "collectors", "collectors/check"},
	"collectors/scrape":       {"agent/metric", "agent/secret", "agent/words", "collectors"},
	"collectors/services":     {"agent/atomicfile", "agent/metric", "agent/secret", "collectors"},
	"collectors/sockets":      {}, // from one configuration to the next
	"collectors/statsd":       {"agent/metric", "agent/words", "collectors", "collectors/sockets", "collectors/statsd/lines"},
	"collectors/statsd/lines": {},                                                                                                                                                                                                                                                              // a hash table
	"collectors/catalogue":    {"agent/metric", "collectors", "collectors/aws", "collectors/exec", "collectors/graphite", "collectors/host", "collectors/logs", "collectors/probe", "collectors/riak", "collectors/rabbitmq", "collectors/scrape", "collectors/services", "collectors/statsd"}, // the list

	"alerting":                  {"alerting/topology"},
	"alerting/topology":         {},
	"alerting/reading":          {"alerting"},
	"alerting/diagnosis":        {"agent/words", "alerting", "alerting/topology"}, // it does not see incidents: what it needs of them is in the Fact
	"alerting/incidents":        {"agent/words", "alerting"},
	"alerting/router":           {"alerting", "alerting/diagnosis", "alerting/incidents", "alerting/reading", "alerting/topology"},
	"alerting/compare":          {"agent/words", "alerting", "alerting/ledger"},
	"alerting/simulate":         {"agent/words", "alerting", "alerting/router", "alerting/topology"},
	"alerting/rules":            {"agent/clock", "agent/strict", "alerting", "alerting/simulate", "alerting/topology", "agent/words"},
	"alerting/people":           {"alerting", "agent/query", "agent/secret", "agent/words"},
	"alerting/intake":           {"agent/atomicfile", "agent/aws", "agent/damage", "alerting", "alerting/people", "alerting/reading", "agent/words", "agent/metric", "agent/query", "agent/secret"}, // its own figures, the events of StatsD, and what a filter may be
	"alerting/ledger":           {"agent/damage", "alerting", "agent/secret"},
	"alerting/pagers":           {"agent/atomicfile", "agent/damage", "agent/strict", "alerting", "alerting/pagers/pagerduty", "alerting/pagers/receivers", "alerting/people"},
	"alerting/pagers/pagerduty": {"alerting", "agent/login", "agent/secret"},
	"alerting/pagers/receivers": {"alerting", "alerting/pagers/pagerduty", "agent/secret", "agent/words"},
	"alerting/dispatch":         {"alerting", "alerting/ledger", "agent/metric", "agent/secret"},

	"dashboards":            {"agent/words", "dashboards/charts"}, // the frame: pages come to it as values
	"dashboards/charts":     {"agent/query", "agent/words"},
	"dashboards/oncall":     {"agent/health", "agent/query", "agent/words", "alerting", "alerting/people", "dashboards", "dashboards/charts"},
	"cmd/binnacle/importer": {"agent", "agent/secret", "agent/words", "alerting/intake", "alerting/pagers/receivers", "alerting/people", "alerting/rules", "alerting/topology", "collectors/exec"}, // the agent says what it would refuse
	"docs":                  {},
	"dashboards/views":      {"docs", "agent/capacity", "agent/health", "agent/query", "agent/words", "alerting", "dashboards", "dashboards/charts"},
	"dashboards/export":     {"agent/metric"},

	"cmd/binnacle":     {"agent", "agent/*", "collectors", "collectors/*", "alerting", "alerting/*", "dashboards", "dashboards/*", "docs", "cmd/binnacle/*", "cmd/navcloud/*"},
	"cmd/binnacle/*":   {"agent", "agent/*", "collectors", "collectors/*", "alerting", "alerting/*", "dashboards", "dashboards/*", "cmd/binnacle/*", "cmd/navcloud/*"},
	"cmd/navcloud":     {"cmd/navcloud/api"},
	"cmd/navcloud/api": {}, // a service as others write it, which speaks StatsD

	// The fakes stand outside of what they are fakes of.
	"agent/health/healthtest":               {"agent/health", "agent/query"},
	"agent/damage/damagetest":               {},
	"agent/testport":                        {},
	"agent/sinks/sinkstest":                 {"agent/metric", "agent/series", "agent/sinks"},
	"alerting/alertingtest":                 {"alerting"},
	"collectors/collectorstest":             {"agent/metric", "collectors"},
	"collectors/collectorstest/fixture":     {"agent/metric", "collectors"},
	"collectors/collectorstest/rabbitmqrig": {},
}

// edges are the libraries that stay at the edge: the files that may import them, tests apart.
var edges = map[string][]string{
	"github.com/prometheus/prometheus/":   {"agent/store/*", "agent/rollup/*", "collectors/exec/formats*", "collectors/scrape/*", "alerting/reading/mapping*", "alerting/rules/*", "agent/sinks/classic*", "agent/sinks/remotewrite*", "agent/sinks/sinkstest/remotewrite*"},
	"github.com/shirou/gopsutil/":         {"collectors/host/*"},
	"github.com/aws/":                     {"agent/sinks/cloudwatch*", "agent/sinks/sinkstest/cloudwatch*", "agent/inventory/*", "agent/aws/*", "alerting/intake/*"},
	"github.com/PagerDuty/go-pagerduty":   {"alerting/pagers/pagerduty/*"},
	"github.com/synadia-io/":              {"alerting/ledger/*"},
	"github.com/nats-io/":                 {"alerting/ledger/*"},
	"github.com/DataDog/datadog-go/":      {"agent/sinks/statsd*", "cmd/navcloud/api/*"},
	"github.com/prometheus/alertmanager/": {"alerting/silence*", "alerting/people/*", "alerting/intake/*", "alerting/pagers/config*", "alerting/pagers/routes*", "alerting/pagers/window*", "alerting/pagers/receivers/*", "cmd/binnacle/importer/*"},
	"github.com/go-sql-driver/mysql":      {"collectors/services/mysql*"},
	"github.com/spf13/cobra":              {"cmd/binnacle/*"},
	"github.com/yuin/goldmark":            {"dashboards/*", "docs/*"},
	"github.com/rabbitmq/amqp091-go":      {"cmd/navcloud/api/*", "collectors/rabbitmq/amqp*", "collectors/collectorstest/rabbitmqrig/load*"},
}

// core may not see network, clock or disk; of time it may take the types.
var core = map[string][]string{
	"alerting/diagnosis": {"net", "net/http", "os", "log/slog", "math/rand", "math/rand/v2", "context"},
	"alerting/incidents": {"net", "net/http", "os", "log/slog", "math/rand", "math/rand/v2", "context"},
	"alerting/reading":   {"net/http", "os", "log/slog", "math/rand", "math/rand/v2", "context"}, // of net it takes the forms of addresses
	"alerting/router":    {"net", "net/http", "os", "log/slog", "math/rand", "math/rand/v2", "context"},
	"alerting/simulate":  {"net", "net/http", "os", "log/slog", "math/rand", "math/rand/v2", "context"},
	"alerting/topology":  {"net/http", "log/slog", "math/rand", "math/rand/v2", "context"},
	"alerting":           {"net", "net/http", "os", "log/slog", "math/rand", "math/rand/v2", "context"},
	"agent/metric":       {"net", "net/http", "os", "log/slog"},

	"dashboards/export": {"net", "net/http", "os", "log/slog", "context"},
	"agent/words":       {"net", "net/http", "os", "log/slog", "context"},
	"agent/capacity":    {"agent/words"}, // pure functions of numbers
}

type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	Imports         []string
}

func TestArrows(t *testing.T) {
	used := map[string]bool{}
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		row, allowed := rowOf(from)
		used[row] = true
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours && !matches(to, allowed) {
				t.Errorf("%s imports %s; the table of arrows does not allow it", from, to)
			}
			if slices.Contains(core[from], imp) {
				t.Errorf("%s imports %s; it may see neither network, clock nor disk", from, imp)
			}
		}
		for _, f := range p.GoFiles {
			checkEdges(t, path.Join(from, f), filepath.Join(p.Dir, f))
		}
	}
	for row := range arrows {
		if !used[row] && !strings.HasSuffix(row, "*") {
			t.Errorf("the table of arrows has a row for %s, which is no package", row)
		}
	}
}

func checkEdges(t *testing.T, name, file string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Imports {
		imp, _ := strconv.Unquote(s.Path.Value) // the parser has read it as a string
		for lib, files := range edges {
			if strings.HasPrefix(imp, lib) && !matches(name, files) {
				t.Errorf("%s imports %s; only %s may", name, imp, strings.Join(files, ", "))
			}
		}
	}
}

// rowOf returns the row for a package: its own, else one with a star.
func rowOf(pkg string) (row string, allowed []string) {
	if a, ok := arrows[pkg]; ok {
		return pkg, a
	}
	for row, a := range arrows {
		if strings.HasSuffix(row, "*") && matches(pkg, []string{row}) {
			return row, a
		}
	}
	return "", nil
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		stem, star := strings.CutSuffix(p, "*")
		return name == p || star && strings.HasPrefix(name, stem)
	})
}

// list asks the go command for every package of the five folders.
func list(t *testing.T) (out []listed) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports",
		"./agent/...", "./alerting/...", "./cmd/...", "./collectors/...", "./dashboards/...", "./docs/...")
	cmd.Dir = filepath.Join("..", "..")
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
}
