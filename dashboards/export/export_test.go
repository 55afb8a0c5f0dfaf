package export_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/dashboards/export"
)

func described() (out []*metric.Desc) {
	for _, s := range catalogue.All() {
		out = append(out, s.Metrics...)
	}
	return append(append(out, dispatch.Metrics()...), sinks.Metrics...)
}

// dashboard is what is looked at of Grafana's model.
type dashboard struct {
	Title         string
	UID           string
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct{ Name, Type string }
	}
}

type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ H, W, X, Y int }
	Targets []struct {
		RefID      string
		Expr       string
		Datasource struct{ Type, UID string }
	}
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	Panels    []panel
	Collapsed bool
}

func all(in []panel) (out []panel) {
	for _, p := range in {
		out = append(append(out, p), all(p.Panels)...)
	}
	return out
}

// TestGrafana holds what Grafana wants of a dashboard: names, unique IDs, panels that do not overlap and stay within the
// grid, queries that parse.
func TestGrafana(t *testing.T) {
	packs := export.Packs(described())
	sets := map[string][]export.Pack{"overview": packs}
	for _, p := range packs {
		sets[p.Name] = []export.Pack{p}
	}
	parser := store.Parser()
	for name, set := range sets {
		body, err := export.Grafana(set)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d.Title == "" || d.UID != "binnacle-"+name || len(d.UID) > 40 || d.SchemaVersion == 0 || len(d.Templating.List) != 2 {
			t.Errorf("%s: title %q, uid %q, schema %d, %d variables", name, d.Title, d.UID, d.SchemaVersion, len(d.Templating.List))
		}
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range all(d.Panels) {
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s: panel %q has the ID %d of another", name, p.Title, p.ID)
			}
			ids[p.ID] = true
			if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
				t.Errorf("%s: panel %q is outside of the grid: %+v", name, p.Title, p.GridPos)
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: panels %q and %q overlap", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if len(p.Targets) == 0 || p.FieldConfig.Defaults.Unit == "" {
				t.Errorf("%s: panel %q has %d queries, unit %q", name, p.Title, len(p.Targets), p.FieldConfig.Defaults.Unit)
			}
			for _, q := range p.Targets {
				expr := strings.NewReplacer("$__rate_interval", "5m", "$node", ".*").Replace(q.Expr)
				if _, err := parser.ParseExpr(expr); err != nil {
					t.Errorf("%s: panel %q asks %s: %v", name, p.Title, q.Expr, err)
				}
				if q.RefID == "" || q.Datasource.Type != "prometheus" {
					t.Errorf("%s: panel %q has a query without name or source", name, p.Title)
				}
			}
		}
		t.Logf("%s: %d panels, %d bytes", name, len(ids), len(body))
	}
}

// TestPanelsAskForWhatThereIs keeps the panels true when metrics are renamed.
func TestPanelsAskForWhatThereIs(t *testing.T) {
	known := map[string]bool{}
	for _, d := range described() {
		known[d.Name] = true
	}
	names := regexp.MustCompile(`\b(host|riak|rabbitmq|binnacle)_[a-z0-9_]+`)
	for _, p := range export.Packs(nil) {
		for _, panel := range p.Panels {
			text := panel.Metric
			for _, l := range panel.Lines {
				text += " " + l.Query
			}
			for _, n := range names.FindAllString(text, -1) {
				told := slices.ContainsFunc([]string{"binnacle_collector_up", "binnacle_runway_", "binnacle_capacity_", "binnacle_forecast_"}, func(p string) bool {
					return strings.HasPrefix(n, p) // by parts of the agent that keep their descriptions to themselves
				})
				if !known[n] && !told {
					t.Errorf("panel %q of %s asks for %s, which nobody reports", panel.Title, p.Name, n)
				}
			}
		}
	}
}

// everywhere are the labels that the agent puts on what its node reports.
var everywhere = []string{"node", "az", "cluster", "stack", "service", "group", "instance", "job"}

// elsewhere are labels of metrics that no collector's fixture shows: those of services by StatsD, and of the agent itself.
var elsewhere = map[string][]string{
	"navcloud_": {"reason"}, "binnacle_sink_": {"sink", "reason"}, "binnacle_collector_": {"collector", "reason"},
	"binnacle_runway_": {"pool", "quantile"}, "binnacle_capacity_": {"pool", "when"}, "binnacle_forecast_": {"pool", "ahead", "quantile"},
}

// reported are the labels of each metric, as the collectors' fixtures show them.
func reported(t *testing.T) map[string]map[string]bool {
	t.Helper()
	sample, label := regexp.MustCompile(`(?m)^([a-z][a-z0-9_]*)\{(.*)\} \S+$`), regexp.MustCompile(`([a-z_]+)="`)
	out := map[string]map[string]bool{}
	err := filepath.WalkDir(filepath.Join("..", "..", "collectors"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".txtar" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range sample.FindAllStringSubmatch(string(text), -1) {
			if out[m[1]] == nil {
				out[m[1]] = map[string]bool{}
			}
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				out[m[1]][l[1]] = true
			}
		}
		return err
	})
	if err != nil || len(out) < 20 {
		t.Fatalf("the fixtures show labels of %d metrics: %v", len(out), err)
	}
	return out
}

// TestPanelsUseLabelsThatThereAre looks at every label of every query and legend. "Disk left" once named its lines by a
// label that does not exist, so that all disks of a node had one name.
func TestPanelsUseLabelsThatThereAre(t *testing.T) {
	known := reported(t)
	metrics := regexp.MustCompile(`\b(navcloud|host|riak|rabbitmq|binnacle)_[a-z0-9_]+`)
	used := []*regexp.Regexp{regexp.MustCompile(`\{\{(\w+)\}\}`), regexp.MustCompile(`[{,]([a-z_]+)(?:=~|!~|!=|=)"`), regexp.MustCompile(`(?:by|on|without) \(([a-z_, ]+)\)`)}
	for _, p := range export.Packs(nil) {
		for _, panel := range p.Panels {
			for _, l := range panel.Lines {
				has := map[string]bool{}
				for _, e := range everywhere {
					has[e] = true
				}
				for _, m := range metrics.FindAllString(l.Query, -1) {
					maps.Copy(has, known[m])
					for prefix, labels := range elsewhere {
						for _, e := range labels {
							has[e] = has[e] || strings.HasPrefix(m, prefix)
						}
					}
				}
				for _, re := range used {
					for _, m := range re.FindAllStringSubmatch(l.Query+" "+l.Legend, -1) {
						for name := range strings.SplitSeq(m[1], ", ") {
							if !has[name] {
								t.Errorf("panel %q of %s uses the label %s, which %s does not have", panel.Title, p.Name, name, l.Query)
							}
						}
					}
				}
			}
		}
	}
}

// asItIs is shipped under its own name.
func asItIs(metric string) string { return metric }

// What CloudWatch does not get has no widget, and what it gets under another name is searched by that.
func TestCloudWatchSearchesWhatIsShipped(t *testing.T) {
	packs := []export.Pack{{Title: "A", Panels: []export.Panel{{Title: "one", Metric: "a_one", Stat: "Sum"}, {Title: "two", Metric: "a_two", Stat: "Sum"}}}, {Title: "B", Panels: []export.Panel{{Title: "three", Metric: "b", Stat: "Sum"}}}}
	ships := func(metric string) string { return map[string]string{"a_one": "renamed"}[metric] }
	body, err := export.CloudWatch(packs, "NavCloud", "", ships)
	if text := string(body); err != nil || !strings.Contains(text, `MetricName=\"renamed\"`) || strings.Contains(text, "a_two") || strings.Contains(text, "# B") {
		t.Errorf("%v: %s; want the one that is shipped, by its name there", err, text)
	}
	if _, err := export.CloudWatch(packs[1:], "NavCloud", "", ships); err == nil || !strings.Contains(err.Error(), "ship.cloudwatch.view") {
		t.Errorf("%v; want that nothing of it is shipped", err)
	}
}

func TestCloudWatch(t *testing.T) {
	packs := export.Packs(described())
	search := regexp.MustCompile(`^SEARCH\('Namespace="NavCloud" MetricName="[a-z0-9_.]+"', '(Average|Sum|Minimum|Maximum|p99)', 60\)$`)
	sets := map[string][]export.Pack{"overview": packs}
	for _, p := range packs {
		sets[p.Name] = []export.Pack{p}
	}
	for name, set := range sets {
		body, err := export.CloudWatch(set, "NavCloud", "eu-west-1", asItIs)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Widgets []struct {
				Type                string
				X, Y, Width, Height int
				Properties          struct {
					Region   string
					Markdown string
					Metrics  [][]struct{ Expression string }
				}
			}
		}
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatal(err)
		}
		for _, w := range d.Widgets {
			if w.X+w.Width > 24 || w.Height == 0 {
				t.Errorf("%s: a widget is outside of the grid: %+v", name, w)
			}
			if w.Type == "text" {
				continue
			}
			if w.Properties.Region != "eu-west-1" || len(w.Properties.Metrics) != 1 || !search.MatchString(w.Properties.Metrics[0][0].Expression) {
				t.Errorf("%s: widget %+v", name, w.Properties)
			}
		}
		if len(d.Widgets) < 3 {
			t.Errorf("%s: %d widgets", name, len(d.Widgets))
		}
	}
	if _, err := export.CloudWatch(packs, `x' OR '`, "", asItIs); err == nil {
		t.Error("a namespace with a quote was taken")
	}
}
