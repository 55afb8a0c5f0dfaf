package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/alerting"
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
	p, err := i.problem(req.Problem)
	if err != nil {
		i.fail(w, http.StatusNotFound, err)
		return
	}
	ack := alerting.Acked{Key: cmp.Or(p.Key, p.ID), By: person(r, req.By), Undo: req.Undo} // nobody was paged yet: its page will say so
	ctx, cancel := context.WithTimeout(r.Context(), putDeadline)
	defer cancel()
	if err := i.opts.Acknowledge(ctx, ack); err != nil {
		i.fail(w, http.StatusServiceUnavailable, fmt.Errorf("the router has no room: %w", err))
		return
	}
	answer(w, http.StatusOK, AckAnswer{Problem: p.ID, Key: p.Key, Title: p.Page.Sentence})
}

// problem finds what a person means.
func (i *Intake) problem(name string) (alerting.ProblemView, error) {
	if name == "" {
		return alerting.ProblemView{}, errors.New("want a problem: its ID, its key, an alarm's fingerprint or the name of its rule")
	}
	var byRule []alerting.ProblemView
	for _, p := range i.opts.View().Problems {
		if p.ID == name || p.Key == name || p.Root.Fingerprint() == name {
			return p, nil
		}
		for _, e := range p.Explained {
			if e.Alarm.Fingerprint() == name {
				return p, nil
			}
		}
		if strings.EqualFold(p.Root.Rule(), name) {
			byRule = append(byRule, p)
		}
	}
	switch len(byRule) {
	case 1:
		return byRule[0], nil
	case 0:
		return alerting.ProblemView{}, fmt.Errorf("no problem %q", name)
	}
	ids := make([]string, len(byRule))
	for n, p := range byRule {
		ids[n] = p.ID + " (" + p.Page.Entity + ")"
	}
	return alerting.ProblemView{}, fmt.Errorf("%d problems are headed by %s, name one: %s", len(byRule), name, strings.Join(ids, ", "))
}

// SilenceRequest is a silence as the board and the command line make one: over a problem's rule and entity, or
// by matchers in Alertmanager's notation. A start makes it a maintenance window.
type SilenceRequest struct {
	Problem  string    `json:"problem"`
	Matchers []string  `json:"matchers"`
	For      string    `json:"for"` // a Go duration; or Until
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
	s, err := i.quiet(req, time.Now())
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	s.CreatedBy = cutLabel(person(r, req.By))
	i.silence(w, r, s, func(id string) any { return SilenceAnswer{ID: id, Ends: s.EndsAt} })
}

func (i *Intake) quiet(req SilenceRequest, now time.Time) (alerting.Silence, error) {
	s := alerting.Silence{StartsAt: now, EndsAt: req.Until, Comment: req.Comment[:min(len(req.Comment), maxComment)]}
	if !req.Starts.IsZero() {
		s.StartsAt = req.Starts
	}
	if req.For != "" {
		d, err := time.ParseDuration(req.For)
		if err != nil {
			return s, fmt.Errorf("for: want a duration like 2h, have %q", req.For)
		}
		s.EndsAt = s.StartsAt.Add(d)
	}
	if s.EndsAt.IsZero() {
		return s, errors.New("a silence wants an end: for or until")
	}
	if req.Problem != "" {
		p, err := i.problem(req.Problem)
		if err != nil {
			return s, err
		}
		s.Matchers = append(s.Matchers, alerting.Matcher{Name: alerting.LabelRule, Value: p.Root.Rule()})
		for _, name := range []string{alerting.LabelEntity, "instance"} {
			if v := p.Root.Labels[name]; v != "" {
				s.Matchers = append(s.Matchers, alerting.Matcher{Name: name, Value: v})
				break
			}
		}
	}
	for _, text := range req.Matchers {
		ms, err := parse.Matchers(text)
		if err != nil {
			return s, fmt.Errorf("matcher %q: %w", text, err)
		}
		for _, m := range ms {
			s.Matchers = append(s.Matchers, alerting.Matcher{
				Name: m.Name, Value: m.Value,
				Regex:    m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp,
				Negative: m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp,
			})
		}
	}
	return s, nil
}
