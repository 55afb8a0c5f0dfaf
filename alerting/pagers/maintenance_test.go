package pagers

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const maintained = `
pagers: {ops: {webhook: {url: 'http://127.0.0.1:1/'}}}
default: ops
windows:
  night: {location: Europe/Berlin, time_intervals: [{times: [{start_time: "01:00", end_time: "02:30"}], weekdays: ["monday:sunday"]}]}
  office: {location: Europe/Dublin, time_intervals: [{weekdays: ["monday:friday"], times: [{start_time: "09:00", end_time: "17:00"}]}]}
maintenance:
  - {name: backups, match: ['alertname="BackupSlow"'], during: [night]}
  - {name: dev, match: ['env="dev"'], outside: [office]}
`

func read(t *testing.T, text string) (c Config) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMaintenanceIsOpenDuringAndOutsideWindows(t *testing.T) {
	c := read(t, maintained)
	if err := c.ValidateWith(false); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		at           string
		backups, dev bool
	}{
		{"2026-11-30T00:30:00Z", true, true},   // Monday 01:30 in Berlin
		{"2026-11-30T02:00:00Z", false, true},  // Monday 03:00 in Berlin
		{"2026-11-30T10:00:00Z", false, false}, // Monday 10:00 in Dublin
		{"2026-11-28T10:00:00Z", false, true},  // Saturday
	} {
		at, _ := time.Parse(time.RFC3339, tc.at)
		if a, b := c.Open(c.Maintenance[0])(at), c.Open(c.Maintenance[1])(at); a != tc.backups || b != tc.dev {
			t.Errorf("at %s: %v, %v; want %v, %v", tc.at, a, b, tc.backups, tc.dev)
		}
	}
	got := c.ClockChanges(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	want := []string{
		"window night: on 28 Mar 2027 clocks in Europe/Berlin skip 02:00 to 03:00, and the window loses that time",
		"window night: on 31 Oct 2027 clocks in Europe/Berlin show 02:00 to 03:00 twice, and the window is open both times",
	}
	if !slices.Equal(got, want) {
		t.Errorf("clock changes %q; want %q", got, want)
	}
}

func TestMaintenanceThatMayNotBe(t *testing.T) {
	for change, want := range map[string]string{
		"name: dev>name: backups":            "backups is there already",
		"name: dev>name: ' '":                "want a name of letters",
		", during: [night]>":                 "want the names of windows in during or outside",
		"outside: [office]>outside: [party]": `no window "party"`,
		"outside: [office]>outside: [night]": "windows.office: neither a pager",
	} {
		from, to, _ := strings.Cut(change, ">")
		err := read(t, strings.Replace(maintained, from, to, 1)).ValidateWith(false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", change, err, want)
		}
	}
}
