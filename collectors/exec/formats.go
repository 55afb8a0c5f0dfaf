package exec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/navcloud/binnacle/agent/metric"
)

// figure is one value that a program printed.
type figure struct {
	name    string
	counter bool
	labels  metric.Labels
	value   float64
}

// maxSeries bounds what one program may make, as of a target of scrape.
const maxSeries = 50_000

// errTooMany says that a program printed more figures than that: none of them is taken.
var errTooMany = fmt.Errorf("more than %d figures", maxSeries)

// parseOpenMetrics reads the text formats of Prometheus.
func parseOpenMetrics(out []byte) (list []figure, bad int, err error) {
	kind := "text/plain; version=0.0.4"
	if bytes.HasSuffix(bytes.TrimSpace(out), []byte("# EOF")) {
		kind = "application/openmetrics-text; version=1.0.0"
	} else if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(bytes.Clone(out), '\n')
	}
	p, err := textparse.New(out, kind, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return nil, 0, err
	}
	counters := map[string]bool{}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return list, bad, nil
		}
		if err != nil {
			return nil, bad, err
		}
		switch entry {
		case textparse.EntryType:
			name, typ := p.Type()
			counters[string(name)] = typ == model.MetricTypeCounter
		case textparse.EntrySeries:
			_, _, v := p.Series()
			var ls labels.Labels
			p.Labels(&ls)
			f := figure{name: ls.Get(model.MetricNameLabel), value: v}
			f.counter = counters[f.name] || counters[strings.TrimSuffix(f.name, "_total")]
			ls.Range(func(l labels.Label) {
				if l.Name != model.MetricNameLabel {
					f.labels = append(f.labels, metric.Label{Name: l.Name, Value: l.Value})
				}
			})
			if list = append(list, f); len(list) > maxSeries {
				return nil, bad, errTooMany
			}
		}
	}
}

// parseInflux reads InfluxDB's line protocol: each number and boolean of a line is a figure measurement_field with the tags
// as labels. Times are left out: what is printed is of now.
// Source: InfluxDB v2 documentation, "Line protocol", read 30 November 2026.
func parseInflux(out []byte) (list []figure, bad int, err error) {
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fs, ok := influxLine(line)
		if !ok {
			bad++
			continue
		}
		if list = append(list, fs...); len(list) > maxSeries {
			return nil, bad, errTooMany
		}
	}
	return list, bad, nil
}

func influxLine(line string) (out []figure, ok bool) {
	parts := splitEscaped(line, ' ')
	if len(parts) < 2 || len(parts) > 3 {
		return nil, false
	}
	head := splitEscaped(parts[0], ',')
	var ls metric.Labels
	for _, tag := range head[1:] {
		kv := splitEscaped(tag, '=')
		if len(kv) != 2 || kv[0] == "" {
			return nil, false
		}
		ls = append(ls, metric.Label{Name: metric.LabelName(unescape(kv[0])), Value: unescape(kv[1])})
	}
	ls = metric.Normalize(ls)
	for _, field := range splitEscaped(parts[1], ',') {
		kv := splitEscaped(field, '=')
		if len(kv) != 2 || head[0] == "" {
			return nil, false
		}
		if strings.HasPrefix(kv[1], `"`) {
			continue // a text is no figure
		}
		v, good := influxNumber(kv[1])
		if !good {
			return nil, false
		}
		out = append(out, figure{name: metric.Sanitize(unescape(head[0]) + "_" + unescape(kv[0])), labels: ls, value: v})
	}
	return out, true
}

func influxNumber(s string) (float64, bool) {
	switch s {
	case "t", "T", "true", "True", "TRUE":
		return 1, true
	case "f", "F", "false", "False", "FALSE":
		return 0, true
	}
	v, err := strconv.ParseFloat(strings.TrimRight(s, "iu"), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// splitEscaped splits at by, but not where a backslash stands in front or within quotes.
func splitEscaped(s string, by byte) (out []string) {
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == by && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

var escapes = strings.NewReplacer(`\,`, ",", `\ `, " ", `\=`, "=", `\\`, `\`)

func unescape(s string) string { return escapes.Replace(s) }

// parseJSON reads the values that a program's settings name. One that is not there is left out and counted as bad.
func parseJSON(out []byte, want []Value) (list []figure, bad int, err error) {
	var doc any
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, 0, fmt.Errorf("JSON: %w", err)
	}
	for _, w := range want {
		v, ok := number(find(doc, strings.Split(w.Path, ".")))
		if !ok {
			bad++
			continue
		}
		ls := make(metric.Labels, 0, len(w.Labels))
		for k, val := range w.Labels {
			ls = append(ls, metric.Label{Name: k, Value: val})
		}
		list = append(list, figure{name: w.Name, counter: w.Kind == "counter", labels: metric.Normalize(ls), value: v})
	}
	return list, bad, nil
}

func find(at any, path []string) any {
	for _, key := range path {
		switch v := at.(type) {
		case map[string]any:
			at = v[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}
