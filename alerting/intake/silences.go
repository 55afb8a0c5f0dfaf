package intake

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/alerting"
)

// Bounds of silences.
const (
	maxMatchers = 32
	maxComment  = 2 << 10
	// maxVital is how long a silence over a P1 rule or over everything may last.
	maxVital = 24 * time.Hour
)

// compiled is a silence that can match.
type compiled struct {
	alerting.Silence
	matchers labels.Matchers
}

func compile(s alerting.Silence) (compiled, error) {
	c := compiled{Silence: s}
	for _, m := range s.Matchers {
		kind := map[[2]bool]labels.MatchType{
			{false, false}: labels.MatchEqual, {false, true}: labels.MatchNotEqual,
			{true, false}: labels.MatchRegexp, {true, true}: labels.MatchNotRegexp,
		}[[2]bool{m.Regex, m.Negative}]
		lm, err := labels.NewMatcher(kind, m.Name, m.Value)
		if err != nil {
			return c, fmt.Errorf("matcher %s: %w", m.Name, err)
		}
		c.matchers = append(c.matchers, lm)
	}
	return c, nil
}

// compileAll leaves out what does not compile: the router's view holds none such.
func compileAll(silences []alerting.Silence) []compiled {
	var out []compiled
	for _, s := range silences {
		if c, err := compile(s); err == nil {
			out = append(out, c)
		}
	}
	return out
}

func (c compiled) active(at time.Time) bool { return !c.StartsAt.After(at) && c.EndsAt.After(at) }

func (c compiled) matches(set map[string]string) bool {
	for _, m := range c.matchers {
		if !m.Matches(set[m.Name]) {
			return false
		}
	}
	return true
}

// unlikely is a value that no label has: a matcher that takes it takes anything.
const unlikely = "\x01no label has this\x01"

// everything says whether all matchers take any value.
func (c compiled) everything() bool {
	return !slices.ContainsFunc(c.matchers, func(m *labels.Matcher) bool { return !m.Matches(unlikely) })
}

// covers says whether the silence is over the rule that sets these labels: it names at least one of
// them, and none of them otherwise. Labels that the rule leaves open may have any value.
func (c compiled) covers(rule map[string]string) bool {
	named := false
	for _, m := range c.matchers {
		v, ok := rule[m.Name]
		if ok && !m.Matches(v) {
			return false
		}
		named = named || ok
	}
	return named
}

// check says what is wrong with a silence that someone wants.
func (i *Intake) check(s alerting.Silence, now time.Time) error {
	c, err := compile(s)
	if err != nil {
		return err
	}
	switch {
	case len(s.Matchers) == 0:
		return errors.New("a silence wants at least one matcher")
	case len(s.Matchers) > maxMatchers:
		return fmt.Errorf("%d matchers are more than %d", len(s.Matchers), maxMatchers)
	case !slices.ContainsFunc(c.matchers, func(m *labels.Matcher) bool { return !m.Matches("") }):
		return errors.New("at least one matcher must not match the empty string")
	case !s.EndsAt.After(s.StartsAt):
		return errors.New("the end is not after the start")
	case !s.EndsAt.After(now):
		return errors.New("the end has passed")
	}
	begin := s.StartsAt
	if begin.Before(now) {
		begin = now
	}
	if s.EndsAt.Sub(begin) <= maxVital {
		return nil
	}
	if what := i.vital(c); what != "" {
		return fmt.Errorf("a silence over %s must end within %v of its start, this one lasts %v", what, maxVital, s.EndsAt.Sub(begin).Round(time.Minute))
	}
	return nil
}

// vital names what a silence covers that nobody may sleep through for long.
func (i *Intake) vital(c compiled) string {
	if c.everything() {
		return "everything"
	}
	for _, rule := range i.opts.Vital() {
		if c.covers(rule) {
			return "the P1 rule " + rule[alerting.LabelRule]
		}
	}
	for _, p := range i.opts.View().Problems {
		if p.Priority == alerting.P1 && c.matches(p.Root.Labels) {
			return "a P1, " + p.Root.Rule()
		}
	}
	return ""
}

func (i *Intake) getSilences(w http.ResponseWriter, r *http.Request) {
	f, err := newFilter(r)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	v := i.opts.View()
	list := models.GettableSilences{}
	for _, s := range v.Silences {
		// Alertmanager filters silences by their own matchers, taken as labels.
		set := map[string]string{}
		for _, m := range s.Matchers {
			set[m.Name] = m.Value
		}
		if !slices.ContainsFunc(f.matchers, func(m *labels.Matcher) bool { return !m.Matches(set[m.Name]) }) {
			list = append(list, gettable(s, time.Now()))
		}
	}
	answer(w, http.StatusOK, list)
}

func gettable(s alerting.Silence, now time.Time) *models.GettableSilence {
	state := models.SilenceStatusStateActive
	switch {
	case !s.EndsAt.After(now):
		state = models.SilenceStatusStateExpired
	case s.StartsAt.After(now):
		state = models.SilenceStatusStatePending
	}
	starts, ends, updated := strfmt.DateTime(s.StartsAt), strfmt.DateTime(s.EndsAt), strfmt.DateTime(s.UpdatedAt)
	g := &models.GettableSilence{ID: &s.ID, UpdatedAt: &updated, Status: &models.SilenceStatus{State: &state}}
	g.Silence = models.Silence{Comment: &s.Comment, CreatedBy: &s.CreatedBy, StartsAt: &starts, EndsAt: &ends, Matchers: models.Matchers{}}
	for _, m := range s.Matchers {
		equal := !m.Negative
		g.Matchers = append(g.Matchers, &models.Matcher{Name: &m.Name, Value: &m.Value, IsRegex: &m.Regex, IsEqual: &equal})
	}
	return g
}

func (i *Intake) find(id string) (alerting.Silence, bool) {
	all := i.opts.View().Silences
	n := slices.IndexFunc(all, func(s alerting.Silence) bool { return s.ID == id })
	if n < 0 {
		return alerting.Silence{}, false
	}
	return all[n], true
}

func (i *Intake) getSilence(w http.ResponseWriter, r *http.Request) {
	s, ok := i.find(r.PathValue("id"))
	if !ok {
		i.fail(w, http.StatusNotFound, fmt.Errorf("no silence %q", r.PathValue("id")))
		return
	}
	answer(w, http.StatusOK, gettable(s, time.Now()))
}

func (i *Intake) deleteSilence(w http.ResponseWriter, r *http.Request) {
	s, ok := i.find(r.PathValue("id"))
	if !ok {
		i.fail(w, http.StatusNotFound, fmt.Errorf("no silence %q", r.PathValue("id")))
		return
	}
	now := time.Now()
	s.EndsAt, s.UpdatedAt = now, now
	if i.put(w, r, alerting.Silenced{Silence: s, By: cutLabel(person(r, r.URL.Query().Get("by")))}) {
		w.WriteHeader(http.StatusOK)
	}
}

func (i *Intake) postSilence(w http.ResponseWriter, r *http.Request) {
	var p models.PostableSilence
	if err := read(w, r, maxSmall, &p); err != nil {
		i.fail(w, status(err), err)
		return
	}
	s, err := fromWire(p)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	s.CreatedBy = person(r, s.CreatedBy)
	if s.ID != "" {
		old, ok := i.find(s.ID)
		if !ok {
			i.fail(w, http.StatusNotFound, fmt.Errorf("no silence %q", s.ID))
			return
		}
		if !slices.Equal(old.Matchers, s.Matchers) { // another silence: the old one ends
			now := time.Now()
			old.EndsAt, old.UpdatedAt = now, now
			if err := i.check(s, now); err == nil && !i.put(w, r, alerting.Silenced{Silence: old, By: s.CreatedBy}) {
				return
			}
			s.ID = ""
		}
	}
	i.silence(w, r, s, func(id string) any { return map[string]string{"silenceID": id} })
}

// silence checks s, hands it on and answers with what shown makes of its ID.
func (i *Intake) silence(w http.ResponseWriter, r *http.Request, s alerting.Silence, shown func(id string) any) {
	now := time.Now()
	if s.StartsAt.IsZero() {
		s.StartsAt = now
	}
	s.UpdatedAt = now
	if err := i.check(s, now); err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	if s.ID == "" {
		s.ID = newID()
	}
	if i.put(w, r, alerting.Silenced{Silence: s}) {
		answer(w, http.StatusOK, shown(s.ID))
	}
}

func fromWire(p models.PostableSilence) (alerting.Silence, error) {
	if p.StartsAt == nil || p.EndsAt == nil || p.CreatedBy == nil || p.Comment == nil {
		return alerting.Silence{}, errors.New("a silence wants startsAt, endsAt, createdBy, comment and matchers")
	}
	s := alerting.Silence{
		ID: p.ID, StartsAt: time.Time(*p.StartsAt), EndsAt: time.Time(*p.EndsAt), CreatedBy: cutLabel(*p.CreatedBy),
		Comment: (*p.Comment)[:min(len(*p.Comment), maxComment)],
	}
	for _, m := range p.Matchers {
		if m == nil || m.Name == nil || m.Value == nil || m.IsRegex == nil {
			return s, errors.New("a matcher wants name, value and isRegex")
		}
		s.Matchers = append(s.Matchers, alerting.Matcher{
			Name: *m.Name, Value: *m.Value, Regex: *m.IsRegex, Negative: m.IsEqual != nil && !*m.IsEqual,
		})
	}
	return s, nil
}

// newID is a random UUID (RFC 9562, version 4), which Alertmanager's tools expect.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
