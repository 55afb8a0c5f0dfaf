package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting/intake"
)

func newDeploy() *cobra.Command {
	var r remote
	var d intake.Deploy
	var blame string
	var ago time.Duration
	cmd := &cobra.Command{
		Use: "deploy SERVICE VERSION", Short: "Mark that a version goes out; it wakes nobody, and pages of what breaks soon after name it",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Service, d.Version = args[0], args[1]
			hold, err := span("blame", blame)
			if err != nil {
				return err
			}
			if ago < 0 || ago >= hold {
				return fmt.Errorf("--ago: want less than the %s for which it may be blamed, have %v", words.Duration(hold), ago)
			}
			d.At = time.Now().Add(-ago)
			d.Blame = hold.String()
			if err := r.post(cmd.Context(), intake.PathDeploys, d, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Marked: %s %s, to blame for %s.\n", plain(d.Service), plain(d.Version), words.Duration(hold))
			return nil
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&d.By, "by", whoami(), "who deploys")
	f.StringVar(&d.Text, "text", "", "what changes, in a sentence")
	f.StringVar(&d.URL, "link", "", "URL of the change")
	f.StringVar(&d.Cluster, "cluster", "", "where, if not everywhere")
	f.StringVar(&d.Entity, "entity", "", "what is changed, where that is not the service itself")
	f.DurationVar(&ago, "ago", 0, "how long ago it began")
	f.StringVar(&blame, "blame", "1h", "how long it may be blamed, 24h at most")
	return cmd
}
