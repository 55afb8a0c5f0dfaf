package health

import (
	"strings"
	"testing"
	"time"
)

func TestAWSIsSaid(t *testing.T) {
	now := time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC)
	s := Status{At: now, Route: &Route{Durable: true, AWS: &AWS{
		Queue: "q", Leads: true, Fault: "no right", Poison: 2, Spent: 1.5, Forms: []AWSForm{
			{Name: "CloudWatch Alarm State Change", Result: "taken", Count: 7, Last: now},
			{Name: "New", Result: "unknown", Count: 1, Last: now},
			{Name: "Odd", Result: "unreadable", Count: 3, Last: now.Add(-time.Minute), Detail: "why"},
			{Name: "Old", Result: "unreadable", Count: 3, Last: now.Add(-2 * time.Hour)},
		},
	}}}
	var out strings.Builder
	s.Route.AWS.write(&out, now)
	for _, want := range []string{"7 words taken", "NOT RECONCILED: no right", "$1.50", "NOT TAKEN (unknown): New", "GIVEN UP: 2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("said %q; want %q in it", out.String(), want)
		}
	}
	n := 0
	for _, f := range s.Faults() {
		if f.Of == "aws" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d faults of AWS; want the right that lacks, and what cannot be read of late", n)
	}
	s.Route.AWS = &AWS{Queue: "q"}
	out.Reset()
	if s.Route.AWS.write(&out, now); !strings.Contains(out.String(), "another router reads") {
		t.Errorf("said %q", out.String())
	}
}
