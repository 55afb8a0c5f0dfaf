package incidents

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/navcloud/binnacle/agent/words"
)

// clip cuts s to n runes. First goes what says the least: further sentences, and for how long a condition held. Then words of the middle: a
// sentence begins with what it is about, and often ends with what is wrong with that. What no phone prints goes in any case.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(words.Printed(s)), " ")
	if utf8.RuneCountInString(s) > n {
		s = terse(s)
	}
	if runes := []rune(s); len(runes) > n {
		return middle(runes, n)
	}
	return s
}

// spans are words on for how long something held, which the page has elsewhere.
var spans = regexp.MustCompile(`(?i) (for|over|during|since|(in|within) (the )?(last|past|previous))( at least| more than| over| longer than)?( the| a)?( last| past| previous)? (\d+(\.\d+)? ?(s|m|h|d|secs?|seconds?|mins?|minutes?|hours?|days?)|few minutes|while|hour|day|minute)\b\.?`)

// fewest runes make a sentence that stands alone.
const fewest = 20

// terse leaves out further sentences and clauses, and for how long something held.
func terse(s string) string {
	for _, end := range []string{". ", "; "} {
		if first, _, more := strings.Cut(s, end); more && utf8.RuneCountInString(first) >= fewest {
			s = first
		}
	}
	if short := strings.TrimSpace(spans.ReplaceAllString(s, "")); utf8.RuneCountInString(short) >= fewest {
		s = short
	}
	return s
}

// middle cuts the middle out: two thirds of what stays are of the begin, between words where that costs little.
func middle(runes []rune, n int) string {
	room := n - 1
	head := near(runes, room*2/3, -1)
	tail := near(runes, len(runes)-(room-head), 1)
	return strings.TrimRight(string(runes[:head]), ",;: (") + "…" + string(runes[tail:])
}

// wordMost is how many runes a cut between words may cost.
const wordMost = 10

// near is a place at or beside at, in a direction, between two words; at itself where the next one is far.
func near(runes []rune, at, by int) int {
	for k := at; k > 0 && k < len(runes) && (k-at)*by <= wordMost; k += by {
		if runes[k] == ' ' {
			return k
		}
	}
	return at
}
