package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
)

// quietFor is how long the key s silences: long enough to work, short enough to be forgotten.
const quietFor = 2 * time.Hour

const boardKeys = "j k choose, a acknowledge, u undo that, s silence 2 h, o open, q end"

// hands are what a person does at the terminal while the board is watched.
type hands struct {
	keys   <-chan byte // nil: no terminal
	chosen string      // ID of a problem
	open   bool        // it is shown whole
	said   string      // what became of the last key
}

// terminal lets single keys be read from in, when in and out are a terminal; back undoes that. Elsewhere keys is nil.
func terminal(in *os.File, out io.Writer) (keys <-chan byte, w io.Writer, back func()) {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(f.Fd())) {
		return nil, out, func() {}
	}
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, out, func() {}
	}
	ch := make(chan byte)
	go func() { // it ends with the program: a read of a terminal cannot be taken back
		defer close(ch)
		b := make([]byte, 1)
		for {
			if _, err := in.Read(b); err != nil {
				return
			}
			ch <- b[0]
		}
	}()
	return ch, returning{inColour(out)}, func() { _ = term.Restore(int(in.Fd()), state) }
}

// returning ends lines as a terminal in raw mode wants it.
type returning struct{ io.Writer }

func (r returning) Write(p []byte) (int, error) {
	_, err := io.WriteString(r.Writer, strings.ReplaceAll(string(p), "\n", "\r\n"))
	return len(p), err
}

var errEnd = errors.New("end")

// press does what a key is for. errEnd ends the watch.
func (o *boardOptions) press(ctx context.Context, key byte, v alerting.View) error {
	h := &o.hands
	h.said = ""
	at := -1
	for i, p := range v.Problems {
		if p.ID == h.chosen {
			at = i
		}
	}
	move := func(i int) {
		if len(v.Problems) > 0 {
			h.chosen = v.Problems[min(max(i, 0), len(v.Problems)-1)].ID
		}
	}
	switch key {
	case 'q', 3, 4: // and as a terminal sends interrupt and end of file, which raw mode leaves to us
		return errEnd
	case 'j':
		move(at + 1)
	case 'k':
		move(at - 1)
	case 'o', '\r':
		h.open = !h.open
	case 'a', 'u', 's':
		if at < 0 {
			h.said = "choose a problem first: j"
			return nil
		}
		h.said = o.act(ctx, key, v.Problems[at])
	}
	return nil
}

// act says what became of it.
func (o *boardOptions) act(ctx context.Context, key byte, p alerting.ProblemView) string {
	var err error
	done := ""
	switch key {
	case 'a', 'u':
		err = o.post(ctx, intake.PathAck, intake.AckRequest{Problem: p.ID, By: whoami(), Undo: key == 'u'}, &intake.AckAnswer{})
		done = map[byte]string{'a': "acknowledged: ", 'u': "acknowledgement taken back: "}[key]
	case 's':
		err = o.post(ctx, intake.PathSilence, intake.SilenceRequest{Problem: p.ID, For: quietFor.String(), By: whoami(), Comment: "at the terminal"}, &intake.SilenceAnswer{})
		done = "silenced for 2 h (binnacle silence list): "
	}
	if err != nil {
		return "not done: " + err.Error()
	}
	return done + p.Page.Sentence
}

// foot is what stands below the board while keys are read.
func (o *boardOptions) foot(n dispatch.Now, now time.Time) string {
	h := o.hands
	if h.keys == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range n.View.Problems {
		if p.ID != h.chosen {
			continue
		}
		fold(&b, o.width, "", fmt.Sprintf("-- %s %s, %s", p.Priority, p.Page.Sentence, standsAt(p, n.View, now)))
		if h.open {
			fold(&b, o.width, "   ", "Who is affected: "+p.Page.Impact)
			fold(&b, o.width, "   ", "First: "+p.Page.Guidance)
			for _, e := range p.Explained {
				fold(&b, o.width, "   - ", on(e.Alarm)+": "+e.Why)
			}
		}
	}
	if h.said != "" {
		fold(&b, o.width, "! ", h.said)
	}
	fold(&b, o.width, "", boardKeys)
	return b.String()
}
