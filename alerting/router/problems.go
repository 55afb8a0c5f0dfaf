package router

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// problem is a best root candidate with all that it explains. It is made anew at each step.
type problem struct {
	id       string
	root     *alarm
	members  []*alarm // the root first; those that hold, and the root in any case
	head     *alarm   // heads the page
	priority alerting.Priority
	reason   string
	awake    bool      // something in it that wakes, or its root, holds unsilenced
	since    time.Time // of the first alarm in it
	harm     time.Duration
	novel    bool

	incident *incident // what a person was told of it
	told     bool
	state    alerting.State
	until    time.Time
	behind   *problem
	ready    time.Time // its waits are over
}

// serious says that an alarm makes its problem what it is: the root, what users feel, and other causes; not what merely
// follows from the root.
func (p *problem) serious(a *alarm) bool {
	return a.holds() && a.silenced == "" && (a == p.root || a.felt() || a.cause() && !a.effect() || a.always())
}

// group makes problems of what explains what.
func (r *Router) group() {
	byRoot := map[*alarm]*problem{}
	ids := r.byAlarm
	r.byAlarm = map[string]*problem{}
	r.problems = r.problems[:0:0]
	for _, a := range r.ranked {
		root := a
		for root.by != nil {
			root = root.by
		}
		if !a.holds() && a != root {
			continue
		}
		p := byRoot[root]
		if p == nil {
			p = &problem{root: root}
			byRoot[root] = p
			r.problems = append(r.problems, p)
		}
		p.members = append(p.members, a)
		r.byAlarm[a.fp] = p
	}
	r.problems = slices.DeleteFunc(r.problems, func(p *problem) bool {
		over := !slices.ContainsFunc(p.members, (*alarm).holds)
		if over && r.incidentOf(p.root) == nil {
			delete(r.byAlarm, p.root.fp)
			return true
		}
		return false
	})
	for _, p := range r.problems {
		r.weigh(p)
	}
	r.name(ids)
	slices.SortFunc(r.problems, worse)
}

// weigh finds the priority of a problem, with its reason: the worst of its root, of what users feel, and of
// those of its effects that would wake a person by themselves.
func (r *Router) weigh(p *problem) {
	p.priority, p.reason = alerting.P5, "over"
	p.since = p.root.began()
	for _, a := range p.members {
		if a.began().Before(p.since) {
			p.since = a.began()
		}
		if !p.serious(a) {
			continue
		}
		p.awake = true
		p.novel = p.novel || a.novel
		if d, ok := harmIn(a); ok {
			if left := max(0, d-r.now.Sub(a.began())); p.harm == 0 || left < p.harm {
				p.harm = max(left, 1)
			}
		}
		if a.alone < p.priority || p.reason == "over" {
			p.priority, p.reason = a.alone, a.reason
			if a != p.root && !a.derived() {
				p.reason += ": " + a.Rule()
			}
		}
	}
	if !p.awake {
		p.priority, p.reason = p.root.alone, p.root.reason
	}
	p.head = p.heading()
}

// heading chooses the alarm that heads the page: the cause where one was told; else what users feel; else
// what speaks for the roll-up.
func (p *problem) heading() *alarm {
	if p.root.cause() && !p.root.derived() && p.serious(p.root) {
		return p.root
	}
	best := func(ok func(*alarm) bool) *alarm {
		for _, a := range p.members { // in the order of causes
			if p.serious(a) && ok(a) {
				return a
			}
		}
		return nil
	}
	for _, ok := range []func(*alarm) bool{
		func(a *alarm) bool { return a.felt() && a.alone <= alerting.P2 },
		func(a *alarm) bool { return a.always() },
		func(a *alarm) bool { return a == p.root && a.derived() },
		func(a *alarm) bool { return a.cause() && !a.derived() },
		func(a *alarm) bool { return a.felt() },
		(*alarm).derived,
	} {
		if a := best(ok); a != nil {
			return a
		}
	}
	return p.root
}

// worse is the order in which people are told: total, and the same for the same alarms.
func worse(a, b *problem) int {
	return cmp.Or(
		cmp.Compare(a.priority, b.priority),
		cmp.Compare(len(b.members), len(a.members)),
		cmp.Compare(orNever(a.harm), orNever(b.harm)),
		compareBool(b.novel, a.novel),
		a.since.Compare(b.since),
		cmp.Compare(a.root.fp, b.root.fp),
	)
}

func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return 1 << 62
	}
	return d
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// name keeps the ID of a problem while it lives: a problem takes over that of its first member that had one.
func (r *Router) name(before map[string]*problem) {
	taken := map[string]bool{}
	for _, p := range r.problems {
		for _, a := range p.members {
			if was := before[a.fp]; was != nil && !taken[was.id] && (was.root == a || p.root == a || was.head == a) {
				p.id = was.id
				break
			}
		}
		if p.id != "" {
			taken[p.id] = true
		}
	}
	for _, p := range r.problems {
		if p.id == "" {
			r.serial++
			p.id = fmt.Sprintf("p%d-%s", r.serial, p.root.first.UTC().Format("0102T150405"))
		}
	}
}

// connected says whether one problem's root can bear on the other's, or both are the same service's.
func (r *Router) connected(a, b *problem) bool {
	if s := a.root.service(); s != "" && s == b.root.service() {
		return true
	}
	return r.reached(a.root.entity.ID, b.root) > 0 || r.reached(b.root.entity.ID, a.root) > 0
}

// always says that the author wants it told whatever happens.
func (p *problem) always() bool {
	return slices.ContainsFunc(p.members, func(a *alarm) bool { return a.holds() && a.always() })
}

// boardOnly says that nobody is to be told of it away from the board.
func (r *Router) boardOnly(p *problem) bool {
	if p.always() {
		return false
	}
	least := alerting.P3
	if r.set.TellP4 {
		least = alerting.P4
	}
	return p.priority > least || !slices.ContainsFunc(p.members, func(a *alarm) bool { return p.serious(a) && !a.never() && a.alone <= least })
}

// flapping says that something comes and goes in it that must be told all the same.
func (p *problem) flapping() bool {
	return slices.ContainsFunc(p.members, func(a *alarm) bool { return a.flapping && a.steadfast() })
}
