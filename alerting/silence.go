package alerting

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// MaxSilenceP1 is how long after its start a silence covers a P1, whatever covers it: nobody sleeps through one for
// longer than a day without asking again.
const MaxSilenceP1 = 24 * time.Hour

// Active says whether a silence holds at now.
func (s Silence) Active(now time.Time) bool { return !now.Before(s.StartsAt) && now.Before(s.EndsAt) }

// Until is when the silence ends for an alarm of this priority.
func (s Silence) Until(p Priority) time.Time {
	if end := s.StartsAt.Add(MaxSilenceP1); p == P1 && end.Before(s.EndsAt) {
		return end
	}
	return s.EndsAt
}

// Matches says whether all matchers fit the labels. A silence without matchers fits nothing.
func (s Silence) Matches(set map[string]string) bool {
	for _, m := range s.Matchers {
		if !m.Matches(set) {
			return false
		}
	}
	return len(s.Matchers) > 0
}

// Covers says whether the silence keeps the alarm with these labels and this fingerprint from paging, while it is active.
// It covers the alarms that it lists. By matchers it covers a symptom only when one of them names the symptom's own rule:
// who silences a host or a service does not mean its users.
func (s Silence) Covers(set map[string]string, fingerprint string) bool {
	if slices.Contains(s.Alarms, fingerprint) {
		return true
	}
	return s.Matches(set) && (!SaysSymptom(set[LabelKind], set[LabelLayer]) || s.names(set))
}

// names says whether a matcher asks for the rule, and not for any rule.
func (s Silence) names(set map[string]string) bool {
	return slices.ContainsFunc(s.Matchers, func(m Matcher) bool {
		return m.Name == LabelRule && !m.Negative && m.Matches(set) && !m.Matches(unlikely(LabelRule))
	})
}

// Everything says whether the matchers fit any alarm.
func (s Silence) Everything() bool {
	return !slices.ContainsFunc(s.Matchers, func(m Matcher) bool { return !m.Matches(unlikely(m.Name)) })
}

// MayCover says whether the silence covers alarms of a rule that sets these labels: it names at least one of them, and fits
// all that it names. The labels that the rule leaves open may have any value.
func (s Silence) MayCover(rule map[string]string) bool {
	named := false
	for _, m := range s.Matchers {
		if _, ok := rule[m.Name]; ok {
			named = true
			if !m.Matches(rule) {
				return false
			}
		}
	}
	return named
}

// Check says which matcher cannot be read, or why the silence can cover nothing.
func (s Silence) Check() error {
	exact := map[string]string{}
	for _, m := range s.Matchers {
		if _, err := m.compile(); err != nil {
			return fmt.Errorf("matcher %s: %w", m.Name, err)
		}
		if m.Regex || m.Negative {
			continue
		}
		if other, ok := exact[m.Name]; ok && other != m.Value {
			return fmt.Errorf(`it can match nothing: %s cannot be %q and %q; use %s=~"%s|%s"`, m.Name, other, m.Value, m.Name, other, m.Value)
		}
		exact[m.Name] = m.Value
	}
	for _, m := range s.Matchers {
		if v, ok := exact[m.Name]; ok && !m.Matches(map[string]string{m.Name: v}) {
			return fmt.Errorf("it can match nothing: %s cannot be %q and fit %s", m.Name, v, m)
		}
	}
	if !slices.ContainsFunc(s.Matchers, func(m Matcher) bool { return !m.Matches(nil) }) {
		return fmt.Errorf("at least one matcher must not match the empty string")
	}
	return nil
}

// unlikely is a set in which the label has a value that no label has: a matcher that fits it fits anything.
func unlikely(name string) map[string]string {
	return map[string]string{name: "\x01no label has this\x01"}
}

// Matches says whether the matcher fits the labels; a label that is not there is empty. A broken one, which nobody can
// make by our interfaces, fits nothing.
func (m Matcher) Matches(set map[string]string) bool {
	if !m.Regex {
		return (set[m.Name] == m.Value) != m.Negative
	}
	lm, err := m.compile()
	return err == nil && lm.Matches(set[m.Name])
}

// String is the matcher in Alertmanager's notation.
func (m Matcher) String() string {
	if lm, err := m.compile(); err == nil {
		return lm.String()
	}
	return m.Name + "=~" + m.Value
}

// compiled remembers matchers; it starts anew when it has grown too long.
var compiled = struct {
	sync.Mutex
	by map[Matcher]*labels.Matcher
}{by: map[Matcher]*labels.Matcher{}}

const maxCompiled = 2000

// compile makes Alertmanager's own matcher, so that the router, the API and the board match alike.
func (m Matcher) compile() (*labels.Matcher, error) {
	compiled.Lock()
	defer compiled.Unlock()
	if lm, ok := compiled.by[m]; ok {
		return lm, nil
	}
	kind := map[[2]bool]labels.MatchType{
		{false, false}: labels.MatchEqual, {false, true}: labels.MatchNotEqual,
		{true, false}: labels.MatchRegexp, {true, true}: labels.MatchNotRegexp,
	}[[2]bool{m.Regex, m.Negative}]
	lm, err := labels.NewMatcher(kind, m.Name, m.Value)
	if err != nil {
		return nil, err
	}
	if len(compiled.by) >= maxCompiled {
		clear(compiled.by)
	}
	compiled.by[m] = lm
	return lm, nil
}
