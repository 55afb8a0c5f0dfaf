package alerting

import (
	"errors"
	"fmt"
	"time"
)

// Settings are the waits and limits of a Router. Each wait is bounded, and 0 is legal where it says
// so: then nothing is waited for.
type Settings struct {
	Fleet string `yaml:"fleet"` // first part of every dedup key

	Wait    Waits    `yaml:"wait"`
	Hold    Holds    `yaml:"hold"`
	Resolve Resolves `yaml:"resolve"`
	Flap    Flaps    `yaml:"flap"`
	Start   Starts   `yaml:"start"`
	Storm   Storms   `yaml:"storm"`
	Rate    Rates    `yaml:"rate"`

	CommonMode float64                               `yaml:"common_mode"` // share of a zone's or service's nodes that makes one rule common; 0.3 to 1
	CauseDelay time.Duration                         `yaml:"cause_delay"` // a cause may show this much later than what it explains; 0 to 1h
	HiddenFor  time.Duration                         `yaml:"hidden_for"`  // how long an explained alarm may be hidden before its incident gets a note; 1m to 24h
	ForgetLost time.Duration                         `yaml:"forget_lost"` // an alarm with lost contact leaves the board after; 10m to 720h
	MaxAlarms  int                                   `yaml:"max_alarms"`  // kept at once; user-impact symptoms are never refused for it
	RouteBy    func(labels map[string]string) string `yaml:"-"`           // name of the route of an alarm; nil: all "default"
	// RouteTo goes before RouteBy and LowRoute: the name of the route of an alarm of a priority at a time; empty: theirs holds. nil: theirs alone.
	RouteTo  func(labels map[string]string, p Priority, at time.Time) string `yaml:"-"`
	LowRoute string                                                          `yaml:"-"` // name of the route of what wakes nobody; empty: that of the others
	Read     func(Alarm) Reading                                             `yaml:"-"` // reads alarms whose rules know nothing of ordering; nil: with the defaults of package reading
	NotifyP4 bool                                                            `yaml:"-"` // P4 is notified like P3, and not on the board alone
}

// Waits are before the first trigger, which fixes the title.
type Waits struct {
	SymptomWithCause time.Duration `yaml:"symptom_with_cause"`
	SymptomAlone     time.Duration `yaml:"symptom_alone"`
	CauseAlone       time.Duration `yaml:"cause_alone"`
	Ephemeral        time.Duration `yaml:"ephemeral"` // liveness of a node that its group replaces
	RollUp           time.Duration `yaml:"roll_up"`   // common mode alone, and a part that speaks for its whole: the whole may have a rule
	Foreign          time.Duration `yaml:"foreign"`   // P2 of a rule that knows nothing of ordering; twice that where it reads as an effect
	Low              time.Duration `yaml:"low"`       // P3
	Most             time.Duration `yaml:"most"`      // all of these together, while causes replace each other
}

// Holds are behind another problem of the same on-call.
type Holds struct {
	Connected time.Duration `yaml:"connected"` // P2 behind a P1 it is connected with, at most, or until the acknowledgement
	Unrelated time.Duration `yaml:"unrelated"` // P2 behind any other P1, at most
	P3        time.Duration `yaml:"p3"`        // P3 behind a P1 or P2, at most
	HarmIn    time.Duration `yaml:"harm_in"`   // harm nearer than this is never held
}

// Resolves are about the end.
type Resolves struct {
	Quiet        time.Duration `yaml:"quiet"`         // all quiet for this long; also two steps
	AfterCause   time.Duration `yaml:"after_cause"`   // effects stay explained this long after their cause ended
	AfterAcked   time.Duration `yaml:"after_acked"`   // the same when a person had acknowledged
	ReturnWithin time.Duration `yaml:"return_within"` // what comes back so soon says how often it did
	Reopen       time.Duration `yaml:"reopen"`        // a P1 that a person closed and that a sender still repeats pages again after; 0: never
}

// Flaps say what comes and goes, so that one incident stays open for it.
type Flaps struct {
	Starts int           `yaml:"starts"` // so many starts in a row, each less than Within after the one before
	Within time.Duration `yaml:"within"`
	Quiet  time.Duration `yaml:"quiet"` // without a start for so long it is no flapping any more
}

// Starts are about listening after a restart, where the ledger shows an earlier life.
type Starts struct {
	ListenP1      time.Duration `yaml:"listen_p1"`
	Listen        time.Duration `yaml:"listen"`
	ListenResolve time.Duration `yaml:"listen_resolve"`
}

// Storms are entered at more than Enter raw alarms within Window and left below Leave.
type Storms struct {
	Enter  int           `yaml:"enter"`
	Leave  int           `yaml:"leave"`
	Window time.Duration `yaml:"window"`
	Pace   time.Duration `yaml:"pace"` // between two pages that are not P1, in a storm
}

// Rates bound the calls for each route.
type Rates struct {
	PerMinute int           `yaml:"per_minute"`
	Reserve   int           `yaml:"reserve"`   // of them, for P1 triggers and resolves
	Probe     time.Duration `yaml:"probe"`     // wait after a refusal for being too many
	RetryMax  time.Duration `yaml:"retry_max"` // longest wait after no answer
}

// DefaultSettings are right for most.
// Sources: waits, holds and limits are from the storms that the project measured (BENCHMARKS.md); floods from
// ISA-18.2 and EEMUA 191 (more than 10 alarms in 10 minutes); rates from PagerDuty's Events API v2, about 120 calls a
// minute for each integration key, read August 2026.
func DefaultSettings() Settings {
	return Settings{
		Fleet: "binnacle",
		Wait: Waits{
			SymptomWithCause: 3 * time.Second, SymptomAlone: 15 * time.Second, CauseAlone: 20 * time.Second,
			RollUp: 30 * time.Second, Foreign: 45 * time.Second, Low: time.Minute, Most: time.Minute, Ephemeral: 180 * time.Second,
		},
		Hold:       Holds{Connected: 5 * time.Minute, Unrelated: time.Minute, P3: 30 * time.Minute, HarmIn: 10 * time.Minute},
		Resolve:    Resolves{Quiet: time.Minute, AfterCause: 5 * time.Minute, AfterAcked: 3 * time.Minute, ReturnWithin: 10 * time.Minute, Reopen: 4 * time.Hour},
		Flap:       Flaps{Starts: 2, Within: time.Hour, Quiet: time.Hour},
		Start:      Starts{ListenP1: 10 * time.Second, Listen: 30 * time.Second, ListenResolve: 3 * time.Minute},
		Storm:      Storms{Enter: 10, Leave: 5, Window: 10 * time.Minute, Pace: 30 * time.Second},
		Rate:       Rates{PerMinute: 100, Reserve: 20, Probe: 30 * time.Second, RetryMax: 4 * time.Second},
		CommonMode: 0.6,
		CauseDelay: 5 * time.Minute,
		HiddenFor:  15 * time.Minute,
		ForgetLost: 24 * time.Hour,
		MaxAlarms:  20_000,
	}
}

// Validate says what is out of bounds.
func (s Settings) Validate() error {
	var errs []error
	for _, b := range []struct {
		name      string
		v, lo, hi time.Duration
	}{
		{"wait.symptom_with_cause", s.Wait.SymptomWithCause, 0, time.Minute},
		{"wait.symptom_alone", s.Wait.SymptomAlone, 0, 2 * time.Minute},
		{"wait.cause_alone", s.Wait.CauseAlone, 0, 5 * time.Minute},
		{"wait.ephemeral", s.Wait.Ephemeral, 0, 30 * time.Minute},
		{"wait.roll_up", s.Wait.RollUp, 0, 5 * time.Minute},
		{"wait.foreign", s.Wait.Foreign, 0, 5 * time.Minute},
		{"wait.low", s.Wait.Low, 0, 30 * time.Minute},
		{"wait.most", s.Wait.Most, 0, 10 * time.Minute},
		{"hold.connected", s.Hold.Connected, 0, 15 * time.Minute},
		{"hold.unrelated", s.Hold.Unrelated, 0, 5 * time.Minute},
		{"hold.p3", s.Hold.P3, 0, 4 * time.Hour},
		{"hold.harm_in", s.Hold.HarmIn, 0, time.Hour},
		{"resolve.quiet", s.Resolve.Quiet, 0, 10 * time.Minute},
		{"resolve.after_cause", s.Resolve.AfterCause, 0, 30 * time.Minute},
		{"resolve.after_acked", s.Resolve.AfterAcked, 0, 30 * time.Minute},
		{"resolve.return_within", s.Resolve.ReturnWithin, 0, 24 * time.Hour},
		{"resolve.reopen", s.Resolve.Reopen, 0, 24 * time.Hour},
		{"cause_delay", s.CauseDelay, 0, time.Hour},
		{"flap.within", s.Flap.Within, time.Minute, time.Hour},
		{"flap.quiet", s.Flap.Quiet, time.Minute, 4 * time.Hour},
		{"start.listen_p1", s.Start.ListenP1, 0, time.Minute},
		{"start.listen", s.Start.Listen, 0, 5 * time.Minute},
		{"start.listen_resolve", s.Start.ListenResolve, 0, 15 * time.Minute},
		{"storm.window", s.Storm.Window, time.Minute, time.Hour},
		{"storm.pace", s.Storm.Pace, 0, 5 * time.Minute},
		{"rate.probe", s.Rate.Probe, time.Second, 5 * time.Minute},
		{"rate.retry_max", s.Rate.RetryMax, time.Second, time.Minute},
		{"hidden_for", s.HiddenFor, time.Minute, 24 * time.Hour},
		{"forget_lost", s.ForgetLost, 10 * time.Minute, 720 * time.Hour},
	} {
		if b.v < b.lo || b.v > b.hi {
			errs = append(errs, fmt.Errorf("%s: %v is outside %v to %v", b.name, b.v, b.lo, b.hi))
		}
	}
	for _, b := range []struct {
		name      string
		v, lo, hi int
	}{
		{"flap.starts", s.Flap.Starts, 2, 100},
		{"storm.enter", s.Storm.Enter, 2, 10_000},
		{"storm.leave", s.Storm.Leave, 1, s.Storm.Enter},
		{"rate.per_minute", s.Rate.PerMinute, 2, 10_000},
		{"rate.reserve", s.Rate.Reserve, 1, max(1, s.Rate.PerMinute-1)},
		{"max_alarms", s.MaxAlarms, 100, 1_000_000},
	} {
		if b.v < b.lo || b.v > b.hi {
			errs = append(errs, fmt.Errorf("%s: %d is outside %d to %d", b.name, b.v, b.lo, b.hi))
		}
	}
	if s.CommonMode < 0.3 || s.CommonMode > 1 {
		errs = append(errs, fmt.Errorf("common_mode: %v is outside 0.3 to 1", s.CommonMode))
	}
	if s.Fleet == "" || len(s.Fleet) > 64 {
		errs = append(errs, errors.New("fleet: want 1 to 64 characters"))
	}
	return errors.Join(errs...)
}
