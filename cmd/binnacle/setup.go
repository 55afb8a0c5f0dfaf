package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/cmd/binnacle/setup"
)

func placeFlags(cmd *cobra.Command, p *setup.Place) {
	cmd.Flags().StringVar(&p.Config, "config", setup.DefaultConfig, "main file of the configuration; conf.d and secrets are beside it")
	cmd.Flags().StringVar(&p.Data, "data", setup.DefaultData, "data folder")
}

func newSetup() *cobra.Command {
	var r setup.Router
	var yes, undo, purge bool
	var keyFile string
	cmd := &cobra.Command{
		Use: "setup", Short: "Make this machine a router: user, folders, TLS, logins, configuration, unit; a second run changes nothing", Args: cobra.NoArgs,
		Long: `Makes what is not there and keeps what is: the user binnacle, folders, an authority and a certificate, a login for a person, a token for the
commands of this machine, conf.d/setup.yaml, the unit where systemd runs. Files that a person wrote are never changed. It pages nobody: the mode is shadow
until you set route.mode. With --yes it asks nothing; without it asks, and changes nothing before you agree.`,
		Example: "  binnacle setup\n  binnacle setup --yes --routing-key-file key.txt --send-test\n  binnacle setup --undo",
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := setup.Machine(cmd.OutOrStdout())
			if purge && !undo {
				return errors.New("--purge: it belongs to --undo")
			}
			if undo {
				return setup.Undo{Place: r.Place, Purge: purge}.Run(w)
			}
			if err := routingKey(&r, keyFile); err != nil {
				return err
			}
			if !yes {
				if err := ask(cmd.InOrStdin(), cmd.OutOrStdout(), &r); err != nil {
					return err
				}
			}
			return r.Run(cmd.Context(), w)
		},
	}
	placeFlags(cmd, &r.Place)
	f := cmd.Flags()
	f.BoolVar(&yes, "yes", false, "ask nothing: flags, what an earlier run made, else defaults")
	f.StringVar(&r.Listen, "listen", "", "host:port of API and pages (default 0.0.0.0:9600 with TLS and logins; on loopback without)")
	f.StringSliceVar(&r.Hosts, "host", nil, "further `name` of this machine: in its certificate, and in what nodes join with")
	f.StringVar(&r.Admin, "admin", "", "login of a person who may act (default admin); its password is printed once")
	f.StringSliceVar(&r.Readers, "reader", nil, "login of a person who reads; its password is printed once")
	f.StringVar(&keyFile, "routing-key-file", "", "`file` with PagerDuty's routing key, - for standard input; or $BINNACLE_ROUTING_KEY")
	f.StringVar(&r.Region, "region", "", "PagerDuty's region: us or eu")
	f.StringVar(&r.EventsURL, "events-url", "", "in place of PagerDuty's, for a stand-in")
	f.BoolVar(&r.SendTest, "send-test", false, "send one page of low urgency and resolve it")
	f.BoolVar(&undo, "undo", false, "take back what setup and join made; data and ledger stay")
	f.BoolVar(&purge, "purge", false, "with --undo: delete data and ledger too")
	return cmd
}

// routingKey reads the key from where no list of processes shows it.
func routingKey(r *setup.Router, file string) error {
	text := os.Getenv("BINNACLE_ROUTING_KEY")
	if file != "" {
		var b []byte
		var err error
		if file == "-" {
			b, err = io.ReadAll(io.LimitReader(os.Stdin, 4096))
		} else {
			b, err = os.ReadFile(file)
		}
		if err != nil {
			return fmt.Errorf("--routing-key-file: %w", err)
		}
		text = string(b)
	}
	r.RoutingKey = strings.TrimSpace(text)
	if file != "" && r.RoutingKey == "" {
		return fmt.Errorf("--routing-key-file: %s is empty", file)
	}
	return nil
}

var errNotAgreed = errors.New("not agreed: nothing was changed (--yes asks nothing)")

// ask fills in what no flag says. The end of the input is no agreement.
func ask(in io.Reader, out io.Writer, r *setup.Router) error {
	lines := bufio.NewScanner(in)
	for _, q := range []struct {
		text string
		into *string
	}{
		{"Address of API and pages, host:port [what is set, else 0.0.0.0:9600]: ", &r.Listen},
		{"Login of a person who may act [what is set, else admin]: ", &r.Admin},
		{"PagerDuty's routing key [what is set, else none: pages are shown and logged]: ", &r.RoutingKey},
	} {
		if *q.into != "" {
			continue
		}
		fmt.Fprint(out, q.text)
		if !lines.Scan() {
			fmt.Fprintln(out)
			return errNotAgreed
		}
		*q.into = strings.TrimSpace(lines.Text())
	}
	fmt.Fprintf(out, "This makes the user binnacle, the folders %s and the one of %s, a certificate, logins and the unit, where they are not there. Go on? [y/N] ", r.Data, r.Config)
	lines.Scan()
	fmt.Fprintln(out)
	if a := strings.ToLower(strings.TrimSpace(lines.Text())); a != "y" && a != "yes" {
		return errNotAgreed
	}
	return nil
}

func newJoin() *cobra.Command {
	var n setup.Node
	cmd := &cobra.Command{
		Use: "join URL TOKEN", Short: "Make this machine a node of a router's fleet; `binnacle token join` on the router prints the command", Args: cobra.ExactArgs(2),
		Long: `The token holds the SHA-256 of the fleet's authority, works once and for an hour. A router that cannot show that authority is refused before
anything is sent. The node gets a certificate of a year, which its agent renews, and a login that sends alarms and samples.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.URL, n.Token = args[0], args[1]
			return n.Run(cmd.Context(), setup.Machine(cmd.OutOrStdout()))
		},
	}
	placeFlags(cmd, &n.Place)
	cmd.Flags().StringVar(&n.Name, "name", "", "of this node (default: the configured one, else the host's)")
	cmd.Flags().BoolVar(&n.Again, "again", false, "join although this node has joined: the router does not know its login any more")
	return cmd
}

func newTokenJoin() *cobra.Command {
	var o overrides
	cmd := &cobra.Command{
		Use: "join [NODE]", Short: "Make a token with which one node joins within an hour, and print the command for it", Args: cobra.MaximumNArgs(1),
		Long: "On the first router. NODE names the only node that may use it, which may have joined before: its old login ends.",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			node := ""
			if len(args) > 0 {
				node = args[0]
			}
			line, err := setup.Invite(cfg, node)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), line)
			return err
		},
	}
	o.flags(cmd)
	return cmd
}

// existing is a path, or empty where nothing is there, or nothing that this user may read.
func existing(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	_ = f.Close()
	return path
}
