package diagnosis

import (
	"fmt"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// vain says that the pages of an alarm of others were in vain: what they were about ended by itself, time after time, before anybody
// acknowledged it. What harms users or data, and what its own rule calls so, is never judged by that.
func (w *weighed) vain() bool {
	was, r := w.Past.Vain, w.Reading
	switch {
	case r == nil || was == (alerting.Vain{}) || !w.Foreign() || steadfast(w.Fact, w.impact):
		return false
	case was.Own >= vainUrgent && was.Longest <= vainUrgentWithin:
		return true
	case !w.nobodySays():
		return false
	case was.Own >= vainOwn:
		return true
	}
	return was.Rule >= vainRule && r.Kind.Value != "down"
}

// nobodySays says that an alarm has no severity, or one that nobody knows.
func (w *weighed) nobodySays() bool {
	return w.Reading != nil && w.Reading.Severity.Trust == alerting.Unread
}

// inVain is the reason of a ticket that would be a page.
func (w *weighed) inVain() string {
	was, who, times := w.Past.Vain, "it", w.Past.Vain.Own
	if was.Own == 0 {
		who, times = "its rule", was.Rule
	}
	called := fmt.Sprintf("%s called %d times lately", who, times)
	if times == 1 {
		called = who + " called lately"
	}
	text := fmt.Sprintf("%s, ended by itself within %s, and nobody acknowledged it", called, words.Compact(was.Longest))
	if w.nobodySays() {
		return "nobody says how urgent it is; " + text
	}
	return text
}
