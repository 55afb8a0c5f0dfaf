package alerting

import (
	"time"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Fact is what is known of one alarm at one moment: the alarm itself, what its labels say, and of the past as much as
// explaining needs. It is a value: the stages of diagnosis take Facts and change none.
type Fact struct {
	Alarm
	ID       string          // fingerprint; of a group alarm the name of the group
	Severity string          // as the rule's author wrote it, in the words of the dictionary
	Kind     string          // see LabelKind
	Layer    string          // see LabelLayer
	Entity   topology.Entity // the subject
	Known    bool            // the graph has the subject
	Evidence []Evidence      // where severity, kind, layer and subject come from; empty: from our own labels

	First    time.Time   // when this router heard of it first, this time
	Ended    time.Time   // zero while it fires
	Lost     bool        // lost contact: its sender has not repeated it
	Unheard  bool        // known from the ledger alone: no sender has repeated it since the start
	Starts   []time.Time // lately, in order
	Flapping bool
	Novel    bool     // its rule had not fired for a week
	Silence  string   // ID of the silence that covers it now
	Acked    bool     // a person acknowledged the incident that it belongs to
	Problem  string   // ID of the problem that it belonged to last
	Members  []string // of a group alarm: the IDs of those it stands for
}

// Firing says that the alarm has not ended.
func (f Fact) Firing() bool { return f.Ended.IsZero() }

// Group says that it stands for many of the same kind.
func (f Fact) Group() bool { return len(f.Members) > 0 }

// Began is when it started, as far as is known.
func (f Fact) Began() time.Time {
	if !f.StartsAt.IsZero() && f.StartsAt.Before(f.First) {
		return f.StartsAt
	}
	return f.First
}

// Evidence says how one property of an alarm was found out.
type Evidence struct {
	Property string // severity, subject, kind, layer, impact, identity
	Value    string
	From     string // the label, the catalogue's entry, the word of the lexicon
	Guessed  bool   // by lexicon or likeness; else certain
}

// Refusal says why one alarm is not explained by another, or why a stage did not do what it could have done.
type Refusal struct {
	Alarm  string // ID of the Fact
	By     string // ID of the Fact that was refused as its explanation; empty: the stage refused the alarm itself
	Reason string // for people
}

// Problem is a root cause with the alarms that it explains.
type Problem struct {
	ID       string   // stable while the problem lives
	Root     string   // ID of the root's Fact
	Head     string   // ID of the Fact that heads the page
	Members  []string // IDs, the root first, in the order of causes
	Priority Priority
	Reason   string // why this priority
	Awake    bool   // something in it fires that no silence covers
	Since    time.Time
}
