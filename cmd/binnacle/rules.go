package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting/rules"
)

func newRules() *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "The shipped rules, and tests of rules"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "Name the shipped packs", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				packs, err := rules.Packs()
				for _, p := range packs {
					fmt.Fprintln(cmd.OutOrStdout(), p.Name)
				}
				return err
			},
		},
		&cobra.Command{
			Use: "show PACK", Short: "Print a shipped pack", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				packs, err := rules.Packs()
				if err != nil {
					return err
				}
				for _, p := range packs {
					if p.Name == args[0] {
						_, err := cmd.OutOrStdout().Write(p.Text)
						return err
					}
				}
				return fmt.Errorf("no pack %q: see binnacle rules list", args[0])
			},
		},
		&cobra.Command{
			Use: "test FILE...", Short: "Run unit tests of rules, in promtool's format; a sibling NAME.pages.yaml tests the pages and their order", Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				code := health.ExitOK
				for _, v := range rules.Test(args...) {
					if len(v.Faults) > 0 {
						code = health.ExitWarning
					}
					tellVerdict(cmd.OutOrStdout(), v)
				}
				if code != health.ExitOK {
					return exitError(code)
				}
				return nil
			},
		},
	)
	return cmd
}

// tellVerdict writes a line for a case, and its faults below it.
func tellVerdict(w io.Writer, v rules.Verdict) {
	word, name := "ok  ", v.File
	if len(v.Faults) > 0 {
		word = "FAIL"
	}
	if v.Name != "" {
		name += ": " + v.Name
	}
	fmt.Fprintln(w, word, name)
	for _, f := range v.Faults {
		fmt.Fprintln(w, "  "+strings.ReplaceAll(f, "\n", "\n  "))
	}
}
