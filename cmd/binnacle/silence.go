package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
)

func newSilence() *cobra.Command {
	cmd := &cobra.Command{Use: "silence", Short: "Keep alarms from paging for a while, see what is kept, and end it"}
	cmd.AddCommand(newSilenceAdd(), newSilenceList(), newSilenceExpire())
	return cmd
}

// silenceOptions are what silences and maintenance windows have in common.
type silenceOptions struct {
	remote
	req          intake.SilenceRequest
	hold, starts string
}

func (o *silenceOptions) flags(cmd *cobra.Command) {
	o.remote.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.hold, "for", "", "how long, like 90m, 2h or 3d (required)")
	f.StringVar(&o.req.By, "by", whoami(), "who wants it")
	f.StringVar(&o.req.Comment, "comment", "", "why")
	_ = cmd.MarkFlagRequired("for") // the flag is there
}

func newSilenceAdd() *cobra.Command {
	var o silenceOptions
	cmd := &cobra.Command{
		Use: "add MATCHER...", Short: "Keep alarms whose labels match from paging, and say which those are now",
		Example: "  binnacle silence add 'alertname=DiskFull' 'instance=~\"riak-.*\"' --for 2h --comment 'new disk is on its way'\n" +
			"  binnacle silence add --problem 0123456789abcdef --for 1h",
		RunE: func(cmd *cobra.Command, args []string) error { return o.make(cmd, args) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.req.Problem, "problem", "", "this problem of the board, with the alarms that it explains now")
	return cmd
}

func newMaintenance() *cobra.Command {
	var o silenceOptions
	cmd := &cobra.Command{
		Use: "maintenance MATCHER...", Short: "Announce work: a silence that starts later, and ends by itself",
		Example: "  binnacle maintenance 'instance=riak-3' --start 22:30 --for 2h --comment 'new kernel'",
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			start, err := moment("start", o.starts, now)
			if err != nil {
				return err
			}
			if !start.After(now) {
				return fmt.Errorf("--start: want a time ahead, have %s; for now: binnacle silence add", start.Format(time.RFC3339))
			}
			if twice(start) {
				fmt.Fprintf(cmd.OutOrStdout(), "Clocks are set back that night and show %s twice: it starts at the first, %s.\n", start.Format("15:04"), start.UTC().Format(time.RFC3339))
			}
			o.req.Starts = start
			return o.make(cmd, args)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.starts, "start", "", "when it starts, like 22:30 (today or tomorrow, local time), 2026-11-24T22:30 or 2026-11-24T22:30:00Z (required)")
	_ = cmd.MarkFlagRequired("start") // the flag is there
	return cmd
}

// make asks for the silence and tells what it covers.
func (o *silenceOptions) make(cmd *cobra.Command, matchers []string) error {
	if len(matchers) == 0 && o.req.Problem == "" {
		return errors.New("want at least one matcher, like alertname=DiskFull")
	}
	for _, m := range matchers {
		if !strings.ContainsAny(m, "=~") {
			return fmt.Errorf("matcher %q: want a label and its value, like alertname=DiskFull", m)
		}
	}
	hold, err := span("for", o.hold)
	if err != nil {
		return err
	}
	o.req.For, o.req.Matchers = hold.String(), matchers
	var a intake.SilenceAnswer
	if err := o.post(cmd.Context(), intake.PathSilence, o.req, &a); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Silence %s\n", a.ID)
	v, s, ok, err := o.shown(cmd.Context(), a.ID)
	switch {
	case err != nil:
		fmt.Fprintln(out, "It was taken. What it covers is not known:", err)
	case !ok:
		fmt.Fprintln(out, "It was taken. The router doesn't show it yet: binnacle silence list")
	default:
		covers(out, s, v, time.Now())
	}
	fmt.Fprintln(out, "To end it: binnacle silence expire", a.ID)
	return nil
}

// How long a silence may take from the intake to the router's view.
const (
	showWithin = 3 * time.Second
	showEach   = 50 * time.Millisecond
)

// shown waits until the router has a silence.
func (o *silenceOptions) shown(ctx context.Context, id string) (v alerting.View, s alerting.Silence, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, showWithin)
	defer cancel()
	for {
		n, err := o.now(ctx)
		if ctx.Err() != nil {
			return v, s, false, nil
		}
		if err != nil {
			return v, s, false, err
		}
		for _, s := range n.View.Silences {
			if s.ID == id {
				return n.View, s, true, nil
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(showEach):
		}
	}
}

// maxListed bounds the alarms that are named one by one.
const maxListed = 10

// covers tells what a silence does to the alarms that hold now, and what it leaves out.
func covers(w io.Writer, s alerting.Silence, v alerting.View, now time.Time) {
	fmt.Fprintf(w, "%s: %s\n", window(s, now), matchersOf(s))
	seen := map[string]bool{}
	var in, out []string
	add := func(a alerting.Alarm, p alerting.Priority) {
		fp := a.Fingerprint()
		switch {
		case seen[fp]:
		case s.Covers(a.Labels, fp):
			in = append(in, fmt.Sprintf("  %s %s", p, on(a)))
		case s.Matches(a.Labels):
			out = append(out, fmt.Sprintf("  %s %s", p, on(a)))
		}
		seen[fp] = true
	}
	for _, p := range v.Problems {
		add(p.Root, p.Priority)
		for _, e := range p.Explained {
			add(e.Alarm, p.Priority)
		}
	}
	verb := "It covers"
	if s.StartsAt.After(now) {
		verb = "Now it would cover"
	}
	if len(in) == 0 {
		fmt.Fprintln(w, verb, "no alarm that fires now; it covers what comes.")
	} else {
		fmt.Fprintf(w, "%s %s:\n", verb, words.Plural(len(in), "alarm"))
		listAlarms(w, in)
	}
	if len(out) > 0 {
		fmt.Fprintln(w, "It does not cover symptoms, which users notice, unless it names their rule (alertname=...):")
		listAlarms(w, out)
	}
}

func listAlarms(w io.Writer, lines []string) {
	for _, l := range lines[:min(len(lines), maxListed)] {
		fmt.Fprintln(w, l)
	}
	if more := len(lines) - maxListed; more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}

// window says when a silence holds.
func window(s alerting.Silence, now time.Time) string {
	if s.StartsAt.After(now) {
		return fmt.Sprintf("from %s until %s (%s)", clock(s.StartsAt, now), clock(s.EndsAt, now), words.Duration(s.EndsAt.Sub(s.StartsAt)))
	}
	return fmt.Sprintf("until %s (%s)", clock(s.EndsAt, now), words.Duration(s.EndsAt.Sub(now)))
}

// matchersOf writes matchers as Alertmanager does.
func matchersOf(s alerting.Silence) string {
	saying := make([]string, len(s.Matchers))
	for i, m := range s.Matchers {
		saying[i] = m.String()
	}
	text := plain(strings.Join(saying, ", "))
	if s.Problem != "" {
		text = fmt.Sprintf("problem %s with %s: %s", s.Problem, words.Plural(len(s.Alarms), "alarm"), text)
	}
	return text
}

func newSilenceList() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "list", Short: "List silences and maintenance windows, the one that ends first on top", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := r.now(cmd.Context())
			if err != nil {
				return err
			}
			out, now := cmd.OutOrStdout(), time.Now()
			for _, s := range n.View.Silences {
				fmt.Fprintf(out, "%s  %s\n  %s\n", s.ID, window(s, now), matchersOf(s))
				fmt.Fprintf(out, "  by %s: %s\n", plain(s.CreatedBy), cmp.Or(plain(s.Comment), "no comment"))
			}
			if len(n.View.Silences) == 0 {
				fmt.Fprintln(out, "Nothing is silenced.")
			}
			return nil
		},
	}
	r.flags(cmd)
	return cmd
}

func newSilenceExpire() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "expire ID...", Short: "End silences now; the first characters of an ID are enough", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := r.now(cmd.Context())
			if err != nil {
				return err
			}
			var ids []string
			for _, a := range args {
				id, err := silenceID(n.View.Silences, a)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			for _, id := range ids {
				if err := r.call(cmd.Context(), http.MethodDelete, "/api/v2/silence/"+url.PathEscape(id)+"?"+url.Values{"by": {whoami()}}.Encode(), nil); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "Ended:", id)
			}
			return nil
		},
	}
	r.flags(cmd)
	return cmd
}

// silenceID finds the one silence that is meant.
func silenceID(all []alerting.Silence, prefix string) (string, error) {
	var found []string
	for _, s := range all {
		if s.ID == prefix {
			return s.ID, nil
		}
		if prefix != "" && strings.HasPrefix(s.ID, prefix) {
			found = append(found, s.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("no silence %q: binnacle silence list", prefix)
	}
	return "", fmt.Errorf("%q is the beginning of %d silences: %s", prefix, len(found), strings.Join(found, ", "))
}
