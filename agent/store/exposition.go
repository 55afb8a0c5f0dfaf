package store

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

// expositionType is what WriteMetrics writes.
// Source: OpenMetrics 1.0, "Overall structure" and "Content negotiation", read November 2026.
const expositionType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// current is for how long a figure is the current one: Prometheus' own lookback.
const current = 5 * time.Minute

type family struct {
	name, kind, unit, help string
	lines                  []string
}

// WriteMetrics writes the current value of every series in the text form of OpenMetrics. Distributions come as summaries,
// since that form has no native histograms.
func (s *Store) WriteMetrics(w io.Writer) error {
	bw := bufio.NewWriter(w)
	for _, f := range familiesOf(s.series.Latest(s.opts.Now().Add(-current))) {
		fmt.Fprintf(bw, "# TYPE %s %s\n", f.name, f.kind)
		if f.unit != "" {
			fmt.Fprintf(bw, "# UNIT %s %s\n", f.name, f.unit)
		}
		if f.help != "" {
			fmt.Fprintf(bw, "# HELP %s %s\n", f.name, escape(f.help))
		}
		slices.Sort(f.lines)
		for _, l := range f.lines {
			_, _ = bw.WriteString(l) // the error comes with Flush
		}
	}
	_, _ = bw.WriteString("# EOF\n")
	return bw.Flush()
}

// familiesOf gathers points into families, sorted by name. In this form a family takes more names than its own: a
// summary those of its count and sum, a counter its name without _total. A gauge whose name a summary takes is left out;
// a counter whose name a gauge has is written as unknown, under its full name. The store has them all.
func familiesOf(points []series.Point) []*family {
	kinds := map[string]metric.Kind{}
	for i := range points {
		kinds[points[i].Name] = points[i].Desc.Kind
	}
	taken := func(name string) bool {
		for _, suffix := range []string{"_count", "_sum", "_created"} {
			of, cut := strings.CutSuffix(name, suffix)
			if k, has := kinds[of]; cut && has && k == metric.Distribution {
				return true
			}
			if _, has := kinds[of+"_total"]; cut && has && suffix == "_created" {
				return true
			}
		}
		return false
	}
	families := map[string]*family{}
	for i := range points {
		p := &points[i]
		if taken(p.Name) {
			continue
		}
		name, kind := p.Name, "gauge"
		switch p.Desc.Kind {
		case metric.Counter, metric.Delta:
			name, kind = strings.TrimSuffix(p.Name, "_total"), "counter"
			if _, both := kinds[name]; both || taken(name) {
				name, kind = p.Name, "unknown"
			}
		case metric.Distribution:
			kind = "summary"
		}
		f := families[name]
		if f == nil {
			f = &family{name: name, kind: kind, help: p.Desc.Help}
			if u := string(p.Desc.Unit); u != "" && strings.HasSuffix(name, "_"+u) {
				f.unit = u
			}
			families[name] = f
		}
		f.add(p)
	}
	return slices.SortedFunc(maps.Values(families), func(a, b *family) int { return strings.Compare(a.name, b.name) })
}

func (f *family) add(p *series.Point) {
	if p.Hist == nil {
		f.lines = append(f.lines, p.Name+labelText(p.Labels, "")+" "+number(p.Value)+"\n")
		return
	}
	for _, q := range []float64{0.5, 0.9, 0.99} {
		f.lines = append(f.lines, p.Name+labelText(p.Labels, number(q))+" "+number(p.Hist.Quantile(q))+"\n")
	}
	f.lines = append(f.lines, p.Name+"_count"+labelText(p.Labels, "")+" "+number(p.Hist.Count)+"\n", p.Name+"_sum"+labelText(p.Labels, "")+" "+number(p.Hist.Sum)+"\n")
}

func labelText(ls metric.Labels, quantile string) string {
	var b strings.Builder
	for _, l := range ls {
		fmt.Fprintf(&b, `%s="%s",`, l.Name, escape(l.Value))
	}
	if quantile != "" {
		fmt.Fprintf(&b, `quantile="%s",`, quantile)
	}
	if b.Len() == 0 {
		return ""
	}
	return "{" + strings.TrimSuffix(b.String(), ",") + "}"
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func escape(s string) string { return escaper.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
