package rabbitmq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"syscall"

	"github.com/navcloud/binnacle/collectors"
)

// maxBody bounds one answer. The largest honest one is /metrics/detailed, 4.2 MB at 11,000 queues (3.10.8,
// measured November 2026).
const maxBody = 32 << 20

// requestError is an answer that was none, by kind.
type requestError struct {
	answer answer
	status int
	reason string // the broker's own word in a 401: "Login failed" or "Access refused."
	err    error
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// get asks one thing of the local node and hands the body to read, which sees at most maxBody. Statuses in also
// are answers like 200; others are errors.
func (r *collector) get(ctx context.Context, url string, auth bool, read func(status int, body io.Reader) error, also ...int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return &requestError{answer: answerBroken, err: err}
	}
	if auth && r.watched() {
		req.SetBasicAuth(r.opt.User, r.opt.Password.Reveal())
	}
	resp, err := r.env.HTTP.RoundTrip(req)
	if err != nil {
		return &requestError{answer: dialAnswer(ctx, err), err: fmt.Errorf("GET %s: %w", url, err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body := collectors.Bounded(resp.Body, maxBody)
	ok := resp.StatusCode == http.StatusOK
	for _, s := range also {
		ok = ok || resp.StatusCode == s
	}
	if !ok {
		return statusError(url, resp.StatusCode, body)
	}
	if err := read(resp.StatusCode, body); err != nil {
		answer := answerBroken
		if ctx.Err() != nil {
			answer = answerSilent
		}
		return &requestError{answer: answer, status: resp.StatusCode, err: fmt.Errorf("GET %s: %w", url, err)}
	}
	return nil
}

// getMetrics asks the prometheus plugin. It needs the login where prometheus.authentication.enabled is set (rabbitmq-server
// pull request 8661), and until it says so none is sent.
func (r *collector) getMetrics(ctx context.Context, path string, read func(status int, body io.Reader) error) error {
	url := r.opt.MetricsURL + path
	err := r.get(ctx, url, r.metricsLogin.Load(), read)
	if classify(err) != answerDenied || !r.watched() || r.metricsLogin.Load() {
		return err
	}
	if err = r.get(ctx, url, true, read); err == nil {
		r.metricsLogin.Store(true)
	}
	return err
}

// getJSON decodes an answer as far as it is of the kind that is wanted. The broker writes an empty object as an empty list
// ("[]", since both are an Erlang list), and a field that is not known as a text: such a field is absent, and the
// rest is read.
func (r *collector) getJSON(ctx context.Context, path string, into any, also ...int) error {
	return r.get(ctx, r.api(path), true, func(_ int, body io.Reader) error {
		return r.decode(body, into)
	}, also...)
}

func (r *collector) decode(body io.Reader, into any) error {
	var raw json.RawMessage
	if err := json.NewDecoder(body).Decode(&raw); err != nil {
		return err
	}
	list := reflect.TypeOf(into).Elem().Kind() == reflect.Slice
	switch isList := raw[0] == '['; {
	case isList && !list && string(bytes.TrimSpace(raw[1:len(raw)-1])) == "":
		return nil // an object without fields
	case isList != list, !isList && raw[0] != '{':
		return fmt.Errorf("want %s, have %.80q", map[bool]string{true: "a list", false: "an object"}[list], raw)
	}
	err := json.Unmarshal(raw, into)
	var odd *json.UnmarshalTypeError
	if !errors.As(err, &odd) {
		return err
	}
	if odd.Value != "array" { // of an empty object
		r.env.Reject("json", odd.Error())
	}
	return nil
}

// statusError makes an error of a status. 3.10 answers 401, never 403, to who may not read; only the text tells that
// from a wrong password.
func statusError(url string, status int, body io.Reader) error {
	text, _ := io.ReadAll(io.LimitReader(body, 4<<10))
	var said struct{ Reason string }
	_ = json.Unmarshal(text, &said) // a body that is no JSON leaves the reason empty
	e := &requestError{answer: answerBroken, status: status, reason: said.Reason, err: fmt.Errorf("GET %s: status %d %s", url, status, said.Reason)}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.answer = answerDenied
	case http.StatusNotFound:
		e.answer = answerMissing
	}
	return e
}

// dialAnswer tells a port that nobody listens on from one beyond a cut.
func dialAnswer(ctx context.Context, err error) answer {
	var n net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return answerRefused
	case collectors.IsTLS(err):
		return answerTLS
	case ctx.Err() != nil, errors.As(err, &n) && n.Timeout():
		return answerSilent
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EINVAL):
		return answerSilent // no neighbour answers, no route, or a blackhole route: all are a cut
	}
	return answerBroken
}

// answersLikeRabbitmq asks, without credentials, for what only RabbitMQ answers.
func (r *collector) answersLikeRabbitmq(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, localDeadline)
	defer cancel()
	is := false
	_ = r.get(ctx, r.opt.MetricsURL+"/metrics", false, func(_ int, body io.Reader) error {
		return parseText(body, r.env.Reject, func(name string, _ []textLabel, _ float64) {
			is = is || name == "rabbitmq_build_info" || name == "rabbitmq_identity_info"
		})
	})
	if is {
		return true
	}
	_, err := r.askRealm(ctx)
	return err == nil
}

// askRealm sees whether the management API asks for a login in its own name.
func (r *collector) askRealm(ctx context.Context) (func(), error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.api("whoami"), nil)
	if err != nil {
		return nil, &requestError{answer: answerBroken, err: err}
	}
	resp, err := r.env.HTTP.RoundTrip(req)
	if err != nil {
		return nil, &requestError{answer: dialAnswer(ctx, err), err: err}
	}
	_ = resp.Body.Close()
	realm := resp.Header.Get("WWW-Authenticate")
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(realm, "RabbitMQ Management") {
		return nil, &requestError{answer: answerMissing, err: fmt.Errorf("%s: status %d, realm %q", req.URL, resp.StatusCode, realm)}
	}
	return func() {}, nil
}
