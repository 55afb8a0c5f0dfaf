package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/door"
)

// maxTokenLife is the longest that --for takes: a token that nobody renews within years is forgotten.
const maxTokenLife = 5 * 365 * 24 * time.Hour

func newToken() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Make, list and revoke tokens with which agents, senders and scripts log in",
		Long: `A token lets an agent, a sender or a script log in: as "Authorization: Bearer TOKEN", or as the password of any name.
Its file holds a hash of it alone, and is that of the configuration (web.tokens_file). An agent that runs rereads the file within seconds.

As soon as there is one token, or any other way to log in, nobody is anonymous any more, on this machine included.`,
	}
	cmd.AddCommand(newTokenAdd(), newTokenList(), newTokenRevoke(), newTokenJoin())
	return cmd
}

// tokensPath is the file of the tokens, by the configuration.
func tokensPath(o *overrides) (string, error) {
	cfg, err := o.load()
	if err != nil {
		return "", err
	}
	return cfg.Web.TokensPath(cfg.Data), nil
}

func newTokenAdd() *cobra.Command {
	var o overrides
	var roles []string
	var life string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a token and print it, once", Args: cobra.ExactArgs(1),
		Example: "  binnacle token add web-1                  # for a node: alarms, samples, results\n  binnacle token add ann --role act --for 30d",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := tokensPath(&o)
			if err != nil {
				return err
			}
			t := door.Token{Name: args[0], Roles: roles, Created: time.Now().UTC().Truncate(time.Second)}
			if life != "" {
				d, err := span("for", life)
				if err != nil {
					return err
				}
				if d > maxTokenLife {
					return fmt.Errorf("--for: want up to 5 years, have %q", life)
				}
				t.Expires = t.Created.Add(d)
			}
			before, err := door.Tokens(path)
			if err != nil {
				return err
			}
			text, err := door.NewToken(path, t)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), text)
			fmt.Fprintf(cmd.ErrOrStderr(), "%s may %s. The token is not shown again; %s holds a hash of it.\n", t.Name, strings.Join(roles, ", "), path)
			if len(before) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "It is the first: from now on everybody has to log in, on this machine too. The commands take $BINNACLE_TOKEN.")
			}
			return nil
		},
	}
	o.flags(cmd)
	cmd.Flags().StringSliceVar(&roles, "role", []string{"agent"}, "what it may: read, agent (send alarms and samples), act (all)")
	cmd.Flags().StringVar(&life, "for", "", "how long it lives, such as 90d; empty: until it is revoked")
	return cmd
}

func newTokenList() *cobra.Command {
	var o overrides
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens by name, without the tokens themselves", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := tokensPath(&o)
			if err != nil {
				return err
			}
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(cmd.OutOrStdout(), "There are none: %s does not exist.\n", path)
				return nil
			}
			list, err := door.Tokens(path)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tMAY\tMADE\tENDS")
			for _, t := range list {
				ends := "–"
				if !t.Expires.IsZero() {
					ends = t.Expires.UTC().Format(time.DateOnly)
					if t.Expires.Before(time.Now()) {
						ends += " (ended)"
					}
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, strings.Join(t.Roles, ", "), t.Created.UTC().Format(time.DateOnly), ends)
			}
			return w.Flush()
		},
	}
	o.flags(cmd)
	return cmd
}

func newTokenRevoke() *cobra.Command {
	var o overrides
	cmd := &cobra.Command{
		Use: "revoke NAME", Short: "End a token; agents that run know within seconds", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := tokensPath(&o)
			if err != nil {
				return err
			}
			if err := door.RevokeToken(path, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Revoked: %s.\n", args[0])
			return nil
		},
	}
	o.flags(cmd)
	return cmd
}
