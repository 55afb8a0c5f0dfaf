package incidents

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// news notes how an open incident stands now.
func (d *Desk) news(x *item) {
	i := x.incident
	if i.digest || !x.Awake {
		return
	}
	if i.said == "" {
		i.said, i.saidAt, i.newsIn = standing(i.rec.Page), i.rec.UpdatedAt, newsFirst
	}
	if due := i.saidAt.Add(i.newsIn); !d.come(due) {
		d.wake.Add(due)
		return
	}
	i.saidAt = d.now
	if now := standing(d.page(x, nil)); now != i.said {
		i.said, i.newsIn = now, min(2*i.newsIn, newsMost)
		i.note("Now: " + now)
	}
}

// steady notes that what came and went has come to stay.
func steady(x *item) {
	if i := x.incident; x.Head.Steady && !i.steady.Equal(x.Head.First) {
		i.steady = x.Head.First
		i.note("Steady since " + x.Head.First.UTC().Format("15:04:05 UTC") + ": it has fired for longer than it did lately")
	}
}

// standing is what of a page changes while it is open.
func standing(p alerting.Page) string {
	if p.Impact == "" || p.Impact == p.Broken {
		return p.Broken
	}
	return p.Broken + "; " + p.Impact
}

// hiding is since when an alarm is explained by another one, and whether that was noted.
type hiding struct {
	since time.Time
	noted bool
	seen  bool // in this step
}

// hide notes since when alarms are explained by others.
func (d *Desk) hide() {
	for _, v := range d.in.Alarms {
		if v.By == nil || !v.Firing() {
			continue
		}
		h := d.hiding[v.ID]
		if h == nil || h.since.Before(v.First) { // it ended and began again in between
			h = &hiding{since: d.now}
			d.hiding[v.ID] = h
		}
		h.seen = true
	}
	for id, h := range d.hiding {
		if !h.seen {
			delete(d.hiding, id)
		}
		h.seen = false
	}
}

// remark adds notes to open incidents: how they stand now; what stays hidden for long, once; and in a storm how that stands.
func (d *Desk) remark() {
	for _, x := range d.items {
		if !x.covered || !x.incident.shown() {
			continue
		}
		steady(x)
		d.news(x)
		if count := d.hidden(x); x.Awake && len(count) > 0 {
			x.incident.note("Hidden behind this for over " + words.Compact(d.set.HiddenFor) + ": " + counted(count))
		}
	}
	d.sum()
}

// hidden counts by rule what has been hidden in x for long and was not noted; from now on it was. What becomes due soon after a
// note waits for the next one: alarms of a storm come one after the other, and so would their notes.
func (d *Desk) hidden(x *item) map[string]int {
	count := map[string]int{}
	if next := x.incident.hidden.Add(d.set.HiddenFor); !x.incident.hidden.IsZero() && !d.come(next) {
		d.wake.Add(next)
		return count
	}
	for _, v := range x.Members {
		h := d.hiding[v.ID]
		if h == nil || h.noted || v.Group() || !v.Firing() {
			continue
		}
		if due := h.since.Add(d.set.HiddenFor); !d.come(due) {
			d.wake.Add(due)
			continue
		}
		h.noted = true
		count[v.Rule()]++
		x.incident.hidden = d.now
	}
	return count
}

// maxNotes wait on one incident.
const maxNotes = 8

func (i *incident) note(text string) {
	if len(i.notes) < maxNotes {
		i.notes = append(i.notes, text)
	}
}

// noted drops a note that was sent, or refused. A person may have closed the incident meanwhile, which drops all.
func (i *incident) noted() {
	if len(i.notes) > 0 {
		i.notes = i.notes[1:]
	}
}

func counted(count map[string]int) string {
	var parts []string
	for _, rule := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%d %s", count[rule], rule))
		if len(parts) == 20 {
			break
		}
	}
	return strings.Join(parts, ", ")
}
