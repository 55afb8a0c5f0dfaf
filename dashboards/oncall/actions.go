package oncall

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/dashboards"
)

// doneNote reads what an action left in the address it led to. It is checked against the view, since an
// address can be sent by anybody.
func (p *Pages) doneNote(q url.Values, v alerting.View) *dashboards.Done {
	id := q.Get("problem")
	sentence := ""
	for _, pv := range v.Problems {
		if pv.ID == id {
			sentence = pv.Page.Sentence
		}
	}
	switch q.Get("done") {
	case "taken":
		if sentence != "" {
			return &dashboards.Done{Text: "You acknowledged: " + sentence, Action: "/problems/" + url.PathEscape(id) + "/take", Undo: "Undo: take that back", Give: true}
		}
	case "noted":
		if sentence != "" {
			return &dashboards.Done{Text: "Noted: it goes to the incident, the timeline and the handover."}
		}
	case "given":
		if sentence != "" {
			return &dashboards.Done{Text: "Acknowledgement taken back: " + sentence}
		}
	case "escalated":
		if sentence != "" {
			return &dashboards.Done{Text: "Paged who is next on call: " + sentence, Action: "/problems/" + url.PathEscape(id) + "/take", Undo: "Acknowledge it after all", Give: false}
		}
	case "silenced":
		for _, s := range v.Silences {
			if s.ID == q.Get("silence") {
				return &dashboards.Done{Text: "Silenced until " + words.Clock(s.EndsAt) + ".", Action: "/silences/" + url.PathEscape(s.ID) + "/end", Undo: "Undo: end the silence", Give: false}
			}
		}
	case "taken-all", "silenced-all":
		if n, err := strconv.Atoi(q.Get("count")); err == nil && n > 0 && n <= maxBulk {
			return &dashboards.Done{Text: map[string]string{"taken-all": "You acknowledged ", "silenced-all": "You silenced "}[q.Get("done")] + words.Plural(n, "problem") + "."}
		}
	case "ended":
		done := &dashboards.Done{Text: "The silence was ended."}
		if s, ok := p.ended.find(q.Get("silence")); ok && s.EndsAt.After(p.opts.Now()) {
			done.Action, done.Undo = "/silences/"+url.PathEscape(s.ID)+"/renew", "Undo: silence again until "+words.Clock(s.EndsAt)
		}
		return done
	}
	return nil
}

// nobody is who acts where nothing says who asks.
func nobody(*http.Request) string { return "someone at the board" }

// acts are what people do, by the pattern of their forms. What this node cannot carry out is nil.
func (p *Pages) acts() map[string]dashboards.Act {
	out := map[string]dashboards.Act{
		"/problems/{id}/take": nil, "/problems/{id}/silence": nil, "/problems/{id}/escalate": nil,
		"/problems/{id}/note": nil, "/problems/{id}/ack": nil, "/problems/bulk": nil, "/silences/{id}/end": nil, "/silences/{id}/renew": nil,
	}
	if p.opts.People != nil {
		out["/problems/{id}/take"], out["/problems/{id}/silence"], out["/problems/{id}/escalate"] = p.take, p.silence, p.escalate
		out["/problems/{id}/note"] = p.note
		out["/problems/bulk"], out["/problems/{id}/ack"] = p.bulk, p.ack
		out["/silences/{id}/end"], out["/silences/{id}/renew"] = p.endSilence, p.renewSilence
	}
	return out
}

func (p *Pages) take(r *http.Request) (url.Values, error) {
	id := r.PathValue("id")
	undo, done := r.PostForm.Get("undo") != "", "taken"
	if undo {
		done = "given"
	}
	_, err := p.opts.People.Acknowledge(r.Context(), id, p.opts.Who(r), undo)
	return url.Values{"problem": {id}, "done": {done}}, err
}

func (p *Pages) escalate(r *http.Request) (url.Values, error) {
	id := r.PathValue("id")
	return url.Values{"problem": {id}, "done": {"escalated"}}, p.opts.People.Escalate(r.Context(), id, p.opts.Who(r))
}

func (p *Pages) note(r *http.Request) (url.Values, error) {
	id := r.PathValue("id")
	_, err := p.opts.People.Note(r.Context(), id, p.opts.Who(r), words.Cut(r.PostForm.Get("text"), dashboards.MaxComment))
	return url.Values{"problem": {id}, "done": {"noted"}}, err
}

func (p *Pages) silence(r *http.Request) (url.Values, error) {
	id := r.PathValue("id")
	d, err := words.ParseDuration(r.PostForm.Get("for"))
	if err != nil {
		return nil, fmt.Errorf("for how long: %w", err)
	}
	made, err := p.opts.People.Silence(r.Context(), people.Request{
		Problem: id, For: d, By: p.opts.Who(r), Comment: words.Cut(r.PostForm.Get("comment"), dashboards.MaxComment),
	})
	return url.Values{"problem": {id}, "done": {"silenced"}, "silence": {made.ID}}, err
}

// maxBulk is how many problems one form acts on.
const maxBulk = 200

// bulk acknowledges or silences the problems that were selected, one after the other. What fails is named, and what was
// done before it stays done.
func (p *Pages) bulk(r *http.Request) (url.Values, error) {
	ids := r.PostForm["p"]
	if len(ids) == 0 || len(ids) > maxBulk {
		return nil, fmt.Errorf("want 1 to %d selected problems, have %d", maxBulk, len(ids))
	}
	silence := r.PostForm.Get("do") == "silence"
	comment := words.Cut(strings.TrimSpace(r.PostForm.Get("comment")), dashboards.MaxComment)
	d, err := words.ParseDuration(r.PostForm.Get("for"))
	if silence && err != nil {
		return nil, fmt.Errorf("for how long: %w", err)
	}
	if silence && comment == "" {
		return nil, errors.New("a silence wants a reason")
	}
	for i, id := range ids {
		if silence {
			_, err = p.opts.People.Silence(r.Context(), people.Request{Problem: id, For: d, By: p.opts.Who(r), Comment: comment})
		} else {
			_, err = p.opts.People.Acknowledge(r.Context(), id, p.opts.Who(r), false)
		}
		if err != nil {
			return nil, fmt.Errorf("%d of %d were done, then problem %s was not: %w", i, len(ids), words.Cut(id, dashboards.MaxName), err)
		}
	}
	done := map[bool]string{true: "silenced-all", false: "taken-all"}[silence]
	return url.Values{"done": {done}, "count": {strconv.Itoa(len(ids))}}, nil
}

func (p *Pages) endSilence(r *http.Request) (url.Values, error) {
	id := r.PathValue("id")
	s, err := p.opts.People.End(r.Context(), id, p.opts.Who(r))
	if err == nil {
		p.ended.keep(s)
	}
	return url.Values{"done": {"ended"}, "silence": {id}}, err
}

func (p *Pages) renewSilence(r *http.Request) (url.Values, error) {
	id := r.PathValue("id")
	s, ok := p.ended.find(id)
	if !ok {
		return nil, fmt.Errorf("the silence %s was not ended here lately: make a new one at its problem", words.Cut(id, dashboards.MaxName))
	}
	return url.Values{"done": {"silenced"}, "silence": {id}}, p.opts.People.Renew(r.Context(), s, p.opts.Who(r))
}

// maxEnded is how many ended silences are kept for their undo.
const maxEnded = 32

// ended are the silences that people ended here, as they were, the newest last. Who has lost them makes a new one;
// what a form or an address brought in place of this could be written by anybody.
type ended struct {
	mu       sync.Mutex
	silences []alerting.Silence
}

func (e *ended) keep(s alerting.Silence) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.silences = append(e.silences, s)
	e.silences = e.silences[max(0, len(e.silences)-maxEnded):]
}

func (e *ended) find(id string) (alerting.Silence, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range slices.Backward(e.silences) {
		if s.ID == id {
			return s, true
		}
	}
	return alerting.Silence{}, false
}
