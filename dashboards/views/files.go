package views

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// charted are the pages whose charts can be had as files, by the name after /chart/.
func (p *Pages) charted() map[string]func(*http.Request) dashboards.Page {
	return map[string]func(*http.Request) dashboards.Page{"explore": p.explore, "streams": p.overTime, "node": p.node}
}

// filed is a chart with the addresses of its picture and its values, which are those of its page under another path.
func filed(c charts.Chart, page string, q url.Values) charts.Chart {
	to := url.Values{}
	for k, v := range q {
		to[k] = v
	}
	to.Set("chart", c.ID)
	c.PNG = "/chart/" + page + "/png?" + to.Encode()
	c.CSV = "/chart/" + page + "/csv?" + to.Encode()
	return c
}

// chartFile is one chart of a page as a picture or as a table: the one that the address names by chart.
func (p *Pages) chartFile(w http.ResponseWriter, r *http.Request) {
	build, kind := p.charted()[r.PathValue("page")], r.PathValue("kind")
	if build != nil && (kind == "png" || kind == "csv") {
		for _, s := range build(r).Sections {
			for _, pt := range s.Parts {
				if c, ok := pt.Data.(charts.Chart); ok && pt.ID == r.URL.Query().Get("chart") && len(c.Lines) > 0 {
					if kind == "csv" {
						sendLines(w, c)
					} else {
						sendPicture(w, c, c.Title, c.ID)
					}
					return
				}
			}
		}
	}
	http.Error(w, "There is no chart of it in that time.", http.StatusNotFound)
}

func sendPicture(w http.ResponseWriter, c charts.Chart, title, file string) {
	body, err := charts.Picture(c, title, c.Summary())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `inline; filename="`+file+`.png"`)
	_, _ = w.Write(body) // who went away does not want it
}

// sendLines writes the lines of a chart as they are drawn.
func sendLines(w http.ResponseWriter, c charts.Chart) {
	out := sheet(w, c.ID)
	for _, ln := range c.Lines {
		rows(out, ln.Name, ln.Pts)
	}
	out.Flush()
}

// sheet begins a table of time, series, value.
func sheet(w http.ResponseWriter, file string) *csv.Writer {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+file+`.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"time", "series", "value"}) // an error is that of a browser which went away
	return out
}

func rows(out *csv.Writer, series string, points []query.Point) {
	for _, pt := range points {
		_ = out.Write([]string{pt.T.UTC().Format(time.RFC3339), series, strconv.FormatFloat(pt.V, 'g', -1, 64)})
	}
}
