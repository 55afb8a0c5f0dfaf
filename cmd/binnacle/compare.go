package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/cmd/binnacle/setup"
)

// maxDays bounds how far back is looked.
const maxDays = 400

func newCompare() *cobra.Command {
	var r remote
	var t theirs
	var days int
	var asJSON, titles bool
	cmd := &cobra.Command{
		Use: "compare", Short: "Set what binnacle sent, or would have sent in shadow mode, beside the incidents of another pager", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > maxDays {
				return fmt.Errorf("--days: want 1 to %d, have %d", maxDays, days)
			}
			y, m, d := time.Now().Date()
			since := time.Date(y, m, d-days+1, 0, 0, 0, 0, time.Local)
			if t.of != "" {
				t.since, t.asJSON = since, asJSON
				return t.run(cmd.Context(), &r, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			events, err := r.history(cmd.Context(), since, ledger.Shadowed, ledger.Decided, ledger.Accepted)
			if err != nil {
				return err
			}
			list := byDay(events, time.Local)
			out := cmd.OutOrStdout()
			if len(events) == maxEvents {
				fmt.Fprintf(cmd.ErrOrStderr(), "only the newest %d events were read: the first day lacks something\n", maxEvents)
			}
			if asJSON {
				enc := json.NewEncoder(out)
				for _, d := range list {
					if err := enc.Encode(d); err != nil {
						return err
					}
				}
				return nil
			}
			writeDays(out, list, titles)
			return nil
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&days, "days", 7, "how many days, today among them")
	f.BoolVar(&titles, "titles", false, "name each page, in order")
	f.StringVar(&t.of, "theirs", "", "beside whose incidents: alertmanager (as its webhook told), pagerduty (its log, by the token in the configuration), or a file of PagerDuty's log entries")
	f.StringVar(&t.config, "config", setup.DefaultConfig, "configuration `FILE` with PagerDuty's token")
	f.BoolVar(&asJSON, "json", false, "one line of JSON for each day, or with --theirs one for all")
	return cmd
}

// dayTally is what one day brought.
type dayTally struct {
	Date   string `json:"date"`
	Shadow tally  `json:"shadow"` // what would have been sent
	Sent   tally  `json:"sent"`
}

// tally counts one side of a day. Pages are triggers; the same incident again, after a lost answer, is none.
type tally struct {
	P1     int        `json:"p1"`
	P2     int        `json:"p2"`
	P3     int        `json:"p3"`
	Alarms int        `json:"alarms"` // behind these pages, each counted once
	Pages  []pageLine `json:"pages"`

	keys   map[string]bool
	alarms map[string]bool
}

// pageLine is one page of a tally.
type pageLine struct {
	At       time.Time `json:"at"`
	Priority string    `json:"priority"`
	Title    string    `json:"title"`
	Reason   string    `json:"reason"`
	Alarms   int       `json:"alarms"`
}

// byDay sorts triggers into days of loc. events are in order of time.
func byDay(events []ledger.Event, loc *time.Location) (out []*dayTally) {
	behind := map[string][]string{} // alarms, by action: the decision names them, the acceptance does not
	for _, e := range events {
		if e.Action != alerting.Trigger.String() {
			continue
		}
		if e.Kind == ledger.Decided {
			behind[e.ActionID] = e.Alarms
			continue
		}
		date := e.At.In(loc).Format(time.DateOnly)
		if len(out) == 0 || out[len(out)-1].Date != date {
			out = append(out, &dayTally{Date: date, Shadow: newTally(), Sent: newTally()})
		}
		d := out[len(out)-1]
		if e.Kind == ledger.Shadowed {
			d.Shadow.add(e, e.Alarms)
		} else {
			d.Sent.add(e, behind[e.ActionID])
		}
	}
	return out
}

func newTally() tally {
	return tally{Pages: []pageLine{}, keys: map[string]bool{}, alarms: map[string]bool{}}
}

func (s *tally) add(e ledger.Event, alarms []string) {
	if s.keys[e.Key] {
		return
	}
	s.keys[e.Key] = true
	switch e.Priority {
	case alerting.P1:
		s.P1++
	case alerting.P2:
		s.P2++
	default:
		s.P3++
	}
	for _, fp := range alarms {
		s.alarms[fp] = true
	}
	s.Alarms = len(s.alarms)
	s.Pages = append(s.Pages, pageLine{e.At, e.Priority.String(), e.Title, e.Reason, len(alarms)})
}

func writeDays(w io.Writer, days []*dayTally, titles bool) {
	if len(days) == 0 {
		fmt.Fprintln(w, "No page was sent, and none would have been.")
		return
	}
	const row = "%-10s  %4v %4v %4v %7v   %4v %4v %4v %7v\n"
	fmt.Fprintf(w, "%-10s  %-22s   %s\n", "", "would have been sent", "was sent")
	fmt.Fprintf(w, row, "day", "P1", "P2", "P3", "alarms", "P1", "P2", "P3", "alarms")
	for _, d := range days {
		a, b := d.Shadow, d.Sent
		fmt.Fprintf(w, row, d.Date, a.P1, a.P2, a.P3, a.Alarms, b.P1, b.P2, b.P3, b.Alarms)
		if titles {
			writeTitles(w, "would", a.Pages)
			writeTitles(w, "sent ", b.Pages)
		}
	}
	fmt.Fprintln(w, "P1 and P2 wake, P3 is of low urgency. Alarms: behind these pages, each counted once a day.")
}

func writeTitles(w io.Writer, what string, pages []pageLine) {
	for _, p := range pages {
		fmt.Fprintf(w, "  %s %s %s %s, for %s\n", what, p.At.Local().Format("15:04:05"), p.Priority, plain(p.Title), words.Plural(max(1, p.Alarms), "alarm"))
		if p.Reason != "" {
			fmt.Fprintln(w, strings.Repeat(" ", 17)+plain(p.Reason))
		}
	}
}
