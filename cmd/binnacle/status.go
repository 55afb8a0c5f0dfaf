package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
)

// maxAnswer bounds what is read of an agent's answer, in bytes.
const maxAnswer = 64 << 20

// remote is where the agent is that a command asks.
type remote struct{ url string }

func (r *remote) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.url, "url", "http://127.0.0.1:9600", "of the agent")
}

// check refuses what is no URL: the library's error would show it with its password.
func (r *remote) check() error {
	if _, err := url.Parse(r.url); err != nil {
		return errors.New("--url: want http://host:port")
	}
	return nil
}

// shown is where the agent is, without a password.
func (r *remote) shown() string {
	u, err := url.Parse(r.url)
	if err != nil {
		return "--url"
	}
	return u.Redacted()
}

func (r *remote) get(path string, into any) error {
	if err := r.check(); err != nil {
		return err
	}
	client := &http.Client{Timeout: 10 * time.Second}
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
			var s agent.Status
			if err := r.get("/-/status", &s); err != nil {
				fmt.Fprintln(cmd.OutOrStdout(), "CRITICAL -", err)
				return exitError(agent.ExitCritical)
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(s)
			}
			if code := s.Write(cmd.OutOrStdout()); code != agent.ExitOK {
				return exitError(code)
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
