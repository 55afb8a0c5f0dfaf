package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

func (i *Intake) getSilences(w http.ResponseWriter, r *http.Request) {
	f, err := newFilter(r)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	list, now := []annotated{}, time.Now()
	for _, s := range i.opts.Desk.Silences() {
		// Alertmanager filters silences by their own matchers, taken as labels.
		set := map[string]string{}
		for _, m := range s.Matchers {
			set[m.Name] = m.Value
		}
		if !slices.ContainsFunc(f.matchers, func(m *labels.Matcher) bool { return !m.Matches(set[m.Name]) }) {
			list = append(list, annotated{gettable(s, now)})
		}
	}
	slices.SortStableFunc(list, bySilence)
	answer(w, http.StatusOK, list)
}

// bySilence is the order of Alertmanager: active ones, the first to end first; pending ones, the first to begin first; expired ones,
// the last to end first.
// Source: github.com/prometheus/alertmanager v0.35, api/v2 SortSilences, read 30 November 2026.
func bySilence(a, b annotated) int {
	rank := func(s annotated) int {
		return map[string]int{models.SilenceStatusStateActive: 0, models.SilenceStatusStatePending: 1, models.SilenceStatusStateExpired: 2}[*s.Status.State]
	}
	at := func(t *strfmt.DateTime) time.Time { return time.Time(*t) }
	if n := cmp.Compare(rank(a), rank(b)); n != 0 {
		return n
	}
	switch *a.Status.State {
	case models.SilenceStatusStatePending:
		return at(a.StartsAt).Compare(at(b.StartsAt))
	case models.SilenceStatusStateExpired:
		return at(b.EndsAt).Compare(at(a.EndsAt))
	}
	return at(a.EndsAt).Compare(at(b.EndsAt))
}

// annotated is a silence with its annotations, where there are none too: Alertmanager's description requires them, and its own type
// leaves them out then.
type annotated struct{ *models.GettableSilence }

// MarshalJSON implements json.Marshaler.
func (a annotated) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(a.GettableSilence)
	if err != nil || len(a.Annotations) > 0 {
		return b, err
	}
	return append([]byte(`{"annotations":{},`), b[1:]...), nil
}

func gettable(s alerting.Silence, now time.Time) *models.GettableSilence {
	state := models.SilenceStatusStateActive
	switch {
	case !s.EndsAt.After(now):
		state = models.SilenceStatusStateExpired
	case s.StartsAt.After(now):
		state = models.SilenceStatusStatePending
	}
	starts, ends, updated := strfmt.DateTime(s.StartsAt), strfmt.DateTime(s.EndsAt), strfmt.DateTime(s.UpdatedAt)
	g := &models.GettableSilence{ID: &s.ID, UpdatedAt: &updated, Status: &models.SilenceStatus{State: &state}}
	g.Silence = models.Silence{Comment: &s.Comment, CreatedBy: &s.CreatedBy, StartsAt: &starts, EndsAt: &ends, Matchers: models.Matchers{}}
	for _, m := range s.Matchers {
		equal := !m.Negative
		g.Matchers = append(g.Matchers, &models.Matcher{Name: &m.Name, Value: &m.Value, IsRegex: &m.Regex, IsEqual: &equal})
	}
	g.Annotations = s.Annotations
	return g
}

func (i *Intake) getSilence(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	for _, s := range i.opts.Desk.Silences() {
		if s.ID == id {
			answer(w, http.StatusOK, annotated{gettable(s, time.Now())})
			return
		}
	}
	i.fail(w, http.StatusNotFound, fmt.Errorf("no silence %q", id))
}

func (i *Intake) deleteSilence(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), putDeadline)
	defer cancel()
	if _, err := i.opts.Desk.End(ctx, r.PathValue("id"), i.person(r, r.URL.Query().Get("by"))); err != nil {
		i.failAct(w, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (i *Intake) postSilence(w http.ResponseWriter, r *http.Request) {
	var p models.PostableSilence
	if err := read(w, r, maxSmall, &p); err != nil {
		i.fail(w, status(err), err)
		return
	}
	req, err := fromWire(p)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	req.By = i.person(r, req.By)
	i.silence(w, r, req, func(s alerting.Silence) any { return map[string]string{"silenceID": s.ID} })
}

// silence has a silence made and answers with what shown makes of it.
func (i *Intake) silence(w http.ResponseWriter, r *http.Request, req people.Request, shown func(alerting.Silence) any) {
	ctx, cancel := context.WithTimeout(r.Context(), putDeadline)
	defer cancel()
	s, err := i.opts.Desk.Silence(ctx, req)
	if err != nil {
		i.failAct(w, err)
		return
	}
	answer(w, http.StatusOK, shown(s))
}

// failAct answers why an act of a person was not done.
func (i *Intake) failAct(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, people.ErrNotFound):
		i.fail(w, http.StatusNotFound, err)
	case errors.Is(err, people.ErrBusy):
		i.fail(w, http.StatusServiceUnavailable, err)
	default:
		i.fail(w, http.StatusBadRequest, err)
	}
}

func fromWire(p models.PostableSilence) (people.Request, error) {
	if p.StartsAt == nil || p.EndsAt == nil || p.CreatedBy == nil || p.Comment == nil {
		return people.Request{}, errors.New("a silence wants startsAt, endsAt, createdBy, comment and matchers")
	}
	s := people.Request{ID: p.ID, Starts: time.Time(*p.StartsAt), Until: time.Time(*p.EndsAt), By: *p.CreatedBy, Comment: *p.Comment, Annotations: p.Annotations}
	for _, m := range p.Matchers {
		if m == nil || m.Name == nil || m.Value == nil || m.IsRegex == nil {
			return s, errors.New("a matcher wants name, value and isRegex")
		}
		s.Matchers = append(s.Matchers, alerting.Matcher{
			Name: *m.Name, Value: *m.Value, Regex: *m.IsRegex, Negative: m.IsEqual != nil && !*m.IsEqual,
		})
	}
	return s, nil
}
