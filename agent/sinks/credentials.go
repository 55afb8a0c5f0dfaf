package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/navcloud/binnacle/agent/secret"
)

// Credentials are ways to show who sends that change with time. At most one of them is set, and no
// username or bearer beside it.
type Credentials struct {
	OAuth2 OAuth2 `yaml:"oauth2"`
	Google Google `yaml:"google_iam"`
}

// OAuth2 is the flow of client credentials (RFC 6749, section 4.4).
type OAuth2 struct {
	ClientID     string            `yaml:"client_id"`
	ClientSecret secret.Secret     `yaml:"client_secret"`
	TokenURL     string            `yaml:"token_url"`
	Scopes       []string          `yaml:"scopes"`
	Params       map[string]string `yaml:"endpoint_params"` // more of them, such as audience
}

// tokenWait bounds a request for a token.
const tokenWait = 10 * time.Second

func (o OAuth2) set() bool { return o.ClientID != "" || o.TokenURL != "" || !o.ClientSecret.IsZero() }

func (o OAuth2) validate() error {
	u, err := url.Parse(o.TokenURL)
	switch {
	case o.ClientID == "" || o.ClientSecret.IsZero():
		return errors.New("oauth2: want client_id and client_secret")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("oauth2.token_url: want http:// or https:// and a host, have %q", o.TokenURL)
	}
	return nil
}

// validate says all that is wrong. other says whether a username or a bearer is set as well.
func (c Credentials) validate(other bool) error {
	var errs []error
	n := 0
	for _, way := range []struct {
		set bool
		err func() error
	}{{c.OAuth2.set(), c.OAuth2.validate}, {c.Google.set(), c.Google.validate}} {
		if way.set {
			n++
			errs = append(errs, way.err())
		}
	}
	if n > 1 || n == 1 && other {
		errs = append(errs, errors.New("oauth2, google_iam: want one of them, username or bearer, not several"))
	}
	return errors.Join(errs...)
}

// any says whether there are some.
func (c Credentials) any() bool { return c.OAuth2.set() || c.Google.set() }

// wrap puts the credentials on what base sends.
func (c Credentials) wrap(base http.RoundTripper) (http.RoundTripper, error) {
	switch {
	case c.OAuth2.set():
		cfg := clientcredentials.Config{ClientID: c.OAuth2.ClientID, ClientSecret: c.OAuth2.ClientSecret.Reveal(), TokenURL: c.OAuth2.TokenURL, Scopes: c.OAuth2.Scopes}
		if len(c.OAuth2.Params) > 0 {
			cfg.EndpointParams = url.Values{}
			for k, v := range c.OAuth2.Params {
				cfg.EndpointParams.Set(k, v)
			}
		}
		return &tokens{base: base, source: func(ctx context.Context) oauth2.TokenSource { return cfg.TokenSource(ctx) }}, nil
	case c.Google.set():
		return c.Google.tokens(base)
	}
	return base, nil
}

// tokens asks for a token, keeps it until it ends or is refused, and puts it on each request.
type tokens struct {
	base   http.RoundTripper
	source func(context.Context) oauth2.TokenSource

	mu   sync.Mutex
	have *oauth2.Token
}

// RoundTrip implements http.RoundTripper. That there is no token is an error that may pass: samples wait.
func (t *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	tok, err := t.token(r.Context())
	if err != nil {
		return nil, fmt.Errorf("no token: %w", err)
	}
	own := r.Clone(r.Context())
	tok.SetAuthHeader(own)
	resp, err := t.base.RoundTrip(own)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		t.mu.Lock()
		if t.have == tok { // it was withdrawn: the next try asks for another
			t.have = nil
		}
		t.mu.Unlock()
	}
	return resp, err
}

func (t *tokens) token(ctx context.Context) (*oauth2.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.have.Valid() {
		return t.have, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenWait)
	defer cancel()
	client := &http.Client{Transport: t.base, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tok, err := t.source(context.WithValue(ctx, oauth2.HTTPClient, client)).Token()
	if err != nil {
		if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // whose text is the whole body
			return nil, fmt.Errorf("%s: %.200s", e.Response.Status, bytes.TrimSpace(e.Body))
		}
		return nil, err
	}
	t.have = tok
	return tok, nil
}
