// Command binnacle is the monitoring and alerting agent: one binary on every node.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // time zones where the system has none: containers, small images

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/secret"
)

// version is set by the linker; a build without it tells the revision.
var version = ""

// exitError ends the program with a code and no further word.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func main() { os.Exit(program(os.Args[1:])) }

// program runs the command line until it ends, or a signal ends it.
func program(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	return execute(ctx, args)
}

func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(root.ErrOrStderr(), "binnacle:", secret.Redact(err.Error()))
	return health.ExitUnknown
}

// extra commands are in builds with a tag alone.
var extra []func() *cobra.Command

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "binnacle",
		Short:         "Collect, ship, judge, and page in order",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRun(), newCheck(), newCollect(), newStatus(), newRules(), newCost(), newVersion(), newDemo(), newDemoChild())
	root.AddCommand(newBoard(), newNodes(), newDashboards(), newWhy(), newAck(), newNote(), newSilence(), newMaintenance(), newDeploy(), newForget(), newCheckResult(), newToken(), newCompare(), newReplay(), newForecast(), newCapacity(), newHeartbeat(), newImport(), newSupport(), newSetup(), newJoin(), newAWS())
	for _, c := range extra {
		root.AddCommand(c())
	}
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "binnacle", buildVersion())
			return err
		},
	}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "devel-" + s.Value[:12]
			}
		}
	}
	return "devel"
}

// newLog writes to standard error, and hides what must not be shown.
func newLog(cfg agent.LogConfig) *slog.Logger {
	level := new(slog.LevelVar)
	setLevel(level, cfg)
	return newLogAt(cfg, level)
}

// newLogAt is newLog for a level that may change.
func newLogAt(cfg agent.LogConfig, level *slog.LevelVar) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(secret.Handler(slog.NewJSONHandler(os.Stderr, o)))
	}
	return slog.New(secret.Handler(slog.NewTextHandler(os.Stderr, o)))
}

// setLevel takes the level of a configuration that was validated.
func setLevel(level *slog.LevelVar, cfg agent.LogConfig) { _ = level.UnmarshalText([]byte(cfg.Level)) }
