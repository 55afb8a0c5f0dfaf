package intake

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/reading"
)

func TestHeartbeatConfig(t *testing.T) {
	for name, tc := range map[string]struct {
		c    HeartbeatConfig
		want string
	}{
		"every":             {HeartbeatConfig{Every: 24 * time.Hour, Grace: time.Hour, Max: 2 * time.Hour, Priority: "P3"}, ""},
		"cron":              {HeartbeatConfig{Cron: "0 3 * * *", Location: "Europe/Dublin"}, ""},
		"cron by name":      {HeartbeatConfig{Cron: "@daily"}, ""},
		"an alarm":          {HeartbeatConfig{Alarm: true}, ""},
		"neither":           {HeartbeatConfig{}, "want every"},
		"both":              {HeartbeatConfig{Every: time.Hour, Cron: "@daily"}, "have both"},
		"too often":         {HeartbeatConfig{Every: time.Second}, "every: 1s is outside"},
		"cron of six":       {HeartbeatConfig{Cron: "0 0 3 * * *"}, "cron:"},
		"no such zone":      {HeartbeatConfig{Cron: "0 3 * * *", Location: "Europe/Atlantis"}, "location:"},
		"a zone for nought": {HeartbeatConfig{Every: time.Hour, Location: "UTC"}, "it is the time zone of cron"},
		"a long grace":      {HeartbeatConfig{Every: time.Hour, Grace: 8 * 24 * time.Hour}, "grace:"},
		"a priority":        {HeartbeatConfig{Every: time.Hour, Priority: "high"}, "want P1 to P5"},
		"an id":             {HeartbeatConfig{Every: time.Hour, ID: "backup"}, "want a UUID"},
	} {
		err := tc.c.Validate()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	two := Config{Heartbeats: map[string]HeartbeatConfig{"a": {ID: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, "b": {ID: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}}}
	if err := two.Validate(); err == nil || !strings.Contains(err.Error(), "a and b have one id") {
		t.Errorf("two of one id: %v", err)
	}
}

// clock plays heartbeats minute by minute and keeps which rules fire.
type clock struct {
	h     *Heartbeats
	at    time.Time
	fires map[string]alerting.Alarm
}

func newClock(by map[string]HeartbeatConfig, known []Beat, at time.Time) *clock {
	return &clock{h: NewHeartbeats(by, known, at), at: at, fires: map[string]alerting.Alarm{}}
}

func (c *clock) pass(d time.Duration) string {
	for end := c.at.Add(d); ; {
		in, next := c.h.Due(c.at)
		for _, i := range in {
			switch i := i.(type) {
			case alerting.Firing:
				c.fires[i.Alarm.Fingerprint()] = i.Alarm
			case alerting.Ended:
				delete(c.fires, i.Fingerprint)
			}
		}
		if next.IsZero() || next.After(end) {
			next = end
		}
		if !c.at.Before(end) {
			break
		}
		c.at = next
	}
	var rules []string
	for _, a := range c.fires {
		rules = append(rules, a.Rule())
	}
	return strings.Join(rules, " ")
}

func TestHeartbeats(t *testing.T) {
	begin := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	backup := map[string]HeartbeatConfig{"backup": {Every: 24 * time.Hour, Grace: time.Hour, Max: 2 * time.Hour, Priority: "P2"}}
	check := func(t *testing.T, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("fires %q, want %q", got, want)
		}
	}
	t.Run("never heard", func(t *testing.T) {
		c := newClock(backup, nil, begin)
		check(t, c.pass(24*time.Hour+59*time.Minute), "")
		check(t, c.pass(2*time.Minute), RuleMissing)
		for _, a := range c.fires {
			if a.Labels["priority"] != "P2" || a.Labels["entity"] != "job:backup" || !strings.Contains(a.Annotations["summary"], "never heard since 24 Nov 02:00 UTC") {
				t.Errorf("%v", a)
			}
		}
		c.h.Ping("backup", Success, "", c.at)
		check(t, c.pass(time.Minute), "")
	})
	t.Run("fails, and runs too long", func(t *testing.T) {
		c := newClock(backup, nil, begin)
		c.h.Ping("backup", Fail, "exit code 3", c.at)
		check(t, c.pass(time.Minute), RuleFailed)
		c.h.Ping("backup", Start, "", c.at)
		check(t, c.pass(119*time.Minute), RuleFailed)
		c.h.Ping("backup", Success, "", c.at)
		check(t, c.pass(time.Minute), "")
		c.h.Ping("backup", Start, "", c.at)
		check(t, c.pass(121*time.Minute), RuleOverdue)
	})
	t.Run("by cron, when clocks change", func(t *testing.T) {
		c := newClock(map[string]HeartbeatConfig{"b": {Cron: "0 3 * * *", Location: "Europe/Dublin", Grace: time.Hour}}, nil, time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC))
		c.h.Ping("b", Success, "", c.at)
		check(t, c.pass(15*time.Hour+59*time.Minute), "") // 03:00 on 25 October is 03:00 UTC: it was 02:00 UTC the day before
		check(t, c.pass(2*time.Minute), RuleMissing)
	})
	t.Run("remembered, and not blamed for our own absence", func(t *testing.T) {
		c := newClock(backup, nil, begin)
		c.h.Ping("backup", Success, "", c.at)
		kept := c.h.Beats()
		c = newClock(backup, kept, begin.Add(20*time.Hour))
		check(t, c.pass(4*time.Hour), "")
		check(t, c.pass(2*time.Hour), RuleMissing)
		c = newClock(backup, kept, begin.Add(48*time.Hour)) // it was due while nobody listened
		check(t, c.pass(59*time.Minute), "")
		check(t, c.pass(2*time.Minute), RuleMissing)
	})
	t.Run("an unknown name", func(t *testing.T) {
		if newClock(backup, nil, begin).h.Ping("other", Success, "", begin) {
			t.Error("it was taken")
		}
	})
}

func TestASenderThatFallsSilent(t *testing.T) {
	begin := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	dog := func(replica string) alerting.Alarm {
		return alerting.Alarm{Labels: map[string]string{"alertname": "Watchdog", "severity": "none", "prometheus": "monitoring/k8s", "prometheus_replica": replica}}
	}
	c := newClock(nil, nil, begin)
	if got := c.pass(time.Hour); got != "" {
		t.Errorf("%s, though none was ever heard", got)
	}
	send := func(replicas ...string) {
		for _, r := range replicas {
			a := dog(r)
			c.h.Fires(a, SenderIdentity(a, reading.ReplicaLabels()), "prom-"+r, c.at)
		}
	}
	for range 10 {
		send("a", "b")
		c.pass(time.Minute)
	}
	for range 10 { // one of the pair dies
		send("a")
		if got := c.pass(time.Minute); got != "" {
			t.Fatalf("%s, though one of the pair sends", got)
		}
	}
	if got := c.pass(3 * time.Minute); got != "" {
		t.Errorf("%s after 4 minutes", got)
	}
	if got := c.pass(3 * time.Minute); got != RuleSilent {
		t.Errorf("%q after 7 minutes, want one %s", got, RuleSilent)
	}
	for _, a := range c.fires {
		if a.Labels["priority"] != "P2" || !strings.Contains(a.Annotations["summary"], "monitoring/k8s sends no alarms: no Watchdog since") {
			t.Errorf("%v", a)
		}
	}
	c = newClock(nil, c.h.Beats(), c.at) // after a restart it is missed still
	if got := c.pass(6 * time.Minute); got != RuleSilent {
		t.Errorf("%q after a restart, want %s", got, RuleSilent)
	}
	send("b")
	if got := c.pass(time.Minute); got != "" {
		t.Errorf("%s, though it sends again", got)
	}
}

func TestPings(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Heartbeats: map[string]HeartbeatConfig{"job": {Every: time.Hour}, "fixed": {Every: time.Hour, ID: "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"}}}
		b := newBoard()
		open := func() *Intake { return New(Options{Put: b.put, View: b.view, Config: cfg, Folder: dir}) }
		i := open()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = i.Run(ctx) }()
		synctest.Wait()
		h := muxOf(i)
		path := i.Heartbeats()[1].Path
		for _, c := range []struct {
			method, path, body string
			code               int
		}{
			{"GET", path + "/start", "", 200},
			{"POST", path + "/7", "disk full\n", 200},
			{"GET", path + "/300", "", 400},
			{"GET", path + "/no", "", 400},
			{"GET", "/ping/00000000-0000-8000-8000-000000000000", "", 404},
			{"HEAD", "/ping/6ba7b810-9dad-11d1-80b4-00c04fd430c8", "", 200},
			{"POST", PathHeartbeat, `{"name":"fixed"}`, 202},
			{"POST", PathHeartbeat, `{"name":"none"}`, 404},
			{"POST", PathHeartbeat, `{"name":"job","state":"late"}`, 400},
		} {
			if code, text := call(t, h, c.method, c.path, c.body); code != c.code {
				t.Errorf("%s %s: %d %s, want %d", c.method, c.path, code, text, c.code)
			}
		}
		synctest.Wait()
		if b.count() != 1 {
			t.Fatalf("%d alarms, want that the job failed", b.count())
		}
		for _, a := range b.alarms {
			if got := a.Annotations["summary"]; got != "job failed: exit code 7: disk full" {
				t.Errorf("summary %q", got)
			}
		}
		cancel()
		<-ended
		i = open()
		if got := i.Heartbeats(); got[1].Path != path || got[1].Failed.IsZero() || !got[0].Heard {
			t.Errorf("after a restart %+v, want the same address and the failure", got)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, beatsFile), []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var told []damage.Report
	openPings(nil, nil, dir, time.Now(), func(r damage.Report) { told = append(told, r) })
	if len(told) != 1 || !strings.HasPrefix(filepath.Base(told[0].Aside), "heartbeats.json.damaged") {
		t.Errorf("a damaged file: told %+v", told)
	}
	if info, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", fmt.Sprint(info), err)
	}
}

// TestAKeyThatIsDamagedIsToldOrMended changes the key's file in every way that a disk does: as long as one of its two copies is sound
// the addresses stay, else it is told that they are others.
func TestAKeyThatIsDamagedIsToldOrMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), keyFile)
	key := bytes.Repeat([]byte("k"), keySize)
	whole := keyText(key)
	read := func(text []byte) (got []byte, told int) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		p := openPings(nil, nil, filepath.Dir(path), time.Now(), func(damage.Report) { told++ })
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, keyText(p.key)) {
			t.Errorf("left %x, %v; want the key in use, twice", left, err)
		}
		return p.key, told
	}
	both := slices.Clone(whole)
	both[3], both[50] = both[3]^1, both[50]^1
	for name, tc := range map[string]struct {
		text []byte
		told int
	}{
		"whole": {whole, 0}, "of before there were checksums": {key, 0}, "the first copy alone": {whole[:40], 0}, "cut to 36 bytes": {whole[:36], 0}, "more behind it": {append(slices.Clone(whole), "junk"...), 0},
		"empty": {nil, 1}, "cut to 20 bytes": {whole[:20], 1}, "both copies damaged": {both, 1}, "of something else": {bytes.Repeat([]byte("x"), 72), 1},
	} {
		if got, told := read(tc.text); told != tc.told || bytes.Equal(got, key) != (tc.told == 0) {
			t.Errorf("%s: key %x, told %d times; want %d, and the key when it was not told", name, got, told, tc.told)
		}
	}
	for i := range 8 * len(whole) {
		text := slices.Clone(whole)
		text[i/8] ^= 1 << (i % 8)
		if got, told := read(text); told != 0 || !bytes.Equal(got, key) {
			t.Fatalf("bit %d: key %x, told %d times; want the other copy", i, got, told)
		}
	}
}
