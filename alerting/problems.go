package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting/topology"
)

// problem is a best root candidate with all that it explains.
type problem struct {
	root     *alarm
	members  []explained // by since, the root not among them
	symptoms []*alarm    // that hold, user impact, worst first
	priority Priority
	reason   string
	redund   redundancy
	silenced *Silence // by whom nobody is told
	note     string

	incident *incident // that speaks for it
	state    State
	until    time.Time
	behind   string // root of the problem that it is held behind
}

type explained struct {
	*alarm
	why string
}

// rootRank tells how much an alarm is a cause rather than an effect. An alarm is explained only by
// one of higher rank, so that explaining never goes in circles. Below causeRank it explains nothing.
// The order is section 8 of the project's study of alert storms: links, zones, changes, configuration,
// partitions, quorum, limits; effects are roots only of what is wide.
func rootRank(a *alarm) int {
	rank := 0
	switch a.kind {
	case "symptom":
		return 5
	case "change":
		rank = 95
	case "config":
		rank = 85
	case "partition":
		rank = pick(a.wide(), 80, 55)
	case "quorum":
		rank = 78
	case "saturation":
		rank = pick(a.wide(), 76, 60)
	case "down":
		rank = pick(a.wide(), 74, pick(a.layer == "host", 65, 50))
	case "network":
		rank = pick(a.wide(), 90, 58)
	case "hygiene":
		return 20
	case "liveness":
		rank = pick(a.wide(), 45, 15)
	case "errors":
		rank = pick(a.wide(), 32, 12)
	case "latency":
		rank = pick(a.wide(), 34, 10)
	default:
		rank = 40
	}
	if a.layer == "az" && !a.effect() {
		rank = 100
	}
	if a.severity() != "critical" && rank > causeRank {
		rank = max(rank-20, 16)
	}
	if a.synth {
		rank -= 3
	}
	return rank
}

const causeRank = 30

func pick(cond bool, yes, no int) int {
	if cond {
		return yes
	}
	return no
}

// sourceDelay is how much later than its effects a cause may be told, by where it comes from.
func sourceDelay(source string) time.Duration {
	switch source {
	case "cloudwatch":
		return 5 * time.Minute
	case "nagios":
		return 3 * time.Minute
	}
	return 2 * time.Minute
}

// explains says why c explains a, or "" when it does not.
func (r *Router) explains(now time.Time, c, a *alarm) string {
	if c == a || rootRank(c) <= rootRank(a) || a.Labels[LabelPage] == "always" {
		return ""
	}
	if c.since.After(a.since.Add(sourceDelay(c.Labels[LabelSource]))) && !a.effect() {
		return ""
	}
	if !c.holds() && (a.since.After(c.endedAt.Add(lateEffect)) || now.Sub(c.endedAt) > r.afterCause(c)) {
		return ""
	}
	if a.symptom() {
		return r.hurts(c, a.entity)
	}
	if why := r.byEdge(c, a); why != "" {
		return why
	}
	if a.Labels[LabelDep] != "" && a.Labels[LabelDep] == c.service() && a.effect() {
		return "blames " + c.service()
	}
	return ""
}

// byEdge says over which edge c explains a, which is no symptom. What is wrong with a whole cluster or at
// the edge is explained by a part of it only when the loss of that part is more than can be spared.
func (r *Router) byEdge(c, a *alarm) string {
	rel := r.relate(a.entity, c.entity)
	effect := a.effect() || a.kind == "partition" && carries(c)
	switch {
	case rel.same:
		return "on the same " + place1(c)
	case rel.machine:
		return "on the same machine"
	case rel.none():
		return ""
	case a.wide() && a.effect():
		if why := r.hurts(c, a.entity); why != "" {
			return why
		}
		if rel.behind != "" {
			return r.hurts(c, rel.behind)
		}
		return ""
	case rel.depends > 0 && (a.effect() || carries(c)):
		return "needs " + place1(c)
	case rel.member && (effect || a.kind == c.kind || a.kind == "partition" || a.kind == "down" && !c.effect()):
		return "is part of " + place1(c)
	case rel.peer != "" && effect:
		return "shares " + rel.peer + " with " + place1(c)
	case rel.behind != "" && a.effect():
		return "stands before " + rel.behind + ", which needs " + place1(c)
	}
	return ""
}

// lateEffect is how long after its cause ended an effect may still begin.
const lateEffect = time.Minute

// carries says whether everything above the alarm's entity falls with it: zones, links and hosts.
func carries(c *alarm) bool { return c.layer == "az" || c.layer == "host" || c.kind == "network" }

func place1(a *alarm) string { return first(a.entity, "entity") }

// hurts says why c hurts what stands far above it, such as users: more than an edge, the loss must get
// there, past all that is spare. A cause on one node of many that can spare it does not.
func (r *Router) hurts(c *alarm, entity string) string {
	if rootRank(c) < causeRank || c.flapping {
		return ""
	}
	if c.entity == entity || r.reaches(c.entity, entity) {
		return "needs " + place1(c)
	}
	if !r.fallen[entity] {
		return ""
	}
	for _, hurt := range r.hurtTogether {
		_, under := r.graph.DependsOn(hurt, c.entity)
		_, over := r.graph.DependsOn(entity, hurt)
		if under && (over || hurt == entity) {
			return "needs " + hurt + ", which lost more than it can spare, " + place1(c) + " among it"
		}
	}
	return ""
}

// reaches says whether the loss of from alone hurts to.
func (r *Router) reaches(from, to string) bool {
	if _, ok := r.graph.DependsOn(to, from); !ok {
		return false
	}
	if _, ok := r.spreads[from]; !ok {
		r.spreads[from] = r.graph.Spread(map[string]bool{from: true})
	}
	return r.spreads[from][to]
}

// afterCause is how long effects stay explained by a cause that ended.
func (r *Router) afterCause(c *alarm) time.Duration {
	for _, inc := range r.incidents {
		if inc.rec.AckedBy != "" && inc.rootFP == c.fp {
			return r.set.Resolve.AfterAcked
		}
	}
	return r.set.Resolve.AfterCause
}

// build groups alarms into problems.
func (r *Router) build(now time.Time) []*problem {
	all := r.sorted()
	silenced := map[*alarm]*Silence{}
	var audible, mute []*alarm
	for _, a := range all {
		if s := r.silencedBy(now, a); s != nil {
			silenced[a] = s
			mute = append(mute, a)
		} else if a.holds() || now.Sub(a.endedAt) <= r.set.Resolve.AfterCause {
			audible = append(audible, a)
		}
	}
	audible = append(audible, r.rollUps(now, audible)...)
	r.spreadAll(audible)
	byRoot := map[*alarm]*problem{}
	r.group(now, audible, byRoot)
	// A silence covers what its alarms explain too, but never that users are hurt.
	r.groupMute(now, mute, silenced, byRoot)
	out := make([]*problem, 0, len(byRoot))
	for _, p := range byRoot {
		if !p.root.holds() && !slices.ContainsFunc(p.members, func(e explained) bool { return e.holds() }) {
			continue // all over
		}
		r.assess(now, p)
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *problem) int { return r.compare(now, a, b) })
	return out
}

// group finds the root of each alarm and gathers.
func (r *Router) group(now time.Time, in []*alarm, byRoot map[*alarm]*problem) {
	parent, why := r.parents(now, in)
	for _, a := range in {
		root := a
		for parent[root] != nil {
			root = parent[root]
		}
		p := byRoot[root]
		if p == nil {
			p = &problem{root: root}
			byRoot[root] = p
		}
		switch {
		case a == root:
			a.hidden, a.told = time.Time{}, false
		default:
			if a.hidden.IsZero() {
				a.hidden = now
			}
			p.members = append(p.members, explained{a, why[a]})
		}
		if a.symptom() && a.holds() {
			p.symptoms = append(p.symptoms, a)
		}
	}
	for _, p := range byRoot {
		slices.SortFunc(p.members, func(a, b explained) int {
			return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.fp, b.fp))
		})
		slices.SortFunc(p.symptoms, func(a, b *alarm) int {
			return cmp.Or(cmp.Compare(severityRank(b), severityRank(a)), a.since.Compare(b.since), cmp.Compare(a.fp, b.fp))
		})
	}
}

// ended is 1 for what has ended: of two causes of one rank the one that holds explains, so that a suspicion that
// gave way to certainty does not keep the symptoms.
func ended(a *alarm) int { return pick(a.holds(), 0, 1) }

// parents finds what explains each alarm best: the highest rank, then what still holds, then the oldest.
func (r *Router) parents(now time.Time, in []*alarm) (parent map[*alarm]*alarm, why map[*alarm]string) {
	parent, why = map[*alarm]*alarm{}, map[*alarm]string{}
	var causes, symptoms []*alarm
	for _, a := range in {
		switch {
		case a.symptom() && a.holds():
			symptoms = append(symptoms, a)
		case rootRank(a) >= causeRank:
			causes = append(causes, a)
		}
	}
	slices.SortFunc(causes, func(a, b *alarm) int {
		return cmp.Or(cmp.Compare(rootRank(b), rootRank(a)), cmp.Compare(ended(a), ended(b)), a.since.Compare(b.since), cmp.Compare(a.fp, b.fp))
	})
	for _, a := range in {
		for _, c := range causes {
			if rootRank(c) <= rootRank(a) {
				break
			}
			if text := r.explains(now, c, a); text != "" {
				parent[a], why[a] = c, text
				break
			}
		}
		if parent[a] != nil || a.symptom() || !a.effect() || rootRank(a) >= causeRank {
			continue // what may explain a symptom is never part of it: that would be a circle
		}
		for _, s := range symptoms { // nobody explains it, but users feel it: it is part of that
			if s.severity() != "critical" {
				continue
			}
			if _, ok := r.graph.DependsOn(s.entity, a.entity); ok || s.entity == a.entity {
				parent[a], why[a] = s, fmt.Sprintf("%s needs %s", s.entity, a.entity)
				break
			}
		}
	}
	return parent, why
}

// groupMute makes problems of the silenced alarms, which also explain what nobody else does.
func (r *Router) groupMute(now time.Time, mute []*alarm, silenced map[*alarm]*Silence, byRoot map[*alarm]*problem) {
	for _, a := range mute {
		if a.holds() {
			byRoot[a] = &problem{root: a, silenced: silenced[a]}
		}
	}
	for root, p := range byRoot {
		if p.silenced != nil || root.symptom() || root.Labels[LabelPage] == "always" {
			continue
		}
		for _, m := range mute {
			if m.holds() && r.explains(now, m, root) != "" {
				p.silenced = silenced[m]
				p.note = "explained by " + m.Rule() + " on " + place1(m) + ", which is silenced"
				break
			}
		}
	}
}

// spreadAll notes which entities fall when all that have a serious cause on them are lost.
func (r *Router) spreadAll(in []*alarm) {
	r.causeEntities = map[string]bool{}
	r.spreads = map[string]map[string]bool{}
	for _, a := range in {
		if a.holds() && !a.symptom() && !a.effect() && a.severity() == "critical" && a.kind != "hygiene" && a.entity != "" {
			r.causeEntities[a.entity] = true
		}
	}
	r.fallen = r.graph.Spread(r.causeEntities)
	r.hurtTogether = r.hurtTogether[:0]
	for id := range r.fallen {
		if e, _ := r.graph.Get(id); (e.Kind == topology.KindCluster || e.Kind == topology.KindService) && !r.causeEntities[id] {
			r.hurtTogether = append(r.hurtTogether, id)
		}
	}
	slices.Sort(r.hurtTogether)
}

func severityRank(a *alarm) int {
	switch a.severity() {
	case "critical":
		return 3
	case "warning":
		return 2
	case "info":
		return 1
	}
	return 0
}
