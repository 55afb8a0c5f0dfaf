package simulate

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestAP1IsNotHiddenBehindAP2OfItsHost lets a full disk, or a server that is down, begin within half a minute of what puts data or quorum
// at risk on the same machine: whichever is the better cause, a person is called with P1 within a minute, and by the P1's name.
func TestAP1IsNotHiddenBehindAP2OfItsHost(t *testing.T) {
	begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for _, lesser := range []string{
		"HostOutOfDiskSpace critical instance=db-1:9100 job=node mountpoint=/data", "InstanceDown critical instance=db-1:9100 job=node", "HostOomKillDetected critical instance=db-1:9100 job=node",
	} {
		for _, grave := range []string{
			"PgWalCorruption critical instance=db-1:9187 job=postgres", "ClusterHasNoQuorum critical node=db-1 job=custom", "TransactionIdWraparound critical host=db-1",
		} {
			for _, after := range []time.Duration{-20 * time.Second, 0, 10 * time.Second, 30 * time.Second} {
				t.Run(fmt.Sprint(lesser, grave, after), func(t *testing.T) {
					p := New(Options{Settings: alerting.DefaultSettings()})
					for _, o := range []other{{time.Minute, lesser}, {time.Minute + after, grave}} {
						a := o.alarm(begin)
						for m := range time.Duration(5) {
							p.Add(Event{At: a.StartsAt.Add(m * time.Minute), In: alerting.Firing{Alarm: a, Sender: "prometheus.example.com"}})
						}
					}
					if err := p.Run(begin.Add(5 * time.Minute)); err != nil {
						t.Fatal(err)
					}
					rule := other{text: grave}.alarm(begin).Labels[alerting.LabelRule]
					for _, c := range p.Calls() {
						if page := c.Action.Page; c.Action.Kind == alerting.Trigger && page.Priority == alerting.P1 && page.Rule == rule && c.At.Sub(begin) <= 2*time.Minute+after {
							return
						}
					}
					t.Errorf("no P1 of %s: %+v", rule, p.Calls())
				})
			}
		}
	}
}
