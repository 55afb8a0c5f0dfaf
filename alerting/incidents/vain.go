package incidents

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// calls are what became of the pages of one alarm, or of one rule in one scope.
type calls struct {
	vain    int           // in a row: what they were about ended by itself, and nobody had acknowledged it
	longest time.Duration // that it fired
	last    time.Time     // when it fired last, as a page or not
	needed  time.Time     // when a page was over last that a person acknowledged, silenced or closed
}

// called is whose calls they are: an alarm's by its ID, or a rule's in a scope.
type called struct{ id, rule, scope string }

// over notes what became of a page that ends.
func (d *Desk) over(i *incident) {
	if i.rec.Page.Priority > alerting.P2 || d.in.Find == nil {
		return
	}
	needed := i.rec.AckedBy != "" || i.rec.ClosedBy != "" || i.rec.SilencedBy != ""
	rules := map[called]bool{}
	for _, id := range i.core {
		v := d.in.Find(id)
		if v == nil || v.Reading == nil || v.Group() {
			continue
		}
		of := called{rule: v.Reading.Rule, scope: v.Reading.Scope}
		d.count(called{id: id}, v, needed, true)
		d.count(of, v, needed, !rules[of])
		rules[of] = true
	}
}

// count adds one page of an alarm; more says that it counts as one.
func (d *Desk) count(of called, v *alerting.Verdict, needed, more bool) {
	c := d.calls[of]
	if c == nil {
		if len(d.calls) >= maxPast {
			return
		}
		c = &calls{}
		d.calls[of] = c
	}
	fired := v.Ended.Sub(v.First)
	switch c.last = d.now; {
	case needed:
		*c = calls{last: d.now, needed: d.now}
	case v.Firing() || fired > vainMost:
		c.vain, c.longest = 0, 0
	default:
		c.longest = max(c.longest, fired)
		if more {
			c.vain++
		}
	}
}

// forgetCalls drops calls that count no more.
func (d *Desk) forgetCalls() {
	for of, c := range d.calls {
		switch v := d.alarm(of.id); {
		case c.old(of, d.now):
			delete(d.calls, of)
		case v != nil && v.Firing():
			c.last = d.now
		}
	}
}

// old says that calls count no more.
func (c *calls) old(of called, now time.Time) bool {
	if of.id != "" && c.needed.IsZero() {
		return now.Sub(c.last) >= vainOwnFor
	}
	return now.Sub(c.last) >= vainRuleFor
}

// alarm is the verdict on an alarm; nil: it is not there.
func (d *Desk) alarm(id string) *alerting.Verdict {
	if id == "" || d.in.Find == nil {
		return nil
	}
	return d.in.Find(id)
}

// Vain is what became of the pages of an alarm and of its rule.
func (d *Desk) Vain(now time.Time, id, rule, scope string) alerting.Vain {
	if len(d.calls) == 0 {
		return alerting.Vain{}
	}
	var none calls
	find := func(of called) *calls {
		if c := d.calls[of]; c != nil && !c.old(of, now) {
			return c
		}
		return &none
	}
	own, all := find(called{id: id}), find(called{rule: rule, scope: scope})
	if !all.needed.IsZero() || !own.needed.IsZero() {
		return alerting.Vain{}
	}
	return alerting.Vain{Own: own.vain, Rule: all.vain, Longest: max(own.longest, all.longest)}
}
