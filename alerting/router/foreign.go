package router

import (
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// read finds what an alarm's severity is, and reads all of it where its rule knows nothing of ordering.
func (m *memory) read(f *alerting.Fact) {
	r := m.last
	if m.lastRead == "" || m.lastRead != f.Fingerprint() {
		r = m.set.Read(f.Alarm)
	}
	m.lastRead = ""
	if f.Foreign() && f.Labels[alerting.LabelEntity] == "" {
		m.stand(f, &r)
	}
	if f.Reading = nil; f.Foreign() || !f.Known {
		f.Reading = &r
	}
	if s := r.Subject; f.Foreign() && !f.Known && s.Name != "" && s.Kind != "node" && s.Kind != "check" {
		f.Entity.ID, f.Entity.Kind, f.Entity.Host = s.ID(), "", "" // not the exporter, which is all that an address says
	}
	if f.Severity = r.Severity.Value; f.Severity == "low" {
		f.Severity = "warning"
	}
}

// stand finds where the subject of an alarm of others stands in the graph, by what its labels were read as: a pod on its node, a
// probe in front of a service, all else in a cluster or a zone. These are not what the graph knows, but what needs it.
func (m *memory) stand(f *alerting.Fact, r *alerting.Reading) {
	g := m.walks.Graph
	narrow := slices.Contains(apart, r.Subject.Kind)
	if f.Known && !narrow {
		return
	}
	for _, find := range []func() (topology.Entity, bool){
		func() (topology.Entity, bool) { return g.On(r.Owner("node"), f.Labels[alerting.LabelService]) },
		func() (topology.Entity, bool) { return g.Called(topology.KindService, r.Owner("service")) },
		func() (topology.Entity, bool) { return g.Called(topology.KindCluster, f.Labels[alerting.LabelCluster]) },
		func() (topology.Entity, bool) { return g.Called(topology.KindAZ, r.Owner("zone")) },
	} {
		e, ok := find()
		switch {
		case !ok:
		case narrow:
			f.Known = false
			f.Entity = topology.Entity{ID: r.Subject.ID(), Service: r.Owner("service"), Cluster: e.Cluster, AZ: e.AZ, Parents: []string{e.ID}}
			return
		case isSubject(e, r.Subject.Kind):
			f.Entity, f.Known = e, true
			return
		case len(f.Entity.Parents) == 0:
			f.Entity.Parents = []string{e.ID}
			return
		}
	}
	if narrow && r.Subject.Kind != "target" && r.Subject.Kind != "route" {
		f.Known, f.Entity.Parents = false, nil // where its exporter runs says nothing
	}
}

// isSubject says that what was found is itself what an alarm is about.
func isSubject(e topology.Entity, kind string) bool {
	return e.Kind == kind || e.Kind == topology.KindHost || e.Kind == topology.KindNode || e.Kind == topology.KindAZ && kind == "zone"
}

// apart are the subjects that stand on a machine and are not the machine.
var apart = []string{"container", "pod", "volume", "workload", "job", "namespace", "target", "route"}

// Bounds of what is remembered of alarms that came and went.
const (
	passedFor = time.Hour
	maxPassed = 1000
)

// pass remembers an alarm of others that ended.
func (m *memory) pass(f *alerting.Fact) {
	if f.Reading == nil || f.Severity != "critical" {
		return
	}
	m.passed = append(m.passed, alerting.Passed{
		ID: f.ID, Rule: f.Reading.Rule, Scope: f.Reading.Scope, Began: f.Began(), Ended: f.Ended, Paged: f.Past.Open,
	})
	for len(m.passed) > maxPassed || f.Ended.Sub(m.passed[0].Ended) > passedFor {
		m.passed = m.passed[1:]
	}
}
