package people

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
)

// Recurring is a maintenance window that comes back: whenever it is open, what matches is silenced.
type Recurring struct {
	Name     string
	Matchers []alerting.Matcher
	Comment  string
	Open     func(time.Time) bool // whether it is open in the minute of a time
}

// Bounds of recurring windows.
const (
	lookAhead = 7 * 24 * time.Hour // a window that opens later is not shown yet
	minute    = time.Minute        // what a window begins and ends with
)

// Check says why a window may not be.
func (r Recurring) Check(now time.Time) error {
	s := alerting.Silence{Matchers: r.Matchers}
	if err := s.Check(); err != nil {
		return err
	}
	if s.Everything() {
		return fmt.Errorf("it covers everything, and what must ring would not: want a matcher that not every alarm fits")
	}
	if len(r.Matchers) > maxMatchers {
		return fmt.Errorf("%d matchers are more than %d", len(r.Matchers), maxMatchers)
	}
	if now = now.Truncate(minute); r.Open(now) && r.change(now, minute, maxLasts).IsZero() {
		return fmt.Errorf("it never closes: leave out the rule, or give it a priority of its own (intake.map)")
	}
	return nil
}

// Next is the silence of the window as it is open now, or as it opens next within a time; ok is false where it does not.
func (r Recurring) Next(now time.Time, within time.Duration) (s alerting.Silence, ok bool) {
	now = now.Truncate(minute)
	begin := now
	switch {
	case !r.Open(now):
		if begin = r.change(now, minute, within); begin.IsZero() {
			return s, false
		}
	default:
		if before := r.change(now, -minute, maxLasts); !before.IsZero() {
			begin = before.Add(minute)
		}
	}
	end := r.change(begin, minute, maxLasts)
	if end.IsZero() {
		return s, false // it never closes: see Check
	}
	by := "maintenance " + r.Name
	return alerting.Silence{ID: r.id(begin, end), Matchers: r.Matchers, StartsAt: begin, EndsAt: end, CreatedBy: by, Comment: secret.Redact(r.Comment), Window: r.Name}, true
}

// change is when the window opens or closes next, going forward or back by step; zero: not within most.
func (r Recurring) change(from time.Time, step, most time.Duration) time.Time {
	is := r.Open(from)
	for at := from.Add(step); at.Sub(from).Abs() <= most; at = at.Add(step) {
		if r.Open(at) != is {
			return at
		}
	}
	return time.Time{}
}

// id is the same on each router and after each restart, and another one when the configuration says something else. It is
// a UUID (RFC 9562, version 8), which Alertmanager's tools expect.
func (r Recurring) id(begin, end time.Time) string {
	b := sha256.Sum256(fmt.Appendf(nil, "%s %v %d %d", r.Name, r.Matchers, begin.Unix(), end.Unix()))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Between are the silences of the window from one time to another, in order.
func (r Recurring) Between(from, to time.Time) (out []alerting.Silence) {
	for at := from; at.Before(to); {
		s, ok := r.Next(at, to.Sub(at))
		if !ok || s.StartsAt.After(to) {
			break
		}
		out = append(out, s)
		at = s.EndsAt
	}
	return out
}

// byConfiguration ends silences of windows that the configuration does not have any more.
const byConfiguration = "configuration"

// Keeper keeps the silences of recurring windows: that of each window which is open, or opens within a week, so that people see it
// coming and may end it for once. It is used by one goroutine.
type Keeper struct {
	Router Router
	// EndedBy is who ended the silence with this ID; empty: nobody did, or nothing is known of it.
	EndedBy func(ctx context.Context, id string) string

	list []Recurring
	due  []due
}

// due is what a window has or will have next.
type due struct {
	silence alerting.Silence
	ok      bool
	left    bool // a person ended it
	until   time.Time
}

// again is when a window that does not open within lookAhead is asked again.
const again = time.Hour

// Use takes the windows of a configuration.
func (k *Keeper) Use(list []Recurring) { k.list, k.due = list, make([]due, len(list)) }

// Keep puts the silences that are missing and ends those that the configuration does not have any more. It is called each few
// seconds.
func (k *Keeper) Keep(ctx context.Context, now time.Time) error {
	have := map[string]bool{}
	var in []alerting.Input
	for _, s := range k.Router.View().Silences {
		have[s.ID] = true
		if s.Window != "" && !k.has(s) {
			s.EndsAt, s.UpdatedAt = now, now
			in = append(in, alerting.Silenced{Silence: s, By: byConfiguration})
		}
	}
	for n, r := range k.list {
		d := &k.due[n]
		if !now.Before(d.until) {
			*d = due{until: now.Add(again)}
			if d.silence, d.ok = r.Next(now, lookAhead); d.ok {
				d.until = d.silence.EndsAt
			}
		}
		if !d.ok || d.left || have[d.silence.ID] {
			continue
		}
		if by := k.EndedBy(ctx, d.silence.ID); by != "" && by != byConfiguration {
			d.left = true
			continue
		}
		d.silence.UpdatedAt = now
		in = append(in, alerting.Silenced{Silence: d.silence, By: d.silence.CreatedBy})
	}
	if len(in) == 0 {
		return nil
	}
	if err := k.Router.Put(ctx, in...); err != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return nil
}

// has says that a silence is one of a window as the configuration has it. A person may have moved its end.
func (k *Keeper) has(s alerting.Silence) bool {
	return slices.ContainsFunc(k.list, func(r Recurring) bool {
		if r.Name != s.Window {
			return false
		}
		now, ok := r.Next(s.StartsAt, 0)
		return ok && now.ID == s.ID
	})
}
