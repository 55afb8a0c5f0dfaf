package health

import (
	"fmt"
	"io"
	"time"
)

// write says what comes from AWS; what was not taken is named.
func (a *AWS) write(w io.Writer, at time.Time) {
	if a == nil {
		return
	}
	var taken uint64
	for _, f := range a.Forms {
		if f.Result == "taken" {
			taken += f.Count
		}
	}
	fmt.Fprintf(w, "  AWS: %d words taken", taken)
	switch {
	case a.Queue == "":
	case !a.Leads:
		fmt.Fprint(w, "; another router reads the queue")
	case a.Fault != "":
		fmt.Fprintf(w, "; alarms NOT RECONCILED: %s", a.Fault)
	case !a.Reconciled.IsZero():
		fmt.Fprintf(w, "; alarms reconciled %s ago", ago(at, a.Reconciled))
	}
	if a.Spent > 0 {
		fmt.Fprintf(w, "; our questions cost $%.2f this month", a.Spent)
	}
	fmt.Fprintln(w)
	for _, g := range a.Groups {
		short := ""
		if !g.Short.IsZero() {
			short = ", SHORT for " + ago(at, g.Short)
		}
		fmt.Fprintf(w, "    group %s %s%s\n", g.Name, g.Size, short)
	}
	a.Alarms.write(w)
	for _, f := range a.Forms {
		if f.Result != "taken" {
			fmt.Fprintf(w, "    NOT TAKEN (%s): %s, %d times, last %s ago %s\n", f.Result, f.Name, f.Count, ago(at, f.Last), f.Detail)
		}
	}
	if a.Poison > 0 {
		fmt.Fprintf(w, "    GIVEN UP: %d messages that cannot be read; give the queue a dead-letter queue\n", a.Poison)
	}
}

// write says how CloudWatch's alarms stand to our rules.
func (a *AWSAlarms) write(w io.Writer) {
	if a == nil {
		return
	}
	fmt.Fprintf(w, "    alarms at CloudWatch: %d wanted, %d to put, %d to delete", a.Wanted, a.Put, a.Drop)
	switch {
	case a.Applies:
		fmt.Fprintf(w, ", %d done", a.Done)
	case a.Put+a.Drop > 0:
		fmt.Fprint(w, "; only planned: binnacle aws alarms apply")
	}
	if a.Over > 0 {
		fmt.Fprintf(w, "; %d OVER alarms.max", a.Over)
	}
	if a.Fault != "" {
		fmt.Fprintf(w, "; FAILED: %s", a.Fault)
	}
	fmt.Fprintln(w)
}

// recently is how long a word of AWS that could not be read is a fault of today.
const recently = time.Hour

// awsFaults are what of AWS is not heard or not understood.
func (s Status) awsFaults(bad note) {
	if s.Route == nil || s.Route.AWS == nil {
		return
	}
	a := s.Route.AWS
	if a.Fault != "" && a.Leads {
		bad("aws", ExitWarning, "CloudWatch is not asked how its alarms are, so that a word that is lost is not found: %s", a.Fault)
	}
	if a.Alarms != nil && a.Alarms.Fault != "" {
		bad("aws", ExitWarning, "CloudWatch's alarms are not as the rules say: %s", a.Alarms.Fault)
	}
	if a.Alarms != nil && a.Alarms.Over > 0 {
		bad("aws", ExitWarning, "%d alarms of rules are not at CloudWatch: ship.cloudwatch.alarms.max", a.Alarms.Over)
	}
	for _, f := range a.Forms {
		if f.Result == "unreadable" && s.At.Sub(f.Last) < recently {
			bad("aws", ExitWarning, "AWS told what cannot be read (%s, %d times): %s", f.Name, f.Count, f.Detail)
		}
	}
}
