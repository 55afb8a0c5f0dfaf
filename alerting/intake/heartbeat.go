package intake

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// HeartbeatConfig says when somebody must be heard: a job by its pings, a sender by an alarm that always fires.
type HeartbeatConfig struct {
	Every    time.Duration `yaml:"every"`    // between two signs of life; or Cron; 1m to 8784h
	Cron     string        `yaml:"cron"`     // five fields: minute, hour, day of month, month, day of week
	Location string        `yaml:"location"` // time zone of Cron, "Europe/Dublin"; UTC when empty
	Grace    time.Duration `yaml:"grace"`    // it may be late; 0 to 168h
	Max      time.Duration `yaml:"max"`      // a run may last; 0: nobody looks
	Priority string        `yaml:"priority"` // P1 to P5; P3 when empty, P2 for an alarm
	ID       string        `yaml:"id"`       // the UUID of its address; made from the name and a key of this router when empty
	Alarm    bool          `yaml:"alarm"`    // the name is that of an alarm that always fires, and its senders are who must be heard
}

// Bounds of heartbeats.
const (
	leastEvery    = time.Minute
	mostEvery     = 366 * 24 * time.Hour
	mostGrace     = 7 * 24 * time.Hour
	maxHeartbeats = 2000 // names, and senders of alarms
	watchdogEvery = 5 * time.Minute
)

// Watchdogs are the names under which public rule packs ship an alarm that always fires.
// Source: kube-prometheus and prometheus-operator (Watchdog), older packs of CoreOS (DeadMansSwitch), awesome-prometheus-alerts
// (PrometheusAlertmanagerE2eDeadManSwitch), read 30 November 2026.
var Watchdogs = []string{"Watchdog", "DeadMansSwitch", "DeadManSwitch", "PrometheusAlertmanagerE2eDeadManSwitch"}

// Rules of the alarms about heartbeats.
const (
	RuleMissing = "HeartbeatMissing"
	RuleFailed  = "HeartbeatFailed"
	RuleOverdue = "HeartbeatOverdue"
	RuleSilent  = "SenderSilent"
)

// Validate says what is out of bounds.
func (c HeartbeatConfig) Validate() error {
	var errs []error
	switch {
	case c.Cron != "" && c.Every != 0:
		errs = append(errs, errors.New("want every or cron, have both"))
	case c.Cron == "" && c.Every == 0 && !c.Alarm:
		errs = append(errs, errors.New("want every, 24h say, or cron"))
	case c.Cron == "" && c.Every != 0 && (c.Every < leastEvery || c.Every > mostEvery):
		errs = append(errs, fmt.Errorf("every: %s is outside %s to %s", c.Every, leastEvery, mostEvery))
	}
	if c.Cron != "" {
		if _, err := c.schedule(); err != nil {
			errs = append(errs, err)
		}
	} else if c.Location != "" {
		errs = append(errs, errors.New("location: it is the time zone of cron, which is not set"))
	}
	if c.Grace < 0 || c.Grace > mostGrace {
		errs = append(errs, fmt.Errorf("grace: %s is outside 0s to %s", c.Grace, mostGrace))
	}
	if c.Max < 0 || c.Max > mostEvery {
		errs = append(errs, fmt.Errorf("max: %s is outside 0s to %s", c.Max, mostEvery))
	}
	if p := c.Priority; p != "" && (len(p) != 2 || p[0] != 'P' || p[1] < '1' || p[1] > '5') {
		errs = append(errs, fmt.Errorf("priority: want P1 to P5, have %q", p))
	}
	if c.ID != "" && !isUUID(c.ID) {
		errs = append(errs, fmt.Errorf("id: want a UUID, have %q", c.ID))
	}
	return errors.Join(errs...)
}

func (c HeartbeatConfig) schedule() (cron.Schedule, error) {
	zone, err := time.LoadLocation(c.Location)
	if err != nil {
		return nil, fmt.Errorf("location: %w", err)
	}
	s, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(c.Cron)
	if err != nil {
		return nil, fmt.Errorf("cron: %w", err)
	}
	if spec, ok := s.(*cron.SpecSchedule); ok {
		spec.Location = zone
	}
	return s, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for n, c := range []byte(strings.ToLower(s)) {
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash := n == 8 || n == 13 || n == 18 || n == 23; dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

// uuidOf is the address of a name: who knows it may ping it, and it cannot be guessed without the key.
func uuidOf(key []byte, name string) string {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte("heartbeat\x00" + name))
	b := m.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8, RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Beat is what is remembered of one that must be heard.
type Beat struct {
	Name    string            `json:"name"`
	Last    time.Time         `json:"last"`              // the last success, or when it became known
	Heard   bool              `json:"heard"`             // there was a success
	Started time.Time         `json:"started,omitzero"`  // of a run that has not finished
	Failed  time.Time         `json:"failed,omitzero"`   // since when its last word is a failure
	Detail  string            `json:"detail,omitempty"`  // of the failure
	Labels  map[string]string `json:"labels,omitempty"`  // of the alarm that always fires, or of the one about a check
	Fresh   time.Duration     `json:"fresh,omitempty"`   // of a check that was OK last: a result is due so long after Last
	Senders map[string]bool   `json:"senders,omitempty"` // who sent it
	Raised  map[string]bool   `json:"raised,omitempty"`  // rules of the alarms that were raised
}

// Heartbeats knows who must be heard and who was. It reads no clock and does no I/O, so that a replay decides as production
// does. It is used by one goroutine at a time.
type Heartbeats struct {
	by    map[string]HeartbeatConfig
	beats map[string]*Beat
	since time.Time // when it began to listen: what was due before could not be heard
}

// NewHeartbeats listens from now on. known is what was remembered; names that are not configured any more are dropped.
func NewHeartbeats(by map[string]HeartbeatConfig, known []Beat, now time.Time) *Heartbeats {
	h := &Heartbeats{by: maps.Clone(by), beats: map[string]*Beat{}, since: now}
	if h.by == nil {
		h.by = map[string]HeartbeatConfig{}
	}
	for _, name := range Watchdogs {
		if _, ok := h.by[name]; !ok {
			h.by[name] = HeartbeatConfig{Alarm: true}
		}
	}
	for _, b := range known {
		if b.Fresh > 0 {
			h.beats[b.Name] = &b
			continue
		}
		if c, ok := h.by[ruleOf(b)]; ok && c.Alarm == (b.Labels != nil) {
			h.beats[b.Name] = &b
		}
	}
	for name, c := range h.by {
		if !c.Alarm && h.beats[name] == nil {
			h.beats[name] = &Beat{Name: name, Last: now}
		}
	}
	return h
}

// ruleOf is the name in the configuration.
func ruleOf(b Beat) string { return cmp.Or(b.Labels[alerting.LabelRule], b.Name) }

// Beats are what is remembered, by name.
func (h *Heartbeats) Beats() []Beat {
	out := make([]Beat, 0, len(h.beats))
	for _, name := range slices.Sorted(maps.Keys(h.beats)) {
		out = append(out, *h.beats[name])
	}
	return out
}

// Ping is what a job says of itself.
type Ping uint8

// The pings.
const (
	Success Ping = iota
	Start
	Fail
)

// Ping notes a job's word. It is false for a name that is not configured.
func (h *Heartbeats) Ping(name string, p Ping, detail string, now time.Time) bool {
	b := h.beats[name]
	if b == nil || h.by[name].Alarm {
		return false
	}
	switch p {
	case Start:
		b.Started = now
	case Fail:
		if b.Failed.IsZero() {
			b.Failed = now
		}
		b.Started, b.Detail, b.Last, b.Heard = time.Time{}, detail, now, true
	default:
		b.Started, b.Failed, b.Detail, b.Last, b.Heard = time.Time{}, time.Time{}, "", now, true
	}
	return true
}

// Fires notes an alarm that fires, where it is one that always does. identity is the same for all senders of one pair.
func (h *Heartbeats) Fires(a alerting.Alarm, identity, sender string, now time.Time) {
	c, ok := h.by[a.Rule()]
	if !ok || !c.Alarm {
		return
	}
	b := h.beats[identity]
	if b == nil {
		if len(h.beats) >= maxHeartbeats {
			return
		}
		b = &Beat{Name: identity, Labels: maps.Clone(a.Labels), Senders: map[string]bool{}}
		h.beats[identity] = b
	}
	b.Last, b.Heard = now, true
	if sender != "" && len(b.Senders) < maxSendersNamed {
		b.Senders[sender] = true
	}
}

const maxSendersNamed = 8

// Due returns the alarms that begin or end now, and when to ask again.
func (h *Heartbeats) Due(now time.Time) (in []alerting.Input, next time.Time) {
	for _, name := range slices.Sorted(maps.Keys(h.beats)) {
		b := h.beats[name]
		c := h.by[ruleOf(*b)]
		for _, s := range h.states(c, b) {
			if s.at.IsZero() {
				in = b.set(in, s, false)
				continue
			}
			in = b.set(in, s, !now.Before(s.at))
			if now.Before(s.at) && (next.IsZero() || s.at.Before(next)) {
				next = s.at
			}
		}
	}
	return in, next
}

// state is an alarm of a heartbeat and when it begins; the zero time: it does not.
type state struct {
	alarm alerting.Alarm
	at    time.Time
}

func (b *Beat) set(in []alerting.Input, s state, fires bool) []alerting.Input {
	rule := s.alarm.Rule()
	switch {
	case fires:
		if b.Raised == nil {
			b.Raised = map[string]bool{}
		}
		b.Raised[rule] = true
		return append(in, alerting.Firing{Alarm: s.alarm})
	case b.Raised[rule]:
		delete(b.Raised, rule)
		return append(in, alerting.Ended{Fingerprint: s.alarm.Fingerprint()})
	}
	return in
}

// states are the alarms that one heartbeat can raise.
func (h *Heartbeats) states(c HeartbeatConfig, b *Beat) []state {
	if b.Fresh > 0 {
		return []state{h.stale(b)}
	}
	if c.Alarm {
		every := cmp.Or(c.Every, watchdogEvery)
		heard := b.Last
		if h.since.After(heard) {
			heard = h.since
		}
		due := heard.Add(every + c.Grace)
		return []state{{h.silent(c, b, due), due}}
	}
	due := h.due(c, b)
	missing := state{b.alarm(c, RuleMissing, due,
		fmt.Sprintf("%s has not reported: %s, and was due by %s", b.Name, b.lastHeard(), minute(due)),
		"Look whether the job "+b.Name+" ran, and why not: its log, its timer or crontab, its machine."), due}
	failed := state{alarm: b.alarm(c, RuleFailed, b.Failed,
		strings.TrimSuffix(fmt.Sprintf("%s failed: %s", b.Name, b.Detail), ": "), "Read the log of the job "+b.Name+", mend the cause, and run it again."), at: b.Failed}
	overdue := state{alarm: b.alarm(c, RuleOverdue, b.Started.Add(c.Max),
		fmt.Sprintf("%s runs for longer than %s, since %s", b.Name, words.Duration(c.Max), minute(b.Started)),
		"Look what the job "+b.Name+" waits for; the next run may pile up on it.")}
	if c.Max > 0 && !b.Started.IsZero() {
		overdue.at = b.Started.Add(c.Max)
	}
	return []state{missing, failed, overdue}
}

func minute(t time.Time) string { return words.Minute(t) + " UTC" }

func (b *Beat) lastHeard() string {
	if !b.Heard {
		return "it was never heard since " + minute(b.Last)
	}
	return "it was last heard at " + minute(b.Last)
}

// due is when the next success is late. What was due while nobody listened is given as long again, but an hour at most.
func (h *Heartbeats) due(c HeartbeatConfig, b *Beat) time.Time {
	var due time.Time
	if c.Cron == "" {
		due = b.Last.Add(c.Every + c.Grace)
	} else if s, err := c.schedule(); err == nil { // it was validated
		due = s.Next(b.Last).Add(c.Grace)
	}
	if wait := h.since.Add(min(cmp.Or(c.Every, time.Hour), time.Hour)); due.Before(h.since) {
		return wait
	}
	return due
}

func (b *Beat) alarm(c HeartbeatConfig, rule string, at time.Time, summary, guidance string) alerting.Alarm {
	return alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: rule, alerting.LabelEntity: "job:" + b.Name, alerting.LabelService: b.Name, alerting.LabelSeverity: "warning",
			alerting.LabelKind: "config", alerting.LabelLayer: "service", alerting.LabelSource: "heartbeat", alerting.LabelPriority: cmp.Or(c.Priority, "P3"),
		},
		Annotations: map[string]string{alerting.AnnotationSummary: summary, alerting.AnnotationGuidance: guidance},
		StartsAt:    at,
	}
}

// silent is the alarm about a sender whose alarm that always fires has stopped.
func (h *Heartbeats) silent(c HeartbeatConfig, b *Beat, at time.Time) alerting.Alarm {
	who := strings.Join(slices.Sorted(maps.Keys(b.Senders)), ", ")
	if p := b.Labels["prometheus"]; p != "" {
		who = p
	}
	who = cmp.Or(who, b.Labels["cluster"], "a sender")
	labels := map[string]string{
		alerting.LabelRule: RuleSilent, alerting.LabelEntity: "sender:" + b.Name, alerting.LabelSeverity: "critical", alerting.LabelKind: "config",
		alerting.LabelLayer: "service", alerting.LabelSource: "heartbeat", alerting.LabelPriority: cmp.Or(c.Priority, "P2"),
	}
	if v := b.Labels["cluster"]; v != "" {
		labels[alerting.LabelCluster] = v
	}
	return alerting.Alarm{
		Labels: labels,
		Annotations: map[string]string{
			alerting.AnnotationSummary:  fmt.Sprintf("%s sends no alarms: no %s since %s", who, b.Labels[alerting.LabelRule], minute(b.Last)),
			alerting.AnnotationGuidance: "Check that " + who + " runs, evaluates its rules and reaches this router. Until then its alarms are out of contact, and new ones do not come.",
		},
		StartsAt: at,
	}
}
