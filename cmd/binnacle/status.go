package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/login"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/cmd/binnacle/setup"
)

// maxAnswer bounds what is read of an agent's answer, in bytes.
const maxAnswer = 64 << 20

// remote is where the agent is that a command asks, and how to get in there.
type remote struct {
	url   string
	login login.Options
	// What `binnacle setup` wrote for the commands of this machine, where no flag and no variable says otherwise.
	here  string // URL of this machine's agent, which alone gets its token
	token string
	hint  string // why that could not be read
}

// flags have their defaults in the environment, where a URL's password is seen by fewer than on a command line.
func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	local := r.local()
	f.StringVar(&r.url, "url", cmp.Or(os.Getenv("BINNACLE_URL"), local.URL, "http://127.0.0.1:9600"), "of the agent, https://user:password@host:port say; or $BINNACLE_URL")
	f.Lookup("url").DefValue = r.shown()
	f.StringVar(&r.login.CAFile, "ca-file", cmp.Or(os.Getenv("BINNACLE_CA_FILE"), local.CAFile), "`PEM file` of an authority to trust besides the system's; or $BINNACLE_CA_FILE")
	f.StringVar(&r.login.CertFile, "cert-file", os.Getenv("BINNACLE_CERT_FILE"), "`PEM file` of a client's certificate, where the agent wants one; or $BINNACLE_CERT_FILE")
	f.StringVar(&r.login.KeyFile, "key-file", os.Getenv("BINNACLE_KEY_FILE"), "`PEM file` of its key; or $BINNACLE_KEY_FILE")
}

// clientFile is what `binnacle setup` writes.
var clientFile = filepath.Join(filepath.Dir(setup.DefaultConfig), "client.yaml")

// local reads how this machine's agent is reached. A variable that names another agent rules over all of it.
func (r *remote) local() setup.Client {
	var c setup.Client
	if os.Getenv("BINNACLE_URL") != "" {
		return c
	}
	text, err := os.ReadFile(clientFile)
	if err == nil {
		err = yaml.Unmarshal(text, &c)
	}
	if err == nil && c.TokenFile != "" {
		text, err = os.ReadFile(c.TokenFile)
		r.token = strings.TrimSpace(string(text))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.hint = "; how this machine's agent is reached cannot be read, try it as root: " + err.Error()
	}
	r.here = c.URL
	return c
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
	token := os.Getenv("BINNACLE_TOKEN")
	if token == "" && r.url == r.here {
		token = r.token
	}
	if token != "" {
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
		return fmt.Errorf("no agent answers at %s: %w%s", r.shown(), err, r.hint)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s answers %s%s", r.shown(), path, resp.Status, r.hint)
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
			if code := s.Write(inColour(cmd.OutOrStdout())); code != health.ExitOK {
				return exitError(code)
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
