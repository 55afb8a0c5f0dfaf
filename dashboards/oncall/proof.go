package oncall

import (
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Said is the value and what it is compared with, in words.
func (e *evidence) Said() string {
	switch {
	case e.Past:
		return e.About()
	case e.Noun == "":
		return e.Value + ". " + e.Words
	}
	return e.Noun + ": " + e.Value + ". " + e.Words
}

// About is what is measured and what it is compared with: what stands beside the value.
func (e *evidence) About() string {
	if e.Noun == "" {
		return e.Words
	}
	return strings.TrimSpace(e.Noun + ". " + e.Words)
}

// CSV and PNG are where its values and its picture are.
func (e *evidence) CSV() string { return e.file("/chart.csv") }
func (e *evidence) PNG() string { return e.file("/chart.png") }

func (e *evidence) file(name string) string {
	q := url.Values{}
	for k, v := range e.kept {
		q[k] = v
	}
	for _, b := range looksBack {
		if b.back == e.Back {
			q.Set("behind", b.name)
		}
	}
	return e.path + name + "?" + q.Encode()
}

// Proof is what a message says of an alarm's evidence: the value and its threshold in words, and what draws the picture under a title. ok is
// false where nothing is known of it here, or not before ctx ends.
func (p *Pages) Proof(ctx context.Context, a alerting.Alarm) (said string, draw func(title string) ([]byte, error), ok bool) {
	l, _ := lookAt(nil, "", a.StartsAt, p.opts.Now())
	e := p.measurable(a, l)
	if e == nil || e.Lacks != "" {
		return "", nil, false
	}
	if p.measure(ctx, e, a); e.Lacks != "" {
		return "", nil, false
	}
	return e.Said(), func(title string) ([]byte, error) { return charts.Picture(e.Chart, title, e.Said()) }, true
}

// errNoChart is why there is no picture and no table of a problem.
var errNoChart = errors.New("no chart: the problem is gone, or its alarm has no expression that can be measured here")

// charted finds the evidence of the problem that a path names, and its title: one that is, or an incident that is over.
func (p *Pages) charted(r *http.Request) (title string, e *evidence, err error) {
	id := r.PathValue("id")
	if p.opts.View == nil {
		return "", nil, errNoChart
	}
	for _, pv := range p.opts.View().Problems {
		if pv.ID != id && pv.Key != id {
			continue
		}
		l, _ := lookAt(r.URL.Query(), "/problems/"+url.PathEscape(id), pv.Root.StartsAt, p.opts.Now())
		if e := p.evidence(r.Context(), pv.Root, l); e != nil && e.Lacks == "" {
			return pv.Priority.String() + " " + pv.Page.Sentence, e, nil
		}
		return "", nil, errNoChart
	}
	if title, e := p.endedProof(r.Context(), id); e != nil {
		return title, e, nil
	}
	return "", nil, errNoChart
}

// picture is the evidence as a PNG.
func (p *Pages) picture(w http.ResponseWriter, r *http.Request) {
	title, e, err := p.charted(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	body, err := charts.Picture(e.Chart, title, e.Said())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // who went away does not want it
}

// table is the evidence as CSV, a row for each value.
func (p *Pages) table(w http.ResponseWriter, r *http.Request) {
	_, e, err := p.charted(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="evidence.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"time", "series", "value"}) // csv.Writer keeps its first error; who went away has none
	lines := e.Chart.Lines
	if e.Chart.BehindOf != nil {
		lines = append(lines[:len(lines):len(lines)], *e.Chart.BehindOf)
	}
	for _, ln := range lines {
		for _, pt := range ln.Pts {
			_ = out.Write([]string{pt.T.UTC().Format(time.RFC3339), ln.Name, strconv.FormatFloat(pt.V, 'g', -1, 64)})
		}
	}
	out.Flush()
}
