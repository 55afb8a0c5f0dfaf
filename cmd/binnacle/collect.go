package main

import (
	"bufio"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors/catalogue"
)

func newCollect() *cobra.Command {
	var o overrides
	var list bool
	cmd := &cobra.Command{
		Use: "collect [NAME...]", Short: "Run collectors once and print what they see",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, s := range catalogue.All() {
				names = append(names, s.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := bufio.NewWriter(cmd.OutOrStdout())
			defer out.Flush()
			if list {
				for _, s := range catalogue.All() {
					fmt.Fprintln(out, s.Name)
				}
				return nil
			}
			cfg, err := o.load()
			if err != nil {
				return err
			}
			code := health.ExitOK
			err = agent.CollectOnce(cmd.Context(), cfg, args, buildVersion(), newLog(cfg.Log), func(name string, b *metric.Batch, err error) {
				fmt.Fprintf(out, "# %s: %d series\n", name, len(b.Samples))
				for _, s := range b.Samples {
					fmt.Fprintln(out, metric.PromName(s.Desc)+s.Labels.String(), value(s))
				}
				if err != nil {
					fmt.Fprintf(out, "# %s: %v\n", name, err)
					code = health.ExitWarning
				}
			})
			if err != nil {
				return err
			}
			if code != health.ExitOK {
				return exitError(code)
			}
			return nil
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&list, "list", false, "print the names of all collectors")
	return cmd
}

func value(s metric.Sample) string {
	if s.Hist == nil {
		return strconv.FormatFloat(s.Value, 'g', -1, 64)
	}
	h := s.Hist
	return fmt.Sprintf("count %g sum %g min %g p50 %g p99 %g max %g", h.Count, h.Sum, h.Min, h.Quantile(0.5), h.Quantile(0.99), h.Max)
}
