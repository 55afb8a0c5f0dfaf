package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/cmd/binnacle/demo"
)

func newDemo() *cobra.Command {
	o := demo.Options{Version: buildVersion()}
	verbose := false
	cmd := &cobra.Command{
		Use: "demo", Short: "An incident of two minutes on one machine, the pages in order; then the board stays up", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.For < 10*time.Second {
				return fmt.Errorf("for: want 10s or more, have %v", o.For)
			}
			o.Out, o.TTY, o.Log = cmd.OutOrStdout(), isTerminal(cmd.OutOrStdout()), slog.New(slog.DiscardHandler)
			if verbose {
				o.Log = newLog(agent.LogConfig{Level: "info"})
			}
			if err := demo.Run(cmd.Context(), o); err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "binnacle demo:", err)
				return exitError(1)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:9600", "host:port of API and pages")
	f.StringVar(&o.RabbitMQ, "rabbitmq", "", "amqp URL of a real RabbitMQ for NavCloud's events (default: passed on in process)")
	f.BoolVar(&o.Headless, "headless", false, "end by itself; exit 0 only if the pages came as they should")
	f.DurationVar(&o.For, "for", 5*time.Minute, "how long at the most, with --headless: it ends once all is resolved")
	f.BoolVar(&verbose, "verbose", false, "log what the agents do to standard error")
	return cmd
}

// newDemoChild is how the demo starts the program again as a node of NavCloud or its clients.
func newDemoChild() *cobra.Command {
	return &cobra.Command{
		Use: demo.ChildCommand, Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error { return demo.Child(cmd.Context(), args) },
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
