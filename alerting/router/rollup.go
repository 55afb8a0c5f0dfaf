package router

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// common gathers what may be one fault: the alarms of one rule (or of any rule, where the kind is down) on the
// machines of one zone, or on the nodes of one whole; or those of one rule and one owner that the graph does not know.
type common struct {
	target topology.Entity
	of     int // machines or nodes there are; 0: nobody knows
	rule   string
	need   int
	on     map[string]bool // where it is, silences apart
	quiet  map[string]bool // where it is, all told
	alarms []*alarm
}

// gone finds the entities that are lost: a node whose own rule says down, and a machine on which two rules
// agree. One ping that fails is no loss.
func (r *Router) gone(live []*alarm) {
	r.lost, r.standing = map[string]bool{}, map[string]topology.Redundancy{}
	said := map[string]map[string]bool{}
	down := map[string]bool{}
	for _, a := range live {
		if !a.holds() || !a.known || a.kind != "down" && a.kind != "liveness" || a.derived() {
			continue
		}
		switch a.entity.Kind {
		case topology.KindNode:
			if a.kind == "down" {
				r.lost[a.entity.ID] = true
			}
		case topology.KindHost:
			if said[a.entity.ID] == nil {
				said[a.entity.ID] = map[string]bool{}
			}
			said[a.entity.ID][a.Rule()] = true
			down[a.entity.ID] = down[a.entity.ID] || a.kind == "down"
		}
	}
	for id, rules := range said {
		if len(rules) > 1 && down[id] {
			r.lost[id] = true
		}
	}
}

// rollUp makes one alarm of many where they stand on at least the common-mode share of a zone's machines or of
// a whole's nodes, or where more nodes are down than the whole can spare.
func (r *Router) rollUp(live []*alarm) {
	groups := map[string]*common{}
	for _, a := range live {
		if a.in = nil; !a.holds() || a.derived() || a.never() {
			continue
		}
		if !a.known && r.ordinary(a) {
			r.strangers(a, groups).add(a, cmp.Or(a.entity.ID, a.fp))
		}
		if !a.known || a.entity.Kind != topology.KindHost && a.entity.Kind != topology.KindNode {
			continue
		}
		rule := a.Rule()
		if a.kind == "down" {
			rule = "down"
		}
		if az := a.entity.AZ; az != "" && (ofZone(a.kind) || a.foreign() && a.severity == "critical") {
			r.zoneOf(az, rule, groups).add(a, r.graph.Machine(a.entity.ID))
		}
		if w := r.graph.Whole(a.entity.ID); w != "" {
			r.wholeOf(w, rule, groups).add(a, r.graph.Machine(a.entity.ID))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		r.roll(key, groups[key], groups)
	}
	for fp, a := range r.rolled {
		if groups[fp] == nil && a.holds() {
			a.ended = r.now
		}
	}
}

// ofZone says whether a zone itself can be at fault: it takes machines away or cuts them off. Errors that are as common
// in one zone as in the others speak of what all of them need.
func ofZone(kind string) bool { return kind == "down" || kind == "liveness" || kind == "network" }

// everywhere says that what is common in one zone is so in another one, too. Of a rule that does not tell its kind only
// this says whether the zone can be at fault.
func (c *common) everywhere(groups map[string]*common) bool {
	for _, o := range groups {
		if o != c && o.target.Kind == topology.KindAZ && o.rule == c.rule && len(o.quiet) >= o.need {
			return true
		}
	}
	return false
}

// ordinary says that nothing in an alarm asks for a page of its own.
func (r *Router) ordinary(a *alarm) bool {
	_, harm := harmIn(a)
	return !a.steadfast() && !harm
}

// alike is how many strangers make one alarm.
const alike = 3

// strangers are the alarms of one rule that the graph has no place for and whose labels name one owner. As many pages
// would say no more than one. Once it is one alarm it stays so until the last of them ended.
func (r *Router) strangers(a *alarm, groups map[string]*common) *common {
	owner := cmp.Or(a.Labels[alerting.LabelCluster], a.Labels[alerting.LabelService], a.Labels["job"])
	key := "common//" + owner + "/" + a.Rule()
	if groups[key] == nil {
		c := &common{target: topology.Entity{ID: cmp.Or(owner, a.Rule())}, need: alike, on: map[string]bool{}, quiet: map[string]bool{}}
		if was := r.rolled[key]; was != nil && was.holds() {
			c.need = 1
		}
		groups[key] = c
	}
	return groups[key]
}

func (c *common) add(a *alarm, where string) {
	if c.target.ID == "" {
		return
	}
	c.alarms = append(c.alarms, a)
	c.quiet[where] = true
	if a.silenced == "" {
		c.on[where] = true
	}
}

func (r *Router) zoneOf(az, rule string, groups map[string]*common) *common {
	key := "common/az/" + az + "/" + rule
	if groups[key] == nil {
		of := len(r.graph.Zone(az))
		groups[key] = &common{target: r.graph.AZ(az), rule: rule, of: of, need: max(3, r.share(of)), on: map[string]bool{}, quiet: map[string]bool{}}
	}
	return groups[key]
}

func (r *Router) wholeOf(id, rule string, groups map[string]*common) *common {
	key := "common/" + id + "/" + rule
	if groups[key] == nil {
		e, _ := r.graph.Get(id)
		s := r.graph.Standing(id, r.lost)
		need := max(2, r.share(s.Of))
		if rule == "down" && s.Lost > s.Spare && s.Lost > 1 {
			need = 2
		}
		groups[key] = &common{target: e, of: s.Of, need: need, on: map[string]bool{}, quiet: map[string]bool{}}
	}
	return groups[key]
}

func (r *Router) share(of int) int { return int(math.Ceil(r.set.CommonMode * float64(of))) }

// roll starts, keeps or ends one roll-up.
func (r *Router) roll(fp string, c *common, groups map[string]*common) {
	a := r.rolled[fp]
	zone := c.target.Kind == topology.KindAZ
	if len(c.quiet) < c.need || c.target.ID == "" || c.of == 1 || zone && !r.acrossServices(c) || zone && c.alarms[0].foreign() && c.everywhere(groups) {
		if a != nil && a.holds() {
			a.ended = r.now
		}
		return
	}
	if a == nil {
		a = &alarm{fp: fp}
		r.rolled[fp] = a
	}
	if a.first.IsZero() || !a.holds() {
		a.first, a.ended = r.now, time.Time{}
	}
	a.silenced = ""
	if len(c.on) < c.need {
		a.silenced = c.alarms[slices.IndexFunc(c.alarms, func(m *alarm) bool { return m.silenced != "" })].silenced
	}
	a.members, a.entity, a.known = c.alarms, c.target, c.of > 0
	slices.SortFunc(a.members, spokesman)
	for _, m := range a.members {
		if !m.known {
			m.in = a
		}
	}
	head := a.members[0]
	a.kind, a.severity, a.layer = head.kind, head.severity, "cluster"
	if zone {
		a.layer = "az"
	}
	a.Alarm = alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: head.Rule(), alerting.LabelSeverity: head.severity, alerting.LabelEntity: c.target.ID, alerting.LabelLayer: a.layer, alerting.LabelKind: head.kind,
			alerting.LabelService: head.service(), alerting.LabelSource: head.Labels[alerting.LabelSource], alerting.LabelPriority: head.Labels[alerting.LabelPriority],
		},
		Annotations: map[string]string{
			alerting.AnnotationSummary: fmt.Sprintf("%s in %s: %s", c.count(), c.target.ID, plural(head)),
		},
		StartsAt: head.StartsAt,
	}
	for _, m := range a.members {
		if g := m.Annotations[alerting.AnnotationGuidance]; g != "" {
			a.Annotations[alerting.AnnotationGuidance] = g
			break
		}
	}
}

func (c *common) count() string {
	if c.of == 0 {
		return fmt.Sprint(len(c.quiet))
	}
	return fmt.Sprintf("%d of %d", len(c.quiet), c.of)
}

// acrossServices says whether what is common in a zone is so for more than one service, where the zone has more:
// else the service is at fault and not the zone.
func (r *Router) acrossServices(c *common) bool {
	of, on := map[string]int{}, map[string]int{}
	for _, m := range r.graph.Zone(c.target.AZ) {
		e, _ := r.graph.Get(m)
		of[e.Service]++
		if c.quiet[m] {
			on[e.Service]++
		}
	}
	hit := 0
	for s, n := range on {
		if 2*n >= of[s] {
			hit++
		}
	}
	return hit >= min(2, len(of))
}

// plural is what the members have in common, in words.
func plural(a *alarm) string { return cmp.Or(a.Annotations[alerting.AnnotationSummary], a.Rule()) }

// spokesman orders members: the gravest, the nearest to the machine, the first.
func spokesman(a, b *alarm) int {
	return cmp.Or(
		cmp.Compare(gravity(a.severity), gravity(b.severity)),
		cmp.Compare(a.entity.Kind, b.entity.Kind),
		a.first.Compare(b.first),
		cmp.Compare(a.fp, b.fp),
	)
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
