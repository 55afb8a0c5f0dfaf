package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/login"
	"github.com/navcloud/binnacle/agent/secret"
)

// HTTPOptions are where and how a destination is posted to.
type HTTPOptions struct {
	URL           string `yaml:"url"`
	login.Options `yaml:",inline"`
	Credentials   `yaml:",inline"`
	Headers       map[string]secret.Secret `yaml:"headers"` // more of them, such as a tenant's
	SigV4         SigV4                    `yaml:"sigv4"`   // signs requests for AWS
}

// Validate says all that is wrong.
func (o HTTPOptions) Validate() error {
	var errs []error
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, fmt.Errorf("url: want http:// or https:// and a host, have %q", o.URL))
	}
	shows := o.Header().Get("Authorization") != ""
	return errors.Join(append(errs, o.SigV4.validate(o.URL, shows || o.any()), o.Options.Validate(), o.validate(shows))...)
}

// poster posts bodies and tells answers apart.
type poster struct {
	name   string
	opts   HTTPOptions
	client *http.Client
	signer *signer // nil: nothing is signed
}

func newPoster(name string, o HTTPOptions, env Env) (*poster, error) {
	// A redirect is not followed: where it leads to, nobody configured, and a login page says 200 to everything.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	sign, err := newSigner(o.SigV4, o.URL, env.HTTP)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	base := env.HTTP
	if base == nil {
		tr, err := o.Transport()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		base = tr
	}
	if client.Transport, err = o.wrap(base); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &poster{name: name, opts: o, client: client, signer: sign}, nil
}

// Close implements io.Closer.
func (p *poster) Close() error { p.client.CloseIdleConnections(); return nil }

// statusError is an answer that is no success.
type statusError struct {
	name, text string
	status     int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: %d %s: %s", e.name, e.status, http.StatusText(e.status), e.text)
}

// post sends a body. On success it returns the answer's header and at most 64 KiB of its body.
func (p *poster) post(ctx context.Context, body []byte, header map[string]string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.opts.URL, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	req.Header.Set("User-Agent", "binnacle")
	for k, v := range p.opts.Headers {
		req.Header.Set(k, v.Reveal())
	}
	maps.Copy(req.Header, p.opts.Header())
	if err := p.signer.sign(ctx, req, body); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	defer resp.Body.Close()
	p.signer.learn(resp)
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	taken := resp.StatusCode/100 == 2
	if taken && !isPage(resp.Header, answer) {
		return resp.Header, answer, nil // half an answer to what was taken changes nothing
	}
	if err != nil && len(answer) == 0 {
		answer = []byte(err.Error())
	}
	text := strings.Join(strings.Fields(string(answer[:min(len(answer), 300)])), " ")
	if taken {
		// Not the service's own: a proxy in between asks for a login, which may pass.
		return nil, nil, &statusError{p.name, "a page for people, not the service's answer: " + text, resp.StatusCode}
	}
	return nil, nil, judge(&statusError{p.name, text, resp.StatusCode}, resp.Header)
}

// isPage says whether an answer is a page for people.
func isPage(h http.Header, answer []byte) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/html") || bytes.HasPrefix(bytes.TrimSpace(answer), []byte("<"))
}

// judge says what kind of error an answer is. What is the request's own fault is permanent; what is
// the key's, the path's or the hour's may pass while the samples wait.
func judge(err *statusError, h http.Header) error {
	switch err.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooEarly:
		return err
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if n, perr := strconv.Atoi(h.Get("Retry-After")); perr == nil && n > 0 {
			return &RetryAfterError{After: time.Duration(n) * time.Second, Err: err}
		}
		return err
	}
	if err.status == http.StatusRequestEntityTooLarge {
		return tooLargeError{Permanent(err)}
	}
	if err.status/100 == 4 {
		return Permanent(err)
	}
	return err
}
