package health

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The exit codes of a Nagios plugin.
// Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes", read November 2026.
const (
	ExitOK = iota
	ExitWarning
	ExitCritical
	ExitUnknown
)

// The limits, for everybody who says how a node is: command, pages and metrics. The rule pack self has the same ones.
const (
	// RulesLate is from when rules count as late: two of their shortest intervals.
	RulesLate = 30 * time.Second
	// DeliverWithin is how long a page may wait for the pager's answer; a call takes a second or two.
	DeliverWithin = 15 * time.Second
	// SilentAfter is the age of a node's last word from which it counts as silent: three collections missed, and some.
	SilentAfter = time.Minute
)

// maxFailing is how many rules that fail are named: what ails one mostly ails all.
const maxFailing = 3

// Fault is one thing that is wrong with an agent.
type Fault struct {
	Of    string // paging, ledger, rules, data, ship.cloudwatch, collect.riak, ...
	Level int    // ExitWarning or ExitCritical
	Text  string
}

// Code is the exit code of a Nagios plugin for faults, the worst of them.
func Code(faults []Fault) int {
	code := ExitOK
	for _, f := range faults {
		code = max(code, f.Level)
	}
	return code
}

// Faults lists what is wrong with the agent itself, the worst first. It is the one place that decides so.
func (s Status) Faults() (faults []Fault) {
	bad := func(of string, level int, format string, args ...any) {
		faults = append(faults, Fault{of, level, fmt.Sprintf(format, args...)})
	}
	s.pagingFaults(bad)
	s.dataFaults(bad)
	for _, f := range s.Door {
		bad("door", ExitWarning, "%s", f)
	}
	if s.Reload != "" {
		bad("reload", ExitWarning, "the last reload was refused: %s; the configuration of %s ago is in force", s.Reload, ago(s.At, s.Loaded))
	}
	for _, p := range s.Parts {
		if p.Error == "" || strings.HasPrefix(p.Name, "ship.") || strings.HasPrefix(p.Name, "collect.") {
			continue // destinations and collectors say so themselves
		}
		level := ExitWarning
		if Blinds(p.Name) {
			level = ExitCritical
		}
		bad(p.Name, level, "%s does not work for %v, and is tried again: %s", p.Name, s.At.Sub(p.Since).Round(time.Second), p.Error)
	}
	for _, k := range s.Sinks {
		if !k.Up {
			bad("ship."+k.Name, ExitWarning, "%s is unreachable for %v: %s", k.Name, s.At.Sub(k.DownSince).Round(time.Second), k.Error)
		}
	}
	for _, c := range s.Collectors {
		if !c.Up && !c.Absent && !c.LastRun.IsZero() {
			bad("collect."+c.Name, ExitWarning, "%s is blind: %s", c.Name, c.Error)
			continue
		}
		for _, k := range c.BlindChecks() {
			bad("collect."+c.Name, ExitWarning, "%s cannot see %s for %s (%s): %s", c.Name, k.Name, ago(s.At, k.Since), k.Reason, k.Error)
		}
	}
	s.ruleFaults(bad)
	slices.SortStableFunc(faults, func(a, b Fault) int { return b.Level - a.Level })
	return faults
}

type note func(of string, level int, format string, args ...any)

func (s Status) pagingFaults(bad note) {
	if r := s.Route; r != nil {
		if r.Undelivered > DeliverWithin {
			bad("paging", ExitCritical, "a page is undelivered for %v", r.Undelivered.Round(time.Second))
		}
		for _, c := range r.Channels {
			if c.Error != "" {
				bad("channel."+c.Name, ExitWarning, "the pager's channel %s did not accept its test: %s", c.Name, c.Error)
			}
		}
		if !r.Durable {
			bad("ledger", ExitCritical, "the ledger cannot be written: a restart may send a page twice")
		}
		if r.StandsIn != "" {
			bad("ledger", ExitCritical, "the ledger is in memory, in %s: a reboot may send a page twice: %s", r.StandsIn, r.StandsInFor)
		}
	}
	s.awsFaults(bad)
	away := s.away()
	for _, r := range away {
		level := ExitWarning // others answer
		if len(away) == len(s.Routers) {
			level = ExitCritical
		}
		bad("routers", level, "the router %s is not reached for %s: %s", r.URL, s.sinceReached(r), r.Error)
	}
}

func (s Status) dataFaults(bad note) {
	for _, d := range s.Damaged {
		bad("damage", ExitWarning, "damaged data was set aside: %s", d)
	}
	if s.DataError != "" {
		bad("data", ExitCritical, "the data folder cannot be written: %s; history and spools are in %s, gone with a reboot: mend the folder and restart", s.DataError, s.Data)
	}
	if s.DataShared {
		bad("data", ExitWarning, "every user of this machine can write into the data folder %s: chmod o-w %[1]s", s.Data)
	}
	if s.StoreError != "" {
		memory := "and rules see nothing"
		if s.StoreInMemory {
			memory = "it is kept in memory, the last two hours of it"
		}
		bad("history", ExitCritical, "history is not written, %s: %s", memory, s.StoreError)
	}
	if s.Capacity != "" {
		bad("capacity", ExitWarning, "capacity is not known: %s", s.Capacity)
	}
	if s.Rollups != nil && s.Rollups.Error != "" {
		bad("rollups", ExitWarning, "the past is not kept: %s", s.Rollups.Error)
	}
}

func (s Status) ruleFaults(bad note) {
	if s.Rules == nil {
		return
	}
	for i, f := range s.Rules.Failing {
		if i == maxFailing {
			bad("rules", ExitWarning, "and %d more rules", len(s.Rules.Failing)-i)
			break
		}
		bad("rules", ExitWarning, "rule %s", f)
	}
	for _, f := range s.Rules.Slow[:min(len(s.Rules.Slow), maxFailing)] {
		bad("rules", ExitWarning, "%s", f)
	}
	if c := s.Rules.Coverage; c != nil {
		for i, d := range c.Dead {
			if i == maxFailing {
				bad("coverage", ExitWarning, "and %d more rules cannot fire: binnacle rules coverage", len(c.Dead)-i)
				break
			}
			bad("coverage", ExitWarning, "the rule %s cannot fire: %s", firstOf(d), afterOf(d))
		}
		if n := len(c.Blind); n > 0 {
			bad("coverage", ExitWarning, "no rule that could wake a person sees %s", strings.Join(c.Blind[:min(n, maxFailing)], ", ")+more(n-maxFailing))
		}
	}
	if s.Rules.Late > RulesLate {
		text := fmt.Sprintf("rules are %v late", s.Rules.Late.Round(time.Second))
		if r := s.Rules; r.LateGroup != "" {
			text += fmt.Sprintf(": those of the group %s, of which %s takes longest, %v", r.LateGroup, r.LateRule, r.LateTakes.Round(time.Millisecond))
		}
		bad("rules", ExitWarning, "%s", text)
	}
}

// firstOf and afterOf are the rule of a line of Coverage, and the rest.
func firstOf(line string) string { name, _, _ := strings.Cut(line, ": "); return name }
func afterOf(line string) string { _, text, _ := strings.Cut(line, ": "); return text }

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// Blinds says whether nothing that begins rings while the part is down.
func Blinds(part string) bool { return part == "store" || part == "rules" || part == "evaluation" }

// away are the routers that do not answer.
func (s Status) away() []Router {
	return slices.DeleteFunc(slices.Clone(s.Routers), func(r Router) bool { return r.Error == "" })
}

// sinceReached is how long a router has not answered: since the start where it never did.
func (s Status) sinceReached(r Router) string {
	if r.Reached.IsZero() {
		return ago(s.At, s.Begun)
	}
	return ago(s.At, r.Reached)
}
