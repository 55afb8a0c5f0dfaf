package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Log is the pager of a route without a key: it shows each page and logs what becomes of it.
type Log struct {
	log *slog.Logger

	mu  sync.Mutex
	out io.Writer // may be nil
}

// NewLog makes a Log; out gets the text of each page and may be nil.
func NewLog(log *slog.Logger, out io.Writer) *Log { return &Log{log: log, out: out} }

// Send implements the pager; it always accepts.
func (l *Log) Send(_ context.Context, a alerting.Action) alerting.Result {
	attrs := []any{"action", a.Kind.String(), "title", Title(a.Page), "key", a.Key, "explains", max(0, len(a.Page.Explained)-1)}
	if a.Kind == alerting.Note {
		attrs = append(attrs, "note", a.Text)
	}
	l.log.Info("page", attrs...)
	if l.out != nil && a.Kind == alerting.Trigger {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, _ = io.WriteString(l.out, Text(a.Page))
	}
	return alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted}
}

// Chat posts pages as {"text": ...} to a URL, the form that chat tools' incoming webhooks take. It serves as
// second channel, and for what wakes nobody. Notes it leaves out.
type Chat struct {
	url     string
	wire    wire
	timeout time.Duration
}

// Pager carries out actions; package dispatch knows it by the same method.
type Pager interface {
	Send(ctx context.Context, a alerting.Action) alerting.Result
}

// NewSecond makes the second channel of c, or nil where there is none. What o says holds for it too.
func NewSecond(c Config, o Options) (Pager, error) {
	switch {
	case !c.Second.RoutingKey.IsZero():
		c.RoutingKey, c.Routes, c.Second = c.Second.RoutingKey, nil, Second{}
		client, err := New(c, o)
		if err != nil {
			return nil, err // and not a nil Client in a Pager
		}
		return client, nil
	case !c.Second.Webhook.IsZero():
		rt := o.Transport
		if rt == nil {
			var err error
			if rt, _, err = c.transport(); err != nil {
				return nil, fmt.Errorf("pagerduty: second: %w", err)
			}
		}
		return newChat(c.Second.Webhook.Reveal(), rt, c.Timeout), nil
	}
	return nil, nil
}

func newChat(url string, rt http.RoundTripper, timeout time.Duration) *Chat {
	return &Chat{url: url, wire: newWire(rt), timeout: timeout}
}

// Send implements the pager.
func (c *Chat) Send(ctx context.Context, a alerting.Action) alerting.Result {
	r := alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted}
	var text string
	switch a.Kind {
	case alerting.Trigger:
		text = Text(a.Page)
	case alerting.Retitle:
		text = "Now: " + Title(a.Page)
	case alerting.Resolve:
		text = "Over: " + Title(a.Page)
	default:
		return r
	}
	r = c.post(ctx, text)
	r.ActionID = a.ID
	return r
}

// Channels and Prove are as a Client's; a message to a chat wakes nobody.
func (c *Chat) Channels() []string { return []string{DefaultRoute} }

// Prove posts that all is well.
func (c *Chat) Prove(ctx context.Context, _, from string) alerting.Result {
	return c.post(ctx, proof(from))
}

func (c *Chat) post(ctx context.Context, text string) alerting.Result {
	body, err := json.Marshal(map[string]string{"text": cutRunes(text, 3000)})
	if err != nil {
		return alerting.Result{Outcome: alerting.Refused, Detail: err.Error()}
	}
	x := track(ctx, c.timeout, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		_, err = c.wire.Do(req)
		return err
	})
	r := x.result()
	if r.Outcome == alerting.Accepted && !x.taken() {
		return alerting.Result{Outcome: alerting.Unknown, Detail: "not what a chat answers to a message that it took: " + x.text()}
	}
	return r
}

// taken says whether a 2xx is what the webhooks of chat tools answer: nothing, a short word, or JSON without a fault.
// Source: Slack "Sending messages using incoming webhooks" (ok), Microsoft Teams workflows (202, empty) and connectors (1),
// Mattermost (ok), Discord (204), Google Chat (the message as JSON); read 30 November 2026.
func (x *exchange) taken() bool {
	body := bytes.TrimSpace(x.body)
	var object struct {
		OK    *bool           `json:"ok"`
		Error json.RawMessage `json:"error"`
	}
	if bytes.HasPrefix(body, []byte("{")) {
		err := json.Unmarshal(body, &object)
		fault := len(object.Error) > 0 && !slices.Contains([]string{"null", `""`, "false"}, string(object.Error))
		return err == nil && !fault && (object.OK == nil || *object.OK)
	}
	return len(body) <= maxWord
}

// maxWord is the longest answer of a chat in plain text, in bytes.
const maxWord = 64
