package alerting

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// Active says whether a silence holds at now.
func (s Silence) Active(now time.Time) bool { return !now.Before(s.StartsAt) && now.Before(s.EndsAt) }

// Matches says whether all matchers fit the labels. A silence without matchers fits nothing.
func (s Silence) Matches(labels map[string]string) bool {
	for _, m := range s.Matchers {
		if !m.Matches(labels) {
			return false
		}
	}
	return len(s.Matchers) > 0
}

// Covers says whether the silence keeps an alarm with these labels from paging, whenever it holds. That users
// are hurt is covered only when the silence names the alarm's own rule.
func (s Silence) Covers(labels map[string]string) bool {
	symptom := strings.EqualFold(labels[LabelKind], "symptom") || strings.EqualFold(labels[LabelLayer], "symptom")
	return s.Matches(labels) && (!symptom || s.names(labels[LabelRule]))
}

// Matches says whether the matcher fits the labels; a label that is not there is empty.
func (m Matcher) Matches(labels map[string]string) bool {
	ok := labels[m.Name] == m.Value
	if m.Regex {
		re := compiled(m.Value)
		ok = re != nil && re.MatchString(labels[m.Name])
	}
	return ok != m.Negative
}

// regexps remembers compiled matchers; it starts anew when it has grown too long. A broken one, which
// the intake refuses, fits nothing.
var regexps = struct {
	sync.Mutex
	by map[string]*regexp.Regexp
}{by: map[string]*regexp.Regexp{}}

func compiled(text string) *regexp.Regexp {
	regexps.Lock()
	defer regexps.Unlock()
	if re, ok := regexps.by[text]; ok {
		return re
	}
	if len(regexps.by) >= 1000 {
		clear(regexps.by)
	}
	re, err := regexp.Compile("^(?s:" + text + ")$")
	if err != nil {
		re = nil
	}
	regexps.by[text] = re
	return re
}

// names says whether the silence asks for the rule by its name.
func (s Silence) names(rule string) bool {
	for _, m := range s.Matchers {
		if m.Name == LabelRule && !m.Negative && !m.Regex && m.Value == rule {
			return true
		}
	}
	return false
}
