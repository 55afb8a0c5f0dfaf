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

// maxFailing is how many rules that fail are named: what ails one mostly ails all.
const maxFailing = 3

// faults lists what is wrong with the agent itself, the worst first, and the exit code.
func (s Status) faults() (faults []string, code int) {
	bad := func(level int, format string, args ...any) {
		faults = append(faults, fmt.Sprintf(format, args...))
		code = max(code, level)
	}
	if s.Route != nil && s.Route.Undelivered > deliverWithin {
		bad(ExitCritical, "a page is undelivered for %v", s.Route.Undelivered.Round(time.Second))
	}
	s.channelFaults(bad)
	if s.Route != nil && !s.Route.Durable {
		bad(ExitCritical, "the ledger cannot be written: a restart may send a page twice")
	}
	if s.Route != nil && s.Route.StandsIn != "" {
		bad(ExitCritical, "the ledger is in memory, in %s: a reboot may send a page twice: %s", s.Route.StandsIn, s.Route.StandsInFor)
	}
	for _, d := range s.Damaged {
		bad(ExitWarning, "damaged data was set aside: %s", d)
	}
	away := s.away()
	for _, r := range away {
		level := ExitWarning // others answer
		if len(away) == len(s.Routers) {
			level = ExitCritical
		}
		bad(level, "the router %s is not reached for %s: %s", r.URL, s.sinceReached(r), r.Error)
	}
	if s.DataError != "" {
		bad(ExitCritical, "the data folder cannot be written: %s; history and spools are in %s, gone with a reboot: mend the folder and restart", s.DataError, s.Data)
	}
	if s.StoreError != "" {
		memory := "and rules see nothing"
		if s.StoreInMemory {
			memory = "it is kept in memory, the last two hours of it"
		}
		bad(ExitCritical, "history is not written, %s: %s", memory, s.StoreError)
	}
	if s.Capacity != "" {
		bad(ExitWarning, "capacity is not known: %s", s.Capacity)
	}
	if s.Rollups != nil && s.Rollups.Error != "" {
		bad(ExitWarning, "the past is not kept: %s", s.Rollups.Error)
	}
	for _, f := range s.Door {
		bad(ExitWarning, "%s", f)
	}
	if s.Reload != "" {
		bad(ExitWarning, "the last reload was refused: %s", s.Reload)
	}
	for _, p := range s.Parts {
		if p.Error == "" || strings.HasPrefix(p.Name, "ship.") || strings.HasPrefix(p.Name, "collect.") {
			continue // destinations and collectors say so themselves
		}
		level := ExitWarning
		if Blinds(p.Name) {
			level = ExitCritical
		}
		bad(level, "%s does not work for %v, and is tried again: %s", p.Name, s.At.Sub(p.Since).Round(time.Second), p.Error)
	}
	if s.DataShared {
		bad(ExitWarning, "every user of this machine can write into the data folder %s: chmod o-w %[1]s", s.Data)
	}
	for _, k := range s.Sinks {
		if !k.Up {
			bad(ExitWarning, "%s is unreachable for %v: %s", k.Name, s.At.Sub(k.DownSince).Round(time.Second), k.Error)
		}
	}
	for _, c := range s.Collectors {
		if !c.Up && !c.Absent && !c.LastRun.IsZero() {
			bad(ExitWarning, "%s is blind: %s", c.Name, c.Error)
			continue
		}
		for _, k := range c.BlindChecks() {
			bad(ExitWarning, "%s cannot see %s for %s (%s): %s", c.Name, k.Name, ago(s.At, k.Since), k.Reason, k.Error)
		}
	}
	if s.Rules != nil {
		for i, f := range s.Rules.Failing {
			if i == maxFailing {
				bad(ExitWarning, "and %d more rules", len(s.Rules.Failing)-i)
				break
			}
			bad(ExitWarning, "rule %s", f)
		}
		if s.Rules.Late > time.Minute {
			bad(ExitWarning, "rules are %v late", s.Rules.Late.Round(time.Second))
		}
	}
	return faults, code
}

// Blinds says whether nothing that begins rings while the part is down.
func Blinds(part string) bool { return part == "store" || part == "rules" || part == "evaluation" }

// deliverWithin is how long a page may wait for the pager's answer; a call takes a second or two.
const deliverWithin = 15 * time.Second

func (s Status) channelFaults(bad func(level int, format string, args ...any)) {
	if s.Route == nil {
		return
	}
	for _, c := range s.Route.Channels {
		if c.Error != "" {
			bad(ExitWarning, "the pager's channel %s did not accept its test: %s", c.Name, c.Error)
		}
	}
}

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
