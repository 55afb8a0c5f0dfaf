package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"golang.org/x/oauth2/jwt"
)

// Google shows who sends by a service account: of the machine, or of a file. A scope asks for an access token, as Google Cloud's
// Managed Service for Prometheus wants one; an audience for an ID token, as Cloud Run and Identity-Aware Proxy do.
type Google struct {
	Scope           string `yaml:"scope"`            // https://www.googleapis.com/auth/monitoring.write, say
	Audience        string `yaml:"audience"`         // of an ID token, in place of scope
	CredentialsFile string `yaml:"credentials_file"` // JSON key of a service account; what the machine has when empty
}

func (o Google) set() bool { return o != Google{} }

func (o Google) validate() error {
	if (o.Scope == "") == (o.Audience == "") {
		return errors.New("google_iam: want scope, for an access token, or audience, for an ID token")
	}
	if o.CredentialsFile != "" {
		if _, err := o.account(); err != nil {
			return err
		}
	}
	return nil
}

// account is the service account of the file.
func (o Google) account() (*jwt.Config, error) {
	b, err := os.ReadFile(o.CredentialsFile)
	if err != nil {
		return nil, fmt.Errorf("google_iam.credentials_file: %w", err)
	}
	var scopes []string
	if o.Scope != "" {
		scopes = []string{o.Scope}
	}
	cfg, err := google.JWTConfigFromJSON(b, scopes...)
	if err != nil {
		var kind struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(b, &kind) == nil && kind.Type != "" && kind.Type != "service_account" {
			return nil, fmt.Errorf("google_iam.credentials_file: want the key of a service account, have %q: name that file in GOOGLE_APPLICATION_CREDENTIALS", kind.Type)
		}
		return nil, errors.New("google_iam.credentials_file: want the JSON key of a service account") // the library's words may hold the key
	}
	if o.Audience != "" {
		cfg.UseIDToken, cfg.PrivateClaims = true, map[string]any{"target_audience": o.Audience}
	}
	return cfg, nil
}

func (o Google) tokens(base http.RoundTripper) (http.RoundTripper, error) {
	if o.CredentialsFile != "" {
		cfg, err := o.account()
		if err != nil {
			return nil, err
		}
		return &tokens{base: base, source: func(ctx context.Context) oauth2.TokenSource { return cfg.TokenSource(ctx) }}, nil
	}
	return &tokens{base: base, source: func(ctx context.Context) oauth2.TokenSource { return machine{ctx, o} }}, nil
}

// machine takes a token of what the machine has: the application default credentials, or its service account.
type machine struct {
	ctx context.Context
	o   Google
}

// Token implements oauth2.TokenSource.
func (m machine) Token() (*oauth2.Token, error) {
	if m.o.Audience != "" {
		return m.identity()
	}
	found, err := google.FindDefaultCredentials(m.ctx, m.o.Scope)
	if err != nil {
		return nil, fmt.Errorf("google_iam: %w", err)
	}
	return found.TokenSource.Token()
}

// identity asks the machine's metadata for an ID token. They last an hour.
// Source: Google Compute Engine, Verifying VM identity, read 30 November 2026.
func (m machine) identity() (*oauth2.Token, error) {
	host := os.Getenv("GCE_METADATA_HOST")
	if host == "" {
		host = "169.254.169.254"
	}
	q := url.Values{"audience": {m.o.Audience}, "format": {"full"}}
	req, err := http.NewRequestWithContext(m.ctx, http.MethodGet, "http://"+host+"/computeMetadata/v1/instance/service-accounts/default/identity?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Metadata-Flavor", "Google")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("google_iam: the machine's metadata: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	token := strings.TrimSpace(string(b))
	if err != nil || resp.StatusCode != http.StatusOK || strings.Count(token, ".") != 2 {
		return nil, fmt.Errorf("google_iam: the machine's metadata: %s: want an ID token", resp.Status)
	}
	return &oauth2.Token{AccessToken: token, TokenType: "Bearer", Expiry: time.Now().Add(50 * time.Minute)}, nil
}
