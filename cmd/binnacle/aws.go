package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
)

func newAWS() *cobra.Command {
	cmd := &cobra.Command{Use: "aws", Short: "What binnacle keeps at AWS"}
	alarms := &cobra.Command{Use: "alarms", Short: "Rules as alarms of CloudWatch, which page while no router of binnacle does"}
	export := &cobra.Command{Use: "export", Short: "Write them for another tool"}
	export.AddCommand(alarmsCommand("cloudformation", "Print them as a CloudFormation template", func(_ context.Context, w io.Writer, p agent.AlarmsPlan, _ *aws.Account) error {
		text, err := aws.CloudFormation(p.Want, p.Tag)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	}))
	alarms.AddCommand(
		alarmsCommand("plan", "Show which alarms would be put and deleted, which rules cannot be alarms and why; changes nothing", writePlan),
		alarmsCommand("apply", "Put and delete them, one a second; never one that lacks the tag", applyPlan), export,
	)
	cmd.AddCommand(alarms)
	return cmd
}

func alarmsCommand(use, short string, do func(context.Context, io.Writer, agent.AlarmsPlan, *aws.Account) error) *cobra.Command {
	var o overrides
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			account, err := agent.CloudWatchAccount(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			plan, err := agent.PlanAlarms(cmd.Context(), cfg, account)
			if err != nil {
				return err
			}
			return do(cmd.Context(), cmd.OutOrStdout(), plan, account)
		},
	}
	o.flags(cmd)
	return cmd
}

// writePlan says what would be done, then what cannot be.
func writePlan(_ context.Context, out io.Writer, p agent.AlarmsPlan, _ *aws.Account) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range p.Change.Put {
		if c.Rule != "" {
			fmt.Fprintf(w, "put\t%s\tcomposite\n", c.Name)
			continue
		}
		fmt.Fprintf(w, "put\t%s\t%s %s %s %v for %d min\n", c.Name, c.Stat, c.Metric.Name, c.Op, c.Threshold, c.Of)
	}
	for _, name := range p.Change.Drop {
		fmt.Fprintf(w, "delete\t%s\t\n", name)
	}
	for _, m := range p.Change.Mute {
		fmt.Fprintf(w, "mute\t%s\t%s of %s from %s for %s\n", m.Name, words.Plural(len(m.Alarms), "alarm"), m.Description, m.Start.UTC().Format("2006-01-02 15:04 UTC"), words.Compact(m.End.Sub(m.Start)))
	}
	for _, m := range p.Change.Unmute {
		fmt.Fprintf(w, "delete\t%s\tmute rule\n", m.Name)
	}
	for _, why := range p.Change.Kept {
		fmt.Fprintf(w, "keep\t%s\t\n", why)
	}
	for _, name := range p.Change.Over {
		fmt.Fprintf(w, "not put\t%s\tover alarms.max\n", name)
	}
	for _, n := range p.Not {
		fmt.Fprintf(w, "no alarm\t%s\t%s\n", n.Rule, n.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range p.Notes {
		fmt.Fprintln(out, "note:", n)
	}
	_, err := fmt.Fprintf(out, "%s as they should be, %d to put, %d to delete; %s cannot be an alarm. All: $%.2f a month\n",
		words.Plural(p.Change.Same, "alarm"), len(p.Change.Put)+len(p.Change.Mute), len(p.Change.Drop)+len(p.Change.Unmute), words.Plural(len(p.Not), "rule"), p.Change.Prices)
	return err
}

// applyPlan does it. It exits 2 where something was refused.
func applyPlan(ctx context.Context, out io.Writer, p agent.AlarmsPlan, account *aws.Account) error {
	done, err := account.Apply(ctx, p.Change, p.Tag, aws.PutEvery)
	fmt.Fprintf(out, "%d of %d done\n", done, p.Change.Steps())
	for _, name := range p.Change.Over {
		fmt.Fprintf(out, "not put, over alarms.max: %s\n", name)
	}
	if err == nil {
		return nil
	}
	fmt.Fprintln(out, err)
	if errors.Is(err, context.Canceled) {
		return err
	}
	return exitError(health.ExitCritical)
}
