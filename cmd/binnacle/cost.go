package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/sinks"
)

func newCost() *cobra.Command {
	var o overrides
	var nodes, groups, metrics, alarms int
	var perGB float64
	cmd := &cobra.Command{
		Use: "cost", Short: "Print the monthly CloudWatch bill before it is made", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := sensible(nodes, groups, metrics, alarms, perGB); err != nil {
				return err
			}
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
			total := bill.Total + otherCosts(w, cfg, alarms)
			fmt.Fprintf(w, "all\t%d nodes, %d groups\t%d\t%.2f\n", nodes, groups, bill.Series, total)
			if bill.Capped > 0 {
				fmt.Fprintf(w, "not sent\tmax_series is %d\t%d a node\t\n", cw.MaxSeries, bill.Capped)
			}
			series := 0
			for _, p := range published {
				series += p.Series
			}
			gb := sinks.OTLPVolume(nodes, series)
			fmt.Fprintf(w, "by OTLP instead\t%.0f GB\t%d\t%s\n", gb, nodes*series, priced(gb, perGB))
			return w.Flush()
		},
	}
	o.flags(cmd)
	cmd.Flags().IntVar(&nodes, "nodes", 1, "nodes of the fleet")
	cmd.Flags().IntVar(&groups, "groups", 1, "groups that they are in")
	cmd.Flags().IntVar(&alarms, "alarms", 0, "alarms of CloudWatch, of one metric each")
	cmd.Flags().Float64Var(&perGB, "otlp-per-gb", 0, "dollars for a GB at CloudWatch's OTLP endpoint, as its price list says")
	cmd.Flags().IntVar(&metrics, "metrics", 0, "metrics a node, all alike, in place of what this node collects now")
	return cmd
}

// sensible refuses a fleet that cannot be.
func sensible(nodes, groups, metrics, alarms int, perGB float64) error {
	switch {
	case nodes < 1 || nodes > 1_000_000:
		return fmt.Errorf("nodes: %d is outside 1 to 1000000", nodes)
	case groups < 1 || groups > nodes:
		return fmt.Errorf("groups: %d is outside 1 to the %d nodes", groups, nodes)
	case metrics < 0 || metrics > 1_000_000:
		return fmt.Errorf("metrics: %d is outside 0 to 1000000", metrics)
	case alarms < 0 || alarms > 1_000_000:
		return fmt.Errorf("alarms: %d is outside 0 to 1000000", alarms)
	case !(perGB >= 0 && perGB < 1e6): // NaN too
		return fmt.Errorf("otlp-per-gb: %v is outside 0 to 1000000", perGB)
	}
	return nil
}

// otherCosts prints what alarms cost, and what is asked of AWS beside metrics.
func otherCosts(w io.Writer, cfg agent.Config, alarms int) (sum float64) {
	if alarms > 0 {
		sum = sinks.AlarmsCost(alarms)
		fmt.Fprintf(w, "alarms\t\t%d\t%.2f\n", alarms, sum)
	}
	queue := cfg.Intake.AWS.Queue != ""
	items := aws.Estimate(queue, queue, alarms)
	if cfg.ReadsAWS() {
		left := cfg.AWS.Budget
		for _, i := range items {
			left -= i.Dollars
		}
		if left > 0 {
			items = append(items, aws.Item{What: "cloudwatch:GetMetricData, up to aws.budget", Calls: left / aws.PriceFigure, Dollars: left})
		}
	}
	for _, i := range items {
		fmt.Fprintf(w, "%s\t%.0f calls\t\t%.2f\n", i.What, i.Calls, i.Dollars)
		sum += i.Dollars
	}
	return sum
}

func priced(gb, perGB float64) string {
	if perGB == 0 {
		return "? (--otlp-per-gb)"
	}
	return fmt.Sprintf("%.2f", gb*perGB)
}
