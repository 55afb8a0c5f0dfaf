package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// maxAnswer bounds what is read of an answer; a hundred services with their integrations are the longest.
const maxAnswer = 2 << 20

// exchange is what came back of one call.
type exchange struct {
	status int // 0: nothing came back
	header http.Header
	body   []byte
	err    error
}

type exchangeKey struct{}

// wire is the HTTP client under go-pagerduty. The library's method loses the text of a 400, every header, and
// takes a 202 without a body for an error; network errors it formats away. So the wire keeps what
// really came back, per call, in the exchange that the context carries.
type wire struct{ client *http.Client }

func newWire(rt http.RoundTripper) wire {
	return wire{&http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Do implements pagerduty.HTTPClient.
func (w wire) Do(req *http.Request) (*http.Response, error) {
	x, _ := req.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		x = new(exchange)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		x.err = err
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	// What is cut or breaks off still has its status, and the status decides.
	x.body, _ = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	x.status, x.header = resp.StatusCode, resp.Header
	resp.Body = io.NopCloser(bytes.NewReader(x.body))
	return resp, nil
}

// track runs one call under a deadline and returns what came back.
func track(ctx context.Context, timeout time.Duration, call func(context.Context) error) *exchange {
	x := new(exchange)
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, exchangeKey{}, x), timeout)
	defer cancel()
	if err := call(ctx); err != nil && x.err == nil {
		x.err = err // where there is a status, the library could not read the answer
	}
	return x
}

// result says what became of the call.
// Source: PagerDuty Events API v2 overview and REST API rate limits, read November 2026: 202 accepted;
// 400 invalid, do not retry; 429 and 5xx later. REST answers carry ratelimit-reset in seconds.
func (x *exchange) result() alerting.Result {
	switch {
	case x.status == 0:
		return alerting.Result{Outcome: alerting.Unknown, Detail: fmt.Sprintf("no answer: %v", x.err)}
	case x.page():
		// A proxy that asks for a login says 200, one that forbids says 403: neither is the service's own word.
		return alerting.Result{Outcome: alerting.Unknown, Detail: "not the service's answer, but a page: " + x.text(), After: x.after()}
	case x.status >= 200 && x.status <= 299:
		return alerting.Result{Outcome: alerting.Accepted}
	case x.status == http.StatusTooManyRequests:
		return alerting.Result{Outcome: alerting.Throttled, Detail: x.text(), After: x.after()}
	case x.status == http.StatusRequestTimeout || x.status >= 500:
		return alerting.Result{Outcome: alerting.Unknown, Detail: x.text(), After: x.after()}
	case x.status < 400:
		return alerting.Result{Outcome: alerting.Unknown, Detail: "a redirect, which is not followed: " + x.text()}
	}
	return alerting.Result{Outcome: alerting.Refused, Detail: x.text()}
}

// page says whether the answer is a page for people.
func (x *exchange) page() bool {
	media, _, _ := strings.Cut(x.header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/html") || bytes.HasPrefix(bytes.TrimSpace(x.body), []byte("<"))
}

// event is result for an answer of the Events API, which is a JSON object in any case. One that breaks off was
// PagerDuty's all the same; what is no object was not.
// Source: PagerDuty Events API v2, "Response", read 30 November 2026: 202 {"status":"success", ...}.
func (x *exchange) event() alerting.Result {
	r := x.result()
	if r.Outcome != alerting.Accepted && r.Outcome != alerting.Refused {
		return r
	}
	var answer struct {
		Status string `json:"status"`
	}
	body := bytes.TrimSpace(x.body)
	switch err := json.Unmarshal(body, &answer); {
	case err == nil && (r.Outcome == alerting.Refused || answer.Status == "success"):
		return r
	case err != nil && x.status == http.StatusAccepted && bytes.HasPrefix(body, []byte("{")):
		return r
	}
	return alerting.Result{Outcome: alerting.Unknown, Detail: "not PagerDuty's answer: " + x.text(), After: x.after()}
}

// text is the answer in words, of an Events answer or of a REST one.
func (x *exchange) text() string {
	var events struct {
		Message string   `json:"message"`
		Errors  []string `json:"errors"`
	}
	var rest struct {
		Error struct {
			Message string   `json:"message"`
			Errors  []string `json:"errors"`
		} `json:"error"`
	}
	text := ""
	if json.Unmarshal(x.body, &events) == nil && events.Message != "" {
		text = strings.Join(append([]string{events.Message}, events.Errors...), "; ")
	} else if json.Unmarshal(x.body, &rest) == nil && rest.Error.Message != "" {
		text = strings.Join(append([]string{rest.Error.Message}, rest.Error.Errors...), "; ")
	} else {
		text = oneLine(string(x.body))
	}
	return fmt.Sprintf("%d: %s", x.status, cutRunes(text, 500))
}

func (x *exchange) after() time.Duration {
	return max(RetryAfter(x.header.Get("Retry-After"), time.Now()), RetryAfter(x.header.Get("Ratelimit-Reset"), time.Now()))
}

// maxAfter is the longest that a service is left alone for its asking: who pages does not wait for an hour.
const maxAfter = 5 * time.Minute

// RetryAfter is how long a service asks to wait, in seconds or until a date; 0: it does not say.
// Source: RFC 9110, 10.2.3, read 30 November 2026.
func RetryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil {
		return min(time.Duration(max(n, 0)), maxAfter/time.Second) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxAfter)
	}
	return 0
}
