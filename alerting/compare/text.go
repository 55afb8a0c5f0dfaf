package compare

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// brief is how soon an incident ended without an acknowledgement that need not have woken anybody.
const brief = 5 * time.Minute

// side counts the incidents of one side.
type side struct {
	incidents, messages, night, brief, wakes int
}

// night is from 22:00 to 07:00.
func night(t time.Time) bool { return t.Hour() >= 22 || t.Hour() < 7 }

func count(list []*Incident, loc *time.Location) (s side) {
	for _, i := range list {
		s.incidents++
		s.messages += len(i.Messages)
		for _, m := range i.Messages {
			if night(m.In(loc)) {
				s.night++
			}
		}
		if i.Alone && i.End.Sub(i.Start) <= brief {
			s.brief++
		}
		if i.Priority == alerting.P1 || i.Priority == alerting.P2 {
			s.wakes++
		}
	}
	return s
}

// Write writes the report as text that a team can decide on. clean is what texts from outside pass before a terminal shows
// them.
func (r Report) Write(w io.Writer, loc *time.Location, clean func(string) string) {
	fmt.Fprintf(w, "%s to %s: %s beside binnacle\n\n", r.Since.In(loc).Format(time.DateOnly), r.Until.In(loc).Format(time.DateOnly), r.Source)
	t, o := count(r.Theirs, loc), count(r.Ours, loc)
	const row = "%-42s %12v %10v\n"
	fmt.Fprintf(w, row, "", "theirs", "binnacle")
	fmt.Fprintf(w, row, "incidents", t.incidents, o.incidents)
	fmt.Fprintf(w, row, "  of them P1 and P2, which wake", "–", o.wakes)
	fmt.Fprintf(w, row, "  unacknowledged and ended within 5 min", t.brief, o.brief)
	fmt.Fprintf(w, row, "messages to people", t.messages, o.messages)
	fmt.Fprintf(w, row, "  at night, 22:00 to 07:00", t.night, o.night)
	fmt.Fprintf(w, row, "incidents that the other side lacks", len(r.TheirsOnly), len(r.OursOnly))
	r.writePairs(w, loc, clean)
	r.writeAlone(w, loc, clean)
	r.sum(w, t, o)
}

func (r Report) writePairs(w io.Writer, loc *time.Location, clean func(string) string) {
	if len(r.Pairs) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSide by side")
	for _, p := range r.Pairs {
		fmt.Fprintf(w, "  binnacle  %s  %s %s\n", clock(p.Ours.Start, loc), p.Ours.Priority, clean(p.Ours.Title))
		for n, t := range p.Theirs {
			when := ""
			if n == 0 {
				when = ": " + first(p.Earlier())
			}
			fmt.Fprintf(w, "  theirs    %s  %s%s%s\n", clock(t.Start, loc), clean(t.Title), about(t, clean), when)
		}
		if p.How != ByAlarm {
			fmt.Fprintf(w, "            (%s)\n", p.How)
		}
	}
}

func about(i *Incident, clean func(string) string) string {
	text := ", " + words.Plural(len(i.Messages), "message")
	if i.To != "" {
		text += " to " + clean(i.To)
	}
	switch {
	case i.AckedBy != "":
		text += ", acknowledged by " + clean(i.AckedBy)
	case i.Alone:
		text += ", ended after " + words.Duration(i.End.Sub(i.Start))
	}
	return text
}

func first(earlier time.Duration) string {
	switch d := earlier.Round(time.Second); {
	case d > 0:
		return "binnacle " + words.Duration(d) + " earlier"
	case d < 0:
		return "binnacle " + words.Duration(-d) + " later"
	}
	return "at the same time"
}

func (r Report) writeAlone(w io.Writer, loc *time.Location, clean func(string) string) {
	if len(r.TheirsOnly) > 0 {
		fmt.Fprintln(w, "\nTheirs alone: binnacle sent nothing for these")
		for _, t := range r.TheirsOnly {
			fmt.Fprintf(w, "  %s  %s%s\n", clock(t.Start, loc), clean(t.Title), about(t.Incident, clean))
			if t.During != nil {
				fmt.Fprintf(w, "                       while binnacle's %s was open: perhaps a symptom of it\n", clean(t.During.Title))
			}
		}
	}
	if len(r.OursOnly) > 0 {
		fmt.Fprintln(w, "\nbinnacle's alone: they sent nothing for these")
		for _, o := range r.OursOnly {
			fmt.Fprintf(w, "  %s  %s %s\n", clock(o.Start, loc), o.Priority, clean(o.Title))
		}
	}
}

// sum says what would have been better and what worse with binnacle alone, and what a person has to judge.
func (r Report) sum(w io.Writer, theirs, ours side) {
	fmt.Fprintln(w)
	if len(r.Theirs) == 0 {
		fmt.Fprintf(w, "Nothing of %s was found in this time: there is nothing to compare with.\n", r.Source)
		return
	}
	say := func(what, format string, args ...any) {
		fmt.Fprintf(w, "  %-8s"+format+"\n", append([]any{what}, args...)...)
	}
	fmt.Fprintf(w, "Had binnacle paged in place of %s:\n", r.Source)
	r.sumMessages(say, theirs, ours)
	r.sumTimes(say)
	low := 0
	for _, p := range r.Pairs {
		if p.Ours.Priority > alerting.P2 {
			low++
		}
	}
	if low > 0 {
		say("judge", "%d of the %s that both saw would have woken nobody here (P3 and lower, above): is that right?", low, words.Plural(len(r.Pairs), "incident"))
	}
	if n := len(r.TheirsOnly); n > 0 {
		say("judge", "binnacle would have sent nothing for %d of their %s, listed above: was it noise, or is it missed here?", n, words.Plural(len(r.Theirs), "incident"))
		say("", "`binnacle why` and `binnacle rules read` say how an alarm is read.")
	}
	if n := len(r.OursOnly); n > 0 {
		say("judge", "they sent nothing for %d of binnacle's %s, listed above: was it missed there, or is it noise here?", n, words.Plural(len(r.Ours), "incident"))
	}
}

func (r Report) sumMessages(say func(what, format string, args ...any), theirs, ours side) {
	text := fmt.Sprintf("%s to people in place of %d; at night %d in place of %d", words.Plural(ours.messages, "message"), theirs.messages, ours.night, theirs.night)
	switch {
	case ours.messages < theirs.messages:
		say("better", "%s", text)
	case ours.messages > theirs.messages:
		say("worse", "%s", text)
	default:
		say("equal", "%s", text)
	}
}

func (r Report) sumTimes(say func(what, format string, args ...any)) {
	var sooner, later []time.Duration
	for _, p := range r.Pairs {
		switch d := p.Earlier(); {
		case d < 0:
			later = append(later, -d)
		case d > 0:
			sooner = append(sooner, d)
		}
	}
	for _, half := range []struct {
		what, how string
		by        []time.Duration
	}{{"better", "first", sooner}, {"worse", "later", later}} {
		if n := len(half.by); n > 0 {
			slices.Sort(half.by)
			by := words.Duration(half.by[n/2].Round(time.Second))
			if most := words.Duration(half.by[n-1].Round(time.Second)); most != by {
				by += " (median) and at most " + most
			}
			say(half.what, "%s in %d of the %s that both saw, by %s", half.how, n, words.Plural(len(r.Pairs), "incident"), by)
		}
	}
}

func clock(t time.Time, loc *time.Location) string { return t.In(loc).Format("2006-01-02 15:04:05") }
