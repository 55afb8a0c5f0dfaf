package intake

import (
	"fmt"
	"maps"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Senders listens to senders alone, as a replay does: what a recording says of a job's pings is not known.
type Senders struct {
	*Heartbeats
	replicas []string
}

// NewSenders listens from now on to the senders of alarms that always fire: those of by, and Watchdogs.
func NewSenders(by map[string]HeartbeatConfig, replicas []string, now time.Time) Senders {
	alarms := maps.Clone(by)
	maps.DeleteFunc(alarms, func(_ string, c HeartbeatConfig) bool { return !c.Alarm })
	return Senders{NewHeartbeats(alarms, nil, now), replicas}
}

// Saw notes an alarm that fires. One without an end is a whole alarm of a recording, which is not repeated: nobody stops sending it.
func (s Senders) Saw(now time.Time, in alerting.Input) {
	if f, ok := in.(alerting.Firing); ok && !f.Alarm.EndsAt.IsZero() {
		s.Fires(f.Alarm, SenderIdentity(f.Alarm, s.replicas), f.Sender, now)
	}
}

// Result notes what a check found that said when its next result is due. Of one that was not OK the alarm itself loses contact.
func (h *Heartbeats) Result(c CheckResult, fresh time.Duration, now time.Time) {
	a := c.alarm(unknownExit)
	name := "check:" + a.Labels["instance"] + "/" + a.Rule()
	if c.Exit != 0 || c.Fresh == "" {
		delete(h.beats, name) // its results end the alarm that one is missing
		return
	}
	if h.beats[name] == nil && len(h.beats) >= maxHeartbeats {
		return
	}
	h.beats[name] = &Beat{Name: name, Labels: a.Labels, Last: now, Heard: true, Fresh: fresh}
}

// stale is the alarm about a check that was OK and of which nothing was heard since: nobody knows how it is. What was due while nobody
// listened is given as long again, but an hour at most.
func (h *Heartbeats) stale(b *Beat) state {
	due := b.Last.Add(b.Fresh)
	if due.Before(h.since) {
		due = h.since.Add(min(b.Fresh, time.Hour))
	}
	what, host := b.Labels[alerting.LabelRule], b.Labels["instance"]
	return state{at: due, alarm: alerting.Alarm{
		Labels: b.Labels, StartsAt: due,
		Annotations: map[string]string{
			alerting.AnnotationSummary:  fmt.Sprintf("No result of %s on %s since %s, when it was OK", what, host, minute(b.Last)),
			alerting.AnnotationGuidance: "Look whether what runs the check " + what + " on " + host + " still runs, and reaches this router. Until a result comes nobody knows how it is.",
		},
	}}
}
