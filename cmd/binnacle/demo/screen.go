package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// screen is the terminal: lines that stay, and below them one line of counts that is rewritten in place. Where
// the output is no terminal the counts come as a line of their own now and then.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	tty   bool
	line  string
	calls int
}

// plainEvery is how many seconds pass between two lines of counts where there is no terminal.
const plainEvery = 10

func newScreen(out io.Writer, tty bool) *screen { return &screen{out: out, tty: tty} }

// say writes lines that stay.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if s.tty {
		text = "\r\x1b[K" + text + "\n" + s.line
	} else {
		text += "\n"
	}
	_, _ = io.WriteString(s.out, text)
}

// counts rewrites the line of counts, once a second.
func (s *screen) counts(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	switch {
	case s.tty:
		s.line = line
		_, _ = io.WriteString(s.out, "\r\x1b[K"+line)
	case s.calls%plainEvery == 0:
		_, _ = io.WriteString(s.out, line+"\n")
	}
}

// end takes the line of counts away.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tty {
		_, _ = io.WriteString(s.out, "\r\x1b[K")
	}
	s.line = ""
}

// frame draws a page as a phone would show it.
func (s *screen) frame(head, text string) {
	var b strings.Builder
	bold, plain := "", ""
	if s.tty {
		bold, plain = "\x1b[1m", "\x1b[0m"
	}
	fmt.Fprintf(&b, "\n%s== %s%s\n", bold, head, plain)
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		b.WriteString("   " + wrap(strings.TrimRight(line, "\n"), 100, "             ") + "\n")
	}
	s.say("%s", b.String())
}

// wrap breaks a line at spaces so that it is at most width wide; what follows is indented.
func wrap(line string, width int, indent string) string {
	lead := line[:len(line)-len(strings.TrimLeft(line, " "))]
	name, rest := "", line
	if lead != "" && len(line) > 12 { // a field of a page: its name keeps its column
		name, rest = line[:12], line[12:]
	}
	var b strings.Builder
	b.WriteString(name)
	at := len(name)
	for i, word := range strings.Fields(rest) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteString("\n" + indent + "  ")
			at = len(indent)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}
