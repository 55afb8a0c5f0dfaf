package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a CloudWatch dashboard.
// Source: CloudWatch User Guide, "Search expression syntax" and "Service quotas", read November 2026.
const (
	maxWidgets = 500
	maxSearch  = 1024 // characters of the query of a SEARCH
	cwPeriod   = 60   // seconds
)

// The grid of CloudWatch, in its own units.
const (
	cwWidth      = 24
	widgetWidth  = 12
	widgetHeight = 6
	heading      = 1
)

// CloudWatch writes the body of a dashboard as PutDashboard takes it. Each widget finds its series by SEARCH, by
// namespace and name alone, so that a node that comes or goes changes nothing: naming the dimensions would leave out
// what has others. With one pack it holds every metric of it, else the panels of all. ships says of a metric under which name
// CloudWatch gets it; empty: not at all, and it has no widget.
func CloudWatch(packs []Pack, namespace, region string, ships func(metric string) string) ([]byte, error) {
	if strings.ContainsAny(namespace, `"'`) {
		return nil, fmt.Errorf("namespace %q: a quote cannot stand in a search", namespace)
	}
	var widgets []any
	y, x := 0, 0
	add := func(p Panel) error {
		query := fmt.Sprintf(`Namespace="%s" MetricName="%s"`, namespace, ships(p.Metric))
		if len(query) > maxSearch {
			return fmt.Errorf("%s: its search has %d characters, %d are allowed", p.Metric, len(query), maxSearch)
		}
		properties := object{
			"title": p.Title, "view": "timeSeries", "stacked": false, "period": cwPeriod, "stat": p.Stat, "yAxis": object{"left": object{"min": 0}},
			"metrics": []any{[]any{object{"id": "e1", "label": "", "expression": fmt.Sprintf("SEARCH('%s', '%s', %d)", query, p.Stat, cwPeriod)}}},
		}
		if region != "" {
			properties["region"] = region
		}
		widgets = append(widgets, object{"type": "metric", "x": x, "y": y, "width": widgetWidth, "height": widgetHeight, "properties": properties})
		if x += widgetWidth; x >= cwWidth {
			x, y = 0, y+widgetHeight
		}
		return nil
	}
	for _, p := range packs {
		panels := p.Panels
		if len(packs) == 1 {
			for _, d := range p.rest() {
				panels = append(panels[:len(panels):len(panels)], panelOf(d))
			}
		}
		panels = slices.DeleteFunc(slices.Clone(panels), func(p Panel) bool { return p.Metric == "" || ships(p.Metric) == "" })
		if len(panels) == 0 {
			continue
		}
		if x > 0 {
			x, y = 0, y+widgetHeight
		}
		widgets = append(widgets, object{"type": "text", "x": 0, "y": y, "width": cwWidth, "height": heading, "properties": object{"markdown": "# " + p.Title}})
		y += heading
		for _, panel := range panels {
			if err := add(panel); err != nil {
				return nil, err
			}
		}
	}
	if len(widgets) == 0 {
		return nil, errors.New("nothing of it is shipped to CloudWatch: ship.cloudwatch.view leaves it out")
	}
	if len(widgets) > maxWidgets {
		return nil, fmt.Errorf("%d widgets are more than the %d of a dashboard: choose a pack", len(widgets), maxWidgets)
	}
	return json.MarshalIndent(object{"start": "-PT6H", "periodOverride": "inherit", "widgets": widgets}, "", "  ")
}
