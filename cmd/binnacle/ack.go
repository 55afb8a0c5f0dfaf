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
		Use: "ack PROBLEM", Short: "Take a problem, so that nobody else is called for it: by its ID, its dedup key, a fingerprint or the rule that heads it",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Problem = args[0]
			var a intake.AckAnswer
			out := cmd.OutOrStdout()
			if err := r.post(cmd.Context(), intake.PathAck, req, &a); err != nil {
				return err
			}
			if req.Undo {
				fmt.Fprintf(out, "Given back: %s\n", plain(a.Title))
				return nil
			}
			if a.Key == "" {
				fmt.Fprintln(out, "Nobody was paged for it yet. Should it come to that, the page goes out as taken.")
			}
			fmt.Fprintf(out, "Taken%s: %s\nTo give it back: binnacle ack --undo %s\n", byWhom(req.By), plain(a.Title), a.Problem)
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&req.By, "by", whoami(), "who takes it")
	cmd.Flags().BoolVar(&req.Undo, "undo", false, "give it back")
	return cmd
}

// byWhom is empty where only the agent knows, from the login.
func byWhom(name string) string {
	if name == "" {
		return ""
	}
	return " by " + plain(name)
}
