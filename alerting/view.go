package alerting

import "time"

// State is where a problem stands on its way.
type State string

// The states of a problem.
const (
	Waiting    State = "waiting"    // for its cause or its effects to show, at most until Until
	Held       State = "held"       // behind another problem, at most until Until
	Paged      State = "paged"      // a person was told
	AckedState State = "acked"      // a person has it
	Board      State = "board"      // shown here only: P4, P5, page: never, or no route
	Recovering State = "recovering" // quiet, resolve follows at Until
	Quiet      State = "silenced"   // a person silenced it, until Until
)

// View is what the router thinks now, for the board, why and status. It shares nothing with the router.
type View struct {
	At       time.Time
	Storm    bool
	Problems []ProblemView // in the router's order, worst first
	Silences []Silence
	Firing   int // alarms that hold
	Lost     int // of them, out of contact
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
	Explained  []ExplainedAlarm // the root not among them
	Since      time.Time
	AckedBy    string
	SilencedBy string
	Note       string // flapping, lost contact, found at install, and the like
}

// ExplainedAlarm is a hidden alarm and what hides it.
type ExplainedAlarm struct {
	Alarm  Alarm
	Why    string
	Since  time.Time
	Lost   bool // out of contact
	Over15 bool // hidden for longer than the limit: marked
}
