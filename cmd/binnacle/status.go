package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/login"
	"github.com/navcloud/binnacle/agent/secret"
)

// maxAnswer bounds what is read of an agent's answer, in bytes.
const maxAnswer = 64 << 20

// remote is where the agent is that a command asks, and how to get in there.
type remote struct {
	url   string
	login login.Options
}

// flags have their defaults in the environment, where a URL's password is seen by fewer than on a command line.
func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.url, "url", cmp.Or(os.Getenv("BINNACLE_URL"), "http://127.0.0.1:9600"), "of the agent, https://user:password@host:port say; or $BINNACLE_URL")
	f.Lookup("url").DefValue = r.shown()
	f.StringVar(&r.login.CAFile, "ca-file", os.Getenv("BINNACLE_CA_FILE"), "`PEM file` of an authority to trust besides the system's; or $BINNACLE_CA_FILE")
	f.StringVar(&r.login.CertFile, "cert-file", os.Getenv("BINNACLE_CERT_FILE"), "`PEM file` of a client's certificate, where the agent wants one; or $BINNACLE_CERT_FILE")
	f.StringVar(&r.login.KeyFile, "key-file", os.Getenv("BINNACLE_KEY_FILE"), "`PEM file` of its key; or $BINNACLE_KEY_FILE")
}

// client makes what asks the agent, and refuses what is no URL: the library's error would show it with its password.
func (r *remote) client() (*http.Client, error) {
	if _, err := url.Parse(r.url); err != nil {
		return nil, errors.New("--url: want http://host:port")
	}
	if err := r.login.Validate(); err != nil {
		return nil, err
	}
	tr, err := r.login.Transport()
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: tr, Timeout: askTimeout}
	if token := os.Getenv("BINNACLE_TOKEN"); token != "" {
		client.Transport = bearer{tr, token}
	}
	return client, nil
}

// bearer shows a token where the URL has no password.
type bearer struct {
	next  http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// shown is where the agent is, without a password.
func (r *remote) shown() string {
	if _, err := url.Parse(r.url); err != nil {
		return "--url"
	}
	return secret.Redact(r.url)
}

func (r *remote) get(path string, into any) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	resp, err := client.Get(r.url + path)
	if err != nil {
		return fmt.Errorf("no agent answers at %s: %w", r.shown(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s answers %s", r.shown(), path, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

func newStatus() *cobra.Command {
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Tell the truth about an agent; exit codes as a Nagios plugin's", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s health.Status
			if err := r.get("/-/status", &s); err != nil {
				fmt.Fprintln(cmd.OutOrStdout(), "CRITICAL -", err)
				return exitError(health.ExitCritical)
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(s)
			}
			if code := s.Write(cmd.OutOrStdout()); code != health.ExitOK {
				return exitError(code)
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
