package people

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// nightly is open from one hour to another, in a zone.
func nightly(zone *time.Location, from, to int, match ...string) Recurring {
	ms, err := ParseMatchers(match...)
	if err != nil {
		panic(err)
	}
	return Recurring{Name: "backups", Matchers: ms, Open: func(t time.Time) bool { h := t.In(zone).Hour(); return h >= from && h < to }}
}

// kept is a router that takes silences alone.
type kept struct {
	Router
	now      time.Time
	silences map[string]alerting.Silence
	ended    map[string]string
}

func (k *kept) View() (v alerting.View) {
	for _, s := range k.silences {
		if s.EndsAt.After(k.now) {
			v.Silences = append(v.Silences, s)
		}
	}
	return v
}

func (k *kept) Put(_ context.Context, in ...alerting.Input) error {
	for _, i := range in {
		s := i.(alerting.Silenced)
		k.silences[s.Silence.ID] = s.Silence
		if !s.Silence.EndsAt.After(k.now) {
			k.ended[s.Silence.ID] = s.By
		}
	}
	return nil
}

func TestKeeperKeepsTheNextSilenceOfEachWindow(t *testing.T) {
	router := &kept{silences: map[string]alerting.Silence{}, ended: map[string]string{}, now: time.Date(2026, 11, 30, 12, 0, 30, 0, time.UTC)}
	keep := func(list ...Recurring) *Keeper {
		k := &Keeper{Router: router, EndedBy: func(_ context.Context, id string) string { return router.ended[id] }}
		k.Use(list)
		return k
	}
	k := keep(nightly(time.UTC, 1, 3, `alertname="BackupSlow"`))
	step := func(after time.Duration, want ...string) {
		t.Helper()
		router.now = router.now.Add(after)
		if err := k.Keep(t.Context(), router.now); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range router.View().Silences {
			got = append(got, s.StartsAt.Format("02 15:04")+" to "+s.EndsAt.Format("02 15:04"))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("at %s the silences are %q; want %q", router.now, got, want)
		}
	}
	step(0, "01 01:00 to 01 03:00")
	step(13*time.Hour, "01 01:00 to 01 03:00") // it is open now
	k = keep(nightly(time.UTC, 1, 3, `alertname="BackupSlow"`))
	step(time.Minute, "01 01:00 to 01 03:00") // a restart makes no second one
	step(2*time.Hour, "02 01:00 to 02 03:00")

	s := router.View().Silences[0] // a person cancels tomorrow's
	s.EndsAt = router.now
	_ = router.Put(t.Context(), alerting.Silenced{Silence: s, By: "ann"})
	step(time.Minute)
	k = keep(nightly(time.UTC, 1, 3, `alertname="BackupSlow"`))
	step(time.Minute) // also after a restart
	step(24*time.Hour, "03 01:00 to 03 03:00")

	k.Use([]Recurring{nightly(time.UTC, 2, 4, `alertname="BackupSlow"`)}) // another time, open now
	step(time.Minute, "02 02:00 to 02 04:00")
	k.Use([]Recurring{nightly(time.UTC, 2, 4, `alertname="BackupSlow"`, `cluster="a"`)}) // other alarms
	step(time.Minute, "02 02:00 to 02 04:00")
	if got := router.View().Silences[0].Matchers; len(got) != 2 {
		t.Errorf("matchers %v", got)
	}
	k.Use(nil)
	step(time.Minute)
	k.Use([]Recurring{nightly(time.UTC, 2, 4, `alertname="BackupSlow"`, `cluster="a"`)}) // the configuration's own end is no person's
	step(time.Minute, "02 02:00 to 02 04:00")
}

// The night clocks go back the hour that exists twice is covered twice; the night they go forward the one that does not exist is not.
func TestAWindowFollowsTheClocksOfItsPlace(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	r := nightly(berlin, 2, 3, `alertname="BackupSlow"`)
	for _, tc := range []struct{ from, begins, lasts string }{
		{"2027-10-30T12:00:00Z", "2027-10-31T00:00:00Z", "2h0m0s"},
		{"2027-03-27T12:00:00Z", "2027-03-29T00:00:00Z", "1h0m0s"},
		{"2027-01-01T12:00:00Z", "2027-01-02T01:00:00Z", "1h0m0s"},
	} {
		now, _ := time.Parse(time.RFC3339, tc.from)
		s, ok := r.Next(now, lookAhead)
		if !ok || s.StartsAt.UTC().Format(time.RFC3339) != tc.begins || s.EndsAt.Sub(s.StartsAt).String() != tc.lasts {
			t.Errorf("from %s: %v, %v, %v; want %s for %s", tc.from, ok, s.StartsAt.UTC(), s.EndsAt.Sub(s.StartsAt), tc.begins, tc.lasts)
		}
	}
}

func TestAWindowThatMayNotBe(t *testing.T) {
	always := func(time.Time) bool { return true }
	for name, tc := range map[string]struct {
		r    Recurring
		want string
	}{
		"it covers all":      {nightly(time.UTC, 1, 3, `alertname=~".+"`), "covers everything"},
		"it covers nothing":  {nightly(time.UTC, 1, 3, `a="b"`, `a="c"`), "can match nothing"},
		"it has no matcher":  {nightly(time.UTC, 1, 3), "at least one matcher"},
		"it is always open":  {Recurring{Matchers: nightly(time.UTC, 1, 3, `a="b"`).Matchers, Open: always}, "never closes"},
		"it is what may be":  {nightly(time.UTC, 1, 3, `a="b"`), ""},
		"it is open all day": {nightly(time.UTC, 0, 23, `a="b"`), ""},
	} {
		err := tc.r.Check(time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
}
