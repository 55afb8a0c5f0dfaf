// Package people decides what a person may do to alarms, within which bounds, and says in whose name it is done.
//
// It is the one place for acknowledging, silencing, escalating and noting: the board, the API and the terminal call a
// Desk, so that they have the same bounds and give the same answers. It keeps no state: what is there it reads from the
// view, what is done goes to the router as an input. It authenticates nobody: who acts is a name that package agent/door
// has made of the request. All methods may be called by many goroutines.
package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// Router is what a Desk acts through; package dispatch has it.
type Router interface {
	// View is what the router thinks now.
	View() alerting.View
	// Put hands inputs to the router and blocks while there is no room.
	Put(ctx context.Context, in ...alerting.Input) error
	// Acknowledge is Put for an acknowledgement that the pager must hear of too.
	Acknowledge(ctx context.Context, a alerting.Acked) error
	// Escalate gets another person for the open incident with this dedup key or problem ID.
	Escalate(ctx context.Context, key, by string) error
	// Note keeps what a person says of the incident with this dedup key or problem ID.
	Note(ctx context.Context, key, by, text string) error
}

// Desk is where people act. Vital returns the labels of each rule that can make a P1; nil: none is known.
type Desk struct {
	Router Router
	Vital  func() []map[string]string
	Ended  func() []alerting.Silence // silences that are over and still shown; nil: none
	Now    func() time.Time          // nil: time.Now
}

// Errors that a caller tells apart.
var (
	ErrNotFound = errors.New("not found")
	ErrBusy     = errors.New("the router has no room")
)

// missing is an ErrNotFound in words.
type missing string

func (m missing) Error() string     { return string(m) }
func (m missing) Is(err error) bool { return err == ErrNotFound }

func (d *Desk) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

func (d *Desk) put(ctx context.Context, in alerting.Input) error {
	if err := d.Router.Put(ctx, in); err != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return nil
}

// Find returns the problem that a person means: by its ID, its dedup key, the fingerprint of one of its alarms, or the
// rule or subject of its root cause, where just one problem has it. The error wraps ErrNotFound.
func (d *Desk) Find(name string) (alerting.ProblemView, error) {
	if name == "" {
		return alerting.ProblemView{}, missing("want a problem: its ID, its key, an alarm's fingerprint, its rule or its subject")
	}
	found := d.Router.View().Named(name)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return alerting.ProblemView{}, missing(fmt.Sprintf("no problem %q", words.Cut(name, maxShown)))
	}
	ids := make([]string, len(found))
	for n, p := range found {
		ids[n] = p.ID + " (" + p.Page.Entity + ")"
	}
	return alerting.ProblemView{}, missing(fmt.Sprintf("%d problems have the root cause %s, name one: %s", len(found), name, strings.Join(ids, ", ")))
}

// Acknowledge notes that a person has the problem, or with undo that nobody has it any more. Where nobody was paged yet
// the page will go out acknowledged.
func (d *Desk) Acknowledge(ctx context.Context, problem, by string, undo bool) (alerting.ProblemView, error) {
	p, err := d.Find(problem)
	if err != nil {
		return p, err
	}
	if err := d.Router.Acknowledge(ctx, alerting.Acked{Key: cmp.Or(p.Key, p.ID), By: cutName(by), Undo: undo}); err != nil {
		return p, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return p, nil
}

// Escalate gets the next person for a problem that was paged. The error says what else can be done.
func (d *Desk) Escalate(ctx context.Context, problem, by string) error {
	p, err := d.Find(problem)
	if err != nil {
		return err
	}
	return d.Router.Escalate(ctx, cmp.Or(p.Key, p.ID), cutName(by))
}

// Note keeps what a person says of a problem: it goes to its incident, the timeline and the handover.
func (d *Desk) Note(ctx context.Context, problem, by, text string) (alerting.ProblemView, error) {
	text = words.Cut(strings.Join(strings.Fields(text), " "), maxComment)
	if text == "" {
		return alerting.ProblemView{}, errors.New("want a note: what was seen, tried or agreed")
	}
	p, err := d.Find(problem)
	if err != nil {
		return p, err
	}
	return p, d.Router.Note(ctx, cmp.Or(p.Key, p.ID), cutName(by), text)
}

// Bounds of what people write, in bytes.
const (
	maxName    = 120
	maxComment = 2 << 10
	maxShown   = 60
)

func cutName(s string) string { return words.Cut(strings.TrimSpace(s), maxName) }
