package oncall

import (
	"cmp"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// row is one problem as the board shows it.
type row struct {
	alerting.ProblemView
	Number     int
	Word       string
	Meaning    string
	Full       bool
	Chosen     bool
	Standing   string    // where it is on its way, in words
	Deadline   time.Time // of that; zero: none
	Fixed      bool      // the number is the router's, and not that of the row on this page
	Ahead      string    // what it is held behind
	Followers  []follower
	More       int // explained alarms not listed
	CanTake    bool
	CanSilence bool
	CanRaise   bool // escalate
	Alone      bool // it has the page for itself
	Line       charts.Spark
}

// follower is a problem that is held back behind another, until when at most.
type follower struct {
	Number   int
	ID       string
	Sentence string
	Until    time.Time
}

// hiddenAlarm is an alarm that rang nothing, and what explains it.
type hiddenAlarm struct {
	alerting.ExplainedAlarm
	By     string // sentence of the problem
	Number int    // of the problem
	ID     string // of the problem
}

type hiddenList struct {
	Alarms []hiddenAlarm
	Total  int
	More   int // that are not listed
}

// standing says where a problem is on its way; the deadline stands apart, since it changes each second.
func standing(pv alerting.ProblemView) string {
	if by := pv.AckedBy; pv.Claimed() {
		pv.AckedBy = ""
		rest := standing(pv)
		return "Acknowledged by " + by + "; " + strings.ToLower(rest[:1]) + rest[1:]
	}
	switch pv.State {
	case alerting.Waiting:
		return "Not paged yet: checking for a root cause"
	case alerting.Held:
		return "Held behind a worse problem"
	case alerting.Paged:
		return "Paged, not acknowledged"
	case alerting.AckedState:
		if pv.AckedBy == "" {
			return "Acknowledged"
		}
		return "Acknowledged by " + pv.AckedBy
	case alerting.Sending:
		return "The pager has not accepted it yet"
	case alerting.LostState:
		return "Paged, and lost contact: no sender repeats it"
	case alerting.ClosedState:
		return "Closed at the pager by a person, still firing"
	case alerting.Recovering:
		return "Recovering: resolved when it stays so"
	case alerting.SilencedState:
		return "Silenced by " + pv.SilencedBy
	}
	return "On the board only: it pages nobody"
}

// looks are how a state looks and what it is called.
var looks = map[alerting.State][2]string{
	alerting.Waiting: {"firing", "Not paged yet"}, alerting.Held: {"firing", "Held"}, alerting.Paged: {"firing", "Paged"}, alerting.AckedState: {"ack", "Acknowledged"},
	alerting.Recovering: {"rec", "Recovering"}, alerting.SilencedState: {"sil", "Silenced"}, alerting.Board: {"firing", "Firing"},
	alerting.Sending: {"firing", "Sending"}, alerting.LostState: {"firing", "Lost contact"}, alerting.ClosedState: {"ack", "Closed, still firing"},
}

// Look is the class of the state, and StateWord its name.
func (r row) Look() string {
	if r.Claimed() {
		return "ack"
	}
	return looks[r.State][0]
}

// StateWord is the state in a word or two.
func (r row) StateWord() string {
	if r.Claimed() {
		return "Acknowledged"
	}
	return looks[r.State][1]
}

// Person is who has it.
func (r row) Person() string { return cmp.Or(r.AckedBy, r.SilencedBy) }

// Taken says whether a person has it.
func (r row) Taken() bool { return r.State == alerting.AckedState || r.Claimed() }

// Step is the first thing to do, its command apart.
func (r row) Step() firstStep { return stepOf(r.Page.Guidance) }

// Guided says whether there is a first thing to do: the page of a rule without one says so.
func (r row) Guided() bool {
	return r.Page.Guidance != "" && !strings.HasPrefix(r.Page.Guidance, "No guidance: ")
}

// Hurt is who is affected, where the title does not say it.
func (r row) Hurt() string {
	if strings.HasPrefix(r.Page.Sentence, r.Page.Impact) {
		return "Users are affected"
	}
	return r.Page.Impact
}

// Count is how many alarms the problem explains.
func (r row) Count() int { return len(r.Explained) + r.More }

// Place is the rule and the entity, as a person would search for them.
func (r row) Place() string {
	if r.Page.Entity == "" {
		return r.Page.Rule
	}
	return r.Page.Rule + " on " + r.Page.Entity
}

// Entity is where the alarm sits.
func (h hiddenAlarm) Entity() string {
	if e := h.Alarm.Labels[alerting.LabelEntity]; e != "" {
		return e
	}
	return h.Alarm.Labels["instance"]
}

// What is the alarm's summary, or its rule.
func (h hiddenAlarm) What() string { return h.Alarm.Summary() }

func hide(rows []row, most int) hiddenList {
	var out hiddenList
	for _, rw := range rows {
		out.Total += rw.Count()
		for _, e := range rw.Explained {
			if len(out.Alarms) < most {
				out.Alarms = append(out.Alarms, hiddenAlarm{e, rw.Page.Sentence, rw.Number, rw.ID})
			}
		}
	}
	out.More = out.Total - len(out.Alarms)
	return out
}

// Listed makes the explained alarms of one problem fit the template that lists them.
func (r row) Listed() []hiddenAlarm {
	out := make([]hiddenAlarm, len(r.Explained))
	for i, e := range r.Explained {
		out[i] = hiddenAlarm{e, r.Page.Sentence, r.Number, r.ID}
	}
	return out
}
