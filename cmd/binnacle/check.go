package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/alerting/rules"
)

func newCheck() *cobra.Command {
	var o overrides
	cmd := &cobra.Command{
		Use: "check", Short: "Check configuration and rules, and show what every setting is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			cfg, err := o.load()
			if err != nil {
				fmt.Fprintln(out, err)
				return exitError(agent.ExitCritical)
			}
			advice, err := adviseFiles(cfg)
			if err != nil {
				fmt.Fprintln(out, err)
				return exitError(agent.ExitCritical)
			}
			text, err := agent.Describe(cfg)
			if err != nil {
				return err
			}
			fmt.Fprint(out, text)
			for _, a := range advice {
				fmt.Fprintln(out, "# advice:", a)
			}
			return nil
		},
	}
	o.flags(cmd)
	return cmd
}

// adviseFiles checks the configured rule files; what Prometheus refuses is an error.
func adviseFiles(cfg agent.Config) (advice []string, err error) {
	files, err := rules.Expand(cfg.Rules.Files)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		lacks, err := rules.Advise(f, text)
		if err != nil {
			return nil, err
		}
		advice = append(advice, lacks...)
	}
	return advice, nil
}
