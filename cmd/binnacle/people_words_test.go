package main

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "1.5h": 90 * time.Minute, "2d": 48 * time.Hour, "1w": 168 * time.Hour, "1d12h": 36 * time.Hour,
		"": 0, "0s": 0, "-1h": 0, "soon": 0, "5": 0,
	} {
		if got, err := span("for", text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestMoment(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 30, 22, 30, 0, 0, zone)
	for text, want := range map[string]string{
		"23:00": "2026-11-30T23:00:00+01:00", "22:30": "2026-12-01T22:30:00+01:00", "2:05": "2026-12-01T02:05:00+01:00",
		"2026-12-24T18:00": "2026-12-24T18:00:00+01:00", "2026-12-24 18:00": "2026-12-24T18:00:00+01:00",
		"2026-12-24T18:00:00Z": "2026-12-24T18:00:00Z", "noon": "", "25:00": "", "2026-13-01T00:00": "",
	} {
		got, err := moment("start", text, now)
		if (err == nil) != (want != "") || err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
}
