package health

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// Write tells the status in words and returns the exit code of a Nagios plugin: first a line that is
// the whole truth in short, then the parts.
func (s Status) Write(w io.Writer) int {
	faults := s.Faults()
	code := Code(faults)
	word := [...]string{"OK", "WARNING", "CRITICAL"}[code]
	if len(faults) == 0 {
		fmt.Fprintf(w, "%s - %s is well, up %v\n", word, s.Node, s.At.Sub(s.Begun).Round(time.Second))
	} else {
		fmt.Fprintf(w, "%s - %s: %s\n", word, s.Node, faults[0].Text)
		for _, f := range faults[1:] {
			fmt.Fprintf(w, "  also: %s\n", f.Text)
		}
	}
	if s.Leaving != "" {
		fmt.Fprintf(w, "  %s\n", s.Leaving)
	}
	if s.Loaded.Sub(s.Begun) > time.Second {
		fmt.Fprintf(w, "  the configuration in force was loaded %v ago\n", ago(s.At, s.Loaded))
	}
	s.writeCollect(w)
	s.writeShip(w)
	s.writeJudge(w)
	return code
}

func (s Status) writeCollect(w io.Writer) {
	fmt.Fprintln(w, "\ncollect")
	var absent []string
	for _, c := range s.Collectors {
		switch {
		case c.Absent:
			absent = append(absent, c.Name)
		case c.LastRun.IsZero():
			fmt.Fprintf(w, "  %-16s has not looked yet\n", c.Name)
		case c.Up:
			fmt.Fprintf(w, "  %-16s %4d series %v ago, in %v, every %v\n", c.Name, c.Series, ago(s.At, c.LastRun), c.Took.Round(100*time.Microsecond), c.Interval)
		default:
			seen := "never seen well"
			if !c.LastUp.IsZero() {
				seen = "last well " + ago(s.At, c.LastUp) + " ago"
			}
			fmt.Fprintf(w, "  %-16s BLIND (%s), %s: %s\n", c.Name, c.Reason, seen, c.Error)
		}
		for _, k := range c.BlindChecks() {
			fmt.Fprintf(w, "  %-16s BLIND to %s for %s (%s): %s\n", "", k.Name, ago(s.At, k.Since), k.Reason, k.Error)
		}
		for _, h := range c.Hidden {
			fmt.Fprintf(w, "  %-16s cannot know %s\n", "", h)
		}
		for _, reason := range slices.Sorted(maps.Keys(c.Rejected)) {
			fmt.Fprintf(w, "  %-16s %s could not be read (%s); the rest was\n", "", words.Plural(int(c.Rejected[reason]), "line"), reason)
		}
		for _, n := range c.Notes {
			fmt.Fprintf(w, "  %-16s note: %s\n", "", n)
		}
	}
	if len(absent) > 0 {
		fmt.Fprintf(w, "  not on this machine: %s\n", strings.Join(absent, ", "))
	}
}

func (s Status) writeShip(w io.Writer) {
	fmt.Fprintln(w, "\nship")
	if len(s.Sinks) == 0 {
		fmt.Fprintln(w, "  nothing is configured")
	}
	for _, k := range s.Sinks {
		state := "delivering, last " + ago(s.At, k.LastSuccess) + " ago"
		if k.LastSuccess.IsZero() {
			state = "nothing delivered yet"
		}
		if !k.Up {
			state = "UNREACHABLE for " + ago(s.At, k.DownSince) + ": " + k.Error
		}
		fmt.Fprintf(w, "  %-16s %s; %.0f sent, %d in memory", k.Name, state, k.Sent, k.Waiting)
		if k.Spooled > 0 {
			fmt.Fprintf(w, ", %d on disk (%s, oldest %s)", k.Spooled, words.Bytes(k.SpoolBytes), ago(s.At, k.SpoolOldest))
		}
		fmt.Fprintf(w, ", %s\n", lost(k.Dropped))
	}
	if s.Store != nil {
		fmt.Fprintf(w, "  %-16s %d series, %s, since %s; %s\n", "store", s.Store.Series, words.Bytes(s.Store.Bytes), when(s.At, s.Store.Oldest), lost(s.Store.Refused))
		for _, l := range s.Store.Lost {
			fmt.Fprintf(w, "  %-16s %s\n", "", l)
		}
	}
	if s.Rollups != nil {
		fmt.Fprintf(w, "  %-16s %s\n", "rollups", s.Rollups.words(s.At))
	}
}

func (s Status) writeJudge(w io.Writer) {
	fmt.Fprintln(w, "\njudge")
	if s.Rules == nil {
		fmt.Fprintln(w, "  rules are off")
	} else {
		fmt.Fprintf(w, "  %d rules in %d groups, %d failing\n", s.Rules.Rules, s.Rules.Groups, len(s.Rules.Failing))
	}
	for _, r := range s.Routers {
		state := "which has not answered yet"
		switch {
		case r.Error != "":
			state = "NOT REACHED for " + s.sinceReached(r)
		case !r.Reached.IsZero():
			state = "which answered " + ago(s.At, r.Reached) + " ago"
		}
		fmt.Fprintf(w, "  alarms go to %s, %s\n", r.URL, state)
	}
	if s.Route == nil && len(s.Routers) == 0 {
		fmt.Fprintln(w, "  alarms go nowhere: route is off, and rules.routers names no router")
	}
	if s.Route == nil {
		return
	}
	var counts []string
	for p, n := range s.Problems {
		counts = append(counts, fmt.Sprintf("%d %s", n, p))
	}
	slices.SortFunc(counts, func(a, b string) int { return cmp.Compare(a[len(a)-2:], b[len(b)-2:]) })
	if len(counts) == 0 {
		counts = []string{"none"}
	}
	fmt.Fprintf(w, "  %s; problems: %s; %s open; mode %s; %s\n", firing(s.Firing), strings.Join(counts, ", "), words.Plural(s.Route.Open, "incident"), s.Route.Mode, s.Pager)
	s.writeNodes(w)
	for _, c := range s.Route.Channels {
		state := "has not been tried yet"
		switch {
		case c.Error != "":
			state = "DOES NOT ACCEPT: " + c.Error
		case !c.Accepted.IsZero():
			state = "accepted a call " + ago(s.At, c.Accepted) + " ago"
		}
		fmt.Fprintf(w, "  channel %s %s\n", c.Name, state)
	}
	s.Route.AWS.write(w, s.At)
	if s.Route.Standby {
		fmt.Fprintln(w, "  another router of the fleet sends; this one is ready to")
	}
}

// heardWithin is two beats of a node and a little.
const heardWithin = 150 * time.Second

// writeNodes says which nodes are heard; those that are not are named.
func (s Status) writeNodes(w io.Writer) {
	if len(s.Route.Nodes) == 0 {
		return
	}
	var silent []string
	for _, n := range s.Route.Nodes {
		if s.At.Sub(n.Heard) > heardWithin {
			silent = append(silent, n.Name+" (last "+ago(s.At, n.Heard)+" ago)")
		}
	}
	fmt.Fprintf(w, "  %d nodes send their alarms here", len(s.Route.Nodes))
	if len(silent) > 0 {
		fmt.Fprintf(w, ", NOT HEARD: %s", strings.Join(silent[:min(len(silent), maxNamed)], ", "))
		if more := len(silent) - maxNamed; more > 0 {
			fmt.Fprintf(w, " and %d more", more)
		}
	}
	fmt.Fprintln(w)
}

// maxNamed is how many of many are named in one line.
const maxNamed = 10

func ago(now, t time.Time) string { return words.Duration(now.Sub(t)) }

func when(now, t time.Time) string {
	if t.IsZero() {
		return "now"
	}
	return ago(now, t) + " ago"
}

func lost(by map[string]float64) string {
	var parts []string
	for reason, n := range by {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%.0f %s", n, reason))
		}
	}
	if len(parts) == 0 {
		return "nothing lost"
	}
	slices.Sort(parts)
	return "LOST " + strings.Join(parts, ", ")
}

// rollupEvery is the time between two of the samples that are kept for long.
const rollupEvery = 5 * time.Minute

// words tells the status in words, as of now.
func (s *Rollups) words(now time.Time) string {
	if s.Until.IsZero() {
		return "nothing copied yet: that comes ten minutes after the samples do"
	}
	text := fmt.Sprintf("%d series, a sample every %v", s.Series, rollupEvery)
	if s.Series == 0 {
		text = "none copied since the start"
	}
	text += fmt.Sprintf(", %s, since %s", words.Bytes(s.Bytes), when(now, s.Oldest))
	if s.LeftOut > 0 {
		text += fmt.Sprintf("; %d MORE LEFT OUT (store.rollups.max_series)", s.LeftOut)
	}
	return text + "; " + lost(map[string]float64{"refused": float64(s.Refused)})
}

func firing(n int) string {
	if n == 1 {
		return "1 alarm fires"
	}
	return words.Plural(n, "alarm") + " fire"
}
