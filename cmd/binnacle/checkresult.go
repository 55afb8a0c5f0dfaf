package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting/intake"
)

// Bounds of a plugin.
const (
	maxPlugin  = 64 << 10 // bytes kept of what it prints
	maxTimeout = 10 * time.Minute
	killWait   = time.Second // for what a plugin left behind and that holds its output open
)

type checkOptions struct {
	remote
	result  intake.CheckResult
	fresh   string
	labels  map[string]string
	timeout time.Duration
}

func newCheckResult() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check-result HOST SERVICE (EXIT TEXT... | -- COMMAND...)",
		Short: "Send the result of a Nagios plugin, or run one and send its result; exits 0 when it was sent, whatever the result",
		Example: "  binnacle check-result web-1 disk 2 'DISK CRITICAL - / 97 %|/=97%;80;90'\n" +
			"  binnacle check-result web-1 disk -- /usr/lib/nagios/plugins/check_disk -w 20% -c 10% /",
		Args: func(cmd *cobra.Command, args []string) error { return o.take(cmd, args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if command := args[2:]; cmd.ArgsLenAtDash() == 2 {
				o.result.Exit, o.result.Output = runPlugin(cmd.Context(), o.timeout, command)
				if err := cmd.Context().Err(); err != nil {
					return errors.New("interrupted: nothing was sent")
				}
			}
			if err := o.post(cmd.Context(), intake.PathCheckResult, o.result, nil); err != nil {
				return err
			}
			first, _, _ := strings.Cut(o.result.Output, "\n")
			fmt.Fprintf(cmd.OutOrStdout(), "Sent: %s %s %s: %s\n", plain(args[0]), plain(args[1]), states[o.result.Exit], plain(first))
			return nil
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.fresh, "fresh", "15m", "when the next result is due at the latest: without it the alarm has lost contact; an OK that nothing follows is an alarm where this is given")
	f.StringToStringVar(&o.labels, "label", nil, "more labels, like service=api,cluster=a; the same with every result of this check, or the old alarm stays")
	f.StringVar(&o.result.Runbook, "runbook", "", "URL of the runbook")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "what COMMAND may take")
	return cmd
}

var states = [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// take reads the arguments.
func (o *checkOptions) take(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash() // how many stand before --, -1 without one
	switch {
	case dash >= 0 && dash != 2:
		return fmt.Errorf("want HOST SERVICE before --, have %d arguments", dash)
	case dash == 2 && len(args) == 2:
		return errors.New("want a command after --")
	case dash < 0 && len(args) < 4:
		return fmt.Errorf("want HOST SERVICE EXIT TEXT, or HOST SERVICE -- COMMAND; have %d arguments", len(args))
	case args[0] == "":
		return errors.New("HOST is empty")
	case o.timeout < time.Second || o.timeout > maxTimeout:
		return fmt.Errorf("--timeout: want 1s to %v, have %v", maxTimeout, o.timeout)
	}
	fresh, err := span("fresh", o.fresh)
	if err != nil {
		return err
	}
	o.result.Host, o.result.Service, o.result.Labels = args[0], args[1], o.labels
	if cmd.Flags().Changed("fresh") { // whoever sends a single result promises no other
		o.result.Fresh = fresh.String()
	}
	if args[1] == "-" { // the check of the host itself
		o.result.Service = ""
	}
	if dash < 0 {
		if o.result.Exit, err = strconv.Atoi(args[2]); err != nil || o.result.Exit < 0 || o.result.Exit > 3 {
			return fmt.Errorf("EXIT: want 0 (OK), 1 (warning), 2 (critical) or 3 (unknown), have %q", args[2])
		}
		o.result.Output = strings.Join(args[3:], " ")
	}
	return nil
}

// runPlugin runs a plugin and returns what it found. One that cannot be run, takes too long or ends otherwise
// than plugins do has found nothing: unknown.
func runPlugin(ctx context.Context, timeout time.Duration, command []string) (exit int, output string) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	out := &firstBytes{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, killWait
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it started ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	output = strings.TrimSpace(out.kept.String())
	ended, _ := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return health.ExitUnknown, fmt.Sprintf("UNKNOWN - %s took longer than %v\n%s", command[0], timeout, output)
	case ended != nil && ended.ExitCode() >= 0 && ended.ExitCode() <= 3:
		exit = ended.ExitCode()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return health.ExitUnknown, strings.TrimSpace(fmt.Sprintf("UNKNOWN - %s: %v\n%s", command[0], err, output))
	}
	if output == "" {
		output = states[exit] + " - " + command[0] + " said nothing"
	}
	return exit, output
}

// firstBytes keeps the first bytes of a stream and lets the rest go. The buffer is no embedded one: it would
// read to the end by itself.
type firstBytes struct{ kept bytes.Buffer }

func (f *firstBytes) Write(p []byte) (int, error) {
	if room := maxPlugin - f.kept.Len(); room > 0 {
		_, _ = f.kept.Write(p[:min(len(p), room)]) // memory takes it
	}
	return len(p), nil
}
