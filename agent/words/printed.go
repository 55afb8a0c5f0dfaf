package words

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// colours are the sequences that move a terminal's cursor or change its colours, and those that set its title.
// Source: ECMA-48, 5.4; xterm for the title.
var colours = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\-_])")

// Printed returns what a program printed as a person may read it on a page, a phone and in a file: UTF-8 without the commands of a
// terminal, without control characters but the tabulator and the end of a line, and without the marks that turn the direction of
// the text around them.
func Printed(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || control(r) }) < 0 {
		return s
	}
	s = colours.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "")
	return strings.Map(func(r rune) rune {
		if control(r) {
			return -1
		}
		return r
	}, s)
}

func control(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Capital makes the first letter of text a capital one, as a sentence begins.
func Capital(text string) string {
	if text == "" {
		return ""
	}
	first, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[n:]
}

// Cut cuts text to n bytes, at a whole character.
func Cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}

// Clip cuts text to a length in bytes, at a whole character, and marks that it did.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
