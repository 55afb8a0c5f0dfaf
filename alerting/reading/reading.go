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

// Reader reads alarms. It is immutable and may be used by many goroutines.
type Reader struct {
	set   Settings
	cat   *catalogue
	steps []step
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
	r := &Reader{set: s, cat: public()}
	for _, m := range s.Map {
		if c, err := m.config(); err == nil {
			r.steps = append(r.steps, step{m, c})
		}
	}
	return r
}

// Read reads an alarm. It keeps no part of it.
func (r *Reader) Read(a alerting.Alarm) alerting.Reading {
	labels, as := forms(a.Labels)
	labels, as = told(labels, as, a.Annotations)
	said := r.mapped(labels)
	if said.labels != nil {
		labels = said.labels
	}
	out := alerting.Reading{Rule: labels[alerting.LabelRule], Identity: r.identity(a.Labels)}
	if name := about(labels); name != "" {
		out.Rule, out.Notice = name, notices[labels[alerting.LabelRule]]
	}
	entry := r.cat.find(out.Rule, labels)
	spokes := speaksForOthers(labels)
	out.Subject, out.Owners = locate(labels, entry, spokes)
	out.Scope, out.Held = scope(labels), held(labels)
	r.severity(&out, labels, said)
	if called := as[alerting.LabelSeverity]; called != "" {
		out.Severity.From = strings.Replace(out.Severity.From, alerting.LabelSeverity+"=", called+"=", 1)
	}
	r.nature(&out, a, labels, entry, said)
	r.packs(&out, entry)
	out.Title = title(a, out)
	out.Names, out.Place = names(&out), place(labels[alerting.LabelRule], &out)
	out.Rank, out.Follows = rank(&out), follows(&out)
	if called := as[out.Subject.From]; called != "" {
		out.Subject.From = called
	}
	return out
}

// about is the rule that a notice of the alerting system itself is about.
// Source: Grafana Alerting, "Stale alert instances" and "No data and error states", read November 2026.
func about(labels map[string]string) string {
	if notices[labels[alerting.LabelRule]] != "" {
		return labels["rulename"]
	}
	return ""
}

var notices = map[string]string{"DatasourceNoData": "it has no data", "DatasourceError": "it cannot be evaluated"}

// cloudPeriod is the shortest period that CloudWatch judges AWS's own metrics by: a breach is told once a whole one is over and
// has arrived. A high-resolution alarm (10 s to 30 s, metrics of one's own) is taken for one of these, since its labels say no period.
// Source: CloudWatch user guide, "Alarm evaluation" and "High-resolution metrics", read November 2026.
const cloudPeriod = time.Minute

// held is how long the sender of an alarm itself holds every condition. Prometheus says nothing of it in an alarm's labels, and
// evaluates each half or whole minute whatever its rules hold.
func held(labels map[string]string) time.Duration {
	if labels[alerting.LabelSource] == "cloudwatch" || strings.HasPrefix(labels["namespace"], "AWS/") && labels["metric"] != "" {
		return cloudPeriod
	}
	return 0
}

// title is what a person reads where the alarm has no summary of its own.
func title(a alerting.Alarm, r alerting.Reading) string {
	if r.Notice != "" {
		return r.Rule + ": " + r.Notice
	}
	for _, name := range []string{alerting.AnnotationSummary, "title", "message", "description", "info", "output"} {
		if text := strings.TrimSpace(a.Annotations[name]); text != "" {
			first, _, _ := strings.Cut(text, "\n")
			return alerting.Filled(strings.TrimSpace(first))
		}
	}
	name := cmp.Or(r.Rule, "An alarm without a name")
	if r.Subject.Name != "" {
		return name + " on " + r.Subject.Name
	}
	return name
}
