package alerting

import (
	"fmt"
	"strings"
	"time"
)

// Trust is how far something that was read can be relied upon.
type Trust uint8

// The trusts, the least first.
const (
	Unread    Trust = iota // nothing is known
	Guessed                // from words of a name, an expression or a summary
	Catalogue              // name and labels are those of a public rule
	Certain                // from labels, or said by the rule's author or the operator
)

func (t Trust) String() string {
	return [...]string{"unknown", "guessed", "catalogue", "certain"}[t]
}

// Answer is one thing that was read of an alarm.
type Answer struct {
	Value string
	From  string // label, rule or word that it came from, for people
	Trust Trust
}

// Known says that there is an answer.
func (a Answer) Known() bool { return a.Value != "" }

// Reading is what an alarm of anybody's rule says; package reading makes it.
type Reading struct {
	Severity Answer   // critical, warning, low or info; From has the author's own word
	Priority Priority // that the author or the operator fixed; 0: none
	Unknown  string   // the author's word for the severity where nobody knows it; "none" where there is no word

	Subject Subject // what it is about
	Owners  []Owner // what that is a part of or stands on, the nearest first
	Scope   string  // the widest place that labels name: a cluster, an account; empty: none

	Kind   Answer // symptom, errors, latency, liveness, saturation, down, quorum, partition, change, config, network, hygiene, heartbeat
	Layer  Answer // zone, network, dns, node, storage, database, cache, queue, platform, workload, service, edge, probe, job, monitoring
	Impact Answer // users, data, quorum, none

	Identity  string        // of the labels that stay while it fires, without replicas, severities and burn-rate windows
	Notice    string        // what the alerting system itself says of the rule: it has no data, it cannot be evaluated; empty: it is the rule's own alarm
	Names     []string      // of all that it can share with another alarm about the same thing: its identity, and owners no wider than a host
	Place     string        // its rule, severity and where it is: what alarms of one rule in one place have in common
	Rule      string        // the rule it is about: Grafana's DatasourceNoData is about another one
	Title     string        // for people where the alarm has neither name nor summary
	Wait      time.Duration // how long the condition held before the alarm fired, where a public pack says so; else 0
	Held      time.Duration // how long the sender itself holds every condition before it says so: CloudWatch judges whole periods; else 0
	Heartbeat bool          // fires for ever, to show that alarms arrive
	Idle      bool          // asks for nothing that a person could do (heartbeats, inhibitors)

	Rank    int  // how good a cause it makes, by layer and kind: less is better. It makes no edge
	Follows bool // it can be what another fault brings about; a full disk or an old certificate comes from elsewhere
}

// Users says that users are harmed, as far as is read.
func (r *Reading) Users() bool { return r.Impact.Value == "users" }

// Owner is the name of the nearest owner of a kind; empty: there is none.
func (r *Reading) Owner(kind string) string {
	for _, o := range r.Owners {
		if o.Kind == kind {
			return o.Name
		}
	}
	return ""
}

// Says is how an alarm was read, for people, in one line.
func (r *Reading) Says() string {
	var parts []string
	switch {
	case r.Unknown == "none":
		parts = append(parts, "no severity, so "+r.Severity.Value+" ("+r.Severity.From+")")
	case r.Unknown != "":
		parts = append(parts, fmt.Sprintf("severity %q is unknown, so %s (%s)", r.Unknown, r.Severity.Value, r.Severity.From))
	default:
		parts = append(parts, r.Severity.Value+" by "+r.Severity.From)
	}
	if id := r.Subject.ID(); id != "" {
		parts = append(parts, "about "+id+" by the label "+r.Subject.From)
	}
	for _, a := range []struct {
		what string
		Answer
	}{{"", r.Kind}, {"layer ", r.Layer}, {"harm to ", r.Impact}} {
		if a.Known() && a.Value != "none" {
			parts = append(parts, fmt.Sprintf("%s%s (%s: %s)", a.what, a.Value, a.Trust, a.From))
		}
	}
	return strings.Join(parts, "; ")
}

// Chore says that it is housekeeping by the words of a public rule or plugin, and harms nobody.
func (r *Reading) Chore() bool {
	return r.Kind.Value == "hygiene" && r.Impact.Value == "none" && r.Kind.Trust >= Catalogue
}

// Effect says that it reads as something that follows from something else.
func (r *Reading) Effect() bool {
	return r.Kind.Value == "liveness" || r.Kind.Value == "errors" || r.Kind.Value == "latency"
}

// Subject is what an alarm is about.
type Subject struct {
	Kind  string // container, pod, device, volume, queue, database, target, route, check, node, workload, job, namespace, service, cluster, zone, region
	Name  string
	From  string // the label that named it
	Trust Trust
}

// ID identifies a subject among all; empty where there is none.
func (s Subject) ID() string {
	if s.Name == "" {
		return ""
	}
	return s.Kind + ":" + s.Name
}

// Owner is what a subject is a part of, stands on or belongs to, the subject itself among it.
type Owner struct {
	Kind  string // as of a Subject; host names come without domain and port
	Name  string
	Trust Trust
}

// ID identifies an owner as Subject.ID does a subject.
func (o Owner) ID() string { return o.Kind + ":" + o.Name }
