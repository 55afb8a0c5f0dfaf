package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/rules"
	"github.com/navcloud/binnacle/cmd/binnacle/importer"
	"github.com/navcloud/binnacle/docs"
)

func newCheck() *cobra.Command {
	var o overrides
	var live, send, schema bool
	cmd := &cobra.Command{
		Use: "check", Short: "Check configuration and rules, and show what every setting is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if schema {
				_, err := out.Write(docs.Schema)
				return err
			}
			cfg, err := o.load()
			if err != nil {
				fmt.Fprintln(out, secret.Redact(err.Error()))
				if what := ofOthers(o.config); what != "" {
					fmt.Fprintf(out, "%s is %s: `binnacle import %s -o DIR` makes a configuration of it\n", o.config, what, o.config)
				}
				return exitError(health.ExitCritical)
			}
			if err := agent.CheckOpen(cmd.Context(), cfg); err != nil {
				fmt.Fprintln(out, secret.Redact(err.Error()))
				return exitError(health.ExitCritical)
			}
			advice, err := adviseFiles(cfg)
			if err != nil {
				fmt.Fprintln(out, err)
				return exitError(health.ExitCritical)
			}
			if live || send {
				return checkLive(cmd, cfg, send)
			}
			text, err := agent.Describe(cfg)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("config") && o.config != "" {
				fmt.Fprintln(out, "# of", o.config)
			}
			fmt.Fprint(out, secret.Redact(text))
			if !cfg.Capacity.Off {
				fmt.Fprintln(out, "# capacity", cfg.Capacity.Words())
			}
			windows, more := cfg.Route.Maintenance(time.Now())
			advice = append(advice, more...)
			for _, w := range windows {
				fmt.Fprintln(out, "# maintenance", w)
			}
			for _, n := range cfg.Notes {
				fmt.Fprintln(out, "# note:", n)
			}
			for _, a := range append(cfg.Web.Advice(), advice...) {
				fmt.Fprintln(out, "# advice:", a)
			}
			for _, d := range agent.LastCoverage(cfg).Dead() {
				fmt.Fprintf(out, "# advice: the rule %s of %s could not fire when the agent looked last: %s\n", d.Rule, d.File, d.Findings[0].Text)
			}
			return nil
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&live, "live", false, "read the service at PagerDuty and say what there would defeat us; changes nothing")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the configuration, for editors, and check nothing")
	cmd.Flags().BoolVar(&send, "send", false, "--live, and send one test event at low urgency and resolve it")
	return cmd
}

// ofOthers names what a file of another program is; "" where it is none that import reads.
func ofOthers(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return importer.Recognize(path, b)
}

// checkLive prints what was found at PagerDuty, the worst first. Its code of exit is a Nagios plugin's.
func checkLive(cmd *cobra.Command, cfg agent.Config, send bool) error {
	found, err := agent.CheckLive(cmd.Context(), cfg, send)
	if err != nil {
		fmt.Fprintln(cmd.OutOrStdout(), err)
		return exitError(health.ExitCritical)
	}
	slices.SortStableFunc(found, func(a, b pagerduty.Finding) int { return cmp.Compare(b.Level, a.Level) })
	for _, f := range found {
		word := [...]string{"ok", "advice", "DEFEATS US"}[f.Level]
		if f.Route != "" {
			word += ", route " + f.Route
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", word, f.Text)
	}
	if len(found) > 0 && found[0].Level > pagerduty.Fine {
		return exitError(found[0].Level) // advice is a warning, what defeats us is critical
	}
	return nil
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
