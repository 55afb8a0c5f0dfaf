package store

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// latest is the last value of all series that the agent's own sources sent. It shares the series with
// them and is read under the store's lock.
type latest struct{ sources map[string]*source }

func (l *latest) note(name string, src *source) {
	if l.sources == nil {
		l.sources = map[string]*source{}
	}
	l.sources[name] = src
}

// expositionType is what WriteMetrics writes.
// Source: OpenMetrics 1.0, "Overall structure" and "Content negotiation", read November 2026.
const expositionType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

type family struct {
	name, kind, unit, help string
	lines                  []string
}

// WriteMetrics writes the last value of every series in the text form of OpenMetrics. Distributions
// come as summaries, since that form has no native histograms.
func (s *Store) WriteMetrics(w io.Writer) error {
	s.mu.Lock()
	families := map[string]*family{}
	for _, src := range s.latest.sources {
		for _, e := range src.series {
			e.expose(families)
		}
	}
	s.mu.Unlock()

	names := make([]string, 0, len(families))
	for n := range families {
		names = append(names, n)
	}
	slices.Sort(names)
	bw := bufio.NewWriter(w)
	for _, n := range names {
		f := families[n]
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

func (e *series) expose(families map[string]*family) {
	full := metric.PromName(e.desc)
	name, kind := full, "gauge"
	switch e.desc.Kind {
	case metric.Counter, metric.Delta:
		name, kind = strings.TrimSuffix(full, "_total"), "counter"
	case metric.Distribution:
		kind = "summary"
	}
	f := families[name]
	if f == nil {
		f = &family{name: name, kind: kind, help: e.desc.Help}
		if u := string(e.desc.Unit); u != "" && strings.HasSuffix(name, "_"+u) {
			f.unit = u
		}
		families[name] = f
	}
	if f.kind != kind {
		return // one name of two kinds cannot be told in this form; the store has both
	}
	if kind != "summary" {
		f.lines = append(f.lines, full+e.labelText("")+" "+number(e.total)+"\n")
		return
	}
	for _, q := range []float64{0.5, 0.9, 0.99} {
		f.lines = append(f.lines, name+e.labelText(number(q))+" "+number(e.hist.Quantile(q))+"\n")
	}
	f.lines = append(f.lines, name+"_count"+e.labelText("")+" "+number(e.hist.Count)+"\n", name+"_sum"+e.labelText("")+" "+number(e.hist.Sum)+"\n")
}

func (e *series) labelText(quantile string) string {
	var b strings.Builder
	for _, l := range e.own {
		fmt.Fprintf(&b, `%s="%s",`, labelName(l.Name), escape(l.Value))
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
