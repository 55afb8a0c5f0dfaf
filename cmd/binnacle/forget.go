package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
)

func newForget() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "forget SERVICE", Short: "Expect a service no more that was seen on this machine: its absence is no outage then",
		Long: "Expect a service no more that was seen on this machine: its absence is no outage then.\n\n" +
			"Of RabbitMQ that the configuration says how to reach, forget members, vhosts and queues that were there and are not any more.",
		Example: "  binnacle forget riak",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.post(cmd.Context(), agent.PathForget, agent.Forget{Service: args[0]}, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Forgotten: %s, as far as it is not there. What is seen is watched.\n", plain(args[0]))
			return nil
		},
	}
	r.flags(cmd)
	return cmd
}
