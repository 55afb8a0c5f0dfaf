package agent

import (
	"slices"
	"testing"
	"time"
)

func TestCheckSaysWhenMaintenanceOpens(t *testing.T) {
	cfg, err := ParseConfig("b.yaml", []byte(`
route:
  windows:
    night: {location: Europe/Berlin, time_intervals: [{times: [{start_time: "02:00", end_time: "04:00"}]}]}
    office: {location: Europe/Dublin, time_intervals: [{weekdays: ["monday:friday"], times: [{start_time: "09:00", end_time: "17:00"}]}]}
    past: {time_intervals: [{years: ["2020"]}]}
  maintenance:
    - {name: backups, match: ['alertname="BackupSlow"', 'cluster=~"db-.*"'], during: [night]}
    - {name: dev, match: ['env="dev"'], outside: [office]}
    - {name: old, match: ['env="old"'], during: [past]}
`))
	if err != nil {
		t.Fatal(err)
	}
	lines, advice := cfg.Route.Maintenance(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	want := []string{
		`backups opens 2026-11-29 01:00 UTC for 2h and silences alertname="BackupSlow", cluster=~"db-.*"`,
		`dev is open since 2026-11-27 17:00 UTC for 64h and silences env="dev"`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q; want %q", lines, want)
	}
	want = []string{
		"maintenance dev lasts 64h: a P1 that it covers pages 24h after it began", "maintenance old: none of its windows opens within a year",
		"window night: on 28 Mar 2027 clocks in Europe/Berlin skip 02:00 to 03:00, and the window loses that time",
		"window night: on 31 Oct 2027 clocks in Europe/Berlin show 02:00 to 03:00 twice, and the window is open both times",
	}
	if !slices.Equal(advice, want) {
		t.Errorf("%q; want %q", advice, want)
	}
}
