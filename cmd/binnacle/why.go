package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

func newWhy() *cobra.Command {
	var r remote
	var since, not string
	cmd := &cobra.Command{
		Use: "why ALARM", Short: "Say what happened to an alarm, and why: a fingerprint, a rule, an entity, a problem or a dedup key; exits 1 when nothing is known",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			back, err := span("since", since)
			if err != nil {
				return err
			}
			now := time.Now()
			n, err := r.now(cmd.Context())
			if err != nil {
				return err
			}
			if not != "" {
				text := n.View.WhyNot(args[0], not)
				if text == "" {
					fmt.Fprintf(cmd.OutOrStdout(), "The board does not have both %s and %s now.\n", plain(args[0]), plain(not))
					return exitError(health.ExitWarning)
				}
				fmt.Fprintln(cmd.OutOrStdout(), plain(text))
				return nil
			}
			events, err := r.history(cmd.Context(), now.Add(-back))
			story := newStory(args[0], n.View)
			story.follow(events)
			story.write(cmd.OutOrStdout(), now)
			if err != nil {
				fmt.Fprintln(cmd.OutOrStdout(), "What was done before is not known:", err)
			}
			if story.empty() {
				fmt.Fprintf(cmd.OutOrStdout(), "Nothing is known of %s, neither now nor in the last %s.\n", plain(args[0]), words.Duration(back))
				return exitError(health.ExitWarning)
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&not, "not", "", "say instead why this other alarm does not explain it, named likewise")
	cmd.Flags().StringVar(&since, "since", "24h", "how far back to look, like 90m, 2h or 3d")
	return cmd
}

// story is all that is known of one alarm.
type story struct {
	name     string
	now      string          // what the view says
	alarms   map[string]bool // fingerprints that are meant
	keys     map[string]bool // of the incidents that tell of them
	silences []alerting.Silence
	events   []ledger.Event
}

func newStory(name string, v alerting.View) *story {
	s := &story{name: name, now: v.Why(name), alarms: map[string]bool{name: true}, keys: map[string]bool{name: true}}
	meant := v.Meant(name)
	for _, a := range meant {
		s.alarms[a.Fingerprint()] = true
	}
	for _, q := range v.Silences {
		if slices.ContainsFunc(meant, func(a alerting.Alarm) bool { return q.Covers(a.Labels, a.Fingerprint()) }) {
			s.silences = append(s.silences, q)
		}
	}
	return s
}

// follow picks what happened to the alarms and to the incidents that tell of them.
func (s *story) follow(events []ledger.Event) {
	for _, e := range events {
		// fleet:rule:entity:generation, where the entity has colons of its own
		named := strings.Contains(":"+e.Key+":", ":"+s.name+":") || strings.HasSuffix(e.Title, "["+s.name+"]")
		if named || slices.ContainsFunc(e.Alarms, func(fp string) bool { return s.alarms[fp] }) {
			s.keys[e.Key] = true
		}
	}
	for _, q := range s.silences {
		s.keys[q.ID] = true
	}
	delete(s.keys, "")
	for _, e := range events {
		if s.keys[e.Key] || slices.ContainsFunc(e.Alarms, func(fp string) bool { return s.alarms[fp] }) {
			s.events = append(s.events, e)
		}
	}
}

func (s *story) empty() bool { return s.now == "" && len(s.events) == 0 && len(s.silences) == 0 }

func (s *story) write(w io.Writer, now time.Time) {
	if s.now != "" {
		for l := range strings.Lines(s.now) {
			fmt.Fprintln(w, plain(l))
		}
	}
	for _, q := range s.silences {
		fmt.Fprintf(w, "Silence %s%s, %s: %s\n", q.ID, byWhom(q.CreatedBy), window(q, now), matchersOf(q))
	}
	if len(s.events) == 0 {
		return
	}
	if s.now == "" {
		fmt.Fprintln(w, "It is on the board no more.")
	}
	fmt.Fprintln(w, "What was done:")
	last := ""
	for _, e := range s.events {
		if e.Kind == ledger.Decided {
			last = e.Reason
		}
		if e.Reason == last && e.Kind != ledger.Decided {
			e.Reason = "" // said with the decision
		}
		fmt.Fprintln(w, " ", happened(e, now))
	}
}

// happened writes one event of the history.
func happened(e ledger.Event, now time.Time) string {
	text := clock(e.At, now) + " " + verb(e)
	if e.Title != "" {
		text += ": "
		if e.Priority > 0 {
			text += e.Priority.String() + " "
		}
		text += e.Title
	}
	if len(e.Alarms) > 1 {
		text += ", for " + words.Plural(len(e.Alarms), "alarm")
	}
	for _, more := range []string{e.Reason, e.Detail} {
		if more != "" {
			text += " (" + more + ")"
		}
	}
	return plain(text)
}

// verb says who did what.
func verb(e ledger.Event) string {
	switch e.Kind {
	case ledger.Accepted, ledger.Refused, ledger.Throttled:
		return e.Action + " " + string(e.Kind) + " by the pager"
	case ledger.Unknown:
		return e.Action + " without an answer"
	case ledger.Decided:
		return e.Action + " decided"
	case ledger.Shadowed:
		return e.Action + " decided and, in shadow mode, not sent"
	case ledger.Second:
		return e.Action + " through the second channel"
	case ledger.Acked:
		return "acknowledged by " + e.By
	case ledger.Unacked:
		return "acknowledgement taken back by " + e.By
	case ledger.Escalated:
		return "escalated by " + e.By
	case ledger.Closed:
		return "closed at the pager by " + e.By
	case ledger.Silenced:
		return "silenced by " + e.By
	case ledger.Unsilence:
		return "silence ended"
	}
	return string(e.Kind)
}
