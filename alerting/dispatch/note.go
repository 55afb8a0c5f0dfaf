package dispatch

import (
	"cmp"
	"context"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// note keeps of inputs what must outlive the router's memory, and who did it. It returns those that the
// router should see.
func (d *Dispatcher) note(in []alerting.Input) []alerting.Input {
	now := time.Now()
	out := in[:0:0]
	for _, i := range in {
		switch i := i.(type) {
		case alerting.Firing:
			if d.stats.heard(i.Alarm, now) && i.Alarm.Labels[alerting.LabelKind] == "change" && d.book.sends() {
				d.book.put(nil, ledger.Event{
					At: now, Kind: ledger.Deployed, Key: i.Alarm.Labels[alerting.LabelService],
					Title: i.Alarm.Annotations[alerting.AnnotationSummary], Alarms: []string{i.Alarm.Fingerprint()},
				})
			}
		case alerting.Ended:
			d.stats.ended(i.Fingerprint)
			d.watch.ended(i.Fingerprint)
		case alerting.Acked:
			d.acked(i, now)
		case alerting.Closed:
			if !d.closed(i, now) {
				continue
			}
		case alerting.Noted: // the router decides nothing by it
			d.noted(i, now)
			continue
		case alerting.Silenced:
			d.silenced(i, now)
		}
		out = append(out, i)
	}
	return out
}

// keyOf finds the dedup key of an acknowledgement, which may name a problem instead.
func (d *Dispatcher) keyOf(key string) string {
	if _, ok := d.book.record(key); ok {
		return key
	}
	return cmp.Or(d.problem(key).Key, key)
}

// problem returns the problem with this ID; the zero one where there is none.
func (d *Dispatcher) problem(id string) alerting.ProblemView {
	for _, p := range d.View().Problems {
		if p.ID == id {
			return p
		}
	}
	return alerting.ProblemView{}
}

func (d *Dispatcher) acked(a alerting.Acked, now time.Time) {
	e := ledger.Event{At: now, Kind: ledger.Acked, Key: d.keyOf(a.Key), By: a.By}
	if a.Undo {
		e.Kind = ledger.Unacked
	}
	rec, ok := d.book.record(e.Key)
	if !ok { // nobody was paged for it yet
		e.Title = d.problem(e.Key).Page.Sentence
		d.book.put(nil, e)
		return
	}
	e.Route, e.Priority = rec.Route, rec.Page.Priority
	rec = rec.Acknowledge(a, now)
	rec.UpdatedAt = now
	d.book.put(&rec, e)
}

// Note keeps what a person says of an incident or a problem, and tells the pager where that takes notes.
func (d *Dispatcher) Note(ctx context.Context, key, by, text string) error {
	e := ledger.Event{At: time.Now(), Kind: ledger.Noted, Key: d.keyOf(key), By: by, Detail: text}
	rec, paged := d.book.record(e.Key)
	if paged {
		e.Route, e.Priority, e.Title = rec.Route, rec.Page.Priority, rec.Page.Sentence
	} else {
		e.Title = d.problem(e.Key).Page.Sentence
	}
	d.book.put(nil, e)
	if !paged || !rec.Open || d.cfg.Mode == Shadow || d.cfg.Mode == Off || !d.book.sends() {
		return nil
	}
	a := alerting.Action{Kind: alerting.Note, Key: rec.Key, Route: rec.Route, Page: rec.Page, Text: by + ": " + text, Record: rec}
	select {
	case d.extra <- job{note: &a}:
		return nil
	case <-ctx.Done():
		return nil // it is kept, and the board has it
	}
}

// noted keeps what a person wrote at the pager.
func (d *Dispatcher) noted(n alerting.Noted, now time.Time) {
	rec, ok := d.book.record(n.Key)
	if !ok {
		return // an incident of others
	}
	e := ledger.Event{
		At: now, Kind: ledger.Noted, Key: n.Key, By: n.By, Detail: secret.Redact(n.Text), Reason: "at the pager",
		Route: rec.Route, Priority: rec.Page.Priority, Title: rec.Page.Sentence,
	}
	if !n.At.IsZero() && n.At.Before(now) {
		e.At = n.At
	}
	d.book.put(nil, e)
}

// closed says whether a person closed the incident: our own resolve comes back by webhook too.
func (d *Dispatcher) closed(c alerting.Closed, now time.Time) bool {
	rec, ok := d.book.record(c.Key)
	if !ok || !rec.Open && rec.Pending == "" || rec.Pending != "" && rec.Kind == alerting.Resolve {
		return false
	}
	rec = rec.Close(c, now)
	rec.UpdatedAt = now
	d.book.put(&rec, ledger.Event{At: now, Kind: ledger.Closed, Key: c.Key, Route: rec.Route, Priority: rec.Page.Priority, By: c.By})
	return true
}

func (d *Dispatcher) silenced(in alerting.Silenced, now time.Time) {
	s := in.Silence
	e := ledger.Event{At: now, Kind: ledger.Silenced, Key: s.ID, By: cmp.Or(in.By, s.CreatedBy), Title: matchers(s), Detail: s.Comment}
	if !s.EndsAt.After(now) {
		e.Kind = ledger.Unsilence
	} else {
		e.Reason = "until " + s.EndsAt.UTC().Format(time.RFC3339)
	}
	d.book.silence(s, e)
}

func matchers(s alerting.Silence) string {
	text := ""
	for i, m := range s.Matchers {
		if i > 0 {
			text += ", "
		}
		text += m.Name + operator(m) + m.Value
	}
	return text
}

func operator(m alerting.Matcher) string {
	switch {
	case m.Regex && m.Negative:
		return "!~"
	case m.Regex:
		return "=~"
	case m.Negative:
		return "!="
	}
	return "="
}

// settled makes the router's input of an answer.
func (d *Dispatcher) settled(a answer) []alerting.Input {
	d.watch.answered(a)
	if d.opts.Sent != nil {
		d.opts.Sent(a.action, a.result)
	}
	if a.result.Outcome == alerting.Accepted {
		d.proofs.took(d.channelOf(a.action.Route), time.Now())
		d.stats.delivered(a)
		if a.action.Kind == alerting.Trigger && a.action.Record.AckedBy != "" { // taken before its page
			d.tellTaken(a.action.Record)
		}
	}
	if a.result.Outcome == alerting.Refused || a.result.Outcome == alerting.Accepted && a.result.Detail != "" {
		d.watch.refused(a)
	}
	return []alerting.Input{a.result}
}

// tellTaken acknowledges at the pager what a person took before it was sent. The router has it in any case.
func (d *Dispatcher) tellTaken(rec alerting.Record) {
	if !d.acknowledges() {
		return
	}
	select {
	case d.extra <- job{ack: &rec}:
	default: // this goroutine empties it
		d.stats.ackDropped()
	}
}

// acknowledges says whether the pager can be told that a person has it.
func (d *Dispatcher) acknowledges() bool {
	_, can := d.opts.Pager.(Acknowledger)
	return can && d.cfg.Mode != Shadow && d.cfg.Mode != Off
}

// look is what happens at every tick: alarms about ourselves rise and end, and what nobody took delivery
// of goes another way.
func (d *Dispatcher) look(ctx context.Context) []alerting.Input {
	var l ledgerState
	l.durable, l.since, _ = d.book.status()
	l.standsIn, l.why = d.book.standsIn()
	now := time.Now()
	d.stats.prune(now)
	d.watch.second(ctx, now, d.book)
	d.stepOn(ctx, now)
	return d.watch.self(now, l)
}
