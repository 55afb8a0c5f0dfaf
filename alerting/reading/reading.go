// Package reading turns an alarm of anybody's rule into what ordering needs: how urgent its author called it, what it is about,
// what that is a part of, what kind of trouble it is and whether users are harmed. Each answer says where it came from and
// whether it is certain or guessed.
//
// It is pure and has no memory: the same alarm always reads the same. It decides neither priority nor order, and it explains
// nothing; package diagnosis does, from these answers. A guess never lowers what an author called urgent, but where both the
// rule's name and its labels are those of a public rule that is known to be a chore.
package reading

import (
	"cmp"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Evidence is how far an answer can be trusted.
type Evidence uint8

// The evidences, the weakest first.
const (
	None      Evidence = iota // nothing is known
	Guessed                   // from words of a name, an expression or a summary
	Catalogue                 // the name and the labels are those of a public rule
	Certain                   // from labels, or said by the rule's author or the operator
)

func (e Evidence) String() string {
	return [...]string{"unknown", "guessed", "catalogue", "certain"}[e]
}

// Answer is one thing read.
type Answer struct {
	Value    string
	From     string // label, rule or word that it came from, for people
	Evidence Evidence
}

func (a Answer) known() bool { return a.Value != "" }

// Reading is what an alarm says.
type Reading struct {
	Severity Answer            // critical, warning, low or info; From has the author's own word
	Priority alerting.Priority // that the author or the operator fixed; 0: none
	Unknown  string            // the author's word for the severity where nobody knows it; "none" where there is no word

	Subject Subject // what it is about
	Owners  []Owner // what that is a part of or stands on, the nearest first
	Scope   string  // the widest that labels name: a cluster, an account; empty: nothing does

	Kind   Answer // symptom, errors, latency, liveness, saturation, down, quorum, partition, change, config, network, hygiene
	Layer  Answer // zone, network, dns, node, storage, database, cache, queue, platform, workload, service, edge, probe, job, monitoring
	Impact Answer // users, data, quorum, none

	Rule      string        // the rule it is about: Grafana's DatasourceNoData is about another one
	Title     string        // for people where the alarm has neither name nor summary
	Wait      time.Duration // how long the condition held before the alarm fired, where a public pack says so; else 0
	Heartbeat bool          // by its name it fires for ever, to show that alarms arrive
	Always    bool          // it stands for nothing a person could do (inhibitors, heartbeats)
}

// Reader reads alarms. It is immutable and may be used by many goroutines.
type Reader struct {
	set Settings
	cat *catalogue
}

// Settings are what an operator can say of alarms of others.
type Settings struct {
	UnknownSeverity alerting.Priority // of words nobody knows and of none at all
	ReplicaLabels   []string          // tell copies of one sender apart; no part of an alarm's identity
	Map             []Mapping
}

// DefaultSettings are right for most.
func DefaultSettings() Settings {
	return Settings{UnknownSeverity: alerting.P2, ReplicaLabels: ReplicaLabels()}
}

// New makes a Reader. The settings must be valid.
func New(s Settings) *Reader {
	if s.UnknownSeverity == 0 {
		s.UnknownSeverity = alerting.P2
	}
	if s.ReplicaLabels == nil {
		s.ReplicaLabels = ReplicaLabels()
	}
	return &Reader{set: s, cat: public()}
}

// Read reads an alarm. It keeps no part of it.
func (r *Reader) Read(a alerting.Alarm) Reading {
	labels := forms(a.Labels)
	said := r.mapped(labels)
	if said.labels != nil {
		labels = said.labels
	}
	out := Reading{Rule: labels[alerting.LabelRule]}
	if name := about(labels); name != "" {
		out.Rule = name
	}
	entry := r.cat.find(out.Rule, labels)
	spokes := speaksForOthers(labels)
	out.Subject, out.Owners = place(labels, entry, spokes)
	out.Scope = scope(labels)
	r.severity(&out, labels, said)
	r.nature(&out, a, labels, entry, said)
	out.Title = title(a, out)
	return out
}

// about is the rule that a notice of the alerting system itself is about.
// Source: Grafana Alerting, "Stale alert instances" and "No data and error states", read November 2026.
func about(labels map[string]string) string {
	switch labels[alerting.LabelRule] {
	case "DatasourceNoData", "DatasourceError":
		return labels["rulename"]
	}
	return ""
}

// title is what a person reads where the alarm has no summary.
func title(a alerting.Alarm, r Reading) string {
	for _, name := range []string{alerting.AnnotationSummary, "title", "message", "description", "info", "output"} {
		if text := strings.TrimSpace(a.Annotations[name]); text != "" {
			first, _, _ := strings.Cut(text, "\n")
			return strings.TrimSpace(first)
		}
	}
	name := cmp.Or(r.Rule, "An alarm without a name")
	if r.Subject.Name != "" {
		return name + " on " + r.Subject.Name
	}
	return name
}
