package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// watch sees that delivery works: it knows what waits for an answer, uses the second channel, tells the
// dead-man's switch that we live, and raises alarms about ourselves.
type watch struct {
	cfg  Config
	opts Options
	log  *slog.Logger
	took func(channel string, at time.Time) // is told what the second channel accepts
	work sync.WaitGroup                     // of the second channel

	mu        sync.Mutex
	waiting   map[string]*undelivered     // triggers that were not accepted yet, by dedup key
	accepted  map[string]time.Time        // last acceptance, by route
	last      map[string]alerting.Outcome // of the last call, by route
	stepped   time.Time
	raised    map[string]time.Time // alarms about ourselves that hold, by rule
	refusal   string               // the last one, in words
	refusedAt time.Time
	standing  time.Time // since when the ledger is not in its place; zero: it is
}

// undelivered is a trigger that no pager has accepted.
type undelivered struct {
	action alerting.Action
	head   string // fingerprint
	since  time.Time
	last   time.Time // when the router last wanted it sent
	told   time.Time // when the second channel was last tried
	done   bool      // the second channel has it
}

// The alarms about ourselves that must not depend on rules, which need a store on the same disk.
const (
	RuleLedger    = "BinnacleLedgerNotDurable"
	RuleDelivery  = "BinnaclePagesUndelivered"
	RuleRefused   = "BinnaclePageRefused"
	ledgerGrace   = 30 * time.Second
	standInGrace  = 5 * time.Minute // a ledger in memory outlives this process: only a reboot loses it
	refusedHolds  = time.Hour
	secondRetry   = 30 * time.Second
	giveUp        = 30 * time.Minute // the router has not wanted it sent for so long
	aliveWithin   = 30 * time.Second
	beatTimeout   = 10 * time.Second
	secondTimeout = 30 * time.Second
)

func newWatch(c Config, o Options) *watch {
	return &watch{
		cfg: c, opts: o, log: o.Log, waiting: map[string]*undelivered{}, accepted: map[string]time.Time{}, last: map[string]alerting.Outcome{},
		raised: map[string]time.Time{}, stepped: time.Now(),
	}
}

func (w *watch) alive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stepped = time.Now()
}

// decided notes what the router wants delivered. It says whether this is the first time.
func (w *watch) decided(a alerting.Action, now time.Time) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch a.Kind {
	case alerting.Trigger:
		u := w.waiting[a.Key]
		if u == nil {
			u, first = &undelivered{since: now}, true
			w.waiting[a.Key] = u
		}
		u.action, u.last = a, now
		if len(a.Page.Explained) > 0 {
			u.head = a.Page.Explained[0].Fingerprint()
		}
	case alerting.Resolve:
		delete(w.waiting, a.Key)
	}
	return first
}

func (w *watch) answered(a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tellLog(a)
	if a.result.Outcome == alerting.Accepted {
		w.accepted[a.action.Route] = time.Now()
		if a.action.Kind == alerting.Trigger {
			delete(w.waiting, a.action.Key)
		}
	}
}

// tellLog writes what was carried out, and of what was not the first of each kind; w.mu is held.
func (w *watch) tellLog(a answer) {
	attrs := []any{
		"action", a.action.Kind.String(), "priority", a.action.Page.Priority.String(), "rule", a.action.Page.Rule,
		"key", a.action.Key, "explains", max(0, len(a.action.Page.Explained)-1), "outcome", a.result.Outcome.String(),
	}
	if a.result.Detail != "" {
		attrs = append(attrs, "detail", a.result.Detail)
	}
	switch {
	case a.result.Outcome == alerting.Accepted:
		w.log.Info("carried out", attrs...)
	case a.result.Outcome != w.last[a.action.Route]:
		w.log.Warn("not carried out", attrs...)
	}
	w.last[a.action.Route] = a.result.Outcome
}

// forget leaves what waits to the router that sends now.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.waiting)
}

// ended forgets what needs no delivery any more.
func (w *watch) ended(fingerprint string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, u := range w.waiting {
		if u.head == fingerprint {
			delete(w.waiting, k)
		}
	}
}

// oldest is the age of the oldest trigger that nobody accepted, 0 for none.
func (w *watch) oldest(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var age time.Duration
	for _, u := range w.waiting {
		age = max(age, now.Sub(u.since))
	}
	return age
}

// second sends a P1 that has waited too long through the second channel, each once, unless its route
// delivers something: then its turn comes.
func (w *watch) second(ctx context.Context, now time.Time, b *book) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, u := range w.waiting {
		if now.Sub(u.last) > giveUp {
			delete(w.waiting, k)
			continue
		}
		late := u.action.Page.Priority == alerting.P1 && now.Sub(u.since) >= w.cfg.SecondAfter
		if !late || u.done || now.Sub(u.told) < secondRetry || now.Sub(w.accepted[u.action.Route]) < w.cfg.SecondAfter || w.opts.Second == nil {
			continue
		}
		u.told = now
		w.work.Go(func() { w.tell(ctx, u, b) })
	}
}

func (w *watch) tell(ctx context.Context, u *undelivered, b *book) {
	w.mu.Lock()
	a := u.action
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secondTimeout)
	defer cancel()
	r := w.opts.Second.Send(ctx, a)
	e := event(ledger.Second, a, time.Now())
	e.Detail = r.Outcome.String() + " " + r.Detail
	b.put(nil, e)
	text := "page was not accepted by the second channel"
	if r.Outcome == alerting.Accepted {
		text = "page went through the second channel"
		w.took(secondName, time.Now())
	}
	w.log.Warn(text, "key", a.Key, "outcome", r.Outcome.String(), "detail", r.Detail)
	w.mu.Lock()
	defer w.mu.Unlock()
	u.done = r.Outcome == alerting.Accepted
}

func (w *watch) wait() { w.work.Wait() }

// refused notes a refusal; the alarm about it holds for an hour.
func (w *watch) refused(a answer) {
	if a.action.Kind == alerting.Note {
		return // no page was lost
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusal, w.refusedAt = a.result.Detail, time.Now()
}

// self returns the changes of the alarms about ourselves.
func (w *watch) self(now time.Time, l ledgerState) []alerting.Input {
	age := w.oldest(now)
	w.mu.Lock()
	defer w.mu.Unlock()
	var in []alerting.Input
	set := func(rule string, holds bool, priority, page, summary, guidance string) {
		began, raised := w.raised[rule]
		if holds == raised {
			return
		}
		if holds {
			began = now
			w.raised[rule] = now
		} else {
			delete(w.raised, rule)
		}
		a := w.alarm(rule, priority, summary, guidance, began)
		if page != "" {
			a.Labels[alerting.LabelPage] = page
		}
		if holds {
			in = append(in, alerting.Firing{Alarm: a})
		} else {
			in = append(in, alerting.Ended{Fingerprint: a.Fingerprint()})
		}
	}
	holds, summary, guidance := w.ledgerFails(now, l)
	set(RuleLedger, holds, "P2", "", summary, guidance)
	// It would go the way that is shut, and once that opens it would be old news.
	set(RuleDelivery, age >= w.cfg.SecondAfter, "P2", "never",
		"pages of "+w.opts.Node+" cannot be delivered",
		"look at the board for what is open; check the way from "+w.opts.Node+" to the pager")
	set(RuleRefused, !w.refusedAt.IsZero() && now.Sub(w.refusedAt) < refusedHolds, "P4", "",
		"the pager refused a page: "+w.refusal,
		"check the pager's key or address; a page that went out plain lacks its details")
	return in
}

// ledgerState is how the ledger can be written.
type ledgerState struct {
	durable  bool
	since    time.Time // it is so, or is not
	standsIn string    // the path of the file in memory that is written in place of the first; empty in good times
	why      string    // the first cannot be written
}

// ledgerFails says whether a person must look after the ledger, and what is said of it. It logs when the ledger goes into memory and
// when it comes back; w.mu is held.
func (w *watch) ledgerFails(now time.Time, l ledgerState) (holds bool, summary, guidance string) {
	switch {
	case l.standsIn == "" && !w.standing.IsZero():
		w.log.Info("the ledger is back in its place", "after", now.Sub(w.standing))
		w.standing = time.Time{}
	case l.standsIn != "" && w.standing.IsZero():
		w.log.Warn("the ledger is in memory, pages go out all the same", "where", l.standsIn, "err", l.why)
		w.standing = now
	}
	guidance = "look at the disk of " + w.opts.Node + "'s data folder: full, read-only, or slow (df, dmesg, iostat); pages go out meanwhile"
	if l.standsIn != "" && l.durable {
		summary = "the ledger of " + w.opts.Node + " is in memory (" + l.why + "): a reboot now may page twice"
		return now.Sub(w.standing) >= standInGrace, summary, guidance
	}
	summary = "the ledger of " + w.opts.Node + " cannot be written: a restart now may page twice"
	return !l.durable && now.Sub(l.since) >= ledgerGrace, summary, guidance
}

// calm says that rule is one of the alarms about ourselves, and that it is not raised.
func (w *watch) calm(rule string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, raised := w.raised[rule]
	return !raised && (rule == RuleLedger || rule == RuleDelivery || rule == RuleRefused)
}

func (w *watch) alarm(rule, priority, summary, guidance string, since time.Time) alerting.Alarm {
	notes := map[string]string{alerting.AnnotationSummary: summary, alerting.AnnotationGuidance: guidance}
	if w.opts.Runbooks != "" {
		notes[alerting.AnnotationRunbook] = w.opts.Runbooks + rule
	}
	return alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: rule, alerting.LabelSeverity: "warning", alerting.LabelKind: "config", alerting.LabelLayer: "host",
			alerting.LabelEntity: "host:" + w.opts.Node, alerting.LabelService: "binnacle", alerting.LabelSource: "agent",
			alerting.LabelPriority: priority,
		},
		Annotations: notes,
		StartsAt:    since,
	}
}

// heartbeat tells the dead-man's switch that we live, as long as the loop does.
func (w *watch) heartbeat(ctx context.Context) {
	url := w.cfg.Heartbeat.URL.Reveal()
	if url == "" {
		return
	}
	client := http.Client{
		Transport: w.opts.HTTP, Timeout: beatTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a login page is no switch
	}
	ticker := time.NewTicker(w.cfg.Heartbeat.Interval)
	defer ticker.Stop()
	failing := false
	for {
		w.mu.Lock()
		alive := time.Since(w.stepped) < aliveWithin
		w.mu.Unlock()
		if alive {
			err := beat(ctx, &client, url)
			if failed := err != nil && ctx.Err() == nil; failed != failing {
				failing = failed
				w.log.Warn("heartbeat", "failing", failing)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// beat keeps the URL, which is a secret, out of its error.
func beat(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}
