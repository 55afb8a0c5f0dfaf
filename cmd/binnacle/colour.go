package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
)

// hues are the words that have a colour, each with the number of its SGR sequence: the word says all that the colour does.
var hues = []struct {
	words *regexp.Regexp
	sgr   string
}{
	{regexp.MustCompile(`(?m)^(\d+\. )(P1)\b|^()(CRITICAL)\b|(\s)(BLIND|silent)\b`), "1;31"},
	{regexp.MustCompile(`(?m)^(\d+\. )(P2)\b|^()(WARNING)\b|(\s)(ill)\b`), "33"},
	{regexp.MustCompile(`(?m)^(\d+\. )(P3)\b`), "36"},
	{regexp.MustCompile(`(?m)^()(OK)\b|(\s)(well)\b`), "32"},
}

// tinted is a writer that colours words.
type tinted struct{ w io.Writer }

// Write implements io.Writer. Layout is done before: sequences have no width.
func (t tinted) Write(b []byte) (int, error) {
	out := b
	for _, h := range hues {
		out = h.words.ReplaceAllFunc(out, func(m []byte) []byte {
			word := bytes.TrimLeft(m, " \t\n.0123456789")
			lead := m[:len(m)-len(word)]
			return []byte(string(lead) + "\x1b[" + h.sgr + "m" + string(word) + "\x1b[0m")
		})
	}
	_, err := t.w.Write(out)
	return len(b), err
}

// inColour is w with colours where it is a terminal that shows them and nobody asked for none.
// Source: no-color.org, read 30 November 2026.
func inColour(w io.Writer) io.Writer {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !isTerminal(w) {
		return w
	}
	return tinted{w}
}
