package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// summaryEvery is how often a storm is summed up.
const summaryEvery = 5 * time.Minute

// A page says what was true when it was sent. What has become of it since is noted after newsFirst, and then at intervals
// that double up to newsMost, where it reads differently.
const (
	newsFirst = 5 * time.Minute
	newsMost  = time.Hour
)

// news notes how an open incident stands now.
func (r *Router) news(p *problem) {
	i := p.incident
	if i.digest || !p.awake {
		return
	}
	if i.said == "" {
		i.said, i.saidAt, i.newsIn = standing(i.rec.Page), i.rec.UpdatedAt, newsFirst
	}
	if !r.passed(i.saidAt.Add(i.newsIn)) {
		return
	}
	i.saidAt = r.now
	if now := standing(r.page(p, nil)); now != i.said {
		i.said, i.newsIn = now, min(2*i.newsIn, newsMost)
		i.note("Now: " + now)
	}
}

// standing is what of a page changes while it is open.
func standing(p alerting.Page) string {
	if p.Impact == "" || p.Impact == p.Broken {
		return p.Broken
	}
	return p.Broken + "; " + p.Impact
}

// remark adds notes to open incidents: how they stand now; what stays hidden for long, once; and in a storm how that stands.
func (r *Router) remark() {
	for _, p := range r.problems {
		if !p.told || !p.incident.rec.Open {
			continue
		}
		r.news(p)
		count := map[string]int{}
		for _, a := range p.members {
			if a.hidden.IsZero() || a.noted || a.derived() || !a.holds() || !r.passed(a.hidden.Add(r.set.HiddenFor)) {
				continue
			}
			a.noted = true
			count[a.Rule()]++
		}
		if len(count) > 0 {
			p.incident.note("Hidden behind this for over " + plain(r.set.HiddenFor) + ": " + counted(count))
		}
	}
	if !r.storm || !r.passed(r.noted.Add(summaryEvery)) {
		return
	}
	r.noted = r.now
	firing, open := 0, 0
	for _, a := range r.alarms {
		if a.holds() {
			firing++
		}
	}
	for _, p := range r.problems {
		if p.awake && !r.boardOnly(p) {
			open++
		}
	}
	for _, p := range r.problems {
		if p.told && p.awake && p.incident.rec.Open && p.priority <= alerting.P2 {
			p.incident.note(fmt.Sprintf("Storm: %d alarms began in %s, %d hold now, %d problems are open", len(r.raw), plain(r.set.Storm.Window), firing, open))
			return
		}
	}
}

func (i *incident) note(text string) {
	if len(i.notes) < maxNotes {
		i.notes = append(i.notes, text)
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
