package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/rules"
)

// ownFacts are the series that routers judge clusters from, as this node's collectors told them last.
type ownFacts struct {
	mu    sync.Mutex
	every map[string]time.Duration // by collector
	by    map[string]toldFacts
}

type toldFacts struct {
	at      time.Time
	figures []intake.Figure
}

// opens notes how often a collector looks.
func (f *ownFacts) opens(collector string, every time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.every == nil {
		f.every, f.by = map[string]time.Duration{}, map[string]toldFacts{}
	}
	f.every[collector] = every
}

// reads says whether a collector tells facts.
func (f *ownFacts) reads(collector string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.every[collector] != 0
}

// told takes over what a collector told.
func (f *ownFacts) told(u *series.Update) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.every[u.From] == 0 {
		return
	}
	var out []intake.Figure
	for i := range u.Points {
		p := &u.Points[i]
		if p.Form == series.Added || p.Form == series.Opening || p.Hist != nil || !rules.IsFact(p.Name, labelOf(p.Labels, "collector")) {
			continue
		}
		set := make(map[string]string, len(p.Labels))
		for _, l := range p.Labels {
			set[l.Name] = l.Value
		}
		out = append(out, intake.Figure{Name: p.Name, Labels: set, Value: p.Value})
	}
	f.by[u.From] = toldFacts{u.At, out}
}

func labelOf(set metric.Labels, name string) string {
	for _, l := range set {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// all are the facts that are not too old; none on a node that belongs to no cluster.
func (f *ownFacts) all(now time.Time) (out []intake.Figure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	member := false
	for from, t := range f.by {
		if now.Sub(t.at) < intake.FactsExpire*f.every[from] {
			out = append(out, t.figures...)
			member = member || from != "self" && len(t.figures) > 0
		}
	}
	if !member {
		return nil
	}
	return out
}

// fleetFacts are what other nodes see of their clusters, kept as series in the head of this router's store: its rules judge
// from the views of all members.
type fleetFacts struct {
	own      string // the name of this node, whose series are in the store already
	registry *series.Registry
	keep     func(context.Context, series.Update)
	now      func() time.Time

	mu    sync.Mutex
	nodes map[string]*factsOf
	descs map[string]*metric.Desc
}

// factsOf is when a node must be heard again, and who speaks for it until then.
type factsOf struct {
	due time.Time
	by  string
}

var errTooManyNodes = errors.New("facts of too many nodes are kept already")

// maxFactNodes bounds the nodes of which facts are kept.
const maxFactNodes = 10_000

func newFleetFacts(own string, keep func(context.Context, series.Update), now func() time.Time) *fleetFacts {
	return &fleetFacts{
		own: own, registry: series.New(series.Options{}), keep: keep, now: now, nodes: map[string]*factsOf{}, descs: map[string]*metric.Desc{},
	}
}

// take keeps the facts of a node. What no rule here reads is left out.
func (f *fleetFacts) take(ctx context.Context, p intake.FactsPost) error {
	if p.Node == f.own {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[p.Node]
	if n == nil {
		if len(f.nodes) >= maxFactNodes {
			return errTooManyNodes
		}
		n = &factsOf{by: p.By}
		f.nodes[p.Node] = n
	}
	now := f.now()
	if n.by != p.By && now.Before(n.due) {
		return fmt.Errorf("%w: facts of %s come from %s, and now from %s too: do two nodes have one name?", intake.ErrOtherNode, p.Node, n.by, p.By)
	}
	n.by = p.By
	n.due = now.Add(intake.FactsExpire * p.Every)
	var samples []metric.Sample
	for _, fig := range p.Facts {
		if !rules.IsFact(fig.Name, fig.Labels["collector"]) {
			continue
		}
		d := f.descs[fig.Name]
		if d == nil {
			d = &metric.Desc{Name: fig.Name, Exact: true}
			f.descs[fig.Name] = d
		}
		set := make(metric.Labels, 0, len(fig.Labels))
		for k, v := range fig.Labels {
			set = append(set, metric.Label{Name: k, Value: v})
		}
		samples = append(samples, metric.Sample{Desc: d, Labels: metric.Normalize(set), Time: now, Value: fig.Value})
	}
	f.keep(ctx, f.registry.Resolve(p.Node, now, nil, samples))
	return nil
}

// run ends the facts of nodes that are silent, until ctx ends.
func (f *fleetFacts) run(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			f.expire(ctx)
		}
	}
}

// expire ends the facts of nodes that are silent for three intervals.
func (f *fleetFacts) expire(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for name, n := range f.nodes {
		if now.Before(n.due) {
			continue
		}
		delete(f.nodes, name)
		f.keep(ctx, f.registry.Resolve(name, now, nil, nil))
	}
}

// ownLinks gives alarms of other machines links that lead here, where theirs lead to the reader's own machine.
func (a *Agent) ownLinks(in []alerting.Input) []alerting.Input {
	for n, i := range in {
		f, ok := i.(alerting.Firing)
		if !ok || !loopback(f.Alarm.Annotations[alerting.AnnotationRunbook]) {
			continue
		}
		if _, ok := rules.Runbook(f.Alarm.Rule()); !ok {
			continue
		}
		f.Alarm = f.Alarm.Clone()
		f.Alarm.Annotations[alerting.AnnotationRunbook] = a.config().runbooks() + f.Alarm.Rule()
		in[n] = f
	}
	return in
}

// loopback says that a link leads to whatever machine it is read on.
func loopback(link string) bool {
	if !strings.Contains(link, "/runbooks/") {
		return false
	}
	u, err := url.Parse(link)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	return host == "" || host == "localhost" || err == nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// judgesFleet says that this router judges clusters from the facts of all nodes.
func (c Config) judgesFleet() bool { return !c.Route.Off && !c.Rules.Off && !c.Store.Off }

// split parts what this node's rules make on a router that also posts alarms to others: what concerns a whole cluster every
// router judges by itself.
func (a *Agent) split(in []alerting.Input) (here, post []alerting.Input) {
	for _, i := range in {
		f, ok := i.(alerting.Firing)
		switch {
		case !ok:
			here, post = append(here, i), append(post, i) // an end of what is not known is none
		case rules.OfFleet(f.Alarm):
			here = append(here, i)
		default:
			post = append(post, i)
		}
	}
	return here, post
}
