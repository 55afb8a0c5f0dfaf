package export

import (
	"encoding/json"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// grafanaSchema is the version of Grafana's dashboard model that is written; newer ones take it and move it on.
// Source: grafana/grafana, kinds/dashboard, schemaVersion of 10.0 to 12, read November 2026.
const grafanaSchema = 39

// The grid of a dashboard, in its own units.
const (
	gridWidth   = 24
	panelWidth  = 12
	panelHeight = 8
)

type object = map[string]any

var (
	source   = object{"type": "prometheus", "uid": "${datasource}"}
	variable = strings.NewReplacer("NODE", "$node", "WINDOW", "$__rate_interval")
)

// Grafana writes one dashboard. With one pack it holds every metric of it, those without a panel of their own in a folded
// row; with more, the panels of all. It asks for its data source and the nodes when it is opened.
func Grafana(packs []Pack) ([]byte, error) {
	title, uid := "binnacle: overview", "binnacle-overview"
	if len(packs) == 1 {
		title, uid = "binnacle: "+packs[0].Title, "binnacle-"+packs[0].Name
	}
	g := &grid{}
	for _, p := range packs {
		g.row(p.Title, false)
		for _, panel := range p.Panels {
			g.panel(grafanaPanel(panel))
		}
	}
	if len(packs) == 1 {
		rest := packs[0].rest()
		g.row("Every other metric of this pack", true)
		for _, d := range rest {
			g.panel(grafanaPanel(panelOf(d)))
		}
	}
	return json.MarshalIndent(object{
		"title": title, "uid": uid, "tags": []string{"binnacle"}, "schemaVersion": grafanaSchema, "version": 1, "editable": true,
		"timezone": "utc", "refresh": "30s", "time": object{"from": "now-6h", "to": "now"}, "graphTooltip": 1, "fiscalYearStartMonth": 0,
		"annotations": object{"list": []any{object{
			"name": "Annotations & Alerts", "type": "dashboard", "builtIn": 1, "enable": true, "hide": true,
			"iconColor": "rgba(0, 211, 255, 1)", "datasource": object{"type": "grafana", "uid": "-- Grafana --"},
		}}},
		"templating": object{"list": []any{
			object{"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "refresh": 1, "hide": 0, "multi": false, "includeAll": false, "current": object{}},
			object{
				"type": "query", "name": "node", "label": "Node", "datasource": source, "definition": "label_values(node)",
				"query":   object{"qryType": 1, "query": "label_values(node)", "refId": "PrometheusVariableQueryEditor-VariableQuery"},
				"refresh": 2, "sort": 1, "hide": 0, "multi": true, "includeAll": true, "allValue": ".*",
				"current": object{"text": []string{"All"}, "value": []string{"$__all"}},
			},
		}},
		"links": []any{}, "panels": g.panels,
	}, "", "  ")
}

// rest are the metrics that no panel asks for.
func (p Pack) rest() []*metric.Desc {
	asked := ""
	for _, panel := range p.Panels {
		for _, l := range panel.Lines {
			asked += l.Query + " "
		}
	}
	var out []*metric.Desc
	for _, d := range p.Metrics {
		if !strings.Contains(asked, d.Name+"{") && !strings.Contains(asked, d.Name+")") {
			out = append(out, d)
		}
	}
	return out
}

// panelOf is the panel of a metric that has none: by its kind.
func panelOf(d *metric.Desc) Panel {
	p := Panel{Title: d.Name, Help: d.Help, Unit: d.Unit, Metric: d.Name, Stat: "Average"}
	switch d.Kind {
	case metric.Counter, metric.Delta:
		p.Rate, p.Stat = true, "Sum"
		p.Lines = []Line{{"rate(" + d.Name + "{" + node + "}[WINDOW])", "__auto"}}
	case metric.Distribution:
		p.Stat = "p99"
		p.Lines = []Line{{"histogram_quantile(0.99, sum by (node) (rate(" + d.Name + "{" + node + "}[WINDOW])))", "{{node}} 99 % below"}}
	default:
		p.Lines = []Line{{d.Name + "{" + node + "}", "__auto"}}
	}
	return p
}

// grid lays panels out, two a line.
type grid struct {
	panels []any
	fold   *[]any // of the row that is folded, nil for none
	id     int
	x, y   int
}

func (g *grid) next() int { g.id++; return g.id }

func (g *grid) row(title string, folded bool) {
	if g.x > 0 {
		g.x, g.y = 0, g.y+panelHeight
	}
	inner := []any{}
	row := object{"id": g.next(), "type": "row", "title": title, "collapsed": folded, "gridPos": object{"h": 1, "w": gridWidth, "x": 0, "y": g.y}, "panels": &inner}
	g.panels = append(g.panels, row)
	g.y++
	g.fold = nil
	if folded {
		g.fold = &inner
	}
}

func (g *grid) panel(p object) {
	p["id"], p["gridPos"] = g.next(), object{"h": panelHeight, "w": panelWidth, "x": g.x, "y": g.y}
	if g.fold != nil {
		*g.fold = append(*g.fold, p)
	} else {
		g.panels = append(g.panels, p)
	}
	if g.x += panelWidth; g.x >= gridWidth {
		g.x, g.y = 0, g.y+panelHeight
	}
}

func grafanaPanel(p Panel) object {
	targets := make([]any, len(p.Lines))
	for i, l := range p.Lines {
		targets[i] = object{"refId": string(rune('A' + i)), "datasource": source, "expr": variable.Replace(l.Query), "legendFormat": l.Legend, "editorMode": "code", "range": true, "instant": false}
	}
	return object{
		"type": "timeseries", "title": p.Title, "description": p.Help, "datasource": source, "targets": targets,
		"fieldConfig": object{"overrides": []any{}, "defaults": object{
			"unit": grafanaUnit(p), "min": 0, "color": object{"mode": "palette-classic"},
			"custom": object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 5, "showPoints": "never", "spanNulls": false},
		}},
		"options": object{"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}, "tooltip": object{"mode": "multi", "sort": "desc"}},
	}
}

// grafanaUnit is the unit by Grafana's name.
func grafanaUnit(p Panel) string {
	switch {
	case p.Rate && p.Unit == metric.Bytes:
		return "binBps"
	case p.Rate && p.Unit == metric.Seconds:
		return "none" // seconds a second: cores, or how many at once
	case p.Rate:
		return "cps"
	}
	return map[metric.Unit]string{metric.Seconds: "s", metric.Bytes: "bytes", metric.Ratio: "percentunit", metric.Celsius: "celsius"}[p.Unit] + map[bool]string{true: "short"}[p.Unit == metric.Count]
}
