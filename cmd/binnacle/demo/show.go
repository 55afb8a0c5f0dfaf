package demo

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// line is the line of counts.
func (p *play) line() string {
	r := p.fleet.last()
	var by []string
	for i, addr := range p.fleet.addrs {
		by = append(by, fmt.Sprintf("%s %d", apis[i], r.ByNode[addr]))
	}
	return fmt.Sprintf("%s  streams %d (%s)  events %d, missed %d  alarms %d now, %d so far  pages %d",
		p.clock(), r.Open, strings.Join(by, ", "), r.Arrived, r.Missed, p.firing, len(p.raw), len(p.verdict.pages))
}

// show tells what the pager was told since the last time, and who took it.
func (p *play) show(ctx context.Context) {
	for _, in := range p.w.pagerduty.Incidents() {
		if in.Status == "acknowledged" && !p.acked[in.ID] {
			p.acked[in.ID] = true
			p.screen.say("%s %s has acknowledged: %s", p.clock(), in.By, in.Title)
		}
	}
	p.mu.Lock()
	news := p.news
	p.news = nil
	p.mu.Unlock()
	for _, n := range news {
		p.verdict.note(n)
		page := n.action.Page
		switch {
		case n.result.Outcome != alerting.Accepted:
			p.screen.say("%s %s: %s, %s", p.clock(), n.action.Kind, n.result.Outcome, n.result.Detail)
		case n.action.Kind == alerting.Trigger:
			p.screen.frame(fmt.Sprintf("%s PAGE to PagerDuty, %.0f s after its first alarm", p.clock(), delay(n).Seconds()), pagerduty.Text(page)+p.silent(ctx, page)+"  open      "+p.link(n.action.Key)+"\n")
		case n.action.Kind == alerting.Resolve:
			p.screen.say("%s resolved: %s", p.clock(), pagerduty.Title(page))
		case n.action.Kind == alerting.Retitle:
			p.screen.say("%s now called: %s", p.clock(), pagerduty.Title(page))
		case n.action.Kind == alerting.Note:
			p.screen.say("%s note: %s", p.clock(), n.action.Text)
		}
	}
}

// link is where a person sees an incident with its evidence.
func (p *play) link(key string) string {
	return "http://" + p.w.listen + "/problems/" + url.PathEscape(key)
}

// delay is how long after the first alarm behind it a page was sent.
func delay(t told) time.Duration { return t.at.Sub(t.action.Page.Since) }

// silent says why nothing else rang.
func (p *play) silent(ctx context.Context, page alerting.Page) string {
	now, err := p.view(ctx)
	if err != nil {
		return ""
	}
	var out strings.Builder
	say := func(name, text string) { fmt.Fprintf(&out, "  %-9s %s\n", name, text) }
	name := "silent"
	for _, pr := range now.View.Problems {
		if pr.Page.Rule == page.Rule && pr.Page.Entity == page.Entity {
			for _, e := range pr.Explained {
				say("hidden", fmt.Sprintf("%s on %s: %s", e.Alarm.Rule(), e.Alarm.Labels[alerting.LabelEntity], e.Why))
			}
			continue
		}
		if pr.Priority == alerting.P5 {
			continue
		}
		say(name, fmt.Sprintf("%s on %s: %s", pr.Root.Rule(), pr.Page.Entity, why(pr, now.View)))
	}
	return out.String()
}

// why says in a few words why a problem does not ring now.
func why(pr alerting.ProblemView, v alerting.View) string {
	left := ""
	if !pr.Until.IsZero() {
		left = fmt.Sprintf(", %.0f s more at most", time.Until(pr.Until).Seconds())
	}
	switch pr.State {
	case alerting.Waiting:
		return fmt.Sprintf("%s, still waiting for its cause%s", pr.Priority, left)
	case alerting.Held:
		i := slices.IndexFunc(v.Problems, func(o alerting.ProblemView) bool { return o.ID == pr.Behind })
		behind := "a worse one"
		if i >= 0 {
			behind = v.Problems[i].Root.Rule()
		}
		return fmt.Sprintf("%s, held behind %s until that is taken%s", pr.Priority, behind, left)
	case alerting.Paged, alerting.AckedState, alerting.Recovering:
		return fmt.Sprintf("%s, paged before (%s)", pr.Priority, pr.State)
	}
	note := ""
	if pr.Note != "" {
		note = " (" + pr.Note + ")"
	}
	return fmt.Sprintf("%s, %s%s", pr.Priority, pr.Reason, note)
}

// evidence ends the story with where its incident is: the pages stay up.
func (p *play) evidence() {
	if pages := p.verdict.pages; len(pages) > 0 {
		p.screen.say("\nThe incident with its evidence is at %s", p.link(pages[0].action.Key))
	}
}

// board tells what nobody was woken for.
func (p *play) board() {
	now, err := p.view(context.Background())
	if err != nil {
		return
	}
	for _, pr := range now.View.Problems {
		if pr.State == alerting.Board || pr.State == alerting.Waiting || pr.State == alerting.Held {
			p.screen.say("%s nobody was woken for %s on %s: %s", p.clock(), pr.Root.Rule(), pr.Page.Entity, why(pr, now.View))
		}
	}
}
