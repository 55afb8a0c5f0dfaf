package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
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
		newRulesRead(),
		newRulesCoverage(),
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

func newRulesRead() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use: "read FILE...", Short: "Say what of rule files of others would wake a person, what would not, and what could not be read",
		Long: "Say in at most ten lines a file what of rules of others would wake a person, what would not, and what could not be read: Prometheus' rule files, or\n" +
			"PrometheusRule objects of Kubernetes. Priorities are those of an alarm that stands alone. --verbose says of each rule how it is read.",
		Args: cobra.MinimumNArgs(1),
	}
	verbose := cmd.Flags().Bool("verbose", false, "say of each rule how it is read")
	cmd.Flags().StringVar(&config, "config", "", "YAML file whose section intake applies (default: none, all defaults)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := agent.LoadConfig(config)
		if err != nil {
			return err
		}
		read, failed := cfg.RouterSettings().Read, false
		for _, path := range args {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f := rules.ReadOthers(text, read)
			failed = failed || len(f.Rules) == 0 && len(f.Faults) > 0
			for n, line := range f.Summary() {
				before := "  "
				if n == 0 {
					before = path + ": "
				}
				fmt.Fprintln(cmd.OutOrStdout(), before+plain(line))
			}
			for _, r := range f.Rules {
				if *verbose {
					fmt.Fprintf(cmd.OutOrStdout(), "  %s %s: %s\n", r.Priority, plain(r.Name), plain(r.Reading.Says()))
				}
			}
		}
		if failed {
			return exitError(health.ExitWarning)
		}
		return nil
	}
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
