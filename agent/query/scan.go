package query

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Bounds of one question, looked at before it is parsed: PromQL's parser takes 17 s for 40 KB of parentheses, measured in
// November 2026, and a regular expression of a few bytes can become a program of a hundred megabytes.
const (
	maxLength   = 64 << 10 // bytes; the longest of a dashboard are lists of a few hundred hosts
	maxDepth    = 100      // of brackets
	maxSigns    = 50       // in a row: each is a level of the tree
	maxOperands = 2000     // a chain of operators is as deep as it is long
	maxProgram  = 20_000   // instructions of all regular expressions, about 1 MB
	maxClasses  = 1 << 10  // bytes of expressions with classes of Unicode or without regard to case
)

// Check says what of a PromQL text is out of bounds. That it is PromQL is for the parser to say.
func Check(promql string) error {
	if len(promql) > maxLength {
		return fmt.Errorf("the query has %d bytes, at most %d are taken", len(promql), maxLength)
	}
	var depth, signs, operands, program, classes int
	for i := 0; i < len(promql); i++ {
		c := promql[i]
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '#':
			end := strings.IndexByte(promql[i:], '\n')
			if end < 0 {
				return nil
			}
			i += end
		case '"', '\'', '`':
			text, rest := quoted(promql[i:])
			i = len(promql) - len(rest) - 1
			n, class := Regex(text)
			program += n
			if class {
				classes += len(text)
			}
		}
		switch {
		case c == '-' || c == '+':
			signs++
			operands++
		case strings.IndexByte("*/%^=<>!@,", c) >= 0 || (i == 0 || !letter(promql[i-1])) && word(promql[i:]):
			operands++
			signs = 0
		case c != ' ' && c != '\t' && c != '\n' && c != '\r':
			signs = 0
		}
		if err := tooMuch(depth, signs, operands, program, classes); err != nil {
			return err
		}
	}
	return nil
}

func tooMuch(depth, signs, operands, program, classes int) error {
	switch {
	case depth > maxDepth:
		return fmt.Errorf("the query is nested deeper than %d", maxDepth)
	case signs > maxSigns:
		return fmt.Errorf("the query has more than %d signs in a row", maxSigns)
	case operands > maxOperands:
		return fmt.Errorf("the query has more than %d operators", maxOperands)
	case program > maxProgram || classes > maxClasses:
		return errors.New("the query's regular expressions are too large")
	}
	return nil
}

// word says whether an operator that is a word begins here.
func word(s string) bool {
	for _, w := range []string{"or", "and", "unless", "atan2"} {
		if len(s) > len(w) && strings.EqualFold(s[:len(w)], w) && !letter(s[len(w)]) {
			return true
		}
	}
	return false
}

func letter(c byte) bool {
	return c == '_' || c == ':' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// quoted parts a text that begins with a quote from what follows it.
func quoted(s string) (text, rest string) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] != '`':
			i++
		case s[i] == s[0]:
			text = s[1:i]
			if s[0] != '`' {
				if plain, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`); err == nil {
					text = plain
				}
			}
			return text, s[i+1:]
		}
	}
	return s[1:], ""
}

// CheckRegex says what of a single regular expression is out of bounds: of a silence, or of a filter.
func CheckRegex(text string) error {
	n, class := Regex(text)
	switch {
	case len(text) > 4<<10:
		return fmt.Errorf("the regular expression has %d bytes, at most %d are taken", len(text), 4<<10)
	case n > maxProgram/4 || class && len(text) > maxClasses:
		return errors.New("the regular expression is too large: it has too many repetitions or classes")
	}
	return nil
}

// Regex estimates the instructions of a regular expression without building its program, and says whether it has what makes
// parsing itself costly. A text that is none costs its length.
func Regex(text string) (instructions int, class bool) {
	class = strings.Contains(text, `\p`) || strings.Contains(text, `\P`) || ignoresCase(text)
	if !strings.ContainsAny(text, "{") || class && len(text) > maxClasses {
		return len(text), class
	}
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return len(text), class
	}
	return size(re), class
}

// ignoresCase says whether a group turns the flag i on.
func ignoresCase(text string) bool {
	for {
		i := strings.Index(text, "(?")
		if i < 0 {
			return false
		}
		text = text[i+2:]
		flags := strings.IndexFunc(text, func(r rune) bool { return r < 'A' || r > 'z' })
		if flags < 0 {
			flags = len(text)
		}
		if strings.Contains(text[:flags], "i") {
			return true
		}
	}
}

func size(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/16
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n = min(n+size(sub), 1<<30)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(re.Max, re.Min, 1), 1<<30)
	}
	return n
}
