package intake

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// maxCloud bounds the alarms whose state is remembered; those that do not fire give way, the oldest first.
const maxCloud = 20_000

// cloudWatch brings changes of state into order: they come at least once, late, by several ways, and again after a restart. An
// alarm is known by its ARN and contributor; its labels are those that it began to fire with, until it ends.
type cloudWatch struct {
	mu    sync.Mutex
	known map[string]cloudState
	dirty bool // since it was written
}

// cloudState is what is remembered of one.
type cloudState struct {
	ARN     string          `json:"arn"`
	State   string          `json:"state"`
	Changed time.Time       `json:"changed"`
	Told    time.Time       `json:"told,omitzero"`
	Firing  *alerting.Alarm `json:"firing,omitempty"` // nil: it does not
	Muted   cloudMute       `json:"muted,omitzero"`
	Silence string          `json:"silence,omitempty"` // ID of the silence that stands for Muted
	Ends    time.Time       `json:"ends,omitzero"`     // of that silence
	Begun   time.Time       `json:"begun,omitzero"`    // likewise
	Others  bool            `json:"others,omitempty"`  // it is in ALARM, and its contributors say so
}

// undo puts back what was known before inputs that nobody took.
type undo func()

// restore makes the undo.
func (w *cloudWatch) restore(before map[string]*cloudState) undo {
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for key, s := range before {
			if s == nil {
				delete(w.known, key)
			} else {
				w.known[key] = *s
			}
		}
	}
}

// input returns what a change says that is new, and how to take it back. INSUFFICIENT_DATA is neither good nor bad news: what
// fired is out of contact from then on, what did not never pages for it.
func (w *cloudWatch) input(c cloudAlarm, now time.Time) ([]alerting.Input, undo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := map[string]*cloudState{}
	return w.take(c, now, before), w.restore(before)
}

// take is input; w.mu is held.
func (w *cloudWatch) take(c cloudAlarm, now time.Time, before map[string]*cloudState) []alerting.Input {
	key := c.key()
	old, known := w.known[key]
	if known && !news(c, old) {
		return nil
	}
	next := cloudState{ARN: c.ARN, State: c.State, Changed: c.Changed, Told: c.Told, Muted: c.Muted}
	var in []alerting.Input
	switch c.State {
	case stateAlarm:
		if c.Contributor == "" && w.speak(c.ARN) {
			next.Others = true
			in = w.drop(old, now, in)
			break
		}
		a := c.alarm()
		if old.Firing != nil {
			a.Labels, a.StartsAt = old.Firing.Labels, old.Firing.StartsAt // its tags may have changed since
		} else if a.StartsAt.After(now) {
			a.StartsAt = now // by a clock that is ahead of ours
		}
		next.Firing = &a
		in = w.mute(old, &next, now, in)
		in = append(in, alerting.Firing{Alarm: a})
		if c.Contributor != "" {
			in = w.stepBack(c.ARN, now, before, in)
		}
	case stateOK:
		if old.Firing == nil {
			in = append(in, alerting.Ended{Fingerprint: c.alarm().Fingerprint()})
		}
		in = w.drop(old, now, in)
		if c.Contributor == "" {
			in = w.parts(c.ARN, c.Changed, now, before, in)
		}
	default:
		next.Firing, next.Muted, next.Silence, next.Begun, next.Ends = old.Firing, old.Muted, old.Silence, old.Begun, old.Ends
		if old.Firing != nil {
			lost := *old.Firing
			lost.EndsAt = c.Changed
			in = append(in, alerting.Firing{Alarm: lost})
		}
	}
	w.set(key, next, before)
	return in
}

// news says whether c tells more than what is known: a later change, or a later word on who keeps its actions back.
func news(c cloudAlarm, old cloudState) bool {
	switch {
	case c.Guessed:
		return c.State != old.State && c.Told.After(old.Told)
	case c.Changed.Equal(old.Changed):
		return c.State == old.State && c.Muted != old.Muted && c.Told.After(old.Told)
	}
	return c.Changed.After(old.Changed)
}

// set remembers; w.mu is held.
func (w *cloudWatch) set(key string, s cloudState, before map[string]*cloudState) {
	if _, twice := before[key]; !twice {
		before[key] = nil
		if old, ok := w.known[key]; ok {
			before[key] = &old
		}
	}
	if w.known == nil {
		w.known = map[string]cloudState{}
	}
	w.known[key] = s
	w.dirty = true
	if len(w.known) > maxCloud {
		w.thin()
	}
}

// thin forgets the older half of what does not fire, so that it is not asked for each time.
func (w *cloudWatch) thin() {
	var calm []string
	for key, s := range w.known {
		if s.Firing == nil {
			calm = append(calm, key)
		}
	}
	slices.SortFunc(calm, func(a, b string) int {
		return cmp.Or(w.known[a].Changed.Compare(w.known[b].Changed), cmp.Compare(a, b))
	})
	for _, key := range calm[:(len(calm)+1)/2] {
		delete(w.known, key)
	}
}

// of are the keys of an alarm's contributors, in order.
func (w *cloudWatch) of(arn string) (keys []string) {
	for key, s := range w.known {
		if s.ARN == arn && key != arn {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// speak says whether contributors of an alarm fire.
func (w *cloudWatch) speak(arn string) bool {
	return slices.ContainsFunc(w.of(arn), func(key string) bool { return w.known[key].Firing != nil })
}

// drop ends what fired, and the silence with it.
func (w *cloudWatch) drop(old cloudState, now time.Time, in []alerting.Input) []alerting.Input {
	if old.Firing != nil {
		in = append(in, alerting.Ended{Fingerprint: old.Firing.Fingerprint()})
	}
	return unmute(old, now, in)
}

// stepBack ends the alarm as a whole once its contributors speak for it: both would be two pages.
func (w *cloudWatch) stepBack(arn string, now time.Time, before map[string]*cloudState, in []alerting.Input) []alerting.Input {
	whole, ok := w.known[arn]
	if !ok || whole.Firing == nil {
		return in
	}
	in = w.drop(whole, now, in)
	whole.Firing, whole.Silence, whole.Muted, whole.Others = nil, "", cloudMute{}, true
	w.set(arn, whole, before)
	return in
}

// parts ends the contributors of an alarm that is over as a whole, but for those that began later.
func (w *cloudWatch) parts(arn string, at, now time.Time, before map[string]*cloudState, in []alerting.Input) []alerting.Input {
	for _, key := range w.of(arn) {
		s := w.known[key]
		if s.Firing == nil || s.Changed.After(at) {
			continue
		}
		in = w.drop(s, now, in)
		w.set(key, cloudState{ARN: arn, State: stateOK, Changed: at, Told: s.Told}, before)
	}
	return in
}

// gone ends an alarm that was deleted, with its contributors.
func (w *cloudWatch) gone(arn string, at, now time.Time) ([]alerting.Input, undo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := map[string]*cloudState{}
	in := w.parts(arn, at, now, before, nil)
	if s, ok := w.known[arn]; ok && !s.Changed.After(at) {
		in = w.drop(s, now, in)
		w.set(arn, cloudState{ARN: arn, State: stateOK, Changed: at, Told: at}, before)
	}
	return in, w.restore(before)
}

// blindMute is how long a mute holds whose end nobody said; what is asked of AWS prolongs it.
const blindMute = 24 * time.Hour

// mute makes a silence of what keeps an alarm's actions back at AWS: it is shown and pages nobody until then. The silence comes
// before the alarm.
func (w *cloudWatch) mute(old cloudState, next *cloudState, now time.Time, in []alerting.Input) []alerting.Input {
	until := next.Muted.Until
	if next.Muted.By == "" || !until.IsZero() && !until.After(now) {
		next.Muted = cloudMute{}
		return unmute(old, now, in)
	}
	if until.IsZero() {
		until = now.Add(blindMute)
	}
	next.Silence, next.Begun, next.Ends = cmp.Or(old.Silence, silenceID(*next)), old.Begun, until
	if next.Begun.IsZero() {
		next.Begun = now
	}
	return append(in, alerting.Silenced{Silence: alerting.Silence{
		ID: next.Silence, Alarms: []string{next.Firing.Fingerprint()}, StartsAt: next.Begun, EndsAt: until, CreatedBy: "CloudWatch",
		Comment: "muted at CloudWatch: " + next.Muted.By, UpdatedAt: now,
	}})
}

func unmute(old cloudState, now time.Time, in []alerting.Input) []alerting.Input {
	if old.Silence == "" || !old.Ends.After(now) || old.Firing == nil {
		return in
	}
	return append(in, alerting.Silenced{Silence: alerting.Silence{
		ID: old.Silence, Alarms: []string{old.Firing.Fingerprint()}, StartsAt: old.Begun, EndsAt: now, CreatedBy: "CloudWatch", Comment: "no longer muted at CloudWatch", UpdatedAt: now,
	}})
}

func silenceID(s cloudState) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.Firing.Fingerprint()))
	return fmt.Sprintf("cloudwatch-%016x", h.Sum64())
}

// repeat is what fires by what is remembered: after a start, and for a router that has just begun to send.
func (w *cloudWatch) repeat() (in []alerting.Input) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(w.known)) {
		if s := w.known[key]; s.Firing != nil {
			a := *s.Firing
			if s.State == stateBlind {
				a.EndsAt = s.Changed
			}
			in = append(in, alerting.Firing{Alarm: a})
		}
	}
	return in
}

// recall takes what the incidents that are open say of alarms that came from here, and that nothing else is known of: another
// router took them, or what was remembered is lost.
func (w *cloudWatch) recall(open []alerting.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, rec := range open {
		for _, a := range rec.Page.Explained {
			arn := a.Labels["alarm_arn"]
			if arn == "" || a.Labels[alerting.LabelSource] != "cloudwatch" {
				continue
			}
			c := cloudAlarm{ARN: arn, Contributor: a.Labels["alarm_contributor"]}
			if _, ok := w.known[c.key()]; !ok {
				one := a.Clone()
				one.EndsAt = time.Time{}
				w.set(c.key(), cloudState{ARN: arn, State: stateAlarm, Changed: a.StartsAt, Firing: &one}, map[string]*cloudState{})
			}
		}
	}
}

// reconcile holds what is known against all that AWS says, asked at a time. begin says whether alarms start that never came.
func (w *cloudWatch) reconcile(all []cloudAlarm, asked, now time.Time, begin bool) (in []alerting.Input, back undo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := map[string]*cloudState{}
	there, accounts, spoken, breach := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range all {
		there[c.key()] = true
		accounts[account(c.ARN)] = true
		if c.Contributor != "" {
			spoken[c.ARN] = true
		} else if c.State == stateAlarm {
			breach[c.ARN] = true
		}
	}
	for _, c := range all {
		old, known := w.known[c.key()]
		switch {
		case c.State == stateAlarm && !begin && old.Firing == nil && !old.Others:
			continue
		case c.State != stateAlarm && !known, c.Contributor == "" && spoken[c.ARN] && c.State == stateAlarm:
			continue
		}
		if c.Muted.By == "" && old.Muted.Until.After(now) {
			c.Muted = old.Muted // a mute rule that nobody could be asked for
		} else if c.Muted.By == old.Muted.By {
			c.Muted = old.Muted // which knows until when
		}
		if c.Told = asked; c.State == stateAlarm && old.Firing != nil && c.Changed.Before(old.Changed) {
			c.Changed = old.Changed // it has only been told again since
		}
		in = append(in, w.take(c, now, before)...)
		in = w.prolong(c.key(), now, before, in)
	}
	for _, key := range slices.Sorted(maps.Keys(w.known)) {
		s := w.known[key]
		if unasked := key != s.ARN && breach[s.ARN] && !spoken[s.ARN]; unasked || s.Firing == nil || there[key] || !accounts[account(s.ARN)] || !s.Told.Before(asked) || !s.Changed.Before(asked) {
			continue
		}
		in = w.drop(s, now, in) // it was deleted, or the contributor is calm
		w.set(key, cloudState{ARN: s.ARN, State: stateOK, Changed: asked, Told: asked}, before)
	}
	return in, w.restore(before)
}

// prolong keeps a mute in force whose end nobody said.
func (w *cloudWatch) prolong(key string, now time.Time, before map[string]*cloudState, in []alerting.Input) []alerting.Input {
	s := w.known[key]
	if s.Firing == nil || s.Muted.By == "" || !s.Muted.Until.IsZero() || s.Ends.Sub(now) > blindMute/2 {
		return in
	}
	in = w.mute(s, &s, now, in)
	w.set(key, s, before)
	return in
}

// account is the part of an ARN that names partition, service, region and account.
func account(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return strings.Join(parts[:min(len(parts), 5)], ":")
}
