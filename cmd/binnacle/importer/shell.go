package importer

import "strings"

// shellWords splits a command line as a shell would; why says what only a shell does.
func shellWords(line string) (words []string, why string) {
	var b strings.Builder
	in := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\'' || c == '"':
			end := i + 1
			for end < len(line) && line[end] != c {
				if c == '"' && line[end] == '\\' && end+1 < len(line) {
					end++
				} else if c == '"' && (line[end] == '`' || line[end] == '$' && !strings.HasPrefix(line[end:], "${env:")) {
					return nil, "an expansion"
				}
				b.WriteByte(line[end])
				end++
			}
			if end >= len(line) {
				return nil, "a quote without its end"
			}
			i, in = end, true
		case c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
			in = true
		case strings.HasPrefix(line[i:], "${env:"):
			b.WriteByte(c)
			in = true
		case strings.IndexByte("|&;<>()$`*?[]#~\n", c) >= 0, c == '!' && !in:
			return nil, string(c)
		case c == ' ' || c == '\t':
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, b.String())
	}
	return words, ""
}
