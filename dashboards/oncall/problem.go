package oncall

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// Event is one line of the ledger, as far as people read it.
type Event struct {
	At       time.Time
	Kind     string // accepted, acked, silenced, ...: the ledger's own words
	Action   string // trigger, resolve, retitle, note; empty for what a person did
	Key      string // of the incident, or the ID of a silence
	Priority alerting.Priority
	Title    string // sentence and, in brackets, the rule
	Reason   string
	By       string
	Detail   string
	Alarms   int // behind it
}

// EventQuery selects events: half open, all kinds, all incidents where Key is empty; of many the newest Limit.
type EventQuery struct {
	Since, Until time.Time
	Key          string
	Limit        int
}

// How far back the page of one problem looks, and how long the ledger may take.
const (
	problemHistory = 30 * 24 * time.Hour
	historyTime    = 2 * time.Second
	maxEvents      = 20_000 // of one page
)

// history asks the ledger; an error is told in words.
func (p *Pages) history(ctx context.Context, q EventQuery) ([]Event, string) {
	if p.opts.History == nil {
		return nil, ""
	}
	ctx, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	q.Limit = maxEvents
	events, err := p.opts.History(ctx, q)
	switch {
	case err != nil:
		return nil, "The ledger did not answer: " + err.Error() + "."
	case len(events) >= maxEvents:
		return events, "So much happened that only the newest " + words.Number(maxEvents) + " events are looked at: choose a shorter time."
	}
	return events, ""
}

// deed is an event in words.
type deed struct {
	Event
	Text string
	Mark string // page, person, change, end, other: what a glance should tell apart
	Link string // to all that is known of its incident; empty: none, or it stands there already
}

func deeds(events []Event) []deed {
	out := make([]deed, 0, len(events))
	titles := map[string]string{} // of incidents: what people did to one does not name it
	for _, e := range events {
		if e.Action != "" && e.Title != "" {
			titles[e.Key] = e.Title
		}
		e.Title = cmp.Or(e.Title, titles[e.Key])
		if d, ok := tell(e); ok {
			out = append(out, d)
		}
	}
	return out
}

// kinds are the events in words; what is not here (a decision before its call, an end that nobody sees) is not told.
var kinds = map[string]struct{ text, mark string }{
	"acked": {"Acknowledged by ", "person"}, "unacked": {"Acknowledgement taken back by ", "person"}, "escalated": {"Escalated by ", "person"},
	"noted":  {"Note by ", "person"},
	"closed": {"Closed at the pager by ", "end"}, "silenced": {"Silenced by ", "person"}, "unsilenced": {"Silence ended", "other"},
	"deployed": {"", "change"}, "started": {"This router started", "other"}, "second_channel": {"Paged through the second channel", "page"},
	"refused": {"The pager refused it", "page"}, "throttled": {"The pager wants it later", "other"}, "unknown": {"The pager's answer was lost", "other"},
}

// actions are what was accepted by the pager, or would have been sent in shadow mode.
var actions = map[string]struct{ text, mark string }{
	"trigger": {"Paged", "page"}, "resolve": {"Resolved", "end"}, "retitle": {"Retitled", "other"}, "note": {"Noted", "other"},
}

func tell(e Event) (deed, bool) {
	if e.Kind == "accepted" || e.Kind == "shadowed" {
		a, ok := actions[e.Action]
		text := a.text
		if e.Kind == "shadowed" {
			text = "Not sent, since in shadow mode: " + text
		}
		if e.Action == "resolve" {
			e.Reason = "" // why it was paged is no reason for its end
		}
		return deed{Event: e, Text: text, Mark: a.mark}, ok
	}
	if e.Kind == "started" && e.Detail != "" {
		mode := e.Detail
		e.Detail = ""
		return deed{Event: e, Text: "This router started, mode " + mode, Mark: "other"}, true
	}
	k, ok := kinds[e.Kind]
	text := k.text
	if len(text) > 0 && text[len(text)-1] == ' ' {
		text += cmp.Or(e.By, "somebody")
	}
	return deed{Event: e, Text: text, Mark: k.mark}, ok
}

// untitled leaves out a title that is the one before's: on the page of one problem it says nothing new.
func untitled(in []deed) []deed {
	last := ""
	for i := range in {
		if in[i].Title == last {
			in[i].Title = ""
		} else {
			last = in[i].Title
		}
	}
	return in
}

// linked are deeds that lead to the pages of their incidents.
func linked(in []deed) []deed {
	out := slices.Clone(in)
	for i, d := range out {
		if d.Key != "" && d.Priority != 0 {
			out[i].Link = "/problems/" + url.PathEscape(d.Key)
		}
	}
	return out
}

type deedList struct {
	Label string
	Deeds []deed
	Fault string
	Empty string
}

// Last is the newest of them; nil: there is none.
func (l deedList) Last() *deed {
	if len(l.Deeds) == 0 {
		return nil
	}
	return &l.Deeds[len(l.Deeds)-1]
}

// Title is what the incident was called last.
func (l deedList) Title() string {
	for _, d := range slices.Backward(l.Deeds) {
		if d.Title != "" {
			return d.Plain()
		}
	}
	return ""
}

// Paged is the first page of it, and Ended its last end; nil: there was none.
func (l deedList) Paged() *deed { return l.of("page", slices.All(l.Deeds)) }
func (l deedList) Ended() *deed { return l.of("end", slices.Backward(l.Deeds)) }

func (l deedList) of(mark string, in iter.Seq2[int, deed]) *deed {
	for _, d := range in {
		if d.Mark == mark {
			return &d
		}
	}
	return nil
}

// Took is how long it was open; 0: that is not known.
func (l deedList) Took() time.Duration {
	if p, e := l.Paged(), l.Ended(); p != nil && e != nil && e.At.After(p.At) {
		return e.At.Sub(p.At)
	}
	return 0
}

// problem is the page of exactly one problem, told by its ID, dedup key, rule, or the fingerprint of one of its alarms:
// what a page's link opens. One that is over keeps its page as long as the ledger keeps its key.
func (p *Pages) problem(r *http.Request) dashboards.Page {
	id := cmp.Or(r.PathValue("id"), r.URL.Query().Get("problem"))
	pg := dashboards.Page{Name: "board", Title: "Problem", Live: dashboards.LivePath("problem", url.Values{"problem": {id}}), Styles: []string{"problem.css"}, Forms: true, Scripts: []string{"board.js"}}
	if p.opts.View == nil {
		return p.board(r)
	}
	v := p.opts.View()
	rows, quiet := p.rows(v, id)
	var found *row
	rows = append(rows, quiet...)
	p.permit(r, rows)
	for _, rw := range rows {
		if rw.Chosen || found == nil && rw.explains(id) {
			found = &rw
			if rw.Chosen {
				break
			}
		}
	}
	key := id
	if found != nil {
		found.Chosen, found.Full, found.Fixed, found.Alone = false, true, true, true
		key = found.Key
		pg.Title = found.Priority.String() + " " + found.Page.Sentence
		pg.Crumb = found.Page.Sentence
	}
	list := deedList{Label: "History", Empty: "Nobody was paged for it yet."}
	if key != "" {
		var events []Event
		events, list.Fault = p.history(r.Context(), EventQuery{Since: p.opts.Now().Add(-problemHistory), Key: key})
		if found != nil && found.ID != key { // what people did before it was paged
			before, _ := p.history(r.Context(), EventQuery{Since: p.opts.Now().Add(-problemHistory), Key: found.ID})
			events = append(before, events...)
			slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
		}
		list.Deeds = untitled(deeds(events))
	}
	if found == nil && len(list.Deeds) == 0 && list.Fault == "" {
		return dashboards.Message(http.StatusNotFound, "No such problem", "Nothing here is called "+id+". It is resolved, and nobody was paged for it; or the link was cut short. The board has what is wrong now.")
	}
	pg.Up = &dashboards.Link{Path: "/board", Label: "Board"}
	if found == nil {
		pg.Title = cmp.Or(list.Title(), pg.Title)
		pg.Sections = []dashboards.Section{{ID: "summary", Parts: []dashboards.Part{{ID: "problem-head", Template: "problem-over", Data: list}}}}
		if e := p.pastProof(r.Context(), key, list.Deeds); e != nil {
			pg.Sections = append(pg.Sections, dashboards.Section{ID: "proof", Label: "Evidence", Hush: true, Parts: []dashboards.Part{{ID: "past-proof", Template: "past-proof", Data: e}}})
		}
		pg.Sections = append(pg.Sections, dashboards.Section{
			ID: "history", Hush: true, Parts: []dashboards.Part{{ID: "deeds", Template: "deeds", Data: list}},
		})
		return pg
	}
	path := "/problems/" + url.PathEscape(id)
	l, period := lookAt(r.URL.Query(), path, found.Root.StartsAt, p.opts.Now())
	pg.Period, pg.Live = &period, ""
	if live := dashboards.TimeOf(r.URL.Query()); period.Running {
		live.Set("problem", id)
		if b := r.URL.Query().Get("behind"); b != "" {
			live.Set("behind", b)
		}
		pg.Live = dashboards.LivePath("problem", live)
	}
	st := story{
		row: *found, First: stepOf(found.Page.Guidance), Since: since(found.Page.Since, p.opts.Now()), History: list, Evidence: p.evidence(r.Context(), found.Root, l), Related: p.related(r.Context(), found.Root, l),
		Before: p.before(r.Context(), found.ProblemView), NotBy: v.NotBy(found.ProblemView, mostNotBy),
	}
	pg.Sections = []dashboards.Section{
		{ID: "problems", Label: "The problem", Hush: true, Parts: []dashboards.Part{{ID: "p-" + found.ID, Template: "story", Data: st}}},
		{ID: "history", Label: "All else that is known of it", Hush: true, Parts: []dashboards.Part{{ID: "rest", Template: "rest", Data: st}}},
	}
	return pg
}

// story is all that is known of one problem.
type story struct {
	row
	First    firstStep
	Since    string // without the day, where it is this one
	History  deedList
	Evidence *evidence
	Related  []related
	Before   []deed
	NotBy    []string // what it could be thought to follow from, and does not
}

// mostNotBy bounds the causes that a problem's page says were refused: the best come first.
const mostNotBy = 4

// Affected says whether users notice it.
func (s story) Affected() bool { return s.Priority == alerting.P1 && s.Page.HurtsUsers() }

// since is a time of the last day without its date. assets/live.js says it alike.
func since(at, now time.Time) string {
	if now.Sub(at) < 20*time.Hour {
		return at.UTC().Format("15:04") + " UTC"
	}
	return words.Minute(at) + " UTC"
}

// Notes are what people said of it, the newest first.
func (s story) Notes() []deed { return notesOf(s.History.Deeds) }

func notesOf(all []deed) (out []deed) {
	for _, d := range slices.Backward(all) {
		if d.Kind == "noted" {
			out = append(out, d)
		}
	}
	return out
}

// Tops are the processes that used most of the subject when its alarm began, a line for each kind.
func (s story) Tops() []string {
	text := s.Root.Annotations[alerting.AnnotationTop]
	for _, e := range s.Explained {
		text = cmp.Or(text, e.Alarm.Annotations[alerting.AnnotationTop])
	}
	if text == "" {
		return nil
	}
	return strings.Split(words.Cut(text, maxTop), "; ")
}

// maxTop bounds them, in bytes.
const maxTop = 1 << 10

// TitleSize makes a long title smaller where the screen is narrow: of two lines at most.
func (s story) TitleSize() string {
	switch n := utf8.RuneCountInString(s.Page.Sentence); {
	case n > 66:
		return "fullest"
	case n > 56:
		return "longest"
	case n > 40:
		return "long"
	}
	return ""
}

// TakenAt is when the person who has it took it; zero: nobody has, or it is not known.
func (s story) TakenAt() time.Time {
	if !s.Taken() {
		return time.Time{}
	}
	for _, d := range slices.Backward(s.History.Deeds) {
		if d.Kind == "acked" {
			return d.At
		}
	}
	return time.Time{}
}

// Labels are those of the root cause, sorted by name.
func (s story) Labels() [][2]string {
	var out [][2]string
	for _, k := range slices.Sorted(maps.Keys(s.Root.Labels)) {
		out = append(out, [2]string{k, s.Root.Labels[k]})
	}
	return out
}

// Description is what its author wrote beside the summary.
func (s story) Description() string {
	return cmp.Or(s.Root.Annotations["description"], s.Root.Annotations["message"])
}

// Sender is where the alarm comes from, when that is an address that people may follow.
func (s story) Sender() string { return webAddress(s.Root.Generator) }

// maxBefore is how many incidents of the past are listed.
const maxBefore = 5

// before are pages of the same rule in the last month, the newest first, without this incident's own.
func (p *Pages) before(ctx context.Context, v alerting.ProblemView) []deed {
	events, _ := p.history(ctx, EventQuery{Since: p.opts.Now().Add(-problemHistory)}) // the history below says what failed
	var out []Event
	for _, e := range slices.Backward(events) {
		if e.paged() && e.Rule() == v.Page.Rule && e.Key != v.Key && len(out) < maxBefore {
			out = append(out, e)
		}
	}
	return linked(deeds(out))
}

// explains says whether an alarm of this fingerprint is hidden behind the row.
func (r row) explains(fingerprint string) bool {
	for _, e := range r.Explained {
		if e.Alarm.Fingerprint() == fingerprint {
			return true
		}
	}
	return false
}
