package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// Escalator is what a Pager also is where an incident can be handed to who is next on call. Level counts from 1,
// who was paged first.
type Escalator interface {
	Escalate(ctx context.Context, key string, level int) alerting.Result
}

// Caller is what a Pager also is whose routes say who else is paged while nobody acknowledges an incident.
type Caller interface {
	Steps(route string) []Step
	Step(ctx context.Context, rec alerting.Record, to string) alerting.Result
	// Called notes, after a restart, that a pager was called for an incident, so that it hears of the end.
	Called(key, to string)
	// EscalateRecord is an Escalator's Escalate, for a pager that has routes.
	EscalateRecord(ctx context.Context, rec alerting.Record, level int) alerting.Result
}

// Step is one more pager that is called After an incident was opened and nobody acknowledged it.
type Step struct {
	After time.Duration
	To    string
}

// Escalate gets another person for an incident that was paged: who is next at the pager, and the second channel.
// Who had taken it has it no more. The error says what a person can do, when nobody else was told.
func (d *Dispatcher) Escalate(ctx context.Context, key, by string) error {
	rec, ok := d.book.record(d.keyOf(key))
	if !ok || !rec.Open {
		return errors.New("nobody was paged for this yet, so there is no one after them")
	}
	if d.cfg.Mode == Shadow || d.cfg.Mode == Off {
		return fmt.Errorf("route.mode is %s: nobody is called", d.cfg.Mode)
	}
	told, faults := d.callNext(ctx, rec, by)
	if len(told) == 0 {
		if len(faults) == 0 {
			faults = []string{"there is no one to call: set route.pagerduty.token, route.pagerduty.second, or escalate in route.routes"}
		}
		return errors.New(strings.Join(faults, "; "))
	}
	d.book.put(nil, ledger.Event{
		At: time.Now(), Kind: ledger.Escalated, Key: rec.Key, Route: rec.Route, Priority: rec.Page.Priority, Title: rec.Page.Sentence,
		By: by, Detail: strings.Join(append(told, faults...), "; "),
	})
	if rec.AckedBy == "" {
		return nil
	}
	return d.Put(ctx, alerting.Acked{Key: rec.Key, By: by, Undo: true})
}

// callNext tells in words who was called and what went wrong.
func (d *Dispatcher) callNext(ctx context.Context, rec alerting.Record, by string) (told, faults []string) {
	note := func(who string, r alerting.Result) {
		if r.Outcome == alerting.Accepted {
			told = append(told, who)
			return
		}
		faults = append(faults, strings.TrimSpace(who+": "+r.Outcome.String()+" "+r.Detail))
	}
	level := 2
	if before, err := d.History(ctx, ledger.Query{Key: rec.Key, Kinds: []ledger.Kind{ledger.Escalated}, Since: rec.OpenedAt}); err == nil {
		level += len(before)
	}
	if p, ok := d.opts.Pager.(Caller); ok {
		note(fmt.Sprintf("step %d of the route", level-1), p.EscalateRecord(ctx, rec, level))
	} else if p, ok := d.opts.Pager.(Escalator); ok {
		note(fmt.Sprintf("level %d at the pager", level), p.Escalate(ctx, rec.Key, level))
	}
	if d.opts.Second != nil {
		page := rec.Page
		page.Sentence = "Escalated by " + by + ": " + page.Sentence
		note("second channel", d.opts.Second.Send(ctx, alerting.Action{Kind: alerting.Trigger, Key: rec.Key, Route: rec.Route, Page: page, Record: rec}))
	}
	return told, faults
}
