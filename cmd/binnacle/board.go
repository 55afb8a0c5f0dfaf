package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
)

// boardOptions are how the board is shown.
type boardOptions struct {
	remote
	json, all, watch bool
	every            time.Duration
	width            int
	hands            hands
}

func newBoard() *cobra.Command {
	var o boardOptions
	cmd := &cobra.Command{
		Use: "board", Short: "Show what is wrong, the worst first; exits 2 while a P1 waits for a person, 1 for anything else that pages", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.every < 100*time.Millisecond || o.every > time.Hour {
				return fmt.Errorf("--every: want 100ms to 1h, have %v", o.every)
			}
			if o.watch && o.json {
				return errors.New("--watch and --json: want one of them")
			}
			o.width = columns(o.width)
			if o.watch {
				keys, out, back := terminal(os.Stdin, cmd.OutOrStdout())
				defer back()
				o.hands.keys = keys
				return o.keepWatch(cmd.Context(), out)
			}
			return o.once(cmd.Context(), cmd.OutOrStdout())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "as JSON, all that the router thinks")
	f.BoolVar(&o.all, "all", false, "P4 and P5 too, however many")
	f.BoolVarP(&o.watch, "watch", "w", false, "show it again and again, until interrupted; in a terminal by keys: "+boardKeys)
	f.DurationVar(&o.every, "every", 2*time.Second, "how often --watch looks")
	f.IntVar(&o.width, "width", 0, "columns to keep within (default: the terminal's, else 80)")
	return cmd
}

// Bounds of the width, in columns.
const (
	minColumns = 30
	maxColumns = 120 // longer lines are hard to read
)

// columns is how wide the text may be.
func columns(want int) int {
	if want == 0 {
		want, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	if want == 0 {
		if size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ); err == nil {
			want = int(size.Col)
		}
	}
	return min(max(cmp.Or(want, 80), minColumns), maxColumns)
}

func (o *boardOptions) once(ctx context.Context, w io.Writer) error {
	n, err := o.now(ctx)
	if err != nil {
		return err
	}
	if o.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(n)
	}
	if _, err := io.WriteString(inColour(w), o.text(n, time.Now())); err != nil {
		return err
	}
	if code := boardCode(n.View); code != health.ExitOK {
		return exitError(code)
	}
	return nil
}

// keepWatch shows the board until ctx ends, or a person ends it. An agent that does not answer is told, and asked again.
func (o *boardOptions) keepWatch(ctx context.Context, w io.Writer) error {
	const home = "\x1b[H\x1b[2J"
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		n, err := o.now(ctx)
		if ctx.Err() != nil {
			return nil
		}
		text := fmt.Sprintln(time.Now().Format("15:04:05"), "NOT KNOWN:", err)
		if err == nil {
			text = o.text(n, time.Now()) + o.foot(n, time.Now())
		}
		if _, err := io.WriteString(inColour(w), home+text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case key, ok := <-o.hands.keys:
			if !ok {
				o.hands.keys = nil // the terminal went away; the board goes on
			} else if o.press(ctx, key, n.View) != nil {
				return nil
			}
		case <-tick.C:
		}
	}
}

// boardCode is the exit code of a Nagios plugin.
func boardCode(v alerting.View) int {
	code := health.ExitOK
	for _, p := range v.Problems {
		switch {
		case p.State == alerting.SilencedState || p.State == alerting.Recovering || p.Priority > alerting.P3:
		case p.Priority == alerting.P1 && p.State != alerting.AckedState:
			return health.ExitCritical
		default:
			code = health.ExitWarning
		}
	}
	return code
}

// text is the whole board.
func (o *boardOptions) text(n dispatch.Now, now time.Time) string {
	var b strings.Builder
	v := n.View
	head := fmt.Sprintf("%s  %s, %s", now.Format("15:04:05"), words.Plural(len(v.Problems), "problem"), words.Plural(v.Firing, "alarm"))
	if v.Lost > 0 {
		head += fmt.Sprintf(", %d lost contact", v.Lost)
	}
	if v.Storm {
		head += ", storm"
	}
	fold(&b, o.width, "", head)
	for _, s := range standing(n, now) {
		fold(&b, o.width, "! ", s)
	}
	hidden := 0
	for i, p := range v.Problems {
		if p.Priority > alerting.P3 && !o.all {
			hidden++
			continue
		}
		b.WriteByte('\n')
		o.problem(&b, i+1, p, v, now)
	}
	b.WriteByte('\n')
	if hidden > 0 {
		fold(&b, o.width, "", fmt.Sprintf("%d more that page nobody: --all", hidden))
	}
	if len(v.Silences) > 0 {
		fold(&b, o.width, "", words.Plural(len(v.Silences), "silence")+": binnacle silence list")
	}
	if len(v.Problems) == 0 {
		fold(&b, o.width, "", "Nothing is wrong that binnacle knows of.")
	}
	return b.String()
}

// standing is what must be known before one trusts the board.
func standing(n dispatch.Now, now time.Time) (out []string) {
	switch n.Status.Mode {
	case dispatch.Shadow:
		out = append(out, "shadow mode: nobody is paged by this")
	case dispatch.Off:
		out = append(out, "route.mode is off: nobody is paged by this")
	case dispatch.Low:
		out = append(out, "low mode: pages wake nobody")
	}
	if n.Status.Undelivered > time.Minute {
		out = append(out, "a page has not been delivered for "+words.Duration(n.Status.Undelivered))
	}
	if n.Status.Standby {
		out = append(out, "another router of the fleet sends; this one is ready to")
	}
	if !n.Status.Durable {
		out = append(out, "the ledger cannot be written: a restart may page twice")
	}
	if n.Status.StandsIn != "" {
		out = append(out, "the ledger is in memory, in "+n.Status.StandsIn+": a reboot may page twice")
	}
	if n.View.Refused > 0 {
		out = append(out, fmt.Sprintf("%d alarms were not taken: too many", n.View.Refused))
	}
	if age := now.Sub(n.View.At); !n.View.At.IsZero() && age > time.Minute {
		out = append(out, "the router last looked "+words.Duration(age)+" ago")
	}
	return out
}

// problem writes one problem: what, what to do, and why it stands here.
func (o *boardOptions) problem(b *strings.Builder, n int, p alerting.ProblemView, v alerting.View, now time.Time) {
	line := func(indent, s string) { fold(b, o.width, indent, s) }
	line("", fmt.Sprintf("%d. %s %s, since %s (%s)", n, p.Priority, standsAt(p, v, now), clock(p.Page.Since, now), words.Duration(now.Sub(p.Page.Since))))
	line("   ", fmt.Sprintf("%s [%s]", cmp.Or(p.Page.Sentence, on(p.Root)), p.Page.Rule))
	if p.Priority <= alerting.P3 {
		line("   > ", p.Page.Guidance)
	}
	line("   ", "Why: "+p.Reason+".")
	if long := len(p.Explained); long > 0 {
		text := "Explains " + words.Plural(long, "alarm") + "."
		over := 0
		for _, e := range p.Explained {
			if e.Over15 {
				over++
			}
		}
		if over > 0 {
			text += fmt.Sprintf(" %d of them hidden for long.", over)
		}
		line("   ", text)
	}
	if p.Note != "" {
		line("   ", "Note: "+p.Note+".")
	}
	line("   ", "binnacle ack "+p.ID)
}

// standsAt says where a problem is on its way.
func standsAt(p alerting.ProblemView, v alerting.View, now time.Time) string {
	left := ""
	if p.Until.After(now) {
		left = " until " + clock(p.Until, now)
	}
	if p.Claimed() {
		left += ", acknowledged by " + plain(p.AckedBy)
	}
	switch p.State {
	case alerting.AckedState:
		return "acknowledged by " + plain(p.AckedBy)
	case alerting.SilencedState:
		return "silenced by " + plain(p.SilencedBy) + left
	case alerting.Held:
		for i, other := range v.Problems {
			if other.ID == p.Behind {
				return fmt.Sprintf("held behind %d%s", i+1, left)
			}
		}
		return "held" + left
	case alerting.Board:
		return "on the board only" + left
	case alerting.Waiting:
		return "about to page" + left
	case alerting.Recovering:
		return "recovering" + left
	case alerting.ClosedState:
		return "closed at the pager, still firing"
	}
	return string(p.State)
}

// fold writes s in lines of at most width columns. Lines after the first are set in as far as indent is long.
func fold(b *strings.Builder, width int, indent, s string) {
	line, used := indent, len(indent)
	empty := true
	for _, word := range strings.Fields(plain(s)) {
		rs := []rune(word)
		if !empty && used+1+len(rs) > width {
			b.WriteString(line + "\n")
			line, used, empty = strings.Repeat(" ", len(indent)), len(indent), true
		}
		if !empty {
			line, used = line+" ", used+1
		}
		line, used, empty = line+word, used+len(rs), false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
