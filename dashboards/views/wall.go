package views

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
)

// Bounds of the wall.
const (
	MaxWall   = 10_000                 // cells
	wallEvery = time.Second            // between two looks
	wallTable = 50                     // rows of the table
	wallTime  = 800 * time.Millisecond // for the query, so that looks do not pile up
)

// walls are what there is to look at; the first is shown when nothing is asked for.
var walls = []struct{ label, promql, what string }{
	{"Open streams", `sum by (stack, az, node) (navcloud_streams_open)`, "streams of a node"},
	{"Collectors", `min by (node, collector) (binnacle_collector_up)`, "1 sees, 0 does not"},
	{"Processor", `1 - sum by (node) (rate(host_cpu_seconds_total{mode="idle"}[1m])) / sum by (node) (rate(host_cpu_seconds_total[1m]))`, "share in use"},
	{"Metrics", `count by (__name__) ({__name__=~".+"})`, "how many series a metric has"},
}

// glance is one look at all series of the wall, in order of name.
type glance struct {
	names  []string
	values []float64 // NaN: not there
	low    float64
	high   float64
	more   int
	fault  string
	at     time.Time
}

func (p *Pages) glance(ctx context.Context, promql string) *glance {
	now := p.opts.Now()
	return p.answers.Get(ctx, "wall\xff"+promql, now, wallEvery-wallEvery/10, wallTime, func(ctx context.Context) any {
		series, err := p.opts.Query(ctx, promql, now)
		g := &glance{at: now, high: math.Inf(-1)}
		if err != nil {
			g.fault = err.Error()
			return g
		}
		named := make(map[string]float64, len(series))
		for _, s := range series {
			n := seriesName(s.Labels)
			named[n] = query.Last(s)
			g.names = append(g.names, n)
		}
		slices.Sort(g.names)
		g.names = slices.Compact(g.names)
		if g.more = max(0, len(g.names)-MaxWall); g.more > 0 {
			g.names = g.names[:MaxWall]
		}
		g.values = make([]float64, len(g.names))
		for i, n := range g.names {
			v := named[n]
			g.values[i] = v
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				g.low, g.high = min(g.low, v), max(g.high, v)
			}
		}
		if g.high <= g.low {
			g.high = g.low + 1
		}
		return g
	}).(*glance)
}

// Words say what the wall shows.
func (g *glance) Words() string {
	switch {
	case g.fault != "":
		return "Not known: " + g.fault
	case len(g.names) == 0:
		return "No series is there now"
	}
	text := fmt.Sprintf("%s series, the greatest %s", words.Number(float64(len(g.names)+g.more)), words.Plain(slices.MaxFunc(g.values, cmp.Compare)))
	if g.more > 0 {
		text += fmt.Sprintf(", the first %s by name", words.Number(MaxWall))
	}
	return text
}

type wallView struct {
	Query, What string
	Words       string
	Fault       bool
	Choices     []dashboards.Link
	Live        string
	Rows        []exploreRow
	More        int
}

func wallQuery(q url.Values) (promql, what string) {
	promql = words.Cut(strings.TrimSpace(q.Get("q")), maxQuery)
	if promql == "" {
		promql = walls[0].promql
	}
	for _, w := range walls {
		if w.promql == promql {
			what = w.what
		}
	}
	return promql, what
}

func (p *Pages) wall(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "streams", Title: "Wall", Up: &dashboards.Link{Path: "/streams", Label: "Streams"}, Scripts: []string{"wall.js"}}
	if p.opts.Query == nil {
		return dashboards.NoStore(pg)
	}
	v := wallView{}
	v.Query, v.What = wallQuery(r.URL.Query())
	v.Live = dashboards.LivePath("wall", url.Values{"q": {v.Query}})
	for _, w := range walls {
		v.Choices = append(v.Choices, dashboards.Link{Path: "/wall?q=" + url.QueryEscape(w.promql), Label: w.label, Here: w.promql == v.Query})
	}
	g := p.glance(r.Context(), v.Query)
	v.Words, v.Fault = g.Words(), g.fault != ""
	order := make([]int, len(g.names))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(g.values[b], g.values[a]) })
	v.More = max(0, len(order)-wallTable)
	for _, i := range order[:len(order)-v.More] {
		v.Rows = append(v.Rows, exploreRow{g.names[i], words.Plain(g.values[i])})
	}
	pg.Sections = []dashboards.Section{{ID: "wall", Hush: true, Parts: []dashboards.Part{{ID: "wall-part", Template: "wall", Data: v}}}}
	return pg
}

// number4 is a JSON number of four digits, which is more than a cell's colour tells; null where there is none.
type number4 float64

func (n number4) MarshalJSON() ([]byte, error) {
	if v := float64(n); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return strconv.AppendFloat(nil, v, 'g', 4, 64), nil
	}
	return []byte("null"), nil
}

// wallNews is what one look changed. Names come when they are others than before; then Values has all.
type wallNews struct {
	At      int64     `json:"at"` // milliseconds since 1970
	Words   string    `json:"words"`
	Low     number4   `json:"low"`
	High    number4   `json:"high"`
	Names   []string  `json:"names,omitempty"`
	Values  []number4 `json:"values,omitempty"`
	Changed []number4 `json:"changed,omitempty"` // index, value, index, value, ...
}

// wallDiff tells what is new in g to who knows old.
func wallDiff(old, g *glance) wallNews {
	n := wallNews{At: g.at.UnixMilli(), Words: g.Words(), Low: number4(g.low), High: number4(g.high)}
	if g.fault != "" {
		n.Low, n.High = 0, 1
		return n
	}
	if old == nil || !slices.Equal(old.names, g.names) {
		n.Names = g.names
	} else {
		for i, v := range g.values {
			if v != old.values[i] && !(math.IsNaN(v) && math.IsNaN(old.values[i])) {
				n.Changed = append(n.Changed, number4(i), number4(v))
			}
		}
		if len(n.Changed) <= len(g.values) {
			return n
		}
		n.Changed = nil // all of them is shorter
	}
	for _, v := range g.values {
		n.Values = append(n.Values, number4(v))
	}
	return n
}

// liveWall opens updates of the wall.
func (p *Pages) liveWall(r *http.Request) (func() ([]byte, error), error) {
	if p.opts.Query == nil {
		return nil, errors.New("this node keeps no history")
	}
	promql, _ := wallQuery(r.URL.Query())
	var old *glance
	return func() ([]byte, error) {
		g := p.glance(r.Context(), promql)
		n := wallDiff(old, g)
		if g.fault == "" {
			old = g
		}
		return json.Marshal(n)
	}, nil
}
