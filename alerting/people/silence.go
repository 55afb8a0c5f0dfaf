package people

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// Bounds of silences.
const (
	maxMatchers = 32
	maxRegexes  = 500 // matchers by regular expression, of all silences together: each alarm is held against each
	maxNotes    = 32  // annotations
	maxLasts    = 366 * 24 * time.Hour
)

// Request is a silence that a person wants: of a problem with what it explains now, or by matchers, or both. It begins at
// Starts, at once when that is zero, and ends after For, else at Until.
type Request struct {
	ID       string // of the silence that it replaces; empty: a new one
	Problem  string
	Matchers []alerting.Matcher
	Starts   time.Time
	Until    time.Time
	For      time.Duration
	By       string
	Comment  string

	Annotations map[string]string // as Alertmanager's API has them
}

// ParseMatchers reads matchers in Alertmanager's notation, several in one text included.
func ParseMatchers(texts ...string) ([]alerting.Matcher, error) {
	var out []alerting.Matcher
	for _, text := range texts {
		ms, err := ReadMatchers(text)
		if err != nil {
			return nil, fmt.Errorf("matcher %q: %w", words.Cut(text, maxShown), err)
		}
		for _, m := range ms {
			out = append(out, alerting.Matcher{
				Name: m.Name, Value: m.Value,
				Regex:    m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp,
				Negative: m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp,
			})
		}
	}
	return out, nil
}

// ReadMatchers reads the matchers in one text as Alertmanager does: with names of any letters, else in the classic notation,
// in which a value needs no quotes and may be empty. Where both read it, and differently, the classic reading holds.
func ReadMatchers(text string) (labels.Matchers, error) {
	if err := query.CheckRegex(text); err != nil { // the parser compiles what it reads
		return nil, err
	}
	return fallback(text, "")
}

// Source: Alertmanager 0.35 matcher/compat, read 30 November 2026.
var fallback = compat.FallbackMatchersParser(slog.New(slog.DiscardHandler))

// Silence makes a silence or replaces one, and returns it as it is in force. A silence of other matchers than the one it
// replaces is another one: the old one ends.
func (d *Desk) Silence(ctx context.Context, r Request) (alerting.Silence, error) {
	now := d.now()
	s, err := d.made(r, now)
	if err != nil {
		return s, err
	}
	if r.ID != "" {
		old, err := d.silence(r.ID)
		if err != nil {
			return s, err
		}
		s.ID = old.ID
		if !old.EndsAt.After(now) { // it stays as it was
			s.ID = ""
		} else if !slices.Equal(old.Matchers, s.Matchers) {
			if err := d.check(s, now); err != nil {
				return s, err
			}
			if _, err := d.End(ctx, r.ID, r.By); err != nil {
				return s, err
			}
			s.ID = ""
		} else if r.Problem == "" {
			s.Problem, s.Alarms = old.Problem, old.Alarms
		}
	}
	if err := d.check(s, now); err != nil {
		return s, err
	}
	if s.ID == "" {
		s.ID = newID()
	}
	return s, d.put(ctx, alerting.Silenced{Silence: s, By: s.CreatedBy})
}

// made turns a request into a silence, without a look at its bounds.
func (d *Desk) made(r Request, now time.Time) (alerting.Silence, error) {
	s := alerting.Silence{
		StartsAt: r.Starts, EndsAt: r.Until, CreatedBy: cutName(r.By), Comment: secret.Redact(words.Cut(r.Comment, maxComment)),
		UpdatedAt: now, Matchers: slices.Clone(r.Matchers), Annotations: maps.Clone(r.Annotations),
	}
	secret.RedactAll(&s.Annotations)
	if s.StartsAt.IsZero() {
		s.StartsAt = now
	}
	if r.For != 0 {
		s.EndsAt = s.StartsAt.Add(r.For)
	}
	if s.EndsAt.IsZero() {
		return s, errors.New("a silence needs an end: for how long, or until when")
	}
	if r.Problem == "" {
		return s, nil
	}
	p, err := d.Find(r.Problem)
	if err != nil {
		return s, err
	}
	s.Problem, s.Alarms = p.ID, alarmsOf(p)
	s.Matchers = append(matchersOf(p.Root), s.Matchers...)
	return s, nil
}

// alarmsOf are the fingerprints of what a problem explains now, its root cause included: what a silence of it covers.
func alarmsOf(p alerting.ProblemView) []string {
	out := []string{p.Root.Fingerprint()}
	for _, a := range p.Page.Explained {
		out = append(out, a.Fingerprint())
	}
	for _, e := range p.Explained {
		out = append(out, e.Alarm.Fingerprint())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// matchersOf fit one alarm alone: each of its labels by its value. A silence made of them never widens by itself, and
// tools that know only matchers show what it is about.
func matchersOf(a alerting.Alarm) []alerting.Matcher {
	var out []alerting.Matcher
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		if v := a.Labels[name]; v != "" {
			out = append(out, alerting.Matcher{Name: name, Value: v})
		}
	}
	return out
}

// End ends a silence and returns it as it was; one that has ended stays as it is. The error wraps ErrNotFound where there is
// none.
func (d *Desk) End(ctx context.Context, id, by string) (alerting.Silence, error) {
	s, err := d.silence(id)
	if err != nil || !s.EndsAt.After(d.now()) {
		return s, err
	}
	ended := s
	ended.EndsAt, ended.UpdatedAt = d.now(), d.now()
	return s, d.put(ctx, alerting.Silenced{Silence: ended, By: cutName(by)})
}

// Renew puts a silence back that was ended, until the end it had and within the bounds of a new one.
func (d *Desk) Renew(ctx context.Context, s alerting.Silence, by string) error {
	s.UpdatedAt = d.now()
	if err := d.check(s, s.UpdatedAt); err != nil {
		return err
	}
	return d.put(ctx, alerting.Silenced{Silence: s, By: cutName(by)})
}

// Silences are those in force and ahead, and those that ended and are still shown.
func (d *Desk) Silences() []alerting.Silence {
	all := slices.Clone(d.Router.View().Silences)
	if d.Ended == nil {
		return all
	}
	for _, s := range d.Ended() {
		// The view may be a moment behind.
		if n := slices.IndexFunc(all, func(o alerting.Silence) bool { return o.ID == s.ID }); n >= 0 {
			all[n] = s
		} else {
			all = append(all, s)
		}
	}
	return all
}

func (d *Desk) silence(id string) (alerting.Silence, error) {
	all := d.Silences()
	n := slices.IndexFunc(all, func(s alerting.Silence) bool { return s.ID == id })
	if n < 0 {
		return alerting.Silence{}, missing(fmt.Sprintf("no silence %q", words.Cut(id, maxShown)))
	}
	return all[n], nil
}

// check says what is wrong with a silence that a person wants.
func (d *Desk) check(s alerting.Silence, now time.Time) error {
	for _, m := range s.Matchers {
		if m.Regex {
			if err := query.CheckRegex(m.Value); err != nil {
				return fmt.Errorf("matcher %s: %w", words.Cut(m.Name, maxShown), err)
			}
		}
	}
	switch {
	case len(s.Matchers) == 0:
		return errors.New("a silence needs at least one matcher, or a problem")
	case s.Problem == "" && len(s.Matchers) > maxMatchers:
		return fmt.Errorf("%d matchers are more than %d", len(s.Matchers), maxMatchers)
	case !s.EndsAt.After(s.StartsAt):
		return errors.New("the end is not after the start")
	case !s.EndsAt.After(now):
		return errors.New("the end has passed")
	case len(s.Annotations) > maxNotes:
		return fmt.Errorf("%d annotations are more than %d", len(s.Annotations), maxNotes)
	case s.EndsAt.Sub(s.StartsAt) > maxLasts:
		return fmt.Errorf("%s is longer than a silence may last, %s", words.Duration(s.EndsAt.Sub(s.StartsAt)), words.Duration(maxLasts))
	}
	for name, v := range s.Annotations {
		if len(name) > maxName || len(v) > maxComment {
			return fmt.Errorf("annotation %s: at most %d bytes of name and %d of value are kept", words.Cut(name, maxShown), maxName, maxComment)
		}
	}
	if err := s.Check(); err != nil {
		return err
	}
	if err := d.room(s); err != nil {
		return err
	}
	lasts := s.EndsAt.Sub(later(s.StartsAt, now))
	if lasts <= alerting.MaxSilenceP1 {
		return nil
	}
	if what := d.vital(s); what != "" {
		return fmt.Errorf("a silence that covers %s must end within %s of its start; this one lasts %s",
			what, words.Duration(alerting.MaxSilenceP1), words.Duration(lasts))
	}
	return nil
}

// room bounds the regular expressions of all silences.
func (d *Desk) room(s alerting.Silence) error {
	n := regexes(s)
	if n == 0 {
		return nil
	}
	for _, o := range d.Router.View().Silences {
		if o.ID != s.ID {
			n += regexes(o)
		}
	}
	if n > maxRegexes {
		return fmt.Errorf("all silences together may have %d matchers by regular expression: end one first, or match by value", maxRegexes)
	}
	return nil
}

func regexes(s alerting.Silence) int {
	n := 0
	for _, m := range s.Matchers {
		if m.Regex {
			n++
		}
	}
	return n
}

// vital names what a silence covers that nobody may sleep through for long; "" where it covers nothing of the kind.
func (d *Desk) vital(s alerting.Silence) string {
	if s.Everything() {
		return "everything"
	}
	if d.Vital != nil {
		for _, rule := range d.Vital() {
			if s.MayCover(rule) {
				return "the P1 rule " + rule[alerting.LabelRule]
			}
		}
	}
	for _, p := range d.Router.View().Problems {
		if p.Priority == alerting.P1 && s.Covers(p.Root.Labels, p.Root.Fingerprint()) {
			return "a P1, " + p.Root.Rule()
		}
	}
	return ""
}

// Covered are the alarms that a silence covers now, those of each problem in the board's order.
func (d *Desk) Covered(s alerting.Silence) []alerting.Alarm {
	var out []alerting.Alarm
	for _, p := range d.Router.View().Problems {
		if s.Covers(p.Root.Labels, p.Root.Fingerprint()) {
			out = append(out, p.Root)
		}
		for _, e := range p.Explained {
			if s.Covers(e.Alarm.Labels, e.Alarm.Fingerprint()) {
				out = append(out, e.Alarm)
			}
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// newID is a random UUID (RFC 9562, version 4), which Alertmanager's tools expect.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
