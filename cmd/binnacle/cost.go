package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/sinks"
)

func newCost() *cobra.Command {
	var o overrides
	var nodes, groups, metrics int
	cmd := &cobra.Command{
		Use: "cost", Short: "Print the monthly CloudWatch bill before it is made", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			cw, err := agent.CloudWatchOptions(cfg)
			if err != nil {
				return err
			}
			var published []sinks.Published
			if metrics > 0 {
				for i := range metrics {
					published = append(published, sinks.Published{Metric: fmt.Sprintf("metric_%03d", i), Series: 1})
				}
			} else if published, err = agent.Published(cmd.Context(), cfg, newLog(cfg.Log)); err != nil {
				return err
			}
			bill := sinks.Cost(cw, nodes, groups, published)
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "metric\tscope\tseries\t$ a month")
			for i, l := range bill.Lines {
				if i == 20 {
					fmt.Fprintf(w, "and %d more\t\t\t\n", len(bill.Lines)-i)
					break
				}
				fmt.Fprintf(w, "%s\t%s\t%d\t%.2f\n", l.Metric, l.Scope, l.Series, l.Dollars)
			}
			fmt.Fprintf(w, "PutMetricData\t%.0f calls\t\t%.2f\n", bill.Calls, bill.CallsCost)
			fmt.Fprintf(w, "all\t%d nodes, %d groups\t%d\t%.2f\n", nodes, groups, bill.Series, bill.Total)
			return w.Flush()
		},
	}
	o.flags(cmd)
	cmd.Flags().IntVar(&nodes, "nodes", 1, "nodes of the fleet")
	cmd.Flags().IntVar(&groups, "groups", 1, "groups that they are in")
	cmd.Flags().IntVar(&metrics, "metrics", 0, "metrics a node, all alike, in place of what this node collects now")
	return cmd
}
