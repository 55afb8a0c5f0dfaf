package alerting

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Common mode: one rule on most of a zone or of a service's nodes, within a short time, is one
// happening on the zone or the service, and becomes an alarm there.
const (
	rollUpWithin = 3 * time.Minute // between the first and the last that are taken together
	rollUpLeast  = 3               // entities
	rollUpKeep   = 0.7             // of the share that made it, keeps it
)

type rollKey struct{ rule, on string }

// rollUps returns the common-mode alarms of now, in a fixed order. One that stands keeps its start.
func (r *Router) rollUps(now time.Time, in []*alarm) []*alarm {
	byRule := map[string][]*alarm{}
	for _, a := range in {
		if a.holds() && !a.flapping && (a.layer == "node" || a.layer == "host") && a.kind != "hygiene" && a.kind != "config" && a.entity != "" {
			byRule[a.Rule()] = append(byRule[a.Rule()], a)
		}
	}
	kept := map[rollKey]*alarm{}
	var out []*alarm
	for _, rule := range slices.Sorted(maps.Keys(byRule)) {
		for on, members := range r.common(rule, byRule[rule]) {
			key := rollKey{rule, on}
			a := r.rolls[key]
			if a == nil {
				a = &alarm{synth: true, since: now}
			}
			r.fillRollUp(a, on, members)
			kept[key] = a
		}
	}
	r.rolls = kept
	keys := slices.SortedFunc(maps.Keys(kept), func(a, b rollKey) int { return strings.Compare(a.rule+"\x00"+a.on, b.rule+"\x00"+b.on) })
	for _, k := range keys {
		out = append(out, kept[k])
	}
	return out
}

// common returns, by entity, which alarms of one rule are common to it: of its service if most of that
// has them, else of each zone that most of has them.
func (r *Router) common(rule string, alarms []*alarm) map[string][]*alarm {
	out := map[string][]*alarm{}
	on := map[string]*alarm{}
	for _, a := range alarms {
		on[a.entity] = a
	}
	wholes := map[string]bool{}
	for _, a := range alarms {
		for _, k := range r.graph.Children(a.entity) {
			wholes[k] = true
		}
	}
	for _, whole := range slices.Sorted(maps.Keys(wholes)) {
		members := r.graph.Members(whole)
		if hit := r.enough(rollKey{rule, whole}, members, on); hit != nil {
			out[whole] = hit
		}
	}
	if len(out) > 0 {
		return out
	}
	for zone, peers := range r.zonePeers(alarms) {
		if hit := r.enough(rollKey{rule, zone}, peers, on); hit != nil {
			out[zone] = hit
		}
	}
	return out
}

// zonePeers returns, for each zone that an alarm is in, the entities there of the same kind and service.
func (r *Router) zonePeers(alarms []*alarm) map[string][]string {
	out := map[string][]string{}
	for _, a := range alarms {
		e, ok := r.graph.Get(a.entity)
		if !ok || e.AZ == "" {
			continue
		}
		zone, ok := r.graph.Find(topology.KindAZ, func(z topology.Entity) bool { return z.AZ == e.AZ })
		if !ok || out[zone] != nil {
			continue
		}
		for _, id := range r.zoneMembers(e.AZ, e.Kind) {
			p, _ := r.graph.Get(id)
			if e.Kind == topology.KindHost || p.Service == e.Service {
				out[zone] = append(out[zone], id)
			}
		}
	}
	return out
}

// zoneMembers remembers the entities of a kind in a zone until the graph changes.
func (r *Router) zoneMembers(az, kind string) []string {
	key := [2]string{az, kind}
	if m, ok := r.zones[key]; ok {
		return m
	}
	var m []string
	for _, id := range r.graph.IDs() {
		if e, _ := r.graph.Get(id); e.AZ == az && e.Kind == kind {
			m = append(m, id)
		}
	}
	r.zones[key] = m
	return m
}

// enough returns the alarms on members when they are enough of them and began together.
func (r *Router) enough(key rollKey, members []string, on map[string]*alarm) []*alarm {
	var hit []*alarm
	for _, m := range members {
		if a := on[m]; a != nil {
			hit = append(hit, a)
		}
	}
	share := r.set.CommonMode
	if r.rolls[key] != nil {
		share *= rollUpKeep
	}
	if len(hit) < rollUpLeast || float64(len(hit)) < share*float64(len(members)) {
		return nil
	}
	if r.rolls[key] != nil {
		return hit
	}
	slices.SortFunc(hit, func(a, b *alarm) int { return a.since.Compare(b.since) })
	for i, need := 0, max(rollUpLeast, int(share*float64(len(members))+0.999)); i+need <= len(hit); i++ {
		if hit[i+need-1].since.Sub(hit[i].since) <= rollUpWithin {
			return hit
		}
	}
	return nil
}

func (r *Router) fillRollUp(a *alarm, on string, members []*alarm) {
	slices.SortFunc(members, func(x, y *alarm) int { return strings.Compare(x.fp, y.fp) })
	lead := members[0]
	for _, m := range members {
		if severityRank(m) > severityRank(lead) {
			lead = m
		}
	}
	e, _ := r.graph.Get(on)
	layer := "cluster"
	if e.Kind == topology.KindAZ {
		layer = "az"
	}
	labels := map[string]string{
		LabelRule: lead.Rule(), LabelEntity: on, LabelSeverity: lead.Labels[LabelSeverity], LabelKind: lead.kind,
		LabelLayer: layer, LabelService: lead.service(), LabelSource: lead.Labels[LabelSource],
	}
	total := len(r.graph.Members(on))
	if layer == "az" {
		le, _ := r.graph.Get(lead.entity)
		total = len(r.zonePeersOf(le))
	}
	notes := map[string]string{AnnotationSummary: fmt.Sprintf("%s on %d of %d in %s", lead.Rule(), len(members), total, on)}
	for _, k := range []string{AnnotationGuidance, AnnotationRunbook} {
		if v := lead.Annotations[k]; v != "" {
			notes[k] = v
		}
	}
	a.Alarm = Alarm{Labels: labels, Annotations: notes, StartsAt: a.since}
	a.fp, a.entity, a.kind, a.layer = a.Alarm.Fingerprint(), on, lead.kind, layer
	a.members = a.members[:0]
	for _, m := range members {
		a.members = append(a.members, m.fp)
	}
}

func (r *Router) zonePeersOf(e topology.Entity) (out []string) {
	for _, id := range r.zoneMembers(e.AZ, e.Kind) {
		if p, _ := r.graph.Get(id); e.Kind == topology.KindHost || p.Service == e.Service {
			out = append(out, id)
		}
	}
	return out
}
