package alerting

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting/topology"
)

// alarm is what the router knows of one alarm, while it holds and for a while after.
type alarm struct {
	Alarm
	fp     string
	entity string // where it sits; "" where the graph has no place for it
	kind   string
	layer  string
	synth  bool // made by a roll-up

	since    time.Time // this time
	endedAt  time.Time // zero while it holds
	lost     bool      // out of contact
	starts   []time.Time
	flapping bool
	urgent   time.Time // since when it makes a problem that wakes; zero: never did
	hidden   time.Time // since when another explains it; zero: none does
	told     bool      // that it is hidden for long
	settled  time.Time // when it became the root it is
	members  []string  // of a roll-up: fingerprints
}

func (a *alarm) holds() bool { return a.endedAt.IsZero() }

// symptom says that users feel it.
func (a *alarm) symptom() bool {
	return a.kind == "symptom" || a.layer == "symptom"
}

// effect says that by its kind it is what follows, not what is at fault.
func (a *alarm) effect() bool {
	switch a.kind {
	case "errors", "latency", "liveness":
		return true
	}
	return false
}

func (a *alarm) wide() bool { return a.layer == "cluster" || a.layer == "edge" || a.layer == "az" }

func (a *alarm) severity() string { return strings.ToLower(a.Labels[LabelSeverity]) }

func (a *alarm) service() string { return a.Labels[LabelService] }

// place finds the entity of an alarm: what it says, else the node, host, cluster or zone of its labels. An
// entity of its own that the graph does not know stands for itself.
func place(g *topology.Graph, a Alarm) string {
	l := a.Labels
	if e := l[LabelEntity]; e != "" {
		return e
	}
	host := first(l["host"], hostOf(l["instance"]), l["node"])
	switch {
	case host != "":
		byHost := func(e topology.Entity) bool { return e.Host == host }
		if s := l[LabelService]; s != "" {
			if id, ok := g.Find(topology.KindNode, func(e topology.Entity) bool { return e.Host == host && e.Service == s }); ok {
				return id
			}
		}
		if id, ok := g.Find(topology.KindHost, byHost); ok {
			return id
		}
		if id, ok := g.Find(topology.KindNode, byHost); ok {
			return id
		}
	case l[LabelCluster] != "":
		if id, ok := g.Find(topology.KindCluster, func(e topology.Entity) bool { return e.Cluster == l[LabelCluster] || e.ID == l[LabelCluster] }); ok {
			return id
		}
	case l["az"] != "":
		if id, ok := g.Find(topology.KindAZ, func(e topology.Entity) bool { return e.AZ == l["az"] }); ok {
			return id
		}
	}
	return ""
}

func hostOf(instance string) string {
	host, _, _ := strings.Cut(instance, ":")
	return host
}

func first(of ...string) string {
	for _, s := range of {
		if s != "" {
			return s
		}
	}
	return ""
}

// fire notes that an alarm holds.
func (r *Router) fire(now time.Time, in Alarm) {
	fp := in.Fingerprint()
	a := r.alarms[fp]
	if a == nil {
		a = &alarm{fp: fp}
		if len(r.alarms) >= r.set.MaxAlarms && in.Labels[LabelKind] != "symptom" && in.Labels[LabelPage] != "always" {
			r.refused++
			return
		}
		r.alarms[fp] = a
		a.since = now
		r.started(now, a)
	} else if !a.holds() {
		a.since, a.endedAt = now, time.Time{}
		r.started(now, a)
	}
	a.Alarm, a.lost = in, false
	a.kind, a.layer = strings.ToLower(in.Labels[LabelKind]), strings.ToLower(in.Labels[LabelLayer])
	a.entity = place(r.graph, in)
}

// started counts a start, for flapping and for storms.
func (r *Router) started(now time.Time, a *alarm) {
	a.starts = append(a.starts, now)
	a.starts = slices.DeleteFunc(a.starts, func(t time.Time) bool { return now.Sub(t) > r.set.Flap.Quiet })
	recent := 0
	for _, t := range a.starts {
		if now.Sub(t) <= r.set.Flap.Within {
			recent++
		}
	}
	if recent >= r.set.Flap.Starts {
		a.flapping = true
	}
	if len(a.starts) > 64 {
		a.starts = slices.Delete(a.starts, 0, len(a.starts)-64)
	}
	r.raw = append(r.raw, now)
}

func (r *Router) end(now time.Time, fp string) {
	if a := r.alarms[fp]; a != nil && a.holds() {
		a.endedAt, a.lost = now, false
	}
}

// age does what time alone does: contact is lost, flapping calms down, what is over is forgotten.
func (r *Router) age(now time.Time) {
	r.raw = slices.DeleteFunc(r.raw, func(t time.Time) bool { return now.Sub(t) > r.set.Storm.Window })
	switch {
	case len(r.raw) > r.set.Storm.Enter:
		r.storm = true
	case len(r.raw) < r.set.Storm.Leave:
		r.storm = false
	}
	for fp, a := range r.alarms {
		if a.flapping && len(a.starts) > 0 && now.Sub(a.starts[len(a.starts)-1]) > r.set.Flap.Quiet {
			a.flapping = false
		}
		switch {
		case a.holds() && !a.EndsAt.IsZero() && now.After(a.EndsAt):
			a.lost = true
			if now.Sub(a.EndsAt) > r.set.ForgetLost {
				delete(r.alarms, fp)
			}
		case !a.holds() && now.Sub(a.endedAt) > max(r.set.Resolve.AfterCause, r.set.Resolve.Quiet, r.set.Flap.Quiet):
			delete(r.alarms, fp)
		}
	}
	for id, s := range r.silences {
		if now.Sub(s.EndsAt) > 24*time.Hour {
			delete(r.silences, id)
		}
	}
}

// sorted returns the alarms in a fixed order.
func (r *Router) sorted() []*alarm {
	out := make([]*alarm, 0, len(r.alarms))
	for _, a := range r.alarms {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *alarm) int { return cmp.Compare(a.fp, b.fp) })
	return out
}
