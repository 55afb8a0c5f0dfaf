package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/alerting/intake"
)

func newAck() *cobra.Command {
	var r remote
	var req intake.AckRequest
	cmd := &cobra.Command{
		Use: "ack PROBLEM", Short: "Acknowledge a problem, so that nobody else is called for it: by its ID, its dedup key, a fingerprint or the rule of its root cause",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Problem = args[0]
			var a intake.AckAnswer
			out := cmd.OutOrStdout()
			if err := r.post(cmd.Context(), intake.PathAck, req, &a); err != nil {
				return err
			}
			if req.Undo {
				fmt.Fprintf(out, "Acknowledgement taken back: %s\n", plain(a.Title))
				return nil
			}
			if a.Key == "" {
				fmt.Fprintln(out, "Nobody was paged for it yet. If it pages, the page goes out acknowledged.")
			}
			fmt.Fprintf(out, "Acknowledged%s: %s\nTo take that back: binnacle ack --undo %s\n", byWhom(req.By), plain(a.Title), a.Problem)
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&req.By, "by", whoami(), "who acknowledges it")
	cmd.Flags().BoolVar(&req.Undo, "undo", false, "take the acknowledgement back")
	return cmd
}

// byWhom is empty where only the agent knows, from the login.
func byWhom(name string) string {
	if name == "" {
		return ""
	}
	return " by " + plain(name)
}
