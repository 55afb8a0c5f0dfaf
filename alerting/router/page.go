package router

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/navcloud/binnacle/alerting"
)

// page is what a person would read of a problem now. more are further problems of the same digest.
func (r *Router) page(p *problem, more []*problem) alerting.Page {
	head := p.head
	told := head
	if head.derived() {
		told = head.members[0]
	}
	symptom := p.symptom()
	out := alerting.Page{
		Priority: p.priority, Sentence: p.sentence(symptom), Rule: head.Rule(), Entity: cmp.Or(head.entity.ID, head.Labels["instance"]),
		Service: head.service(), Impact: p.impact(symptom), Broken: p.broken(), Since: p.since, Guidance: p.guidance(),
		Changed: r.changed(p), Explained: p.explained(told), Behind: r.behind(p), Reason: p.reason, Runbook: told.Annotations[alerting.AnnotationRunbook],
	}
	if told.Generator != "" {
		out.Links = map[string]string{"Graph": told.Generator}
	}
	if len(more) > 0 {
		out.Sentence = clip(fmt.Sprintf("%d things for today; %s", len(more)+1, summary(head)), maxSentence)
		for _, m := range more {
			out.Explained = append(out.Explained, m.page(r).Explained...)
			out.Behind = append(out.Behind, summary(m.head))
		}
	}
	return out
}

func (p *problem) page(r *Router) alerting.Page { return r.page(p, nil) }

// maxSentence keeps a title readable on a locked phone.
const maxSentence = 79

// symptom is what users feel of it most, nil if nothing.
func (p *problem) symptom() *alarm {
	for _, a := range p.members {
		if p.serious(a) && a.felt() {
			return a
		}
	}
	return nil
}

func summary(a *alarm) string { return cmp.Or(a.Annotations[alerting.AnnotationSummary], a.Rule()) }

// sentence says who is hurt and what is broken.
func (p *problem) sentence(symptom *alarm) string {
	broken := p.broken()
	if symptom == nil || broken == summary(symptom) {
		return clip(broken, maxSentence)
	}
	hurt := clip(clause(summary(symptom)), 36)
	return hurt + " (" + clip(broken, maxSentence-3-utf8.RuneCountInString(hurt)) + ")"
}

func (p *problem) broken() string {
	if p.root.cause() && p.serious(p.root) {
		return summary(p.root)
	}
	return summary(p.head)
}

func (p *problem) impact(symptom *alarm) string {
	switch {
	case symptom != nil:
		return summary(symptom)
	case p.priority <= alerting.P2:
		return "no user is hurt yet, as far as is known"
	}
	return "no user is hurt"
}

// guidance is the first thing to do: of the head, else of the root, else of what is serious.
func (p *problem) guidance() string {
	for _, a := range append([]*alarm{p.head, p.root}, p.members...) {
		if g := a.Annotations[alerting.AnnotationGuidance]; g != "" && (a == p.head || p.serious(a)) {
			return g
		}
	}
	return "no guidance: the rule " + p.head.Rule() + " has none"
}

// changed are deploys and changes of the last hour.
func (r *Router) changed(p *problem) []string {
	var out []string
	for _, a := range r.ranked {
		if a.kind == "change" && a != p.head && r.now.Sub(a.began()) <= time.Hour && len(out) < 5 {
			out = append(out, summary(a))
		}
	}
	return out
}

// explained are the alarms behind a page as they were told: the head, the root, what is serious, the rest.
func (p *problem) explained(head *alarm) []alerting.Alarm {
	list := []*alarm{head}
	seen := map[*alarm]bool{head: true}
	add := func(a *alarm) {
		for _, m := range append([]*alarm{a}, a.members...) {
			if !m.derived() && !seen[m] {
				seen[m] = true
				list = append(list, m)
			}
		}
	}
	for _, a := range p.members {
		if !a.derived() && (a == p.root || p.serious(a)) {
			add(a)
		}
	}
	for _, a := range p.members {
		if a.holds() {
			add(a)
		}
	}
	out := make([]alerting.Alarm, len(list))
	for n, a := range list {
		out[n] = a.Alarm
	}
	return out
}

// behind names what waits for its turn.
func (r *Router) behind(p *problem) []string {
	var out []string
	for _, o := range r.problems {
		if o != p && o.awake && !o.told && !r.boardOnly(o) && r.route(o) == r.route(p) && len(out) < 3 {
			out = append(out, o.priority.String()+" "+clip(summary(o.head), maxSentence))
		}
	}
	return out
}

// clause is the first part of a summary.
func clause(s string) string {
	for _, sep := range []string{": ", " ("} {
		if n := strings.Index(s, sep); n >= 12 {
			s = s[:n]
		}
	}
	return s
}

// clip cuts s to n runes, between words where that costs little.
func clip(s string, n int) string {
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) <= n {
		return string(runes)
	}
	runes = runes[:n-1]
	if at := slices.Index(runes[n/2:], ' '); at >= 0 {
		for k := len(runes) - 1; k > n/2; k-- {
			if runes[k] == ' ' {
				runes = runes[:k]
				break
			}
		}
	}
	return string(runes) + "…"
}
