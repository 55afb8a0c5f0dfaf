// Package compare sets the incidents of another pager beside those that binnacle sent, or would have sent in shadow mode:
// which are the same, who was first, and what each has alone.
//
// It is pure: events and incidents in, a Report out. It judges no incident: which of two pages was right is for the team
// that reads the report.
package compare

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// Incident is one of either side.
type Incident struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Start    time.Time         `json:"start"`             // the first message
	End      time.Time         `json:"end,omitzero"`      // zero: not ended, as far as is known
	Messages []time.Time       `json:"messages"`          // to people: each notification, the first among them
	AckedBy  string            `json:"acked_by,omitzero"` // who acknowledged first
	Alone    bool              `json:"alone,omitempty"`   // it ended without anybody's act
	Priority alerting.Priority `json:"priority,omitempty"`
	Alarms   []string          `json:"alarms,omitempty"` // fingerprints
	Rules    []string          `json:"rules,omitempty"`  // names of rules, where the incident says any
	To       string            `json:"to,omitempty"`     // receiver or service
}

// open says whether an incident was open at a time, with some slack at its ends.
func (i *Incident) open(at time.Time, slack time.Duration) bool {
	return !at.Before(i.Start.Add(-slack)) && (i.End.IsZero() || !at.After(i.End.Add(slack)))
}

// Slack between two systems that see the same trouble.
const (
	sameAlarm = time.Hour        // between starts of incidents that share an alarm and do not overlap
	sameRule  = 15 * time.Minute // between starts of incidents that share the name of a rule alone
)

// How says why two incidents are taken for the same.
type How string

// The reasons, the surest first.
const (
	ByAlarm How = "same alarm"
	ByRule  How = "same rule, at the same time"
)

// Pair is one of our incidents with those of theirs that it stands for.
type Pair struct {
	Ours   *Incident   `json:"ours"`
	Theirs []*Incident `json:"theirs"` // in order of time
	How    How         `json:"how"`    // of the first of them
}

// Earlier is by how much our first message came before theirs; negative: after it.
func (p Pair) Earlier() time.Duration { return p.Theirs[0].Start.Sub(p.Ours.Start) }

// Alone is one of theirs without one of ours. During is ours that was open when it began: it may be the same trouble.
type Alone struct {
	*Incident
	During *Incident `json:"during,omitempty"`
}

// Report is both sides side by side, all in order of time.
type Report struct {
	Source     string      `json:"source"` // whose incidents theirs are
	Since      time.Time   `json:"since"`
	Until      time.Time   `json:"until"`
	Ours       []*Incident `json:"-"`
	Theirs     []*Incident `json:"-"`
	Pairs      []Pair      `json:"pairs"`
	TheirsOnly []Alone     `json:"theirs_only"`
	OursOnly   []*Incident `json:"ours_only"`
}

// Make sets incidents side by side. Both lists are sorted by it.
func Make(source string, since, until time.Time, ours, theirs []*Incident) Report {
	byStart := func(a, b *Incident) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) }
	slices.SortFunc(ours, byStart)
	slices.SortFunc(theirs, byStart)
	r := Report{Source: source, Since: since, Until: until, Ours: ours, Theirs: theirs}
	pairs := map[*Incident]*Pair{}
	for _, t := range theirs {
		o, how := match(t, ours)
		if o == nil {
			r.TheirsOnly = append(r.TheirsOnly, Alone{t, during(t, ours)})
			continue
		}
		if pairs[o] == nil {
			pairs[o] = &Pair{Ours: o, How: how}
		}
		pairs[o].Theirs = append(pairs[o].Theirs, t)
	}
	for _, o := range ours {
		if p := pairs[o]; p != nil {
			r.Pairs = append(r.Pairs, *p)
		} else {
			r.OursOnly = append(r.OursOnly, o)
		}
	}
	return r
}

// match finds ours that is the same as t: the one that shares an alarm, else the name of a rule; of several the nearest in time.
func match(t *Incident, ours []*Incident) (*Incident, How) {
	var best *Incident
	var how How
	var far time.Duration
	for _, o := range ours {
		var h How
		apart := o.Start.Sub(t.Start).Abs()
		switch {
		case shares(t.Alarms, o.Alarms) && (apart <= sameAlarm || o.open(t.Start, 0) || t.open(o.Start, 0)):
			h = ByAlarm
		case len(t.Alarms) == 0 && shares(t.Rules, o.Rules) && (apart <= sameRule || o.open(t.Start, 0)):
			h = ByRule
		default:
			continue
		}
		if best == nil || h == ByAlarm && how == ByRule || h == how && apart < far {
			best, how, far = o, h, apart
		}
	}
	return best, how
}

func during(t *Incident, ours []*Incident) *Incident {
	for _, o := range slices.Backward(ours) {
		if d := t.Start.Sub(o.Start); d >= -sameRule && d <= sameAlarm && o.open(t.Start, sameRule) {
			return o
		}
	}
	return nil
}

func shares(a, b []string) bool {
	for _, x := range a {
		if slices.Contains(b, x) {
			return true
		}
	}
	return false
}

// Ours are the incidents of a history: of what was decided in shadow mode, or was sent. Events are in order of time.
func Ours(events []ledger.Event) []*Incident {
	return fold(events, func(e ledger.Event) bool { return e.Kind == ledger.Shadowed || e.Kind == ledger.Accepted })
}

// Recorded are the incidents of another Alertmanager, as its webhook told of them.
func Recorded(events []ledger.Event) []*Incident {
	return fold(events, func(e ledger.Event) bool { return e.Kind == ledger.Theirs })
}

func fold(events []ledger.Event, wanted func(ledger.Event) bool) (out []*Incident) {
	open, behind := map[string]*Incident{}, map[string][]string{}
	for _, e := range events {
		if e.Kind == ledger.Decided { // which names the alarms of what is accepted later
			behind[e.ActionID] = e.Alarms
		}
		if !wanted(e) {
			continue
		}
		i := open[e.Key]
		switch e.Action {
		case alerting.Trigger.String():
			if i == nil {
				i = &Incident{ID: e.Key, Title: e.Title, Start: e.At, Priority: e.Priority, To: cmp.Or(e.By, e.Route)}
				open[e.Key] = i
				out = append(out, i)
			}
			if e.Kind == ledger.Theirs || len(i.Messages) == 0 {
				i.Messages = append(i.Messages, e.At)
			}
		case alerting.Resolve.String():
			if i != nil {
				i.End, i.Alone = e.At, i.AckedBy == ""
				delete(open, e.Key)
			}
		}
		if i == nil {
			continue
		}
		if p := e.Priority; p != 0 && (i.Priority == 0 || p < i.Priority) {
			i.Priority = p
		}
		i.add(e.Alarms, rulesIn(e.Title))
		i.add(behind[e.ActionID], nil)
	}
	return out
}

func (i *Incident) add(alarms, rules []string) {
	for _, a := range alarms {
		if !slices.Contains(i.Alarms, a) {
			i.Alarms = append(i.Alarms, a)
		}
	}
	for _, r := range rules {
		if !slices.Contains(i.Rules, r) {
			i.Rules = append(i.Rules, r)
		}
	}
}

// rulesIn is the name of a rule at the end of one of our titles, in brackets.
func rulesIn(title string) []string {
	n := strings.LastIndex(title, "[")
	if n < 0 || !strings.HasSuffix(title, "]") {
		return nil
	}
	return []string{title[n+1 : len(title)-1]}
}
