package oncall

import (
	"strings"
	"unicode/utf8"

	"github.com/navcloud/binnacle/agent/words"
)

// firstStep is guidance as a page shows it: what to do, the command for it on a line of its own, and what comes after.
type firstStep struct {
	Lead, Command, Then string
}

// longLead is up to how many characters a first step is read at a glance; what is longer is cut at the end of a sentence.
const longLead = 180

// stepOf splits guidance at the first command that a colon announces. Commands inside of sentences stay there.
func stepOf(guidance string) firstStep {
	text := strings.Join(strings.Fields(guidance), " ")
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '`')
		if i < 0 {
			break
		}
		i += at
		n := strings.IndexByte(text[i+1:], '`')
		if n < 0 {
			break
		}
		command, rest := text[i+1:i+1+n], text[i+n+2:]
		if lead := strings.TrimSpace(text[:i]); strings.HasSuffix(lead, ":") && strings.Contains(command, " ") {
			s := firstStep{Lead: lead, Command: command, Then: sentence(rest)}
			return s.shorten()
		}
		at = i + n + 2
	}
	return firstStep{Lead: text}.shorten()
}

// sentence makes one of what follows a command.
func sentence(rest string) string {
	rest = strings.TrimLeft(rest, " ;,.")
	first, size := utf8.DecodeRuneInString(rest)
	word, _, _ := strings.Cut(rest, " ")
	if size == 1 && first >= 'a' && first <= 'z' && !strings.ContainsAny(word, "_:.`/") {
		rest = words.Capital(rest)
	}
	if rest != "" && !strings.HasSuffix(rest, ".") {
		rest += "."
	}
	return rest
}

// shorten moves all but the first sentences of a long lead behind, where they break no code.
func (s firstStep) shorten() firstStep {
	if utf8.RuneCountInString(s.Lead) <= longLead || s.Command != "" {
		return s
	}
	for at := strings.LastIndex(s.Lead[:longLead], ". "); at > 0; at = strings.LastIndex(s.Lead[:at], ". ") {
		if strings.Count(s.Lead[:at], "`")%2 == 0 {
			s.Lead, s.Then = s.Lead[:at+1], strings.TrimSpace(s.Lead[at+1:]+" "+s.Then)
			break
		}
	}
	return s
}
