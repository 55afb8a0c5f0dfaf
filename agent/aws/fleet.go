package aws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Judgements on groups.
const (
	// goneKept is how long an instance that ended is remembered: alarms of others about it may come late.
	goneKept = time.Hour
	// unhealthyFor is how long a group that finds an instance unhealthy is given to replace it.
	unhealthyFor = 15 * time.Minute
	// shortFor and shortStarting are how long a group may have fewer instances than it wants: where none starts, and where some do.
	shortFor      = 10 * time.Minute
	shortStarting = 30 * time.Minute
	// stale is how old a list may be that says that an instance starts, leaves or stands by.
	stale   = 10 * time.Minute
	maxGone = 20_000
)

// Fleet remembers what Auto Scaling said of instances. It reads no clock.
type Fleet struct {
	mu     sync.Mutex
	seen   map[string]*seen // by instance
	groups map[string]*groupSeen
	began  time.Time // when the first list came; zero: none did
	last   time.Time // when the last did

	stacks map[string]stackSeen // what was said last of stacks that are deleted, or of those that are not after all
}

// seen is what is known of an instance.
type seen struct {
	Member
	group     string
	missing   int       // lists that it was not in, one after the other
	gone      time.Time // zero: it is there
	leaving   string    // an event says so, in words
	told      time.Time // of leaving
	unhealthy time.Time // since when
}

// stackSeen is what was said last of a stack.
type stackSeen struct {
	at   time.Time
	ends bool // it is deleted
}

type groupSeen struct {
	Group
	short time.Time // since when it has fewer than it wants; zero: it has all
}

// Standing is how an instance stands: what becomes of it in words where nobody needs to wake for it.
type Standing struct {
	ID, Group string
	State     string // in its group: InService, Pending and so on
	Excused   string // why nothing about it wakes anybody; empty: nothing excuses it
	Size      string // of its group: "wants 3, has 2, 1 starting"
	Gone      bool   // its group does not have it any more
}

// Size is how a group stands.
type Size struct {
	Name                          string
	Wants, Has, Starting, Leaving int
	Max                           int       // that it may have
	Short                         time.Time // since when it has fewer than it wants, for too long; zero: it is well
}

func (s Size) String() string {
	text := fmt.Sprintf("wants %d, has %d", s.Wants, s.Has)
	if s.Starting > 0 {
		text += fmt.Sprintf(", %d starting", s.Starting)
	}
	if s.Leaving > 0 {
		text += fmt.Sprintf(", %d leaving", s.Leaving)
	}
	return text
}

// Observe takes the list of all groups. What is in none of two lists in a row has gone; in one, where an event said that it leaves.
func (f *Fleet) Observe(groups []Group, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.make()
	if f.began.IsZero() {
		f.began = now
	}
	f.last = now
	there, names := map[string]bool{}, map[string]bool{}
	for _, g := range groups {
		names[g.Name] = true
		old := f.groups[g.Name]
		next := &groupSeen{Group: g}
		for _, m := range g.Members {
			there[m.ID] = true
			f.member(g.Name, m, now)
		}
		if s := sizeOf(g); s.Has < s.Wants {
			next.short = now
			if old != nil && !old.short.IsZero() {
				next.short = old.short
			}
		}
		f.groups[g.Name] = next
	}
	maps.DeleteFunc(f.groups, func(name string, _ *groupSeen) bool { return !names[name] })
	for id, s := range f.seen {
		if there[id] || !s.gone.IsZero() {
			continue
		}
		if s.missing++; s.missing > 1 || s.leaving != "" {
			s.gone = now
		}
	}
	maps.DeleteFunc(f.seen, func(_ string, s *seen) bool { return !s.gone.IsZero() && now.Sub(s.gone) > goneKept })
}

func (f *Fleet) make() {
	if f.seen == nil {
		f.seen, f.groups, f.stacks = map[string]*seen{}, map[string]*groupSeen{}, map[string]stackSeen{}
	}
}

func (f *Fleet) member(group string, m Member, now time.Time) {
	s := f.seen[m.ID]
	if s == nil {
		s = &seen{}
		f.seen[m.ID] = s
	}
	if !m.Healthy && s.unhealthy.IsZero() {
		s.unhealthy = now
	}
	if m.Healthy {
		s.unhealthy = time.Time{}
	}
	s.Member, s.group, s.missing, s.gone = m, group, 0, time.Time{}
}

// Leaves notes an event: the instance ends, or ended, at a time, for a reason in words. group may be empty.
func (f *Fleet) Leaves(id, group, why string, ended bool, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.make()
	s := f.seen[id]
	if s == nil {
		if id == "" || len(f.seen) >= maxGone {
			return
		}
		s = &seen{Member: Member{ID: id, Healthy: true}, group: group}
		f.seen[id] = s
	}
	s.group = cmp.Or(s.group, group)
	s.leaving, s.told = why, at
	if ended {
		s.gone = at
	}
}

// Standings are those of all instances that are known, by ID.
func (f *Fleet) Standings(now time.Time) []Standing {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Standing
	for _, id := range slices.Sorted(maps.Keys(f.seen)) {
		s := f.seen[id]
		one := Standing{ID: id, Group: s.group, State: s.Lifecycle, Gone: !s.gone.IsZero()}
		if !s.gone.IsZero() || s.leaving != "" || now.Sub(f.last) < stale {
			one.Excused = s.excused(now)
		}
		if one.Excused == "" && f.retires(s.group, now) {
			one.Excused = "its stack " + f.groups[s.group].Stack + " is deleted"
		}
		if g := f.groups[s.group]; g != nil {
			one.Size = sizeOf(g.Group).String()
		}
		out = append(out, one)
	}
	return out
}

// Departed says whether an instance is one that its group, which is known, does not have any more: after a start nothing else
// tells. It is asked of instances that Standings does not name, and only for as long as those that left are remembered: what is
// there later was never its group's.
func (f *Fleet) Departed(id, group string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, seen := f.seen[id]
	return !f.began.IsZero() && now.Sub(f.began) < goneKept && !seen && f.groups[group] != nil
}

// excused says why nobody needs to wake for an instance.
func (s *seen) excused(now time.Time) string {
	of := ""
	if s.group != "" {
		of = " " + s.group
	}
	state, _, _ := strings.Cut(s.Lifecycle, ":")
	switch {
	case !s.gone.IsZero():
		return "its group" + of + " ended it at " + s.gone.UTC().Format("15:04") + " UTC"
	case state == "Terminating" || state == "Terminated":
		return "its group" + of + " ends it"
	case state == "Detaching" || state == "Detached":
		return "it is taken out of its group" + of
	case state == "Standby" || state == "EnteringStandby":
		return "it is in standby in its group" + of
	case state == "Warmed":
		return "it is in the warm pool of its group" + of
	case state == "Pending":
		return "its group" + of + " starts it"
	case s.leaving != "" && now.Sub(s.told) < goneKept:
		return s.leaving
	case !s.unhealthy.IsZero() && now.Sub(s.unhealthy) < unhealthyFor:
		return "its group" + of + " finds it unhealthy and replaces it"
	}
	return ""
}

func sizeOf(g Group) Size {
	s := Size{Name: g.Name, Wants: g.Desired, Max: g.Max}
	for _, m := range g.Members {
		switch state, _, _ := strings.Cut(m.Lifecycle, ":"); state {
		case "InService":
			s.Has++
		case "Pending":
			s.Starting++
		case "Terminating", "Detaching":
			s.Leaving++
		}
	}
	return s
}

// Retire notes that a stack is deleted: what its groups have ends with it, and none of them is short of anything. ends is false where
// it stays after all, or is made again. The latest word counts, in whichever order they come.
func (f *Fleet) Retire(stack string, ends bool, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.make()
	if at.Before(f.stacks[stack].at) {
		return
	}
	f.stacks[stack] = stackSeen{at, ends}
	maps.DeleteFunc(f.stacks, func(_ string, was stackSeen) bool { return at.Sub(was.at) > retiredKept })
}

// retires says since when a group's stack is deleted.
func (f *Fleet) retires(group string, now time.Time) bool {
	g := f.groups[group]
	if g == nil || g.Stack == "" {
		return false
	}
	s := f.stacks[g.Stack]
	return s.ends && now.Sub(s.at) < retiredKept
}

// retiredKept is how long the deletion of a stack may take.
const retiredKept = time.Hour

// Sizes are those of all groups, by name. Short is set where a group has fewer instances than it wants for too long.
func (f *Fleet) Sizes(now time.Time) []Size {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Size
	for _, name := range slices.Sorted(maps.Keys(f.groups)) {
		g := f.groups[name]
		s := sizeOf(g.Group)
		wait := shortFor
		if s.Starting > 0 {
			wait = shortStarting
		}
		if !g.short.IsZero() && now.Sub(g.short) >= wait && !f.retires(name, now) {
			s.Short = g.short
		}
		out = append(out, s)
	}
	return out
}
