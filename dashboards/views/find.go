package views

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/docs"
)

// seek tells of the nodes, services, metrics, runbooks and pages of the documentation.
func (p *Pages) seek(r *http.Request, found func(dashboards.Hit)) error {
	now := p.opts.Now()
	var faults []error
	var f fleetList
	if p.opts.Query != nil {
		f = p.fleet(r.Context(), now)
		faults = append(faults, p.seekNodes(r.Context(), f, now, found), p.seekMetrics(r.Context(), now, found))
	}
	for _, s := range servicesOf(f.Nodes, p.opts.Node, p.status().Collectors) {
		found(dashboards.Hit{Kind: dashboards.Services, Path: "/services#service-" + s.Collector, Title: s.Name, Text: s.Text, Also: s.Collector + "\n" + s.Word})
	}
	if p.opts.Runbooks != nil {
		for _, rule := range p.opts.Runbooks() {
			found(dashboards.Hit{Kind: dashboards.Runbooks, Path: "/runbooks/" + url.PathEscape(rule), Title: rule})
		}
	}
	for _, d := range manual {
		found(dashboards.Hit{Kind: dashboards.Documentation, Path: "/docs/" + d.Name, Title: d.Title, Also: d.Name})
	}
	return errors.Join(faults...)
}

// manual is the documentation, which the program carries and nothing changes.
var manual = docs.Pages()

// seekNodes tells of those with an agent, and of those that only have streams.
func (p *Pages) seekNodes(ctx context.Context, f fleetList, now time.Time, found func(dashboards.Hit)) error {
	known := map[string]bool{}
	tell := func(name, text, also string) {
		if name != "" && !known[name] {
			known[name] = true
			found(dashboards.Hit{Kind: dashboards.Nodes, Path: "/nodes/" + url.PathEscape(name), Title: name, Text: text, Also: also})
		}
	}
	for _, n := range f.Nodes {
		tell(n.Node, n.Word(), n.AZ+"\n"+n.Group+"\n"+n.Service)
	}
	type answer struct {
		names []string
		err   error
	}
	streaming := p.answers.Get(ctx, "streaming nodes", now, p.opts.Interval, queryTime, func(ctx context.Context) any {
		s, err := p.opts.Query(ctx, "count by (node) (navcloud_streams_open)", now)
		a := answer{err: err}
		for _, x := range s {
			a.names = append(a.names, x.Labels["node"])
		}
		return a
	}).(answer)
	for _, name := range streaming.names {
		tell(name, "has streams", "")
	}
	if f.Fault != "" {
		return errors.New("nodes: " + f.Fault)
	}
	if streaming.err != nil {
		return fmt.Errorf("nodes: %w", streaming.err)
	}
	return nil
}

func (p *Pages) seekMetrics(ctx context.Context, now time.Time, found func(dashboards.Hit)) error {
	all, err := p.families(ctx, now)
	slices.SortStableFunc(all, func(a, b family) int { // one's own first, what rules made of others last
		return cmp.Compare(a.group(), b.group())
	})
	for _, f := range all {
		also := ""
		if f.Own {
			also = "own"
		}
		found(dashboards.Hit{Kind: dashboards.Metrics, Path: f.Link(), Title: f.Name, Text: cmp.Or(f.Unit, f.Kind) + ", " + words.Number(f.Series) + " series", Also: also})
	}
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func (f family) group() int {
	switch {
	case f.Own:
		return 0
	case strings.Contains(f.Name, ":"):
		return 2
	}
	return 1
}
