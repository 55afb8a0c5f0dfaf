package importer

import (
	"regexp"
	"strings"
)

var (
	objectStart = regexp.MustCompile(`\{\s*(?:,\s*)?(?:"[^"]*"|[A-Za-z_$][\w$]*)\s*:`)
	plainValue  = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"|-?[\d.]+|true|false|null)$`)
	orElse      = regexp.MustCompile(`^(.*?)\|\|\s*("(?:[^"\\]|\\.)*"|-?[\d.]+|true|false)\s*\)?$`)
)

// ofObject is the first object literal of a source that object has cleaned: what is around it, such as module.exports or a
// function, is left out.
func ofObject(source string) string {
	at := objectStart.FindStringIndex(source)
	if at == nil {
		return source
	}
	source = source[at[0]:]
	return source[:closing(source, 0)]
}

// closing is the place behind what opens at from: an object, a list, a call or a text.
func closing(s string, from int) int {
	depth := 0
	for i := from; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// valuesOnly replaces expressions, which only JavaScript can read, by what they say where a variable is not set, else by null. Each is
// told with its key.
func valuesOnly(source string, tell func(key, expression, instead string)) string {
	var out strings.Builder
	key := ""
	for i := 0; i < len(source); {
		rest := source[i:]
		if c := source[i]; c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ' ' || c == '\n' || c == '\r' {
			out.WriteByte(c)
			i++
			continue
		}
		end := valueEnd(source, i)
		word := strings.TrimSpace(source[i:end])
		if end < len(source) && source[end] == ':' {
			key = strings.Trim(word, `"`)
			out.WriteString(`"` + key + `": `)
			i = end + 1
			continue
		}
		instead := word
		if !plainValue.MatchString(word) {
			instead = "null"
			if m := orElse.FindStringSubmatch(word); m != nil {
				instead = m[2]
			}
			tell(key, word, instead)
		}
		out.WriteString(instead)
		i += max(len(strings.TrimRight(rest[:end-i], " \r\n")), 1)
	}
	return out.String()
}

// valueEnd is where a key or a value ends that begins at from.
func valueEnd(s string, from int) int {
	for i := from; i < len(s); i++ {
		switch s[i] {
		case '"', '(', '[', '{':
			if s[i] == '"' {
				for i++; i < len(s) && s[i] != '"'; i++ {
					if s[i] == '\\' {
						i++
					}
				}
				continue
			}
			i = closing(s, i) - 1
		case ',', '}', ']':
			return i
		case ':':
			if !strings.Contains(s[from:i], "?") { // of a condition it parts two values
				return i
			}
		}
	}
	return len(s)
}
