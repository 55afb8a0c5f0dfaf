package dashboards

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// Bounds of what people send.
const (
	maxForm    = 8 << 10
	maxName    = 60
	maxComment = 200
	minSilence = time.Minute
	maxSilence = 7 * 24 * time.Hour
	actTime    = 5 * time.Second
)

// doneLine is what the board says after an action, with its undo.
type doneLine struct {
	Text   string
	Action string // path of the undo's form; empty: none
	Undo   string
	Give   bool // the undo gives a problem back
}

// doneNote reads what an action left in the address it led to. It is checked against the view, since an
// address can be sent by anybody.
func (p *Pages) doneNote(q url.Values, v alerting.View) *doneLine {
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
			return &doneLine{"You took: " + sentence, "/problems/" + url.PathEscape(id) + "/take", "Undo: give it back", true}
		}
	case "given":
		if sentence != "" {
			return &doneLine{Text: "Given back: " + sentence}
		}
	case "escalated":
		if sentence != "" {
			return &doneLine{"Who is next on call was told: " + sentence, "/problems/" + url.PathEscape(id) + "/take", "Take it after all", false}
		}
	case "silenced":
		for _, s := range v.Silences {
			if s.ID == q.Get("silence") {
				return &doneLine{"Silenced until " + words.Clock(s.EndsAt) + ".", "/silences/" + url.PathEscape(s.ID) + "/end", "Undo: end the silence", false}
			}
		}
	case "ended":
		done := &doneLine{Text: "The silence was ended."}
		if s, ok := p.ended.find(q.Get("silence")); ok && s.EndsAt.After(p.opts.Now()) {
			done.Action, done.Undo = "/silences/"+url.PathEscape(s.ID)+"/renew", "Undo: silence again until "+words.Clock(s.EndsAt)
		}
		return done
	}
	return nil
}

// person is who acts: whom the web-config file let in, else nobody known by name.
func person(r *http.Request) string {
	user, _, ok := r.BasicAuth()
	user = strings.TrimSpace(user)
	if !ok || user == "" {
		return "someone at the board"
	}
	return clip(user, maxName)
}

// clip cuts text to n bytes, at a whole character.
func clip(text string, n int) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	for len(text) > n {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// act carries a form out and leads back to the board, or says why not.
func (p *Pages) act(w http.ResponseWriter, r *http.Request, have bool, do func(ctx context.Context) (url.Values, error)) {
	if !have {
		p.serve(w, r, p.message(http.StatusNotFound, "Not here", "This node does not route alarms. Do it at a router's board."))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.serve(w, r, p.message(http.StatusBadRequest, "Not understood", "The form could not be read: "+err.Error()))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), actTime)
	defer cancel()
	q, err := do(ctx)
	if err != nil {
		p.opts.Log.Warn("action at the board failed", "path", r.URL.Path, "by", person(r), "err", err)
		p.serve(w, r, p.message(http.StatusConflict, "Not done", "It was not done: "+err.Error()+". Nothing was changed."))
		return
	}
	p.acted.ring()
	to := url.URL{Path: "/", RawQuery: q.Encode()}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

func (p *Pages) postTake(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.act(w, r, p.opts.Ack != nil, func(ctx context.Context) (url.Values, error) {
		undo, done := r.PostForm.Get("undo") != "", "taken"
		if undo {
			done = "given"
		}
		return url.Values{"problem": {id}, "done": {done}}, p.opts.Ack(ctx, id, person(r), undo)
	})
}

func (p *Pages) postEscalate(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.act(w, r, p.opts.Escalate != nil, func(ctx context.Context) (url.Values, error) {
		return url.Values{"problem": {id}, "done": {"escalated"}}, p.opts.Escalate(ctx, id, person(r))
	})
}

func (p *Pages) postSilence(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.act(w, r, p.opts.Silence != nil, func(ctx context.Context) (url.Values, error) {
		d, err := time.ParseDuration(r.PostForm.Get("for"))
		if err != nil || d < minSilence || d > maxSilence {
			return nil, fmt.Errorf("for how long: want between %s and %s, have %q", words.Duration(minSilence), words.Duration(maxSilence), clip(r.PostForm.Get("for"), maxName))
		}
		made, err := p.opts.Silence(ctx, SilenceRequest{Problem: id, For: d, By: person(r), Comment: clip(r.PostForm.Get("comment"), maxComment)})
		return url.Values{"problem": {id}, "done": {"silenced"}, "silence": {made}}, err
	})
}

func (p *Pages) postEndSilence(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.act(w, r, p.opts.Unsilence != nil, func(ctx context.Context) (url.Values, error) {
		s, err := p.opts.Unsilence(ctx, id, person(r))
		if err == nil {
			p.ended.keep(s)
		}
		return url.Values{"done": {"ended"}, "silence": {id}}, err
	})
}

func (p *Pages) postRenewSilence(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.act(w, r, p.opts.Renew != nil, func(ctx context.Context) (url.Values, error) {
		s, ok := p.ended.find(id)
		if !ok {
			return nil, fmt.Errorf("the silence %s was not ended here lately: make a new one at its problem", clip(id, maxName))
		}
		return url.Values{"done": {"silenced"}, "silence": {id}}, p.opts.Renew(ctx, s, person(r))
	})
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
