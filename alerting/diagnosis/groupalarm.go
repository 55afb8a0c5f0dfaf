package diagnosis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// gatherer finds what many alarms have in common. It keeps that over steps: what an alarm has in common with others hangs on its
// Fact, what it is folded with, and the graph.
type gatherer struct {
	in      Input
	s       *standing
	before  map[string]*alerting.Fact // group alarms of the step before
	groups  map[string]*common
	unknown map[stranger]*common // of groups, those on unknown subjects
	zones   map[string][]*common // of groups, those of zones, by rule
}

// groupAlarms makes one alarm of many where they stand on at least the common-mode share of a zone's machines or of a
// whole's nodes, or where more nodes are down than the whole can spare. It returns the group alarms in the order of
// their names, with those that ended and may still explain.
func (p *past) groupAlarms(in Input, s *standing) []*alerting.Verdict {
	if p.gatherer == nil {
		p.gatherer = &gatherer{groups: map[string]*common{}, unknown: map[stranger]*common{}, zones: map[string][]*common{}}
	}
	g := p.gatherer
	g.in, g.s, g.before = in, s, map[string]*alerting.Fact{}
	for _, f := range in.Groups {
		g.before[f.ID] = f
	}
	for _, j := range p.list {
		if v := j.verdict; !j.gathered || j.with != v.Joined.With {
			j.part()
			j.gathered, j.with = true, v.Joined.With
			if v.Firing() && !v.Never() {
				g.gather(j)
			}
		}
	}
	var out []*alerting.Verdict
	for _, name := range g.names() {
		was, c := g.before[name], g.groups[name]
		if c != nil && g.one(c) {
			out = append(out, g.firing(name, c))
		} else if v := g.lingering(was, p.list); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// names are those of what may be one alarm, and of what was, in order. What has no alarms any more is forgotten.
func (g *gatherer) names() []string {
	var out []string
	for name := range g.before {
		out = append(out, name)
	}
	for name, c := range g.groups {
		c.settle()
		if len(c.alarms) == 0 {
			g.forget(c)
		} else if len(c.alarms) >= fewestOfAll && g.before[name] == nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// lingering is a group alarm that ends now, or ended so lately that it may still explain; nil: there is none.
func (g *gatherer) lingering(was *alerting.Fact, list []*judged) *alerting.Verdict {
	if was == nil {
		return nil
	}
	f := *was
	if f.Firing() {
		f.Ended = g.in.Now
	}
	if g.in.Now.Sub(f.Ended) > g.in.Settings.Resolve.AfterCause {
		return nil
	}
	v := &alerting.Verdict{Fact: &f}
	for _, id := range f.Members {
		if n, ok := slices.BinarySearchFunc(list, id, func(m *judged, id string) int { return cmp.Compare(m.fact.ID, id) }); ok {
			v.Parts = append(v.Parts, list[n].verdict)
		}
	}
	return v
}

// gather adds an alarm to all that it may have in common with others.
func (g *gatherer) gather(j *judged) {
	v := j.verdict
	if !v.Known && ordinary(v) {
		j.where = whose(v)
		g.strangers(v).add(j)
	}
	if !v.Known || v.Entity.Kind != topology.KindHost && v.Entity.Kind != topology.KindNode {
		return
	}
	rule := v.Rule()
	if v.Kind == "down" {
		rule = "down"
	}
	j.where = g.s.graph.Machine(v.Entity.ID)
	if az := v.Entity.AZ; az != "" && (ofZone(v.Kind) || v.Foreign() && v.Severity == "critical") {
		g.zone(az, rule).add(j)
	}
	if w := g.s.graph.Whole(v.Entity.ID); w != "" {
		g.whole(w, rule).add(j)
	}
}

// ofZone says whether a zone itself can be at fault: it takes machines away or cuts them off. Errors that are as common
// in one zone as in the others speak of what all of them need.
func ofZone(kind string) bool { return kind == "down" || kind == "liveness" || kind == "network" }

// ordinary says that nothing in an alarm asks for a page of its own.
func ordinary(v *alerting.Verdict) bool {
	_, harm := harmIn(v.Fact)
	return !steadfast(v.Fact, v.Impact()) && !harm && !saysP1(v)
}

// saysP1 says that the author of an alarm's rule says that users are affected, by our own labels. That is no guess, and it is never
// folded by one. Where a priority is all that an alarm of others says of its urgency, as Datadog's, P1 is its author's word for critical.
func saysP1(v *alerting.Verdict) bool {
	if v.Foreign() {
		return v.Says() == alerting.P1 && v.Labels[alerting.LabelSeverity] != ""
	}
	return v.Says() == alerting.P1 || !v.Group() && v.Kind == "symptom" && v.Severity == "critical"
}

// strangers are the alarms of one rule that the graph has no place for and whose labels name one owner. Once they are one
// alarm they stay so until the last of them ended.
func (g *gatherer) strangers(v *alerting.Verdict) *common {
	owner := cmp.Or(v.Labels[alerting.LabelCluster], v.Labels[alerting.LabelService], v.Labels["job"])
	if v.Reading != nil {
		owner = cmp.Or(v.Reading.Owner("namespace"), v.Labels[alerting.LabelCluster], v.Reading.Owner("service"), v.Reading.Owner("job"), owner)
	}
	key := stranger{owner, v.Rule(), v.Joined.With}
	if c := g.unknown[key]; c != nil {
		return c
	}
	c := g.group("common//"+owner+"/"+v.Rule()+"/"+v.Joined.With, topology.Entity{ID: cmp.Or(owner, v.Rule())})
	c.keys, g.unknown[key] = append(c.keys, key), c
	return c
}

// stranger is what alarms on unknown subjects have in common.
type stranger struct{ owner, rule, with string }

// whose is what an alarm is about, as far as is known: an exporter's address is that of all that it speaks of.
func whose(v *alerting.Verdict) string {
	if v.Reading != nil {
		return cmp.Or(v.Reading.Subject.ID(), v.ID)
	}
	return cmp.Or(v.Entity.ID, v.ID)
}

func (g *gatherer) zone(az, rule string) *common {
	name := "common/az/" + az + "/" + rule
	c := g.groups[name]
	if c == nil {
		c = g.group(name, g.s.graph.AZ(az))
		c.of, c.rule = len(g.s.graph.Zone(az)), rule
		g.zones[rule] = append(g.zones[rule], c)
	}
	return c
}

func (g *gatherer) whole(id, rule string) *common {
	e, _ := g.s.graph.Get(id)
	c := g.group("common/"+id+"/"+rule, e)
	c.of, c.rule = g.s.standing(id).Of, rule
	return c
}

func (g *gatherer) group(name string, of topology.Entity) *common {
	c := g.groups[name]
	if c == nil {
		c = &common{name: name, target: of}
		g.groups[name] = c
	}
	return c
}

// forget drops what has no alarms any more.
func (g *gatherer) forget(c *common) {
	delete(g.groups, c.name)
	for _, key := range c.keys {
		delete(g.unknown, key)
	}
	if list := slices.DeleteFunc(g.zones[c.rule], func(o *common) bool { return o == c }); len(list) > 0 {
		g.zones[c.rule] = list
	} else {
		delete(g.zones, c.rule)
	}
}

// least is on how many it is one alarm, in this step.
func (g *gatherer) least(c *common) int {
	switch {
	case c.keys != nil:
		if was := g.before[c.name]; was != nil && was.Firing() {
			return 1
		}
		return alike
	case c.target.Kind == topology.KindAZ:
		return max(fewestOfZone, g.share(c.of))
	}
	if r := g.s.standing(c.target.ID); c.rule == "down" && r.Lost > r.Spare && r.Lost > 1 {
		return fewestOfAll
	}
	return max(fewestOfAll, g.share(c.of))
}

func (g *gatherer) share(of int) int { return int(math.Ceil(g.in.Settings.CommonMode * float64(of))) }

// wide says that it is in enough places to be one alarm.
func (g *gatherer) wide(c *common) bool {
	if c.need = g.least(c); len(c.alarms) < c.need {
		return false
	}
	if c.all == nil {
		c.on, c.all = make(map[string]int, len(c.alarms)), make(map[string]int, len(c.alarms))
		for _, j := range c.alarms {
			c.count(j, 1)
		}
	}
	return len(c.all) >= c.need
}

// one says whether the alarms are one.
func (g *gatherer) one(c *common) bool {
	switch {
	case !g.wide(c) || c.target.ID == "" || c.of == 1:
		return false
	case c.target.Kind != topology.KindAZ:
		return true
	}
	return g.acrossServices(c) && !(c.alarms[0].fact.Foreign() && g.everywhere(c))
}

// everywhere says that what is common in one zone is so in another one, too. Of a rule that does not say its kind only
// this says whether the zone can be at fault.
func (g *gatherer) everywhere(c *common) bool {
	for _, o := range g.zones[c.rule] {
		g.in.Walks.asked++
		if o != c && g.wide(o) {
			return true
		}
	}
	return false
}

// acrossServices says whether what is common in a zone is so for more than one service, where the zone has more: else the
// service is at fault and not the zone.
func (g *gatherer) acrossServices(c *common) bool {
	of, on := map[string]int{}, map[string]int{}
	for _, m := range g.s.graph.Zone(c.target.AZ) {
		e, _ := g.s.graph.Get(m)
		of[e.Service]++
		if c.all[m] > 0 {
			on[e.Service]++
		}
	}
	hit := 0
	for service, n := range on {
		if 2*n >= of[service] {
			hit++
		}
	}
	return hit >= min(2, len(of))
}

// firing makes the group alarm, or goes on with it.
func (g *gatherer) firing(name string, c *common) *alerting.Verdict {
	f := &alerting.Fact{ID: name, First: g.in.Now, Entity: c.target, Known: c.of > 0, Layer: "cluster"}
	if was := g.before[name]; was != nil {
		f.Past = was.Past
		if was.Firing() {
			f.First = was.First
		}
	}
	if len(c.on) < c.need {
		by := c.alarms[slices.IndexFunc(c.alarms, func(m *judged) bool { return m.fact.Silence != "" })].fact
		f.Silence, f.SilencedUntil = by.Silence, by.SilencedUntil
	}
	if c.target.Kind == topology.KindAZ {
		f.Layer = "az"
	}
	v := &alerting.Verdict{Fact: f, Parts: make([]*alerting.Verdict, len(c.alarms))}
	f.Members = make([]string, len(c.alarms))
	for n, j := range c.alarms {
		m := j.verdict
		v.Parts[n], f.Members[n] = m, m.ID
		if !m.Known {
			m.In = v
		}
	}
	head := v.Parts[0]
	f.Kind, f.Severity = head.Kind, head.Severity
	f.Alarm = alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: head.Rule(), alerting.LabelSeverity: head.Severity, alerting.LabelEntity: c.target.ID, alerting.LabelLayer: f.Layer,
			alerting.LabelKind: head.Kind, alerting.LabelService: head.Service(), alerting.LabelSource: head.Labels[alerting.LabelSource],
			alerting.LabelPriority: head.Labels[alerting.LabelPriority],
		},
		Annotations: map[string]string{alerting.AnnotationSummary: c.summary(head)},
		StartsAt:    head.StartsAt,
	}
	for _, m := range v.Parts {
		if text := m.Annotations[alerting.AnnotationGuidance]; text != "" {
			f.Annotations[alerting.AnnotationGuidance] = text
			break
		}
	}
	f.ReadLabels()
	return v
}

// summary is what a person reads of all of them: how many, where, and what the one that speaks for them says.
func (c *common) summary(head *alerting.Verdict) string {
	if c.target.ID == head.Rule() { // nothing is known that they have in common but their rule
		return fmt.Sprintf("%s alike: %s", c.says(), head.Summary())
	}
	return fmt.Sprintf("%s in %s: %s", c.says(), c.target.ID, head.Summary())
}

// spokesman orders the parts of a group alarm: the gravest, the nearest to the machine, the first.
func spokesman(a, b *alerting.Fact) int {
	return cmp.Or(cmp.Compare(gravity(a.Severity), gravity(b.Severity)), cmp.Compare(a.Entity.Kind, b.Entity.Kind), a.First.Compare(b.First), cmp.Compare(a.ID, b.ID))
}

func gravity(severity string) int {
	switch severity {
	case "critical":
		return 0
	case "info":
		return 2
	}
	return 1
}
