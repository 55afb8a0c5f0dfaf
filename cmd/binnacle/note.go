package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/alerting/intake"
)

func newNote() *cobra.Command {
	var r remote
	var req intake.NoteRequest
	cmd := &cobra.Command{
		Use: "note PROBLEM TEXT...", Short: "Note what was seen, tried or agreed at a problem, for its incident, the timeline and the handover",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Problem, req.Text = args[0], strings.Join(args[1:], " ")
			var a intake.AckAnswer
			if err := r.post(cmd.Context(), intake.PathNote, req, &a); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Noted%s: %s\n", byWhom(req.By), plain(a.Title))
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&req.By, "by", whoami(), "who says so")
	return cmd
}
