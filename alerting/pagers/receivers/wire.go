package receivers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/notify"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// exchange is what came back of the calls of one message, of several the last.
type exchange struct {
	status int // 0: nothing came back
	after  time.Duration
	text   string
	other  bool // it was not the service that answered
	err    error
}

type exchangeKey struct{}

// wire keeps what really came back, since a notifier knows a status alone: a proxy's login page says 200.
type wire struct {
	next http.RoundTripper
	kind string
	now  *atomic.Pointer[exchange] // of the message under way: not every library passes a context on
	most time.Duration             // for one call, likewise
}

var errOther = errors.New("not the service's answer")

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	x, _ := req.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		x = w.now.Load()
	}
	if x == nil {
		x = new(exchange)
	}
	*x = exchange{}
	ctx, cancel := context.WithTimeout(req.Context(), w.most)
	defer cancel() // the answer is read below
	req = req.WithContext(ctx)
	resp, err := w.next.RoundTrip(req)
	if err != nil {
		x.err = err
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what breaks off still has its status
	resp.Body = io.NopCloser(bytes.NewReader(body))
	x.status, x.after = resp.StatusCode, pagerduty.RetryAfter(resp.Header.Get("Retry-After"), time.Now())
	x.text = fmt.Sprintf("%d: %s", resp.StatusCode, words.Clip(strings.Join(strings.Fields(string(body)), " "), 300))
	if page(resp.Header, body) || resp.StatusCode/100 == 3 || resp.StatusCode/100 == 2 && !documented(w.kind, resp.StatusCode, body) {
		x.other = true
		return nil, errOther
	}
	return resp, nil
}

// page says whether an answer is a page for people.
func page(h http.Header, body []byte) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// maxWord is the longest answer in plain text of a chat, in bytes.
const maxWord = 64

// documented says whether a 2xx is what the service answers to a message that it accepted. A webhook may answer anything
// but a page.
// Sources, read 30 November 2026: Slack incoming webhooks (ok) and chat.postMessage ({"ok": true}), Opsgenie Alert API (202,
// {"result": ..., "requestId": ...}), incident.io alert events (202, {"status": ...}), Telegram Bot API ({"ok": true}), Pushover
// ({"status": 1}), Discord (204, or the message), Teams workflows (202, empty), connectors (1), VictorOps ({"result": "success"}).
func documented(kind string, status int, body []byte) bool {
	body = bytes.TrimSpace(body)
	var o struct {
		OK     *bool           `json:"ok"`
		Result json.RawMessage `json:"result"`
		Status json.RawMessage `json:"status"`
		ID     json.RawMessage `json:"requestId"`
		Error  json.RawMessage `json:"error"`
	}
	object := bytes.HasPrefix(body, []byte("{")) && json.Unmarshal(body, &o) == nil
	switch kind {
	case "opsgenie", "jsm":
		return object && (len(o.Result) > 0 || len(o.ID) > 0) // an answer to a question has an ID too
	case "incidentio":
		return object && len(o.Status) > 0
	case "telegram":
		return object && o.OK != nil && *o.OK
	case "pushover":
		return object && string(o.Status) == "1"
	case "victorops":
		return object && string(o.Result) == `"success"`
	case "slack", "discord", "msteams", "msteamsv2", "mattermost", "rocketchat", "webex":
		if bytes.HasPrefix(body, []byte("{")) { // what is wrong in words is the notifier's to read
			return object
		}
		return len(body) <= maxWord
	}
	return status/100 == 2
}

// clientOf finds the HTTP client of a notifier, which the library makes and does not show; nil where it has none, as e-mail and
// SNS. A test holds which ones have.
func clientOf(n notify.Integration) *http.Client {
	return httpClient(reflect.ValueOf(n).FieldByName("notifier"))
}

func httpClient(v reflect.Value) *http.Client {
	if v.IsValid() && v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	if v.Type() == reflect.TypeFor[*http.Client]() {
		return (*http.Client)(v.UnsafePointer())
	}
	if v.Elem().Kind() != reflect.Struct {
		return nil
	}
	return httpClient(v.Elem().FieldByName("client")) // Telegram's is in a bot
}

// guard puts a wire under a client, which follows no redirect: a login page is no service.
func guard(c *http.Client, kind string, rt http.RoundTripper, most time.Duration) *wire {
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if rt == nil {
		rt = c.Transport
	}
	w := &wire{next: rt, kind: kind, now: new(atomic.Pointer[exchange]), most: most}
	c.Transport = w
	return w
}

// guarded survives a notifier that panics at an answer that it did not expect, as Telegram's does at one without a chat. What
// the service accepted before is accepted.
func (x *exchange) guarded(call func() notify.NotifyVerdict) (v notify.NotifyVerdict) {
	defer func() {
		if p := recover(); p != nil {
			v = notify.Retry(0, fmt.Errorf("the answer was not understood: %v", p), notify.DefaultReason)
			if x.status/100 == 2 && !x.other {
				v = notify.Success()
			}
		}
	}()
	return call()
}

// result says what became of a call: what the notifier says decides, and what came back says why.
func (x *exchange) result(v notify.NotifyVerdict) alerting.Result {
	err := v.Err()
	switch {
	case x.other:
		return alerting.Result{Outcome: alerting.Unknown, Detail: "not the service's answer: " + x.text, After: x.after}
	case err == nil:
		return alerting.Result{Outcome: alerting.Accepted}
	case x.status == http.StatusTooManyRequests:
		return alerting.Result{Outcome: alerting.Throttled, Detail: x.text, After: x.after}
	case x.status >= 400 && x.status < 500 && x.status != http.StatusRequestTimeout:
		return alerting.Result{Outcome: alerting.Refused, Detail: x.text}
	case x.status == 0 && x.err == nil && !v.ShouldRetry():
		return alerting.Result{Outcome: alerting.Refused, Detail: err.Error()}
	case x.status/100 == 2 && !v.ShouldRetry(): // the service says in its body that it did not
		return alerting.Result{Outcome: alerting.Refused, Detail: err.Error()}
	}
	return alerting.Result{Outcome: alerting.Unknown, Detail: err.Error(), After: max(x.after, v.Delay())}
}
