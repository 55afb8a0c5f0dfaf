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
	fmt.Fprintf(w, row, "without a counterpart", len(r.TheirsOnly), len(r.OursOnly))
	r.writePairs(w, loc, clean)
	r.writeAlone(w, loc, clean)
	r.sum(w)
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

// sum says in a few sentences what the figures come to.
func (r Report) sum(w io.Writer) {
	fmt.Fprintln(w)
	if len(r.Theirs) == 0 {
		fmt.Fprintf(w, "Nothing of %s was found in this time: there is nothing to compare with.\n", r.Source)
		return
	}
	var sooner, later int
	var worst time.Duration
	var gains []time.Duration
	for _, p := range r.Pairs {
		d := p.Earlier()
		gains = append(gains, d)
		switch {
		case d < 0:
			later++
			worst = max(worst, -d)
		case d > 0:
			sooner++
		}
	}
	fmt.Fprintf(w, "binnacle has %s for their %d.", words.Plural(len(r.Ours), "incident"), len(r.Theirs))
	if len(gains) > 0 {
		slices.Sort(gains)
		fmt.Fprintf(w, " Of %s that both have, binnacle was first in %d and later in %d", words.Plural(len(gains), "trouble"), sooner, later)
		if later > 0 {
			fmt.Fprintf(w, ", at worst by %s", words.Duration(worst))
		}
		fmt.Fprintf(w, "; median: %s.", first(gains[len(gains)/2]))
	}
	fmt.Fprintln(w)
	if n := len(r.TheirsOnly); n > 0 {
		fmt.Fprintf(w, "Before you switch, look at the %d that they sent alone: noise, or missed here? `binnacle why` and `binnacle rules read` say how an alarm is read.\n", n)
	}
}

func clock(t time.Time, loc *time.Location) string { return t.In(loc).Format("2006-01-02 15:04:05") }
