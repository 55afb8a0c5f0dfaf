package alerting

import (
	"cmp"
	"time"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Fact is what is known of one alarm at one moment: the alarm itself, what its labels say, and of the past as much as
// explaining needs. It is a value: whoever has one may rely on it, and what changes is a new Fact.
type Fact struct {
	Alarm
	ID       string          // fingerprint; of a group alarm the name of the group
	Severity string          // as the rule's author wrote it, in lower case
	Kind     string          // see LabelKind
	Layer    string          // see LabelLayer
	Entity   topology.Entity // the subject
	Known    bool            // the graph has the subject
	Reading  *Reading        // of an alarm whose rule knows nothing of ordering; nil: labels of our own say all
	Joined   Joined          // with which others it is folded, where the graph does not know its subject

	First         time.Time       // when this router heard of it first, this time
	Ended         time.Time       // zero while it fires
	Lost          bool            // lost contact: its sender has not repeated it
	Unheard       bool            // known from the ledger alone: no sender has repeated it since the start
	Starts        []time.Time     // lately, in order
	Phases        []time.Duration // how long each of the last times it fired, until it ended by itself
	Flapping      bool            // its starts are less than flap.within apart
	Novel         bool            // its rule had not fired for a week
	Silence       string          // ID of the silence that covers it now
	SilencedUntil time.Time       // until when that covers it, should it be a P1; see MaxSilenceP1
	Members       []string        // of a group alarm: the IDs of those that it stands for
	Past          Past

	said *said
}

// said is what the labels and annotations of an alarm say that every step asks. Where 20,000 alarms are judged again and again, looks
// into maps are most of the cost; so they are looked into once.
type said struct {
	rule, service, dep, impact, harm string

	priority      Priority
	always, never bool
}

// ReadLabels must be called whenever another Alarm was put into f. A Fact of which it was never called works, and is slow.
func (f *Fact) ReadLabels() {
	f.said = nil
	f.said = f.says()
}

func (f *Fact) says() *said {
	if f.said != nil {
		return f.said
	}
	return &said{
		rule: f.Alarm.Rule(), service: f.Labels[LabelService], dep: f.Labels[LabelDep], impact: f.Labels[LabelImpact],
		priority: ParsePriority(f.Labels[LabelPriority]), harm: f.Annotations[AnnotationHarmIn], always: f.Alarm.Always(), never: f.Alarm.Never(),
	}
}

// Rule is the name of the rule.
func (f *Fact) Rule() string { return f.says().rule }

// Always says that the rule's author wants a page whatever happens.
func (f *Fact) Always() bool { return f.says().always }

// Never says that the rule's author wants no page for this alarm alone.
func (f *Fact) Never() bool { return f.says().never }

// Dep is the service that the alarm's rule blames, see LabelDep.
func (f *Fact) Dep() string { return f.says().dep }

// Impact is what the alarm's rule says of it, see LabelImpact.
func (f *Fact) Impact() string { return f.says().impact }

// Says is the priority that the rule itself names; 0: none.
func (f *Fact) Says() Priority { return f.says().priority }

// HarmIn is the text of AnnotationHarmIn.
func (f *Fact) HarmIn() string { return f.says().harm }

// Past is what explaining needs of the step before.
type Past struct {
	Problem string // ID of the problem that the alarm belonged to; empty: none
	Led     bool   // it was the root or the head of that problem
	Notified
	Vain Vain // what became of its pages
}

// Notified is what a person knows of an alarm by a pager.
type Notified struct {
	Open   bool     // an incident was opened for it, and is not over
	Acked  bool     // a person acknowledged that incident
	Page   Priority // of that incident's page; 0: none
	Called bool     // it led to a page within the last day
}

// Vain counts pages whose alarms ended by themselves before a person acknowledged them. One that a person acknowledged, silenced or
// closed makes the count zero for a day.
type Vain struct {
	Own     int           // of this very alarm, within hours
	Rule    int           // of its rule in its scope, whatever the subject, within a day
	Longest time.Duration // for which what they were about fired
}

// Firing says that the alarm has not ended.
func (f *Fact) Firing() bool { return f.Ended.IsZero() }

// Often says that what comes and goes fires for a quarter of the time or more, several times in a row: so many failures are no blip.
func (f *Fact) Often() bool {
	n, k := len(f.Starts), len(f.Phases)
	if k < 2 || n <= k {
		return false
	}
	var fired time.Duration
	for _, d := range f.Phases {
		fired += d
	}
	return 4*fired >= f.Starts[n-1].Sub(f.Starts[n-1-k])
}

// Group says that it stands for many of the same kind.
func (f *Fact) Group() bool { return f.Members != nil }

// Foreign alarms come from rules that know nothing of ordering: they say no kind.
func (f *Fact) Foreign() bool { return f.Kind == "" && !f.Group() }

// Service is the service that the alarm is about: that of the label, else that of the subject.
func (f *Fact) Service() string { return cmp.Or(f.says().service, f.Entity.Service) }

// Summary is what a person reads of it: the rule's own, else what else its texts say. The texts of a notice of the alerting system are
// those of the rule that it is about.
func (f *Fact) Summary() string {
	if f.Reading != nil && f.Reading.Title != "" && (f.Annotations[AnnotationSummary] == "" || f.Reading.Notice != "") {
		return f.Reading.Title
	}
	return f.Alarm.Summary()
}

// Began is when it started, as far as is known.
func (f *Fact) Began() time.Time {
	if !f.StartsAt.IsZero() && f.StartsAt.Before(f.First) {
		return f.StartsAt
	}
	return f.First
}

// Judgement is what an alarm says by itself, were there no other.
type Judgement struct {
	Alone  Priority // of the alarm alone
	Reason string   // why
	Rank   int      // how good a cause it makes, the least the best: the law of package diagnosis
	Behind int      // machines that its machine stands behind, one behind the other: see topology.Graph.Behind

	Symptom   bool      // users notice it
	Cause     bool      // by its kind it breaks other things, and it would wake a person by itself
	Effect    bool      // by its kind it follows from something
	Steadfast bool      // it is not lowered for coming and going
	Harmed    bool      // its rule says that harm is here (harm_in: 0s)
	Steady    bool      // it flapped and has fired for longer than it ever did lately
	Stays     time.Time // when it will have, should it fire on; zero: it does not come and go

	ForWhole   bool // it speaks for a whole that may have a rule of its own
	Ephemeral  bool // one machine is gone that its group replaces
	Unreplaced bool // and nothing did, for longer than that takes
}

// Verdict is what diagnosis says of one alarm.
type Verdict struct {
	*Fact
	Judgement
	Order    int  // its place among all alarms, the best cause first
	Silenced bool // a silence covers it
	Serious  bool // it makes its problem what it is, and no silence covers it

	By    *Verdict   // what explains it; nil: it is a root cause
	Why   string     // how By explains it
	Bound bool       // By is tied to it by a declared edge
	Parts []*Verdict // of a group alarm: those that it stands for, its spokesman first
	Among []*Verdict // the group alarms that stand for it, the best cause first
	Lead  *Verdict   // the best cause of those that it is folded with, itself too; nil: it is folded with none
	In    *Verdict   // the group alarm of unknown subjects that stands for it
	Of    *Problem   // the problem that it belongs to; nil: it ended
}

// Spokesman is the part that speaks for a group alarm: the gravest, then the first; of any other alarm itself.
func (v *Verdict) Spokesman() *Verdict {
	if len(v.Parts) > 0 {
		return v.Parts[0]
	}
	return v
}

// Refusal says why one alarm is not explained by another.
type Refusal struct {
	Alarm  string // ID of the Fact
	By     string // ID of the Fact that does not explain it
	Reason string // for people
}

// Problem is a root cause with the alarms that it explains.
type Problem struct {
	ID       string     // stable while the problem lives
	Place    int        // among all, the worst first
	Root     *Verdict   // the root cause
	Head     *Verdict   // heads the page
	Members  []*Verdict // in the order of causes, the root first: those that fire, and the root in any case
	Priority Priority
	Reason   string        // why this priority
	Awake    bool          // something serious in it fires
	Since    time.Time     // begin of its first alarm
	Harm     time.Duration // left until harm; 0: not known
	Novel    bool          // a serious alarm's rule had not fired for a week
	Flapping bool          // its root, or something steadfast in it, comes and goes
	Always   bool          // the author of an alarm in it wants a page whatever happens
}
