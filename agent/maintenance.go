package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/people"
)

// Recurring are the maintenance windows that come back.
func (c RouteConfig) Recurring() (list []people.Recurring, err error) {
	var errs []error
	for _, m := range c.Ways.Maintenance {
		r := people.Recurring{Name: m.Name, Comment: cmp.Or(m.Comment, "a maintenance window of the configuration"), Open: c.Ways.Open(m)}
		r.Matchers, err = people.ParseMatchers(m.Match...)
		if err == nil {
			err = r.Check(time.Now())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("maintenance %s: %w", m.Name, err))
		}
		list = append(list, r)
	}
	return list, errors.Join(errs...)
}

// yearAhead is how far check looks for a window that opens.
const yearAhead = 366 * 24 * time.Hour

// Maintenance says when each window opens next and what of it is silenced, and what an operator may want to know of it.
func (c RouteConfig) Maintenance(now time.Time) (lines, advice []string) {
	list, _ := c.Recurring() // it was validated
	for _, r := range list {
		texts := make([]string, len(r.Matchers))
		for n, m := range r.Matchers {
			texts[n] = m.String()
		}
		s, ok := r.Next(now, yearAhead)
		if !ok {
			advice = append(advice, fmt.Sprintf("maintenance %s: none of its windows opens within a year", r.Name))
			continue
		}
		lasts := s.EndsAt.Sub(s.StartsAt)
		verb := "opens"
		if !s.StartsAt.After(now) {
			verb = "is open since"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s for %s and silences %s", r.Name, verb, s.StartsAt.UTC().Format("2006-01-02 15:04 UTC"), words.Compact(lasts), strings.Join(texts, ", ")))
		if lasts > alerting.MaxSilenceP1 {
			advice = append(advice, fmt.Sprintf("maintenance %s lasts %s: a P1 that it covers pages %s after it began", r.Name, words.Compact(lasts), words.Compact(alerting.MaxSilenceP1)))
		}
	}
	return lines, append(advice, c.Ways.ClockChanges(now)...)
}

// keepMaintenance keeps the silences of the windows that come back.
func (r *routeRole) keepMaintenance(ctx context.Context) error {
	k := people.Keeper{Router: r.dispatch, EndedBy: r.endedBy}
	used := r.a.config().Route
	list, _ := used.Recurring() // what is wrong was said when it was read
	k.Use(list)
	timer := time.NewTimer(maintenanceFirst) // what the ledger holds is in the view by then
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if c := r.a.config().Route; !reflect.DeepEqual(c.Ways.Maintenance, used.Ways.Maintenance) || !reflect.DeepEqual(c.Ways.Windows, used.Ways.Windows) {
			if list, err := c.Recurring(); err == nil {
				k.Use(list)
			}
			used = c
		}
		if err := k.Keep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.a.log.Warn("maintenance window not kept", "err", err)
		}
		timer.Reset(maintenanceEach)
	}
}

const (
	maintenanceFirst = 2 * time.Second
	maintenanceEach  = 10 * time.Second
)

// endedBy is who ended a silence, as far as the ledger knows.
func (r *routeRole) endedBy(ctx context.Context, id string) (by string) {
	events, err := r.dispatch.History(ctx, ledger.Query{Key: id})
	if err != nil {
		return ""
	}
	for _, e := range events {
		switch e.Kind {
		case ledger.Unsilence:
			by = cmp.Or(e.By, "a person")
		case ledger.Silenced:
			by = ""
		}
	}
	return by
}
