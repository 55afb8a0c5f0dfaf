package router

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// read finds what an alarm's severity is, and reads all of it where its rule knows nothing of ordering.
func (m *memory) read(f *alerting.Fact) {
	r := m.last
	if m.lastRead == "" || m.lastRead != f.Fingerprint() {
		r = m.set.Read(f.Alarm)
	}
	m.lastRead = ""
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
		ID: f.ID, Rule: f.Reading.Rule, Scope: f.Reading.Scope, Began: f.Began(), Ended: f.Ended, Told: f.Past.Told,
	})
	for len(m.passed) > maxPassed || f.Ended.Sub(m.passed[0].Ended) > passedFor {
		m.passed = m.passed[1:]
	}
}

// joinedAnew says that an alarm is told with others than before.
func (m *memory) joinedAnew(f *alerting.Fact) bool {
	was := m.alarms[f.ID]
	return was != nil && was.Joined != f.Joined
}
