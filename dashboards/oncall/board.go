package oncall

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// Bounds of the board. First paint is to be 60 KB at most, and nobody reads the thirtieth problem before the
// first: rows after fullRows are one line, which opens when chosen.
const (
	fullRows      = 25
	maxRows       = 500
	maxExplained  = 40
	maxHiddenRows = 100
)

// staleView is how old the router's last thought may be before the board says so: it thinks each second.
const staleView = 15 * time.Second

// Words for the priorities: what each asks of a person.
var priorityWords = map[alerting.Priority]string{
	alerting.P1: "Critical", alerting.P2: "Urgent", alerting.P3: "Today", alerting.P4: "Ticket", alerting.P5: "Record",
}

var priorityMeanings = map[alerting.Priority]string{
	alerting.P1: "users are affected now, or data is at risk", alerting.P2: "act within the hour", alerting.P3: "act today",
	alerting.P4: "a ticket is enough", alerting.P5: "for the record",
}

// boardSummary is the line of counts.
type boardSummary struct {
	Says    string // the sentence that the page begins with
	Counts  string // in words
	Calm    bool
	Storm   bool
	Lost    int
	Refused int
	Stale   bool
	At      time.Time
}

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

type quietList struct {
	Silences []alerting.Silence // in force
	Ahead    []alerting.Silence // that start later
	Problems []row
	CanEnd   bool
}

func (p *Pages) board(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "board", Title: "Board", Crumb: "Board", Live: dashboards.LivePath("board", r.URL.Query()), Forms: true, Scripts: []string{"board.js"}}
	if p.opts.View == nil {
		pg.Live = ""
		return pg.Saying("This node routes no alarms", "Its alarms go to the routers of its configuration (rules.routers). Look at the board there.")
	}
	v := p.opts.View()
	rows, quiet := p.rows(v, r.URL.Query().Get("problem"))
	may := p.permit(r, rows)
	counts := p.summarize(v, rows)
	var calm dashboards.Part
	if counts.Calm {
		calm = p.calm(v, &counts)
	}
	summary := dashboards.Section{ID: "summary", Parts: []dashboards.Part{{ID: "counts", Template: "summary", Data: counts}}}
	pg.Title = titleOf(rows)
	f := readFilter(r.URL.Query(), v)
	f.offer(r.URL.Query(), rows)
	if f.Dense {
		pg.Class = "dense"
	}
	hidden := hide(rows, map[bool]int{true: 0, false: maxHiddenRows}[f.Dense])
	rows = f.apply(rows)
	pg.Done = p.doneNote(r.URL.Query(), v)
	problems := dashboards.Section{ID: "problems", Label: "Problems, worst first", Hush: true, Parts: listed(rows, f)}
	switch {
	case f.All == 0:
		problems.Parts = []dashboards.Part{calm}
	case len(rows) == 0:
		problems.Parts = []dashboards.Part{{ID: "none-match", Template: "none-match", Data: f}}
	}
	pg.Sections = append(pg.Sections, summary)
	choice := dashboards.Section{ID: "filter", Hush: true} // which is always there, so that it comes where it belongs
	if f.All > 0 || f.On() {
		choice.Parts = []dashboards.Part{{ID: "filter-part", Template: "filter", Data: f}}
	}
	bulk := dashboards.Section{ID: "bulk", Label: "Selected problems", Hush: true}
	if may && p.opts.People != nil && f.Dense && len(rows) > 0 {
		bulk.Parts = []dashboards.Part{{ID: "bulk-bar", Template: "bulk"}}
	}
	pg.Sections = append(pg.Sections, choice, bulk, problems,
		dashboards.Section{ID: "hidden", Hush: true, Parts: []dashboards.Part{{ID: "hidden-list", Template: "hidden", Data: hidden}}},
		dashboards.Section{ID: "quiet", Hush: true, Parts: []dashboards.Part{{ID: "quiet-list", Template: "quiet", Data: quietOf(v, quiet, may && p.opts.People != nil)}}})
	return pg
}

// quietOf are the silences in force and those ahead.
func quietOf(v alerting.View, problems []row, end bool) quietList {
	q := quietList{Problems: problems, CanEnd: end}
	for _, s := range v.Silences {
		if s.StartsAt.After(v.At) {
			q.Ahead = append(q.Ahead, s)
		} else {
			q.Silences = append(q.Silences, s)
		}
	}
	return q
}

// calmNote is what stands where no problem does.
type calmNote struct {
	Silences bool
	Watched  string // by what
}

// calm says that all is quiet, and by what that is known. Where nothing is measured it says that instead, here and in the
// counts: a quiet board would be a lie.
func (p *Pages) calm(v alerting.View, counts *boardSummary) dashboards.Part {
	note := calmNote{Silences: slices.ContainsFunc(v.Silences, func(s alerting.Silence) bool { return !s.StartsAt.After(v.At) })}
	if p.opts.Status == nil {
		return dashboards.Part{ID: "calm", Template: "calm", Data: note}
	}
	st := p.opts.Status()
	switch {
	case st.Rules == nil || st.Store == nil:
	case st.Store.Series == 0:
		counts.Says, counts.Calm = "No problem is known", false
		return dashboards.Part{ID: "blind", Template: "blind", Data: words.Plural(st.Rules.Rules, "rule") + " wait for series, and the store has none. Switch collecting on (collect), or let agents write to this one (ship.remote_write)."}
	default:
		note.Watched = fmt.Sprintf("%s watch %s series.", words.Plural(st.Rules.Rules, "rule"), words.Number(float64(st.Store.Series)))
	}
	return dashboards.Part{ID: "calm", Template: "calm", Data: note}
}

// permit takes away what who asks may not do.
func (p *Pages) permit(r *http.Request, rows []row) bool {
	if p.opts.MayAct == nil || p.opts.MayAct(r) {
		return true
	}
	for i := range rows {
		rows[i].CanTake, rows[i].CanSilence, rows[i].CanRaise = false, false, false
	}
	return false
}

// titleOf is what a tab in the background says.
func titleOf(rows []row) string {
	if len(rows) == 0 {
		return "Board: calm"
	}
	return fmt.Sprintf("%d: %s %s", len(rows), rows[0].Priority, rows[0].Page.Sentence)
}

// rows splits the problems into those that are shown in order and those that a person silenced. chosen is
// the ID, key or rule of the problem that a link opens.
func (p *Pages) rows(v alerting.View, chosen string) (rows, quiet []row) {
	number, sentence, followers := map[string]int{}, map[string]string{}, map[string][]follower{}
	for _, pv := range v.Problems {
		if pv.State != alerting.Quiet {
			number[pv.ID], sentence[pv.ID] = len(number)+1, pv.Page.Sentence
		}
	}
	for _, pv := range v.Problems {
		if pv.Behind != "" && number[pv.ID] > 0 {
			followers[pv.Behind] = append(followers[pv.Behind], follower{number[pv.ID], pv.ID, pv.Page.Sentence, pv.Until})
		}
	}
	for _, pv := range v.Problems {
		rw := row{
			ProblemView: pv, Number: number[pv.ID], Word: priorityWords[pv.Priority], Meaning: priorityMeanings[pv.Priority],
			Standing: standing(pv), Deadline: pv.Until, Followers: followers[pv.ID],
			CanTake: p.opts.People != nil, CanSilence: p.opts.People != nil,
			CanRaise: p.opts.People != nil && (pv.State == alerting.Paged || pv.State == alerting.AckedState || pv.State == alerting.LostState),
		}
		if n := number[pv.Behind]; pv.Behind != "" && n > 0 {
			rw.Ahead = fmt.Sprintf("%d. %s", n, sentence[pv.Behind])
		}
		if over := len(rw.Explained) - maxExplained; over > 0 {
			rw.Explained, rw.More = rw.Explained[:maxExplained], over
		}
		rw.Chosen = chosen != "" && (chosen == pv.ID || chosen == pv.Key || chosen == pv.Page.Rule || chosen == pv.Root.Fingerprint())
		rw.Full = true
		if pv.State == alerting.Quiet {
			quiet = append(quiet, rw)
			continue
		}
		rows = append(rows, rw)
	}
	return rows, quiet
}

// listed are the rows as parts, in groups where somebody asked for them.
func listed(rows []row, f filter) []dashboards.Part {
	var out []dashboards.Part
	if f.Group != "" {
		rows = grouped(rows, f.Group)
	}
	last := ""
	for i, rw := range rows {
		if i >= maxRows {
			return append(out, dashboards.Part{ID: "rows-more", Template: "more", Data: len(rows) - maxRows})
		}
		if name := groupOf(rw, f.Group); f.Group != "" && (name != last || i == 0) {
			last = name
			out = append(out, dashboards.Part{ID: "g-" + strconv.Itoa(i), Template: "group", Data: newGroup("g-"+strconv.Itoa(i), name, rows[i:], f.Group)})
		}
		out = append(out, dashboards.Part{ID: "p-" + rw.ID, Template: "problem", Data: rw})
	}
	return out
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
	case alerting.Resolved:
		return "Closed at the pager by a person, still firing"
	case alerting.Recovering:
		return "Recovering: resolved when it stays so"
	case alerting.Quiet:
		return "Silenced by " + pv.SilencedBy
	}
	return "On the board only: it pages nobody"
}

// looks are how a state looks and what it is called.
var looks = map[alerting.State][2]string{
	alerting.Waiting: {"firing", "Not paged yet"}, alerting.Held: {"firing", "Held"}, alerting.Paged: {"firing", "Paged"}, alerting.AckedState: {"ack", "Acknowledged"},
	alerting.Recovering: {"rec", "Recovering"}, alerting.Quiet: {"sil", "Silenced"}, alerting.Board: {"firing", "Firing"},
	alerting.Sending: {"firing", "Sending"}, alerting.LostState: {"firing", "Lost contact"}, alerting.Resolved: {"ack", "Closed, still firing"},
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
func (h hiddenAlarm) What() string {
	if s := h.Alarm.Annotations[alerting.AnnotationSummary]; s != "" {
		return s
	}
	return h.Alarm.Rule()
}

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

func (p *Pages) summarize(v alerting.View, rows []row) boardSummary {
	s := boardSummary{Lost: v.Lost, Refused: v.Refused, Storm: v.Storm, At: v.At, Calm: len(rows) == 0}
	s.Stale = p.opts.Now().Sub(v.At) > staleView
	by, hidden := map[alerting.Priority]int{}, 0
	for _, rw := range rows {
		by[rw.Priority]++
		hidden += rw.Count()
	}
	if len(rows) == 0 {
		s.Says = "No problem"
		return s
	}
	s.Says = words.Plural(len(rows), "problem") + ", none affects users"
	switch n := by[alerting.P1]; {
	case n == 1:
		s.Says = words.Plural(len(rows), "problem") + ", 1 affects users"
	case n > 1:
		s.Says = words.Plural(len(rows), "problem") + ", " + words.Number(float64(n)) + " affect users"
	}
	var counts []string
	for _, pr := range []alerting.Priority{alerting.P1, alerting.P2, alerting.P3, alerting.P4, alerting.P5} {
		if by[pr] > 0 {
			counts = append(counts, fmt.Sprintf("%d %s %s", by[pr], pr, strings.ToLower(priorityWords[pr])))
		}
	}
	s.Counts = strings.Join(counts, ", ") + "."
	if hidden > 0 {
		s.Counts += " " + words.Plural(v.Firing, "alarm") + " in all, " + words.Number(float64(hidden)) + " of them explained by another."
	}
	return s
}
