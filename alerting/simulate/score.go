package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Score compares the pages of a storm with those that the expert wants.
type Score struct {
	Wanted     int // pages that are wanted, and optional ones that were sent
	Pages      int
	Unwanted   int  // pages that no wanted alarm heads
	FirstRight bool // the first page is headed by a wanted alarm of the best priority that fired by then
	Inversions int  // pages that overtook a better one whose alarm had been firing for 2 s
	Repeated   int  // pages whose every heading alarm headed an earlier one
	Missed     int  // wanted P1 and P2 that no incident names at the end
	Unresolved int  // incidents that are open at the end
}

func (s Score) String() string {
	first := "first right"
	if !s.FirstRight {
		first = "first WRONG"
	}
	return fmt.Sprintf("%d pages for %d wanted, %s, %d unwanted, %d inversions, %d repeated, %d missed, %d unresolved",
		s.Pages, s.Wanted, first, s.Unwanted, s.Inversions, s.Repeated, s.Missed, s.Unresolved)
}

// Add adds up the scores of several storms; FirstRight is that of all.
func (s Score) Add(o Score) Score {
	return Score{
		s.Wanted + o.Wanted, s.Pages + o.Pages, s.Unwanted + o.Unwanted, s.FirstRight && o.FirstRight,
		s.Inversions + o.Inversions, s.Repeated + o.Repeated, s.Missed + o.Missed, s.Unresolved + o.Unresolved,
	}
}

// overtaking is how long a router may need to see an alarm before a page that overtakes it counts.
const overtaking = 2 * time.Second

// scorer goes through the calls of a storm.
type scorer struct {
	storm  *Storm
	ids    map[string]string    // alarms by fingerprint
	began  map[string]time.Time // of each alarm
	wanted map[string]int       // the wanted page that an alarm may head
	wantAt []time.Time          // since when it could be sent; zero: never
	done   []bool               // a heading named it
	heads  map[string][]string  // alarms that head each incident now, by dedup key
	seen   map[string]bool      // alarms that headed a page
	out    Score
}

// Score judges the calls that a Player made of the storm.
func (s *Storm) Score(p *Player) Score {
	c := &scorer{
		storm: s, ids: map[string]string{}, began: map[string]time.Time{}, wanted: map[string]int{}, heads: map[string][]string{}, seen: map[string]bool{},
		wantAt: make([]time.Time, len(s.Truth.Wanted)), done: make([]bool, len(s.Truth.Wanted)),
	}
	for _, a := range s.Alarms {
		c.ids[alerting.Alarm{Labels: a.Labels}.Fingerprint()] = a.ID
	}
	for _, e := range s.Events {
		if _, ok := c.began[e.Alarm]; e.Op == "fire" && !ok {
			c.began[e.Alarm] = stormBegin.Add(ms(e.AtMS))
		}
	}
	for i, w := range s.Truth.Wanted {
		if !w.Optional {
			c.out.Wanted++
		}
		for _, id := range w.AnyOf {
			if _, ok := c.wanted[id]; !ok {
				c.wanted[id] = i
			}
			if t, ok := c.began[id]; ok && (c.wantAt[i].IsZero() || t.Before(c.wantAt[i])) {
				c.wantAt[i] = t
			}
		}
	}
	for _, call := range p.Calls() {
		if call.Outcome == alerting.Accepted {
			c.call(call)
		}
	}
	c.out.FirstRight = c.out.FirstRight || c.out.Pages == 0 && c.out.Wanted == 0
	c.missed()
	c.out.Unresolved = len(p.Open())
	return c.out
}

// call takes one call that the pager accepted.
func (c *scorer) call(call Call) {
	a := call.Action
	high := call.New && a.Page.Priority <= alerting.P2
	_, known := c.heads[a.Key]
	if !high && (!known || a.Kind == alerting.Resolve || a.Kind == alerting.Trigger) {
		return // of low urgency, or nothing that a person reads
	}
	head := c.heading(a)
	if a.Kind == alerting.Note {
		head = append(head, c.heads[a.Key]...)
	}
	c.heads[a.Key] = head
	best, page := c.best(head)
	if high {
		c.page(call.At, head, best, page)
	}
	for _, id := range head {
		if i, ok := c.wanted[id]; ok {
			if !c.done[i] && call.New && c.storm.Truth.Wanted[i].Optional {
				c.out.Wanted++
			}
			c.done[i] = true
		}
	}
}

// heading are the alarms that a reader sees in the title or note: they are behind the page, and their rule is a word of it.
func (c *scorer) heading(a alerting.Action) (out []string) {
	text := " " + a.Page.Sentence + " [" + a.Page.Rule + "] "
	if a.Kind == alerting.Note {
		text = " " + a.Text + " "
	}
	words := strings.FieldsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	for _, m := range a.Page.Explained {
		if id := c.ids[m.Fingerprint()]; id != "" && slices.Contains(words, m.Rule()) {
			out = append(out, id)
		}
	}
	return out
}

// best is the wanted page of the best priority that these alarms head; -1: none.
func (c *scorer) best(head []string) (priority, page int) {
	priority, page = int(alerting.P5)+1, -1
	for _, id := range head {
		if i, ok := c.wanted[id]; ok && c.storm.Truth.Wanted[i].Priority < priority {
			priority, page = c.storm.Truth.Wanted[i].Priority, i
		}
	}
	return priority, page
}

func (c *scorer) page(at time.Time, head []string, best, page int) {
	c.out.Pages++
	if page < 0 {
		c.out.Unwanted++
	}
	if len(head) > 0 && !slices.ContainsFunc(head, func(id string) bool { return !c.seen[id] }) {
		c.out.Repeated++
	}
	for _, id := range head {
		c.seen[id] = true
	}
	could := int(alerting.P5) + 1 // the best that could be sent by now
	overtook := false
	for i, w := range c.storm.Truth.Wanted {
		if since := c.wantAt[i]; !since.IsZero() && !since.After(at) {
			could = min(could, w.Priority)
			overtook = overtook || !w.Optional && w.Priority < best && i != page && !c.done[i] && !since.After(at.Add(-overtaking))
		}
	}
	if overtook {
		c.out.Inversions++
	}
	if c.out.Pages == 1 {
		c.out.FirstRight = page >= 0 && best <= could
	}
}

// missed counts what no incident names at the end: a title that was written over is lost.
func (c *scorer) missed() {
	kept := map[int]bool{}
	for _, head := range c.heads {
		for _, id := range head {
			for i, w := range c.storm.Truth.Wanted {
				kept[i] = kept[i] || slices.Contains(w.AnyOf, id)
			}
		}
	}
	for i, w := range c.storm.Truth.Wanted {
		if !kept[i] && !w.Optional && w.Priority <= int(alerting.P2) {
			c.out.Missed++
		}
	}
}
