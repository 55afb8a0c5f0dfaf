package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is where a problem stands on its way.
type State string

// The states of a problem.
const (
	Waiting       State = "waiting"      // for its cause or its effects to show, at most until Until
	Held          State = "held"         // behind another problem, at most until Until
	Paged         State = "paged"        // its page is out
	AckedState    State = "acked"        // a person acknowledged it
	Board         State = "board"        // shown here only: P4, P5, page: never, or no route
	Sending       State = "sending"      // the pager has not accepted it yet
	Recovering    State = "recovering"   // quiet, resolve follows at Until
	LostState     State = "lost contact" // its page is out, and no sender repeats its alarms
	ClosedState   State = "resolved"     // a person closed it at the pager, and its alarms fire
	SilencedState State = "silenced"     // a person silenced it, until Until
)

// View is what the router thinks now, for the board, why and status. What it shares with the router nobody changes,
// and whoever has one does not change it either.
type View struct {
	At       time.Time
	Storm    bool
	Problems []ProblemView // in the router's order, worst first
	Silences []Silence
	Firing   int // alarms that fire
	Lost     int // of them, those whose sender is out of contact
	Refused  int // alarms that were not taken, since too many are kept
}

// Urgent counts the P1 that nobody silenced, as a menu says it: "2 P1"; empty: none.
func (v View) Urgent() string {
	n := 0
	for _, p := range v.Problems {
		if p.Priority == P1 && p.State != SilencedState {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d P1", n)
}

// ProblemView is one problem: a best root candidate with all that it explains.
type ProblemView struct {
	ID         string // stable while the problem lives
	Key        string // dedup key, once paged
	Route      string
	State      State
	Until      time.Time // deadline of State; zero: none
	Behind     string    // ID of the problem it is held behind
	Priority   Priority
	Reason     string // why this priority
	Page       Page   // as it would be sent now
	Root       Alarm
	Ended      bool             `json:",omitempty"` // the root has: the problem is about to be over, or about what it left
	Read       string           // how the root was read, where its rule knows nothing of ordering
	Explained  []ExplainedAlarm // the root not among them
	Since      time.Time
	Awake      bool // something in it fires that no silence covers
	AckedBy    string
	SilencedBy string
	Refused    []Refusal `json:",omitempty"` // why the root is not explained by what it is tied to
	Note       string    // flapping, lost contact, found at install, and the like
}

// ExplainedAlarm is a hidden alarm and what hides it.
type ExplainedAlarm struct {
	Alarm Alarm
	Read  string // as of the root
	Why   string
	Since time.Time
	Lost  bool // out of contact
	// Priority is what it would be alone, and Silenced says that a silence covers it.
	Priority Priority
	Silenced bool
	Over15   bool // hidden for longer than the limit: marked
}

// Why says, in words, what became of the alarms that a person names; "" when the view knows of none.
func (v View) Why(alarm string) string {
	var out []string
	for _, p := range v.Problems {
		if p.named(alarm) {
			out = append(out, fmt.Sprintf("%s is %s and %s: %s.", p.root(), p.Priority, p.words(v.At), p.Reason)+readAs(p.Read))
		}
		for _, e := range p.Explained {
			if e.Alarm.named(alarm) {
				out = append(out, fmt.Sprintf("%s is explained by %s: %s. %s is %s and %s.",
					onSubject(e.Alarm), p.root(), e.Why, p.Root.Rule(), p.Priority, p.words(v.At))+readAs(e.Read))
			}
		}
	}
	return strings.Join(slices.Compact(out), "\n") // pods behind one exporter read alike
}

func readAs(text string) string {
	if text == "" {
		return ""
	}
	return " Read as: " + text + "."
}

// WhyNot says why the alarm a, named as for Why, is not explained by b; "" when the view does not know both.
func (v View) WhyNot(a, b string) string {
	pa, aa := v.find(a)
	pb, ab := v.find(b)
	switch {
	case pa == nil || pb == nil:
		return ""
	case aa.Fingerprint() == ab.Fingerprint():
		return "Both are one alarm."
	case pa.ID == pb.ID && pb.Root.Fingerprint() == ab.Fingerprint():
		return fmt.Sprintf("%s is explained by %s.", aa.Rule(), ab.Rule())
	case pa.Root.Fingerprint() != aa.Fingerprint():
		return fmt.Sprintf("%s is explained by %s, which is the better cause.", aa.Rule(), pa.Root.Rule())
	case pb.Root.Fingerprint() != ab.Fingerprint():
		return fmt.Sprintf("%s is itself explained by %s. %s", ab.Rule(), pb.Root.Rule(), v.WhyNot(a, pb.Root.Fingerprint()))
	}
	for _, r := range pa.Refused {
		if r.By == ab.Fingerprint() {
			return fmt.Sprintf("%s is not explained by %s: %s.", aa.Rule(), ab.Rule(), r.Reason)
		}
	}
	return fmt.Sprintf("%s is not explained by %s: nothing ties %s to %s.", aa.Rule(), ab.Rule(), subject(ab), subject(aa))
}

// NotBy says of each alarm that is tied to the root of p, or makes a better cause, why it does not explain it: at most most.
func (v View) NotBy(p ProblemView, most int) (out []string) {
	for _, r := range p.Refused {
		if _, by := v.find(r.By); len(out) < most && by.Labels != nil {
			out = append(out, onSubject(by)+": "+r.Reason)
		}
	}
	return out
}

// root names the root cause of a problem as its page does.
func (p ProblemView) root() string {
	if p.Page.Entity == "" {
		return onSubject(p.Root)
	}
	return p.Root.Rule() + " on " + p.Page.Entity
}

// onSubject names an alarm and what it is about.
func onSubject(a Alarm) string {
	if s := subject(a); s != a.Rule() {
		return a.Rule() + " on " + s
	}
	return a.Rule()
}

func subject(a Alarm) string { return cmp.Or(a.Labels[LabelEntity], a.Labels["instance"], a.Rule()) }

// named says that a person who gives this name may mean the alarm: its fingerprint, its rule or its subject as onSubject writes it, in
// any case.
func (a Alarm) named(name string) bool {
	return name != "" && (strings.EqualFold(a.Rule(), name) || strings.EqualFold(subject(a), name) || a.Fingerprint() == name)
}

// Named are the problems that a person may mean by a name: the one with this ID, this dedup key or an alarm of this fingerprint; else
// all whose root cause is named so, as its alarm or as its page names it.
func (v View) Named(name string) (out []ProblemView) {
	if name == "" {
		return nil
	}
	for _, p := range v.Problems {
		switch {
		case p.ID == name || p.Key == name || p.has(name):
			return []ProblemView{p}
		case p.named(name):
			out = append(out, p)
		}
	}
	return out
}

// Meant are the alarms that a person may mean by a name, of which Why says what became of them.
func (v View) Meant(name string) (out []Alarm) {
	for _, p := range v.Problems {
		if p.named(name) {
			out = append(out, p.Root)
		}
		for _, e := range p.Explained {
			if e.Alarm.named(name) {
				out = append(out, e.Alarm)
			}
		}
	}
	return out
}

// named says that a person who gives this name may mean the problem, or its root cause.
func (p ProblemView) named(name string) bool {
	return name != "" && (p.ID == name || p.Key == name || strings.EqualFold(p.Page.Entity, name) || p.Root.named(name))
}

// has says that an alarm of the problem has this fingerprint.
func (p ProblemView) has(fingerprint string) bool {
	return p.Root.Fingerprint() == fingerprint || slices.ContainsFunc(p.Explained, func(e ExplainedAlarm) bool { return e.Alarm.Fingerprint() == fingerprint })
}

// find returns the alarm that is meant and its problem; nil: none is.
func (v View) find(name string) (*ProblemView, Alarm) {
	for n := range v.Problems {
		p := &v.Problems[n]
		if p.named(name) {
			return p, p.Root
		}
	}
	for n := range v.Problems {
		for _, e := range v.Problems[n].Explained {
			if e.Alarm.named(name) {
				return &v.Problems[n], e.Alarm
			}
		}
	}
	return nil, Alarm{}
}

// Claimed says whether a person acknowledged it before anybody was paged.
func (p ProblemView) Claimed() bool { return p.AckedBy != "" && p.Key == "" }

// words says where a problem stands, as what follows "is P2 and".
func (p ProblemView) words(now time.Time) string {
	left, claimed := "", ""
	if !p.Until.IsZero() {
		left = " for at most " + p.Until.Sub(now).Round(time.Second).String() + " more"
	}
	if p.Claimed() {
		claimed = ", and " + p.AckedBy + " has acknowledged it already"
	}
	switch p.State {
	case Waiting:
		return "waits" + left + " for its cause or effects to show" + claimed
	case Held:
		return "is held behind a worse problem" + left + claimed
	case Paged:
		return "was paged as " + p.Key
	case AckedState:
		return "was paged as " + p.Key + " and acknowledged by " + p.AckedBy
	case Sending:
		return "is being sent: the pager has not accepted it yet"
	case LostState:
		return "was paged as " + p.Key + ", and contact with its sender is lost"
	case ClosedState:
		return "was closed at the pager and still fires"
	case Recovering:
		return "is recovering" + left + " before it resolves"
	case SilencedState:
		return "is silenced by " + cmp.Or(p.SilencedBy, "a person") + left
	}
	return "is on the board only" + left + claimed
}
