package oncall

import (
	"fmt"
	"net/http"
	"slices"
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
	p.sketch(r.Context(), rows[:min(sketched, len(rows))])
	pg.Done = p.doneNote(r.URL.Query(), v)
	problems := dashboards.Section{ID: "problems", Label: "Problems, worst first", Hush: true, Parts: listed(rows, f, may && p.opts.People != nil)}
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
	if f.All == 0 && hidden.Total == 0 && len(quiet) == 0 && len(v.Silences) == 0 { // the sentence above says it all
		pg.Sections = append(pg.Sections, choice, problems, dashboards.Section{ID: "hidden", Hush: true}, dashboards.Section{ID: "quiet", Hush: true})
		return pg
	}
	pg.Sections = append(pg.Sections, choice, problems,
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
		if pv.State != alerting.SilencedState {
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
		if pv.State == alerting.SilencedState {
			quiet = append(quiet, rw)
			continue
		}
		rows = append(rows, rw)
	}
	return rows, quiet
}

// listed are the rows as parts, in groups where somebody asked for them. Lines have a head of their own, where those that
// are selected are acted upon.
func listed(rows []row, f filter, act bool) []dashboards.Part {
	if f.Group != "" {
		return inGroups(rows, f, act)
	}
	var out []dashboards.Part
	headed := !f.Dense
	for i, rw := range rows {
		if i >= maxRows {
			return append(out, dashboards.Part{ID: "rows-more", Template: "more", Data: len(rows) - maxRows})
		}
		if !rw.Full && !headed {
			headed = true
			out = append(out, dashboards.Part{ID: "rows-head", Template: "rows-head", Data: act})
		}
		out = append(out, dashboards.Part{ID: "p-" + rw.ID, Template: "problem", Data: rw})
	}
	return out
}

func (p *Pages) summarize(v alerting.View, rows []row) boardSummary {
	s := boardSummary{Lost: v.Lost, Refused: v.Refused, Storm: v.Storm, At: v.At, Calm: len(rows) == 0}
	s.Stale = p.opts.Now().Sub(v.At) > staleView
	by, hidden, hurt := map[alerting.Priority]int{}, 0, 0
	for _, rw := range rows {
		by[rw.Priority]++
		if rw.Priority == alerting.P1 && rw.Page.HurtsUsers() {
			hurt++
		}
		hidden += rw.Count()
	}
	if len(rows) == 0 {
		s.Says = "No problem"
		return s
	}
	s.Says = words.Plural(len(rows), "problem") + ", none affects users"
	switch {
	case hurt == 1:
		s.Says = words.Plural(len(rows), "problem") + ", 1 affects users"
	case hurt > 1:
		s.Says = words.Plural(len(rows), "problem") + ", " + words.Number(float64(hurt)) + " affect users"
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
