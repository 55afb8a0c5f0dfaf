package views

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// pinCookie is where a browser keeps the metrics whose charts stand on the first page, separated by dots. An address that names
// some (pin=a&pin=b) shows those and makes the browser keep them: so a set of charts can be sent on, and nobody needs an account.
const pinCookie = "binnacle_pins"

// Bounds of pinned charts.
const (
	maxPins = 8
	pinAge  = 365 * 24 * time.Hour
)

// pin is a pinned chart, and what takes it away.
type pin struct {
	Name, Kind string
	Link, Away string
	Chart      charts.Chart
}

// pinned are the metrics that are pinned in this browser, and whether the address says so.
func pinned(r *http.Request) (names []string, named bool) {
	names, named = r.URL.Query()["pin"]
	if c, err := r.Cookie(pinCookie); err == nil && !named {
		names = strings.Split(c.Value, ".")
	}
	var out []string
	for _, n := range names {
		if metricName.MatchString(n) && !slices.Contains(out, n) && len(out) < maxPins {
			out = append(out, n)
		}
	}
	return out, named
}

// pinAddress is the first page with these charts pinned.
func pinAddress(names []string, time url.Values) string {
	if len(names) == 0 {
		names = []string{""} // none, and the browser forgets the others
	}
	q := url.Values{"pin": names}
	for k, v := range time {
		q[k] = v
	}
	return "/?" + q.Encode()
}

// keepPins makes the browser keep what the address says.
func keepPins(names []string) *http.Cookie {
	c := &http.Cookie{Name: pinCookie, Value: strings.Join(names, "."), MaxAge: int(pinAge.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if len(names) == 0 {
		c.MaxAge = -1
	}
	return c
}

// pins draws the pinned charts of a time: of each metric the first of its page.
func (p *Pages) pins(ctx context.Context, names []string, span dashboards.Period, along url.Values) []pin {
	var out []pin
	for i, n := range names {
		now := p.opts.Now()
		f := familyPage{Name: n, Period: span, only: true}
		f.Kind = p.answers.Get(ctx, "kind\xff"+n, now, 10*time.Minute, queryTime, func(ctx context.Context) any { return p.kind(ctx, n, now) }).(string)
		rest := slices.Delete(slices.Clone(names), i, i+1)
		x := pin{Name: n, Kind: f.Kind, Link: strings.TrimSuffix("/browse/"+url.PathEscape(n)+"?"+along.Encode(), "?"), Away: pinAddress(rest, along)}
		if drawn := p.familyCharts(ctx, &f, now); len(drawn) > 0 {
			x.Chart = drawn[0]
			x.Chart.ID, x.Chart.Title, x.Chart.Still, x.Chart.PNG = "pin-"+n, "", true, ""
			x.Chart.Lines = slices.Clone(x.Chart.Lines) // those of the memo are others' too
			for l := range x.Chart.Lines {
				x.Chart.Lines[l].ID = ""
			}
		}
		out = append(out, x)
	}
	return out
}
