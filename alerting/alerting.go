package alerting

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Labels and annotations that ordering reads. docs/alarms.md explains each.
const (
	LabelRule     = "alertname"
	LabelSeverity = "severity" // critical, warning, info
	LabelEntity   = "entity"
	LabelLayer    = "layer" // az, host, node, cluster, edge, symptom
	LabelKind     = "kind"  // symptom, errors, latency, saturation, partition, quorum, down, liveness, change, config, network, hygiene
	LabelService  = "service"
	LabelCluster  = "cluster"
	LabelDep      = "dep"
	LabelApart    = "apart_from" // kinds, by commas: no alarm of a whole of such a kind explains this one
	LabelImpact   = "impact"     // users, data, quorum, redundancy, none
	LabelSource   = "source"     // agent, fleet, cloudwatch, nagios
	LabelPriority = "priority"   // P1 to P5, final
	LabelPage     = "page"       // always, never

	AnnotationSummary  = "summary"
	AnnotationGuidance = "guidance"
	AnnotationHarmIn   = "harm_in" // a Go or Prometheus duration: time left to harm
	AnnotationRunbook  = "runbook_url"
	AnnotationKeeps    = "keep_firing_for" // of the rule, a Go duration: a router that restarts holds the alarm for so long
	AnnotationTop      = "top_processes"   // of a host's alarm, which processes used most when it began: "CPU: a 90 %, b 3 %; memory: ..."
	AnnotationNotSeen  = "not_seen_since"  // the alarm is frozen: what it was judged from can't be seen, since when and why
)

// Priority is computed by the table, 1 (users are affected now) to 5 (a record). The zero Priority is none.
type Priority uint8

// The priorities.
const (
	P1 Priority = iota + 1
	P2
	P3
	P4
	P5
)

func (p Priority) String() string { return fmt.Sprintf("P%d", uint8(p)) }

// ParsePriority reads a priority that is spelt out, P1 to P5 in any case; 0: it is none. Only letters and digits count: "#p-1" is P1.
func ParsePriority(text string) Priority {
	w := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToUpper(c)
		}
		return -1
	}, text)
	if len(w) == 2 && w[0] == 'P' && w[1] >= '1' && w[1] <= '5' {
		return Priority(w[1] - '0')
	}
	return 0
}

// Alarm is a rule's condition that fires on a subject and asks for a response. Its labels identify it.
type Alarm struct {
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
	EndsAt      time.Time // past it without a word the alarm is out of contact, not ended; zero: no limit
	Generator   string    // URL of the graph behind it, may be empty
}

// Rule returns the name of the rule.
func (a Alarm) Rule() string { return a.Labels[LabelRule] }

// Fingerprint identifies an alarm by its labels: 16 hexadecimal digits.
func (a Alarm) Fingerprint() string {
	names := make([]string, 0, len(a.Labels))
	for n := range a.Labels {
		names = append(names, n)
	}
	slices.SortFunc(names, cmp.Compare[string])
	h := fnv.New64a()
	for _, n := range names {
		_, _ = h.Write([]byte(n))
		_, _ = h.Write([]byte{0xff})
		_, _ = h.Write([]byte(a.Labels[n]))
		_, _ = h.Write([]byte{0xff})
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Clone shares no map with a.
func (a Alarm) Clone() Alarm {
	a.Labels, a.Annotations = maps.Clone(a.Labels), maps.Clone(a.Annotations)
	return a
}

// Input is one thing that the router hears. The types below are all there are.
type Input interface{ input() }

// Firing says that an alarm fires, for the first time or again. Sender is who says so: the host of the alarm's generator, the
// login, or the address that it came from; empty where that plays no part.
type Firing struct {
	Alarm  Alarm
	Sender string
}

// Ended says that the alarm with this fingerprint fires no more, as far as its sender knows. Where others send it too, it
// fires on until all have ended it or lost contact; without a sender it has ended at once.
type Ended struct {
	Fingerprint string
	Sender      string
}

// Heard says that a batch of this sender came, with or without alarms. An alarm that is due again and is in none of three
// batches within five minutes has ended; while its sender is silent it has lost contact.
type Heard struct{ Sender string }

// Acked says that a person acknowledged the incident with this dedup key or this problem ID, or with Undo that this is undone. Where nobody was
// paged yet, the page will be acknowledged as it is sent.
type Acked struct {
	Key   string
	By    string
	Undo  bool
	Pager bool // the pager says so: it may be the echo of an acknowledgement made here
}

// Closed says that the incident with this dedup key was resolved at the pager, by a person there.
type Closed struct {
	Key string
	By  string
}

// Noted says what a person wrote on the incident with this dedup key at the pager, and when.
type Noted struct {
	Key  string
	By   string
	Text string
	At   time.Time // zero: now
}

// Silenced adds a silence, replaces the one of the same ID, or (EndsAt not after now) ends it.
type Silenced struct {
	Silence Silence
	By      string // who says so now; empty: who made it
}

// Leads says whether this router is the one of its fleet that sends; until it hears otherwise it is. One that does not
// send knows and judges the same, so that it can go on at once.
type Leads struct{ On bool }

// Recorded is what the sending router of a fleet made durable, for those that do not send.
type Recorded struct{ Record Record }

// Topology replaces the graph.
type Topology struct{ Graph *topology.Graph }

// Outcome is what became of an Action.
type Outcome uint8

// The outcomes. Unknown means that the answer was lost: the call may have had its effect.
const (
	Accepted  Outcome = iota + 1
	Refused           // and repeating will not cure it
	Throttled         // too many calls: later
	Unknown           // no answer, or 5xx
)

func (o Outcome) String() string {
	return [...]string{"none", "accepted", "refused", "throttled", "unknown"}[o]
}

// Result is the answer to the Action with this ID.
type Result struct {
	ActionID string
	Outcome  Outcome
	Detail   string        // for people
	After    time.Duration // the pager's own word on when to try again, 0 if none
}

func (Firing) input()   {}
func (Ended) input()    {}
func (Heard) input()    {}
func (Acked) input()    {}
func (Closed) input()   {}
func (Noted) input()    {}
func (Silenced) input() {}
func (Topology) input() {}
func (Leads) input()    {}
func (Recorded) input() {}
func (Result) input()   {}

// Silence keeps alarms from paging, until its end, and says who wanted that: those that its matchers fit, and those that it
// lists. A maintenance window is a silence with a start ahead.
type Silence struct {
	ID       string
	Matchers []Matcher
	// Problem is the board's ID of the problem that it was made for, and Alarms are the fingerprints of what that problem
	// explained then. Empty for a silence by matchers alone.
	Problem   string   `json:",omitempty"`
	Alarms    []string `json:",omitempty"`
	Window    string   `json:",omitempty"` // name of the recurring window that it is made of
	StartsAt  time.Time
	EndsAt    time.Time
	CreatedBy string
	Comment   string
	UpdatedAt time.Time
	// Annotations are what a tool notes on it, such as the number of a ticket; shared, never changed.
	Annotations map[string]string `json:",omitempty"`
}

// SilenceKept is how long a silence is shown after its end, so that it can be looked up and made anew.
// Source: Alertmanager 0.35, --data.retention, read 30 November 2026.
const SilenceKept = 120 * time.Hour

// Matcher compares one label. Regex is anchored at both ends, as at Alertmanager.
type Matcher struct {
	Name, Value string
	Regex       bool
	Negative    bool
}

// ActionKind is what is to be done at the pager.
type ActionKind uint8

// The kinds of actions.
const (
	Trigger ActionKind = iota + 1
	Resolve
	Retitle     // of an open incident: title and priority
	Note        // on an open incident
	Acknowledge // of an open incident: a silence covers all of it
)

func (k ActionKind) String() string {
	return [...]string{"none", "trigger", "resolve", "retitle", "note", "acknowledge"}[k]
}

// Action is one call to the pager. At most one for each routing key is unanswered at any time. It is
// carried out after its Record was made durable and answered by a Result.
type Action struct {
	ID    string
	Kind  ActionKind
	Key   string // dedup key: fleet:rule:root entity:generation
	Route string // name of the route (routing key) it goes to
	Page  Page   // what a person reads; for a Resolve, what was there before
	Text  string // of a Note
	// Record is what is true once the action was accepted. Before the call it is written with Pending set.
	Record Record
}

// NoUserImpact begins the impact of a page that users do not notice.
const NoUserImpact = "No user impact"

// Page is what a person reads, field by field; package pagerduty makes the payload of it.
type Page struct {
	Priority  Priority
	Sentence  string // who is hurt and what is broken, below 80 characters; the pager's title is "P1 <sentence> [Rule]"
	Rule      string // of the alarm that heads the page
	Entity    string
	Service   string
	Impact    string // who is hurt and how much
	Broken    string // what is broken, the head's summary
	Since     time.Time
	Guidance  string // the first thing to do; when there is none, says so
	Changed   []string
	Evidence  string  `json:",omitempty"` // the alarm's value and its threshold, in words; as it is sent, and kept nowhere
	Chart     string  `json:",omitempty"` // https address of its picture, likewise
	Explained []Alarm // all alarms behind the page, the head first
	Behind    []string
	Reason    string // why this priority
	Runbook   string
	Links     map[string]string
}

// HurtsUsers says whether users notice it: a P1 may be about data alone, and one that recovers has no symptom any more.
func (p *Page) HurtsUsers() bool { return !strings.HasPrefix(p.Impact, NoUserImpact) }

// Record is the durable state of one incident: what a router must know after a restart so that
// nothing is sent twice and nothing is forgotten.
type Record struct {
	Key        string
	Base       string // Key without its generation
	Generation int
	Route      string
	Open       bool   // triggered and not resolved
	Pending    string // ID of the action that has no answer yet; empty when it was answered
	Kind       ActionKind
	Page       Page // as last sent
	Stale      bool // the pager may show an earlier title
	AckedBy    string
	AckedAt    time.Time
	OpenedAt   time.Time
	UpdatedAt  time.Time
	Returns    int // how often it came back within the window
	// SilencedBy is who silenced all of the incident while it was open, and SilencedUntil when that ends; empty: nobody did.
	SilencedBy    string    `json:",omitempty"`
	SilencedUntil time.Time `json:",omitzero"`
	// ClosedBy is who resolved it at the pager while its alarms fired, and ClosedAt when.
	ClosedBy string    `json:",omitempty"`
	ClosedAt time.Time `json:",omitzero"`
	// Follows is the key of the incident that this one goes on with, which ends once this one is open.
	Follows string `json:",omitempty"`
}

// Acknowledge is the record after an acknowledgement, or after one was taken back. Who acknowledged it first stays when the
// pager echoes that.
func (r Record) Acknowledge(in Acked, at time.Time) Record {
	switch {
	case in.Undo:
		r.AckedBy, r.AckedAt = "", time.Time{}
	case in.Pager && r.AckedBy != "":
	default:
		r.AckedBy, r.AckedAt = cmp.Or(in.By, "somebody"), at
	}
	return r
}

// Close is the record after a person resolved it at the pager.
func (r Record) Close(in Closed, at time.Time) Record {
	r.Open, r.Pending = false, ""
	r.ClosedBy, r.ClosedAt = cmp.Or(in.By, "somebody"), at
	return r
}

// Always says that the rule's author wants a page whatever happens.
func (a Alarm) Always() bool { return a.Labels[LabelPage] == "always" }

// Never says that the rule's author wants no page for this alarm alone.
func (a Alarm) Never() bool { return a.Labels[LabelPage] == "never" }

// Keeps is for how long the alarm's rule keeps firing after its condition was true last; 0: it does not. Prometheus forgets in a
// restart when that was, so it is counted from the restart on.
func (a Alarm) Keeps() time.Duration {
	d, err := time.ParseDuration(a.Annotations[AnnotationKeeps])
	if err != nil {
		return 0
	}
	return min(max(0, d), mostKept)
}

// mostKept bounds what an alarm may say of itself.
const mostKept = 24 * time.Hour

// SaysSymptom says that a rule calls its alarm a symptom, by the labels kind and layer: users notice it. What else users notice
// takes the graph or a reading: see Judgement.Symptom.
func SaysSymptom(kind, layer string) bool {
	return strings.EqualFold(kind, "symptom") || strings.EqualFold(layer, "symptom")
}

// Grave says that labels put users, data or quorum at risk, as the rule's author wrote them.
func Grave(set map[string]string) bool {
	switch set[LabelImpact] {
	case "users", "data", "quorum":
		return true
	}
	return SaysSymptom(set[LabelKind], set[LabelLayer]) || strings.EqualFold(set[LabelKind], "quorum")
}

// Summary is the alarm in one sentence: its summary, else the name of its rule.
func (a Alarm) Summary() string { return cmp.Or(Filled(a.Annotations[AnnotationSummary]), a.Rule()) }

// hole is what a rule's template leaves in brackets of a label that the alarm does not have: "(instance )", "()".
var hole = regexp.MustCompile(`(?:^|\s+)\(\s*(?:[\w.-]+(?:[:=]\s*|\s+))?\)`)

// Filled is a text of a rule without the places where its template found nothing.
func Filled(text string) string {
	if !strings.Contains(text, "(") {
		return text
	}
	return strings.TrimSpace(hole.ReplaceAllString(text, ""))
}
