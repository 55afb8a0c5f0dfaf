package incidents

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/navcloud/binnacle/alerting"
)

// page is what a person would read of a problem now. more are further problems of the same digest.
func (m moment) page(x *item, more []*item) alerting.Page {
	head, speaks := x.Head, x.Head.Spokesman()
	symptom := x.symptom()
	out := alerting.Page{
		Priority: x.Priority, Sentence: x.sentence(symptom), Rule: head.Rule(), Entity: cmp.Or(head.Entity.ID, head.Labels["instance"]),
		Service: head.Service(), Impact: x.impact(symptom), Broken: x.broken(), Since: x.Since, Guidance: x.guidance(),
		Changed: m.changed(x), Explained: x.explained(speaks), Behind: m.behind(x), Reason: x.Reason, Runbook: speaks.Annotations[alerting.AnnotationRunbook],
	}
	if speaks.Generator != "" {
		out.Links = map[string]string{"Graph": speaks.Generator}
	}
	if len(more) > 0 {
		out.Sentence = clip(fmt.Sprintf("%d things for today; %s", len(more)+1, head.Summary()), maxSentence)
		for _, o := range more {
			out.Explained = append(out.Explained, m.page(o, nil).Explained...)
			out.Behind = append(out.Behind, o.Head.Summary())
		}
	}
	return out
}

// maxSentence keeps a title readable on a locked phone.
const maxSentence = 79

// symptom is what users feel of it most, nil if nothing.
func (x *item) symptom() *alerting.Verdict {
	for _, a := range x.Members {
		if a.Serious && a.Symptom {
			return a
		}
	}
	return nil
}

// sentence says who is hurt and what is broken: that alone where its own rule says that users are hurt by it.
func (x *item) sentence(symptom *alerting.Verdict) string {
	broken := x.broken()
	if symptom == nil || broken == symptom.Summary() || x.Root.Cause && x.Root.Labels[alerting.LabelImpact] == "users" {
		return named(broken, x.subject())
	}
	hurt := clip(clause(symptom.Summary()), 36)
	return hurt + " (" + clip(broken, maxSentence-3-utf8.RuneCountInString(hurt)) + ")"
}

func (x *item) broken() string {
	if x.Root.Cause && x.Root.Serious {
		return x.Root.Summary()
	}
	return x.Head.Summary()
}

// subject is what the alarm that is broken is about, where it is of others and its summary names nothing of it: mixins' summaries say
// "Node is not ready." of every node. Empty: the summary says enough.
func (x *item) subject() string {
	v := x.Head
	if x.Root.Cause && x.Root.Serious {
		v = x.Root
	}
	if v.Reading == nil || !v.Foreign() || len(v.Parts) > 0 {
		return ""
	}
	text := clip(v.Summary(), maxSentence)                   // what is cut names nothing
	name := strings.TrimPrefix(v.Reading.Subject.Name, "//") // a queue of the host "/"
	if name == "" || strings.Contains(text, name) || utf8.RuneCountInString(name) > maxSentence/2 || hasLabel(text, v.Labels) {
		return ""
	}
	return v.Reading.Subject.Kind + " " + name
}

// hasLabel says that a text holds the value of a label, rule and severity apart.
func hasLabel(text string, labels map[string]string) bool {
	for name, value := range labels {
		if len(value) > 3 && name != alerting.LabelRule && name != alerting.LabelSeverity && strings.Contains(text, value) {
			return true
		}
	}
	return false
}

// named is a title with the subject that it is about, which is never cut.
func named(title, subject string) string {
	if subject == "" {
		return clip(title, maxSentence)
	}
	return clip(strings.TrimRight(title, ". "), maxSentence-3-utf8.RuneCountInString(subject)) + " (" + subject + ")"
}

func (x *item) impact(symptom *alerting.Verdict) string {
	switch {
	case symptom != nil && symptom.Summary() == x.broken() && symptom.Foreign() && symptom.Reading != nil && symptom.Reading.Impact.Known():
		return usersBy(symptom.Reading.Impact)
	case symptom != nil:
		return symptom.Summary()
	case x.Priority == alerting.P1 && (x.Head.Impact() == "users" || x.Root.Serious && x.Root.Impact() == "users"):
		return "Users need it"
	case x.Priority <= alerting.P2:
		return alerting.NoUserImpact + " seen so far"
	}
	return alerting.NoUserImpact
}

// usersBy says by what an alarm of others reads as one that users notice, where its summary is the title already.
func usersBy(read alerting.Answer) string {
	if strings.Contains(read.From, " ") && !strings.HasPrefix(read.From, "rule ") && !strings.HasPrefix(read.From, "the word ") { // a sentence
		return "Users are affected: " + read.From
	}
	return "Users are affected, as read from " + read.From
}

// guidance is the first thing to do: of the head, else of the root, else of what is serious.
func (x *item) guidance() string {
	for _, a := range append([]*alerting.Verdict{x.Head, x.Root}, x.Members...) {
		if g := a.Annotations[alerting.AnnotationGuidance]; g != "" && (a == x.Head || a.Serious) {
			return g
		}
	}
	return foreignGuidance(x.Head)
}

// maxChanged bounds the changes on one page.
const maxChanged = 5

// changed are deploys and changes of the last hour.
func (m moment) changed(x *item) []string {
	var out []string
	for _, a := range m.changes {
		if a != x.Head && len(out) < maxChanged {
			out = append(out, a.Summary())
		}
	}
	return out
}

// explained are the alarms behind a page in their order: the head, the root, what is serious, the rest.
func (x *item) explained(head *alerting.Verdict) []alerting.Alarm {
	list := []*alerting.Verdict{head}
	seen := map[*alerting.Verdict]bool{head: true}
	add := func(a *alerting.Verdict) {
		for _, m := range append([]*alerting.Verdict{a}, a.Parts...) {
			if !m.Group() && !seen[m] {
				seen[m] = true
				list = append(list, m)
			}
		}
	}
	for _, a := range x.Members {
		if !a.Group() && (a == x.Root || a.Serious) {
			add(a)
		}
	}
	for _, a := range x.Members {
		if a.Firing() {
			add(a)
		}
	}
	out := make([]alerting.Alarm, len(list))
	for n, a := range list {
		out[n] = a.Alarm
	}
	return out
}

// maxBehind bounds what a page says of others that wait.
const maxBehind = 3

// behind names what waits for its turn.
func (m moment) behind(x *item) []string {
	var out []string
	for _, o := range m.queues[x.way] {
		if o != x && len(out) < maxBehind {
			out = append(out, o.Priority.String()+" "+clip(o.Head.Summary(), maxSentence))
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

// foreignGuidance is what the texts of a rule that has no guidance say: its description, else where its runbook is.
func foreignGuidance(v *alerting.Verdict) string {
	speaks := v.Spokesman()
	text, _, _ := strings.Cut(speaks.Annotations["description"], "\n")
	text = strings.TrimSpace(text)
	runbook := speaks.Annotations[alerting.AnnotationRunbook]
	switch {
	case speaks.Reading == nil || text == "" && runbook == "":
		return "No guidance: the rule " + v.Rule() + " has none"
	case text == "" || text == speaks.Summary():
		return "the rule has no guidance; its runbook: " + cmp.Or(runbook, "none")
	case runbook != "":
		return text + " Runbook: " + runbook
	}
	return text
}
