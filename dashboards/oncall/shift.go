package oncall

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// The yardsticks of a shift, for one person.
// Source: ANSI/ISA-18.2-2016, table 7, "Average alarm rate and other performance metrics", read November 2026.
const (
	isaPerHour    = 6.0 // pages an hour, on average: very likely to be acceptable
	isaPeriod     = 10 * time.Minute
	isaFlood      = 10   // pages in one period, above which nobody keeps up
	isaFloodShare = 0.01 // of periods with more than that
	isaTopShare   = 0.05 // of all pages that the ten most frequent rules may make
	isaTopRules   = 10
)

// isaPriorities are the shares that the standard wants of the highest of three priorities, the middle and the lowest.
var isaPriorities = map[alerting.Priority]string{alerting.P1: "about 5 %", alerting.P2: "about 15 %", alerting.P3: "about 80 %"}

// shift is what a time of duty was like, by ISA-18.2's figures. A page is a trigger that the pager took, or would have
// got in shadow mode.
type shift struct {
	From, To   time.Time
	Pages      int
	PerHour    float64
	Periods    int // of ten minutes, the last one cut short
	Floods     int // of them with more than isaFlood pages
	MostAtOnce int // pages in one period
	ByPriority []priorityShare
	Rules      []ruleShare // the most frequent first, at most isaTopRules
	RuleCount  int
	TopShare   float64 // of the pages that Rules made
	Idle       []deed  // pages on which nobody acted: neither taken, escalated, closed, nor silenced
	Taken      int
	Wait       time.Duration // median from page to its first taking, of those that were taken
}

type priorityShare struct {
	Priority alerting.Priority
	Count    int
	Share    float64
	Wanted   string
}

type ruleShare struct {
	Rule  string
	Count int
	Share float64
}

// paged says whether an event is a page.
func (e Event) paged() bool {
	return e.Action == "trigger" && (e.Kind == "accepted" || e.Kind == "shadowed")
}

// Rule is the one that the ledger's title names last, in brackets; the title where it names none.
func (e Event) Rule() string {
	if i := strings.LastIndexByte(e.Title, '['); i >= 0 && strings.HasSuffix(e.Title, "]") {
		return e.Title[i+1 : len(e.Title)-1]
	}
	return cmp.Or(e.Title, e.Key)
}

// Plain is the title without its rule, which its own page names.
func (e Event) Plain() string { return strings.TrimSuffix(e.Title, " ["+e.Rule()+"]") }

// reckon works the figures out of events in order of time. What a person did after the end counts too, when events
// reach that far: a page of the last minute may be taken after the shift.
func reckon(events []Event, from, to time.Time) shift {
	s := shift{From: from, To: to, Periods: int((to.Sub(from) + isaPeriod - 1) / isaPeriod)}
	periods, rules, priorities := map[int]int{}, map[string]int{}, map[alerting.Priority]int{}
	var pages []Event
	for _, e := range events {
		if !e.paged() || e.At.Before(from) || !e.At.Before(to) {
			continue
		}
		pages = append(pages, e)
		periods[int(e.At.Sub(from)/isaPeriod)]++
		rules[e.Rule()]++
		priorities[e.Priority]++
	}
	s.Pages = len(pages)
	if h := to.Sub(from).Hours(); h > 0 {
		s.PerHour = float64(s.Pages) / h
	}
	for _, n := range periods {
		s.MostAtOnce = max(s.MostAtOnce, n)
		if n > isaFlood {
			s.Floods++
		}
	}
	for _, p := range []alerting.Priority{alerting.P1, alerting.P2, alerting.P3, alerting.P4, alerting.P5} {
		if n := priorities[p]; n > 0 || p <= alerting.P3 {
			s.ByPriority = append(s.ByPriority, priorityShare{p, n, share(n, s.Pages), isaPriorities[p]})
		}
	}
	s.top(rules)
	s.acted(events, pages)
	return s
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func (s *shift) top(rules map[string]int) {
	s.RuleCount = len(rules)
	for r, n := range rules {
		s.Rules = append(s.Rules, ruleShare{r, n, share(n, s.Pages)})
	}
	slices.SortFunc(s.Rules, func(a, b ruleShare) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule)) })
	s.Rules = s.Rules[:min(len(s.Rules), isaTopRules)]
	for _, r := range s.Rules {
		s.TopShare += r.Share
	}
}

// acted finds what a person did about each page: after it, and before the next page of the same incident.
func (s *shift) acted(events, pages []Event) {
	var waits []time.Duration
	byKey, silences := map[string][]Event{}, []Event{}
	for _, e := range events {
		byKey[e.Key] = append(byKey[e.Key], e)
		if e.Kind == "silenced" {
			silences = append(silences, e)
		}
	}
	for _, p := range pages {
		acted, taken := false, time.Time{}
		for _, e := range byKey[p.Key] {
			if e.At.Before(p.At) || e.paged() && e.At.After(p.At) {
				continue
			}
			switch e.Kind {
			case "acked":
				acted = true
				if taken.IsZero() {
					taken = e.At
				}
			case "escalated", "closed":
				acted = true
			}
		}
		acted = acted || silencedAfter(silences, p)
		if !taken.IsZero() {
			s.Taken++
			waits = append(waits, taken.Sub(p.At))
		}
		if d, ok := tell(p); ok && !acted {
			s.Idle = append(s.Idle, d)
		}
	}
	if n := len(waits); n > 0 {
		slices.Sort(waits)
		s.Wait = waits[n/2]
	}
}

// silencedWithin is how soon after a page a silence that names its rule counts as an answer to it.
const silencedWithin = time.Hour

func silencedAfter(silences []Event, p Event) bool {
	return slices.ContainsFunc(silences, func(e Event) bool {
		return !e.At.Before(p.At) && e.At.Sub(p.At) < silencedWithin && strings.Contains(e.Title, p.Rule())
	})
}

// The verdicts against the yardsticks.
func (s shift) TooMany() bool     { return s.PerHour > isaPerHour }
func (s shift) Flooded() bool     { return s.FloodShare() > isaFloodShare }
func (s shift) TopHeavy() bool    { return s.RuleCount > isaTopRules && s.TopShare > isaTopShare }
func (s shift) IdleShare() string { return words.Percent(share(len(s.Idle), s.Pages)) }

// FloodShare is the share of ten-minute periods with more pages than a person can take in.
func (s shift) FloodShare() float64 { return share(s.Floods, s.Periods) }
