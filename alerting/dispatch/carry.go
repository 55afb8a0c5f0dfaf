package dispatch

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// job is one thing for a route to do: an action, or an acknowledgement or a person's note for the pager.
type job struct {
	action alerting.Action
	ack    *alerting.Record
	note   *alerting.Action
	at     time.Time // of the decision
}

// aside says that the router knows of it already: it may be given up.
func (j job) aside() bool { return j.ack != nil || j.note != nil }

func (j job) route() string {
	switch {
	case j.ack != nil:
		return j.ack.Route
	case j.note != nil:
		return j.note.Route
	}
	return j.action.Route
}

// answer is what became of an action.
type answer struct {
	action alerting.Action
	result alerting.Result
	at     time.Time // of the decision
}

// enqueue hands j to the goroutine of its route, which it starts when there is none. Routes do not wait for
// each other. The router has one action unanswered for each route, so an action always finds room; an
// acknowledgement that finds none is given up, since the router has it already.
func (d *Dispatcher) enqueue(ctx context.Context, route string, j job) {
	jobs := d.routes[route]
	if jobs == nil {
		jobs = make(chan job, maxJobs)
		d.routes[route] = jobs
		d.workers.Go(func() {
			for j := range jobs {
				d.carry(ctx, j)
			}
		})
	}
	if j.aside() && len(jobs) > maxJobs/2 {
		d.stats.ackDropped()
		return
	}
	for {
		select {
		case jobs <- j:
			return
		case a := <-d.answer: // so that the loop and a route never wait for each other
			d.backlog = append(d.backlog, a)
		}
	}
}

// drain waits for what is under way. The calls have deadlines of their own.
func (d *Dispatcher) drain() {
	for _, jobs := range d.routes {
		close(jobs)
	}
	d.workers.Wait()
	d.watch.wait()
}

// carry does one job. A call that has begun is brought to its end even if ctx ends; one that has not
// begun by then is left for the next life, which finds it pending.
func (d *Dispatcher) carry(ctx context.Context, j job) {
	whole := context.WithoutCancel(ctx)
	if j.ack != nil {
		if p, ok := d.opts.Pager.(Acknowledger); ok {
			if r := p.Acknowledge(whole, j.ack.Route, j.ack.Key); r.Outcome != alerting.Accepted {
				d.log.Warn("acknowledgement did not reach the pager", "key", j.ack.Key, "outcome", r.Outcome.String(), "detail", r.Detail)
			}
		}
		return
	}
	if j.note != nil {
		if r := d.opts.Pager.Send(whole, *j.note); r.Outcome != alerting.Accepted {
			d.log.Warn("a note did not reach the pager; the board has it", "key", j.note.Key, "outcome", r.Outcome.String(), "detail", r.Detail)
		}
		return
	}
	a := j.action
	if !d.book.sends() {
		return // and no answer: the router has given it up
	}
	before, known := d.book.record(a.Key)
	// Until it is answered, open is what was open before: a page that nobody took must be sent in the next life.
	pending := a.Record
	pending.Pending, pending.Open = a.ID, known && before.Open
	if d.cfg.Mode == Shadow || d.cfg.Mode == Off {
		d.shadowed(ctx, j)
		return
	}
	d.book.commit(&pending, event(ledger.Decided, a, j.at))
	if ctx.Err() != nil || !d.book.sends() {
		return
	}
	start := time.Now()
	result := d.opts.Pager.Send(whole, a)
	result.ActionID = a.ID
	d.stats.answered(a, result, time.Since(start))

	after := pending
	switch {
	case result.Outcome == alerting.Accepted:
		after = d.merged(a.Record, j.at)
	case result.Outcome == alerting.Unknown:
		// It may have had its effect: pending is the truth.
	case known:
		after = before
	default:
		after.Pending = ""
	}
	e := event(outcomes[result.Outcome], a, time.Now())
	e.Detail = result.Detail
	d.book.put(&after, e)
	d.report(ctx, answer{a, result, j.at})
}

// merged is rec with what a person did since the decision.
func (d *Dispatcher) merged(rec alerting.Record, decided time.Time) alerting.Record {
	rec.Pending = ""
	if now, ok := d.book.record(rec.Key); ok && rec.AckedBy == "" && now.AckedAt.After(decided) {
		rec.AckedBy, rec.AckedAt = now.AckedBy, now.AckedAt
	}
	return rec
}

// shadowed takes a decision as carried out.
func (d *Dispatcher) shadowed(ctx context.Context, j job) {
	rec := j.action.Record
	rec.Pending = ""
	d.book.put(&rec, event(ledger.Shadowed, j.action, j.at))
	d.report(ctx, answer{j.action, alerting.Result{ActionID: j.action.ID, Outcome: alerting.Accepted}, j.at})
}

func (d *Dispatcher) report(ctx context.Context, a answer) {
	select {
	case d.answer <- a:
	case <-ctx.Done(): // nobody listens any more; the ledger has it
	}
}

var outcomes = map[alerting.Outcome]ledger.Kind{
	alerting.Accepted: ledger.Accepted, alerting.Refused: ledger.Refused,
	alerting.Throttled: ledger.Throttled, alerting.Unknown: ledger.Unknown,
}

func event(k ledger.Kind, a alerting.Action, at time.Time) ledger.Event {
	e := ledger.Event{
		At: at, Kind: k, Action: a.Kind.String(), ActionID: a.ID, Key: a.Key, Route: a.Route,
		Priority: a.Page.Priority, Title: a.Page.Sentence + " [" + a.Page.Rule + "]", Reason: a.Page.Reason, Detail: a.Text,
	}
	if k == ledger.Decided || k == ledger.Shadowed {
		for _, al := range a.Page.Explained {
			e.Alarms = append(e.Alarms, al.Fingerprint())
		}
	}
	return e
}
