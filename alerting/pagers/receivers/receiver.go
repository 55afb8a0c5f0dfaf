// Package receivers sends pages through the receivers of Alertmanager's notify library: chats, e-mail, webhooks and other
// pagers.
//
// It decides nothing and repeats nothing: one call of Send is one message, and its Result says what became of it. What the
// library calls a group is an incident here, so that a service that knows a key (Opsgenie, JSM, incident.io, VictorOps, Jira)
// has one incident for ours however often a call is repeated. A chat has no keys: when its answer is lost, the repetition is a
// second message, which says so. All methods may be called by many goroutines.
package receivers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// Options are what a Receiver takes besides its configuration.
type Options struct {
	Name      string // of the pager
	Log       *slog.Logger
	BoardURL  string                  // for links
	AckURL    func(key string) string // where a person acknowledges an incident; nil: nowhere
	Templates []string                // globs of template files, as Alertmanager's
	Timeout   time.Duration           // of one message; 0: 10 s
	Transport http.RoundTripper       // in place of the network; for tests
}

// Receiver is one way out.
type Receiver struct {
	opts  Options
	cfg   Config
	send  notify.Integration
	texts *texts
	wire  *wire // nil for what does not speak HTTP through the library's client

	turn chan struct{} // one message at a time
	mu   sync.Mutex
	hung int            // messages that did not return in time
	lost map[string]int // messages by key and kind whose answer was lost, for chats
}

const (
	sendTimeout = 10 * time.Second
	maxHung     = 8 // connections that stall, before no more are opened
	maxLost     = 1000
)

// New makes a Receiver. It sends nothing.
func New(c Config, o Options) (*Receiver, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = sendTimeout
	}
	t, err := newTexts(o)
	if err != nil {
		return nil, err
	}
	rc := *c.load
	if len(rc.EmailConfigs) == 1 {
		rc.EmailConfigs = []*emailConfig{mail(rc.EmailConfigs[0])}
	}
	all, err := receiver.BuildReceiverIntegrations(rc, t.tmpl, o.Log.With("pager", o.Name))
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("want one %s, have %d", c.kind, len(all))
	}
	r := &Receiver{opts: o, cfg: c, send: all[0], texts: t, turn: make(chan struct{}, 1), lost: map[string]int{}}
	if client := clientOf(all[0]); client != nil {
		r.wire = guard(client, c.kind, o.Transport, o.Timeout)
	}
	return r, nil
}

// mail is an e-mail's configuration whose text is there beside the HTML, for phones.
func mail(c *emailConfig) *emailConfig {
	out := *c
	if out.Text == "" {
		out.Text = `{{ template "email.default.text" . }}`
	}
	return &out
}

// Send carries out one action and says what became of it. Notes stay on the board. What a service has no call for is
// accepted.
func (r *Receiver) Send(ctx context.Context, a alerting.Action) alerting.Result {
	res := alerting.Result{Outcome: alerting.Accepted}
	switch {
	case a.Kind == alerting.Acknowledge:
		res = r.Acknowledge(ctx, a.Route, a.Key)
	case a.Kind == alerting.Trigger, a.Kind == alerting.Retitle, a.Kind == alerting.Resolve && r.send.SendResolved():
		res = r.message(ctx, a)
	}
	res.ActionID = a.ID
	return res
}

func (r *Receiver) message(ctx context.Context, a alerting.Action) alerting.Result {
	again := r.wasLost(a)
	ctx = r.texts.context(ctx, r.opts, a, again)
	alerts := alertsOf(a, time.Now())
	res := r.track(ctx, func(ctx context.Context) notify.NotifyVerdict { return r.send.Notify(ctx, alerts...) })
	r.noteLost(a, res.Outcome)
	return res
}

// wasLost says whether the answer to this message was lost before: a chat may have it.
func (r *Receiver) wasLost(a alerting.Action) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return kinds[r.cfg.kind].chat && r.lost[a.Kind.String()+" "+a.Key] > 0
}

func (r *Receiver) noteLost(a alerting.Action, o alerting.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := a.Kind.String() + " " + a.Key
	if o != alerting.Unknown {
		delete(r.lost, key)
		return
	}
	if len(r.lost) < maxLost {
		r.lost[key]++
	}
}

// track runs one call under a deadline. A call that does not return by then goes on by itself, and some of those are borne: an
// SMTP server that stalls in the middle of a message knows no deadline.
func (r *Receiver) track(ctx context.Context, call func(context.Context) notify.NotifyVerdict) alerting.Result {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return alerting.Result{Outcome: alerting.Unknown, Detail: "another message is under way"}
	}
	if r.hangs(0) >= maxHung {
		return alerting.Result{Outcome: alerting.Unknown, Detail: fmt.Sprintf("%d messages wait for an answer", maxHung)}
	}
	x := new(exchange)
	if r.wire != nil {
		r.wire.now.Store(x)
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, exchangeKey{}, x), r.opts.Timeout)
	defer cancel()
	verdict := make(chan notify.NotifyVerdict, 1)
	r.hangs(1)
	go func() {
		defer r.hangs(-1)
		verdict <- x.guarded(func() notify.NotifyVerdict { return call(ctx) })
	}()
	late := time.NewTimer(r.opts.Timeout + time.Second)
	defer late.Stop()
	select {
	case v := <-verdict:
		return x.result(v)
	case <-late.C:
		return alerting.Result{Outcome: alerting.Unknown, Detail: "no answer in " + r.opts.Timeout.String()}
	}
}

// hangs adds to the number of messages under way and returns it.
func (r *Receiver) hangs(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung += n
	return r.hung
}

// Channels and Prove are as a pager's. Only what wakes nobody is tried by a message.
func (r *Receiver) Channels() []string {
	if !kinds[r.cfg.kind].chat {
		return nil
	}
	return []string{r.opts.Name}
}

// Prove posts that all is well.
func (r *Receiver) Prove(ctx context.Context, _, from string) alerting.Result {
	p := alerting.Page{Priority: alerting.P5, Sentence: from + " reaches this channel: a daily test, nothing is to be done", Rule: "BinnacleTest", Entity: "host:" + from}
	return r.message(ctx, alerting.Action{Kind: alerting.Trigger, Key: "binnacle-test:" + from, Page: p})
}

// alertsOf makes Alertmanager's alerts of an action: what the page explains, its head first.
func alertsOf(a alerting.Action, now time.Time) []*amAlert {
	const most = 50
	from := a.Page.Explained
	if len(from) == 0 {
		from = []alerting.Alarm{{Labels: map[string]string{alerting.LabelRule: a.Page.Rule, alerting.LabelEntity: a.Page.Entity}, StartsAt: a.Page.Since}}
	}
	var out []*amAlert
	for _, al := range from[:min(len(from), most)] {
		m := model.Alert{Labels: model.LabelSet{}, Annotations: model.LabelSet{}, StartsAt: al.StartsAt, GeneratorURL: al.Generator}
		for k, v := range al.Labels {
			m.Labels[model.LabelName(k)] = model.LabelValue(v)
		}
		for k, v := range al.Annotations {
			m.Annotations[model.LabelName(k)] = model.LabelValue(v)
		}
		m.Labels[alerting.LabelPriority] = model.LabelValue(a.Page.Priority.String())
		if m.StartsAt.IsZero() {
			m.StartsAt = now
		}
		if a.Kind == alerting.Resolve {
			m.EndsAt = now.Add(-time.Millisecond)
		}
		out = append(out, newAlert(m, now))
	}
	return out
}

// dedupKey is what identifies the incident at the service.
func dedupKey(key string) string { return pagerduty.DedupKey(key) }
