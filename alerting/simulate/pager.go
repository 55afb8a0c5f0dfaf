package simulate

import (
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Pager is how a pager behaves from a moment on.
type Pager struct {
	Mode string // ok, fail (an error at once), stall (no answer); empty: as before
	Rate int    // events that it takes in a minute for each route; 0: as before
}

// set changes the pager.
func (p *Player) set(to Pager) {
	if to.Mode != "" {
		p.pager.Mode = to.Mode
	}
	if to.Rate > 0 {
		p.pager.Rate = to.Rate
	}
}

// call is what the pager makes of an action, and when its answer comes.
func (p *Player) call(a alerting.Action) (Call, time.Time) {
	c := Call{At: p.now, Action: a, Outcome: alerting.Accepted}
	at := p.now.Add(answerAfter)
	if p.o.Answer != nil {
		c.Outcome = p.o.Answer(p.now, a)
	}
	switch {
	case c.Outcome != alerting.Accepted:
	case p.pager.Mode == "fail":
		c.Outcome = alerting.Unknown
	case p.pager.Mode == "stall":
		c.Outcome, at = alerting.Unknown, p.now.Add(giveUp)
		if end, ok := p.resumes(); ok && end.Before(at) {
			c.Outcome, at = alerting.Accepted, end.Add(answerAfter)
		}
	case p.throttled(a):
		c.Outcome = alerting.Throttled
	}
	if c.Outcome == alerting.Accepted {
		switch a.Kind {
		case alerting.Trigger:
			c.New = !p.open[a.Key]
			p.open[a.Key] = true
		case alerting.Resolve:
			delete(p.open, a.Key)
		}
	}
	return c, at
}

// resumes is when the pager's silence ends, as the events to come say.
func (p *Player) resumes() (time.Time, bool) {
	i := slices.IndexFunc(p.events, func(e Event) bool { return e.Pager != nil && e.Pager.Mode != "" && e.Pager.Mode != "stall" })
	if i < 0 {
		return time.Time{}, false
	}
	return p.events[i].At, true
}

// throttled says that the pager had too many events of this route in the last minute. Titles and notes go another way.
func (p *Player) throttled(a alerting.Action) bool {
	if p.pager.Rate == 0 || a.Kind != alerting.Trigger && a.Kind != alerting.Resolve {
		return false
	}
	n := 0
	for _, c := range p.calls {
		event := c.Action.Kind == alerting.Trigger || c.Action.Kind == alerting.Resolve
		if event && c.Action.Route == a.Route && c.Outcome == alerting.Accepted && p.now.Sub(c.At) < time.Minute {
			n++
		}
	}
	return n >= p.pager.Rate
}
