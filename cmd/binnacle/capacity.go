package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
)

func newCapacity() *cobra.Command {
	var r remote
	var asJSON bool
	var width int
	cmd := &cobra.Command{
		Use: "capacity", Short: "Show when what can run out does, the most urgent first; exits 1 while room has to be ordered", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rep capacity.Report
			if err := r.get("/-/capacity", &rep); err != nil {
				fmt.Fprintln(cmd.OutOrStdout(), "UNKNOWN -", err)
				return exitError(health.ExitUnknown)
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(rep)
			}
			out := cmd.OutOrStdout()
			if code := writeCapacity(out, rep, columns(width), isTerminal(out), time.Now()); code != health.ExitOK {
				return exitError(code)
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().IntVar(&width, "width", 0, "columns to keep sentences within (default: the terminal's, else 80)")
	return cmd
}

// writeCapacity writes a line for each pool, then what has to be done, and returns the exit code. bars draws how full
// each is.
func writeCapacity(w io.Writer, rep capacity.Report, width int, bars bool, now time.Time) int {
	var b strings.Builder
	switch {
	case rep.At.IsZero():
		fold(&b, width, "", "No pool was looked at yet: the first look comes within a minute of the start. "+rep.Fault)
	case len(rep.Answers) == 0:
		fold(&b, width, "", "No pool with a limit is known. What agents collect tells most limits; others are declared under capacity.limits. "+rep.Fault)
	default:
		fold(&b, width, "", fmt.Sprintf("%s, as of %s ago", words.Plural(len(rep.Answers), "pool"), words.Duration(now.Sub(rep.At))))
	}
	for _, s := range []string{rep.Note, rep.Fault} {
		if s != "" && len(rep.Answers) > 0 {
			fold(&b, width, "! ", s)
		}
	}
	_, _ = io.WriteString(w, b.String())
	if len(rep.Answers) == 0 {
		return health.ExitOK
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "\npool\twhere\tuse\tlimit\tnow\tat peak\tzone lost\tforecast"
	if bars {
		head += "\t"
	}
	fmt.Fprintln(tw, head)
	urgent := []capacity.Answer{}
	for _, a := range rep.Answers {
		mark := ""
		if a.Urgent() {
			mark, urgent = "! ", append(urgent, a)
		}
		fmt.Fprintf(tw, "%s%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", mark, plain(a.Pool.Name), plain(a.Where()), a.Pool.Short(a.Use), a.Pool.Short(a.Limit),
			capacity.Times(a.Buffer.Now), capacity.Times(a.Buffer.Peak), capacity.Times(a.Buffer.ZoneLost), a.Forecast())
		if bars {
			fmt.Fprint(tw, "\t", bar(a.Buffer.Now))
		}
		fmt.Fprintln(tw)
	}
	_ = tw.Flush() // as any other write to the terminal
	b.Reset()
	for _, a := range urgent {
		fold(&b, width, "! ", a.Pool.Title+" "+a.Where()+": "+a.Forecast()+". "+a.Reason())
	}
	if len(rep.Undeclared) > 0 {
		fold(&b, width, "", "No limit is declared of: "+strings.Join(rep.Undeclared, ", ")+" (capacity.limits).")
	}
	if rep.Scaling.Words != "" {
		fold(&b, width, "", "Scalability of nodes: "+rep.Scaling.Words+".")
	}
	if b.Len() > 0 {
		_, _ = io.WriteString(w, "\n"+b.String())
	}
	if len(urgent) > 0 {
		return health.ExitWarning
	}
	return health.ExitOK
}

// bar draws how full a pool is whose limit is buffer times its use.
func bar(buffer float64) string {
	const size = 10
	full := 0
	if buffer > 0 {
		full = min(max(int(size/buffer+0.5), 0), size)
	}
	return strings.Repeat("#", full) + strings.Repeat(".", size-full)
}
