package agent

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// maxParts bounds how many parts of one collector are remembered as failing: their names come from the machine.
const maxParts = 200

var descCheckBlind = &metric.Desc{
	Name: "binnacle_check_blind_seconds", Unit: metric.Seconds,
	Help: "For how long a check should answer and does not, from its third interval on; 0 before, and while it answers",
}

// parts are the parts of a collector that could not be seen, each since when: the rest of it was.
type parts map[string]part

type part struct {
	since  time.Time // zero once it is seen again
	reason string
	err    error
}

// see takes over how a collection ended, and returns the error of the collector as a whole.
func (p parts) see(at time.Time, err error) error {
	failing, whole := splitParts(err)
	for name, was := range p {
		if failing[name] == nil && was.since.IsZero() {
			delete(p, name) // that it is over was told once
		} else if failing[name] == nil {
			p[name] = part{}
		}
	}
	for name, err := range failing {
		now := part{since: at, reason: reasonOf(err), err: err}
		if was := p[name]; !was.since.IsZero() {
			now.since = was.since
		} else if len(p) >= maxParts {
			continue
		}
		p[name] = now
	}
	return whole
}

// splitParts takes the errors of parts out of what a collection ended with.
func splitParts(err error) (map[string]error, error) {
	var whole []error
	failing := map[string]error{}
	var walk func(error)
	walk = func(err error) {
		var one *collectors.PartError
		joined, isJoined := err.(interface{ Unwrap() []error })
		switch {
		case err == nil:
		case isJoined:
			for _, e := range joined.Unwrap() {
				walk(e)
			}
		case errors.As(err, &one):
			failing[one.Part] = errors.Join(failing[one.Part], err)
		default:
			whole = append(whole, err)
		}
	}
	walk(err)
	return failing, errors.Join(whole...)
}

// checkStates are the checks of a job: of its collector, and of the parts that it could not see. The job's lock is held.
func (j *job) checkStates() []collectors.CheckState {
	var out []collectors.CheckState
	if c, ok := j.collector.(collectors.Checker); ok {
		out = c.Checks()
	}
	for name, p := range j.parts {
		out = append(out, collectors.CheckState{Name: name, Every: j.interval, Since: p.since, Reason: p.reason, Err: p.err})
	}
	slices.SortFunc(out, func(a, b collectors.CheckState) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// healthChecks are the checks as status tells them.
func healthChecks(states []collectors.CheckState, now time.Time) []health.Check {
	var out []health.Check
	for _, s := range states {
		h := health.Check{Name: s.Name, Since: s.Since, Blind: s.Blind(now)}
		if !s.Since.IsZero() {
			h.Reason, h.Error = s.Reason, errText(s.Err)
		}
		out = append(out, h)
	}
	return out
}

// reportChecks appends for how long each check has been blind. A collector as a whole, which has no label check, is one
// too; where a collector knows its own checks it says itself when it sees nothing.
func (j *job) reportChecks(b *metric.Batch) {
	now := j.now()
	for _, s := range j.checkStates() {
		blind := 0.0
		if s.Blind(now) {
			blind = now.Sub(s.Since).Seconds()
		}
		b.Add(descCheckBlind, blind, "collector", j.spec.Name, "check", s.Name)
	}
	if _, ok := j.collector.(collectors.Checker); ok {
		return
	}
	blind := 0.0
	whole := collectors.CheckState{Every: j.interval, Since: j.blindSince}
	if whole.Blind(now) {
		blind = now.Sub(whole.Since).Seconds()
	}
	b.Add(descCheckBlind, blind, "collector", j.spec.Name)
}
