package intake

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

// AckRequest is a person's word that they have it. Problem is an ID of the board, a dedup key, the fingerprint
// of an alarm, or the name of a rule that heads one problem.
type AckRequest struct {
	Problem string `json:"problem"`
	By      string `json:"by"`
	Undo    bool   `json:"undo"`
}

// AckAnswer says which problem was meant.
type AckAnswer struct {
	Problem string `json:"problem"`
	Key     string `json:"key,omitempty"`
	Title   string `json:"title"`
}

func (i *Intake) postAck(w http.ResponseWriter, r *http.Request) {
	var req AckRequest
	if err := read(w, r, maxSmall, &req); err != nil {
		i.fail(w, status(err), err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), putDeadline)
	defer cancel()
	p, err := i.opts.Desk.Acknowledge(ctx, req.Problem, i.person(r, req.By), req.Undo)
	if err != nil {
		i.failAct(w, err)
		return
	}
	answer(w, http.StatusOK, AckAnswer{Problem: p.ID, Key: p.Key, Title: p.Page.Sentence})
}

// NoteRequest is what a person says of a problem, which is named as in an AckRequest. The answer is an AckAnswer.
type NoteRequest struct {
	Problem string `json:"problem"`
	By      string `json:"by"`
	Text    string `json:"text"`
}

func (i *Intake) postNote(w http.ResponseWriter, r *http.Request) {
	var req NoteRequest
	if err := read(w, r, maxSmall, &req); err != nil {
		i.fail(w, status(err), err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), putDeadline)
	defer cancel()
	p, err := i.opts.Desk.Note(ctx, req.Problem, i.person(r, req.By), req.Text)
	if err != nil {
		i.failAct(w, err)
		return
	}
	answer(w, http.StatusOK, AckAnswer{Problem: p.ID, Key: p.Key, Title: p.Page.Sentence})
}

// SilenceRequest is a silence as the command line asks for one: of a problem with what it explains now, or by matchers in
// Alertmanager's notation, or both. A start ahead makes it a maintenance window.
type SilenceRequest struct {
	Problem  string    `json:"problem"`
	Matchers []string  `json:"matchers"`
	For      string    `json:"for"` // a duration like 90m or 2d; or Until
	Until    time.Time `json:"until"`
	Starts   time.Time `json:"starts"`
	By       string    `json:"by"`
	Comment  string    `json:"comment"`
}

// SilenceAnswer names the silence that was made.
type SilenceAnswer struct {
	ID   string    `json:"id"`
	Ends time.Time `json:"ends"`
}

func (i *Intake) postQuiet(w http.ResponseWriter, r *http.Request) {
	var req SilenceRequest
	if err := read(w, r, maxSmall, &req); err != nil {
		i.fail(w, status(err), err)
		return
	}
	want := people.Request{Problem: req.Problem, Starts: req.Starts, Until: req.Until, By: i.person(r, req.By), Comment: req.Comment}
	var err error
	if req.For != "" {
		if want.For, err = words.ParseDuration(req.For); err != nil {
			i.fail(w, http.StatusBadRequest, fmt.Errorf("for: %w", err))
			return
		}
	}
	if want.Matchers, err = people.ParseMatchers(req.Matchers...); err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	i.silence(w, r, want, func(s alerting.Silence) any { return SilenceAnswer{ID: s.ID, Ends: s.EndsAt} })
}
