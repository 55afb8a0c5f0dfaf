package diagnosis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// problems makes problems of what explains what, the worst first. It returns the serial of the last that was named.
func problems(in Input, verdicts []*alerting.Verdict) ([]*alerting.Problem, uint64) {
	var out []*alerting.Problem
	for _, v := range verdicts {
		root := rootOf(v)
		if !v.Firing() && v != root {
			continue
		}
		p := root.Of
		if p == nil {
			p = &alerting.Problem{Root: root}
			root.Of = p
			out = append(out, p)
		}
		p.Members = append(p.Members, v)
		v.Of = p
	}
	for _, v := range verdicts { // what the page named and has ended stands for its problem while others of it fire
		if root := rootOf(v); v.Of == nil && v.Joined.Leads {
			v.Of = root.Of
		}
	}
	out = slices.DeleteFunc(out, func(p *alerting.Problem) bool {
		over := !p.Root.Past.Open && !slices.ContainsFunc(p.Members, func(v *alerting.Verdict) bool { return v.Firing() })
		if over {
			p.Root.Of = nil
		}
		return over
	})
	for _, p := range out {
		measure(in.Now, p)
	}
	serial := name(in, out)
	slices.SortFunc(out, worse)
	for n, p := range out {
		p.Place = n
	}
	return out, serial
}

func rootOf(v *alerting.Verdict) *alerting.Verdict {
	for v.By != nil {
		v = v.By
	}
	return v
}

// serious says that an alarm makes its problem what it is: the root, what users notice, and other causes; not what merely
// follows from the root. Where the root is silenced, only what is P1 is: a silence covers what its problem explained, and what
// else follows stays folded.
func serious(p *alerting.Problem, v *alerting.Verdict) bool {
	switch {
	case !v.Firing() || v.Silenced:
		return false
	case v == p.Root || v.Always():
		return true
	case p.Root.Silenced:
		return v.Alone == alerting.P1
	}
	return (v.Symptom || graverRead(p, v)) && !beneath(v) || v.Cause && !v.Effect
}

// graverRead says that an alarm of others is a P1 by itself, for users, data, quorum or its author's word, and the root is none.
func graverRead(p *alerting.Problem, v *alerting.Verdict) bool {
	return v.Joined.With != "" && v.Alone == alerting.P1 && p.Root.Alone > alerting.P1
}

// beneath says that a guess put an alarm of others behind what the page names.
func beneath(v *alerting.Verdict) bool {
	return v.Joined.With != "" && !v.Joined.Leads && !v.Bound
}

// measure finds the priority of a problem, with its reason: the worst of its root, of what users notice, and of those of its
// effects that would wake a person by themselves.
func measure(now time.Time, p *alerting.Problem) {
	p.Priority, p.Reason, p.Since = alerting.P5, "all its alarms have ended", p.Root.Began()
	for _, v := range p.Members {
		if v.Began().Before(p.Since) {
			p.Since = v.Began()
		}
		p.Always = p.Always || v.Firing() && v.Always()
		p.Flapping = p.Flapping || v.Flapping && (v == p.Root || v.Steadfast)
		if v.Serious = serious(p, v); v.Serious {
			count(now, p, v)
		}
	}
	if !p.Awake {
		p.Priority, p.Reason = p.Root.Alone, p.Root.Reason
	}
	p.Head = heading(p)
}

// count adds what a serious alarm says of its problem.
func count(now time.Time, p *alerting.Problem, v *alerting.Verdict) {
	if d, ok := harmIn(v.Fact); ok {
		if left := max(0, d-now.Sub(v.Began())); p.Harm == 0 || left < p.Harm {
			p.Harm = max(left, 1)
		}
	}
	if v.Alone < p.Priority || !p.Awake {
		p.Priority, p.Reason = v.Alone, v.Reason
		if v != p.Root && !v.Group() {
			p.Reason += ": " + v.Rule()
		}
	}
	p.Awake, p.Novel = true, p.Novel || v.Novel
}

// headings say which alarm heads the page, the first that there is: what users notice, what the author wants paged, what
// stands for many, the cause in it.
var headings = []func(p *alerting.Problem, v *alerting.Verdict) bool{
	func(p *alerting.Problem, v *alerting.Verdict) bool { return v == p.Root && v.Cause && !v.Group() },
	func(_ *alerting.Problem, v *alerting.Verdict) bool { return v.Symptom && v.Alone <= alerting.P2 },
	graverRead,
	func(_ *alerting.Problem, v *alerting.Verdict) bool { return v.Always() },
	func(p *alerting.Problem, v *alerting.Verdict) bool { return v == p.Root && v.Group() },
	func(_ *alerting.Problem, v *alerting.Verdict) bool { return v.Cause && !v.Group() },
	func(_ *alerting.Problem, v *alerting.Verdict) bool { return v.Symptom },
	func(_ *alerting.Problem, v *alerting.Verdict) bool { return v.Group() },
}

// heading chooses the alarm that heads the page: the cause where one fires.
func heading(p *alerting.Problem) *alerting.Verdict {
	if len(p.Members) == 1 {
		return p.Root
	}
	for _, fits := range headings {
		for _, v := range p.Members { // in the order of causes
			if v.Serious && fits(p, v) {
				return v
			}
		}
	}
	return p.Root
}

// worse is the order in which people are notified: total, and the same for the same alarms.
func worse(a, b *alerting.Problem) int {
	return cmp.Or(
		cmp.Compare(a.Priority, b.Priority),
		cmp.Compare(len(b.Members), len(a.Members)),
		cmp.Compare(orNever(a.Harm), orNever(b.Harm)),
		cmp.Compare(novelty(a), novelty(b)),
		a.Since.Compare(b.Since),
		cmp.Compare(a.Root.ID, b.Root.ID),
	)
}

// orNever is the time left until harm.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return math.MaxInt64
	}
	return d
}

// novelty is 0 where a serious alarm's rule had not fired for a week.
func novelty(p *alerting.Problem) int {
	if p.Novel {
		return 0
	}
	return 1
}

// name keeps the ID of a problem while it lives: it takes over that of its first member that led one, or that leads it now.
func name(in Input, ps []*alerting.Problem) (serial uint64) {
	serial = in.Serial
	taken := map[string]bool{}
	for _, p := range ps {
		for _, v := range p.Members {
			if id := v.Past.Problem; id != "" && !taken[id] && (v.Past.Led || v == p.Root) {
				p.ID, taken[id] = id, true
				break
			}
		}
	}
	for _, p := range ps {
		if p.ID == "" {
			serial++
			p.ID = fmt.Sprintf("p%d-%s", serial, p.Root.First.UTC().Format("0102T150405"))
		}
	}
	return serial
}
