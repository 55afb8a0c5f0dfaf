package main

import (
	"testing"
	"time"
)

// In the night in which clocks are set back an hour exists twice: work starts at the first.
func TestAnHourThatExistsTwice(t *testing.T) {
	for zone, tc := range map[string]struct {
		text, want string
		twice      bool
	}{
		"Europe/Berlin":       {"2027-10-31T02:30", "2027-10-31T00:30:00Z", true},
		"America/New_York":    {"2027-11-07T01:15", "2027-11-07T05:15:00Z", true},
		"Australia/Lord_Howe": {"2027-04-04T01:45", "2027-04-03T14:45:00Z", true},
		"UTC":                 {"2027-10-31T02:30", "2027-10-31T02:30:00Z", false},
		"Europe/Dublin":       {"2027-10-31T03:30", "2027-10-31T03:30:00Z", false},
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := moment("start", tc.text, time.Date(2027, 1, 1, 0, 0, 0, 0, loc))
		if err != nil || at.UTC().Format(time.RFC3339) != tc.want || twice(at) != tc.twice {
			t.Errorf("%s in %s: %v, twice %v, %v; want %s", tc.text, zone, at.UTC(), twice(at), err, tc.want)
		}
	}
}
