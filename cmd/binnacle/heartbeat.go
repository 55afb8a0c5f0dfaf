package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting/intake"
)

func newHeartbeat() *cobra.Command {
	var j job
	cmd := &cobra.Command{
		Use: "heartbeat [NAME -- COMMAND...]", Short: "Run a job and say when it starts and how it ends; list who must be heard",
		Long: "Run a job and say when it starts and how it ends, with its exit code, how long it took, and after a failure the end of what it\n" +
			"printed. Input, output and exit code are the job's own, also when no heartbeat can be sent. A job named list or ping: heartbeat ping NAME.",
		Example: "  0 3 * * *  root  binnacle heartbeat nightly-backup -- /usr/local/bin/backup --full",
		Args:    jobArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return j.run(cmd, args)
		},
	}
	j.flags(cmd)
	cmd.AddCommand(newHeartbeatList(), newHeartbeatPing())
	return cmd
}

func newHeartbeatList() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "list", Short: "List jobs and senders that must be heard, with the address of each job", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []intake.HeartbeatState
			if err := r.call(cmd.Context(), http.MethodGet, intake.PathHeartbeats, &all); err != nil {
				return err
			}
			out, now := cmd.OutOrStdout(), time.Now()
			for _, b := range all {
				fmt.Fprintf(out, "%s: %s\n", plain(b.Name), heard(b.Beat, now))
				if b.Path != "" {
					fmt.Fprintf(out, "  %s%s\n", strings.TrimSuffix(r.url, "/"), b.Path)
				}
			}
			if len(all) == 0 {
				fmt.Fprintln(out, "Nobody must be heard: intake.heartbeats of the configuration names jobs.")
			}
			return nil
		},
	}
	r.flags(cmd)
	return cmd
}

// heard says in words what is known of one.
func heard(b intake.Beat, now time.Time) string {
	ago := words.Duration(now.Sub(b.Last))
	switch {
	case b.Raised[intake.RuleMissing] || b.Raised[intake.RuleSilent]:
		return "missing, last heard " + ago + " ago"
	case !b.Failed.IsZero():
		return "failed " + words.Duration(now.Sub(b.Failed)) + " ago: " + plain(b.Detail)
	case !b.Started.IsZero():
		return "runs for " + words.Duration(now.Sub(b.Started))
	case !b.Heard:
		return "never heard, watched for " + ago
	}
	return "heard " + ago + " ago"
}

func newHeartbeatPing() *cobra.Command {
	var r remote
	var p intake.HeartbeatPing
	cmd := &cobra.Command{
		Use: "ping NAME", Short: "Say that a job started, succeeded or failed", Args: cobra.ExactArgs(1),
		Example: "  binnacle heartbeat ping nightly-backup --state start\n  ./backup.sh; binnacle heartbeat ping nightly-backup --state $?",
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Name = args[0]
			if err := r.post(cmd.Context(), intake.PathHeartbeat, p, nil); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Noted:", plain(p.Name))
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&p.State, "state", "success", "success, start, fail, or the job's exit code")
	cmd.Flags().StringVar(&p.Text, "text", "", "what went wrong")
	return cmd
}
