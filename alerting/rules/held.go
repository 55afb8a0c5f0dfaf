package rules

import (
	"context"
	"maps"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Waits of an alarm that its rule does not make any more.
const (
	// blindWait is how long an alarm whose series are gone fires on, until it is known whether a check is blind: three
	// intervals of the slowest check of our collectors.
	blindWait = 2 * time.Minute
	// thaw is how long a frozen alarm fires on once its series are back, and the rule's "for" beside it.
	thaw = 2 * time.Minute
	// judgeEvery is how often frozen alarms are looked at.
	judgeEvery = 15 * time.Second
)

// held is an alarm that its rule does not make any more, and that has not ended as far as is known.
type held struct {
	alarm  alerting.Alarm
	expr   string
	hold   time.Duration // the rule's "for"
	since  time.Time     // its rule made it last, or its check was last blind
	frozen bool
	seen   time.Time // since when its series are back; zero: they are not
	told   time.Time
}

// verdict is what becomes of a held alarm.
type verdict uint8

const (
	ends    verdict = iota
	waits           // it is not known yet
	freezes         // it stays as it was
)

// observe takes what can be seen of h, and returns what becomes of it.
func (h *held) observe(s sight, now time.Time) verdict {
	switch {
	case s.missing && s.blind != "":
		h.frozen, h.seen, h.since = true, time.Time{}, now
		return freezes
	case s.missing:
		h.seen = time.Time{}
		if now.Sub(h.since) < blindWait {
			return waits
		}
		return ends
	case !h.frozen:
		return ends
	case h.seen.IsZero():
		h.seen = now
		return waits
	case now.Sub(h.seen) < h.hold+thaw:
		return waits
	}
	return ends
}

// ending takes an alarm that its rule does not make any more, and says what the router must hear.
func (t *teller) ending(a alerting.Alarm, expr string, hold time.Duration) []alerting.Input {
	t.mu.Lock()
	h := t.held[a.Fingerprint()]
	if h == nil {
		h = &held{alarm: a, expr: expr, hold: hold, since: t.now()}
		t.held[a.Fingerprint()] = h
	}
	t.mu.Unlock()
	return t.judge(h, nil)
}

// judge looks at one held alarm. blind is what is blind now; nil: it is asked for.
func (t *teller) judge(h *held, blind []blindCheck) []alerting.Input {
	now, fp := t.now(), h.alarm.Fingerprint()
	s, err := t.see(h, now, blind)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[fp] != h {
		return nil // it fires again, or its rule is gone
	}
	v := waits // where the store does not answer nobody can see
	if err == nil {
		v = h.observe(s, now)
	}
	if v == ends {
		delete(t.held, fp)
		delete(t.known, fp)
		return []alerting.Input{alerting.Ended{Fingerprint: fp}}
	}
	text := h.alarm.Annotations[alerting.AnnotationNotSeen]
	if v == freezes && text == "" {
		text = "not seen since " + s.since.UTC().Format(time.DateTime) + " UTC: no answer of " + s.blind
		h.alarm.Annotations = maps.Clone(h.alarm.Annotations)
		if h.alarm.Annotations == nil {
			h.alarm.Annotations = map[string]string{}
		}
		h.alarm.Annotations[alerting.AnnotationNotSeen] = text
		h.told = time.Time{}
	}
	if now.Sub(h.told) < resend {
		return nil
	}
	h.told = now
	a := h.alarm
	a.EndsAt = now.Add(4 * resend)
	return []alerting.Input{alerting.Firing{Alarm: a}}
}

// see asks what can be seen of a held alarm.
func (t *teller) see(h *held, now time.Time, blind []blindCheck) (sight, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookDeadline)
	defer cancel()
	if blind == nil {
		var err error
		if blind, err = t.eyes.blind(ctx, now); err != nil {
			return sight{}, err
		}
	}
	return t.eyes.look(ctx, h.alarm, h.expr, now, blind)
}

// run looks at the held alarms until ctx ends.
func (t *teller) run(ctx context.Context) {
	ticker := time.NewTicker(judgeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			t.again(ctx)
		}
	}
}

// again looks at all held alarms once.
func (t *teller) again(ctx context.Context) {
	t.mu.Lock()
	var all []*held
	for _, h := range t.held {
		all = append(all, h)
	}
	t.mu.Unlock()
	if len(all) == 0 {
		return
	}
	blind, err := t.eyes.blind(ctx, t.now())
	if err != nil {
		blind = nil
	} else if blind == nil {
		blind = []blindCheck{}
	}
	var in []alerting.Input
	for _, h := range all {
		in = append(in, t.judge(h, blind)...)
	}
	if len(in) > 0 {
		t.tell(in)
	}
}

// keep holds an alarm of an earlier life where nobody can see whether it has ended.
func (t *teller) keep(a alerting.Alarm, expr string, hold time.Duration) bool {
	h := &held{alarm: a, expr: expr, hold: hold, since: t.now()}
	s, err := t.see(h, t.now(), nil)
	if err == nil && h.observe(s, t.now()) != freezes {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[a.Fingerprint()] = true
	t.held[a.Fingerprint()] = h
	return true
}
