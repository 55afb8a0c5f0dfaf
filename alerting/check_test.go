package alerting

import (
	"strings"
	"testing"
	"time"
)

func TestCheckFindsWhatMustNeverBe(t *testing.T) {
	p := func(state State, pr Priority, more ...func(*ProblemView)) ProblemView {
		v := ProblemView{ID: "p1", State: state, Priority: pr, Root: Alarm{Labels: map[string]string{LabelRule: "Disk"}}, AckedBy: "ann", SilencedBy: "bob"}
		for _, m := range more {
			m(&v)
		}
		return v
	}
	key := func(v *ProblemView) { v.Key = "k:1" }
	for name, tc := range map[string]struct {
		problems []ProblemView
		fault    string
	}{
		"all is well":              {[]ProblemView{p(Paged, P1, key), p(AckedState, P2), p(SilencedState, P2), p(Held, P2), p(Recovering, P1)}, ""},
		"it fires and is resolved": {[]ProblemView{p(Recovering, P2, func(v *ProblemView) { v.Awake = true })}, "fires and is to be resolved"},
		"acknowledged by nobody":   {[]ProblemView{p(AckedState, P2, func(v *ProblemView) { v.AckedBy = "" })}, "acknowledged by nobody"},
		"silenced by nobody":       {[]ProblemView{p(SilencedState, P2, func(v *ProblemView) { v.SilencedBy = "" })}, "silenced by nobody"},
		"a P1 waits":               {[]ProblemView{p(Held, P1)}, "a P1 waits"},
		"two share an incident":    {[]ProblemView{p(Paged, P1, key), p(Paged, P2, key)}, "is also that of"},
		"a digest is one of many":  {[]ProblemView{p(Paged, P3, key), p(Paged, P3, key)}, ""},
		"a P1 behind nothing open": {[]ProblemView{p(Board, P4, func(v *ProblemView) { v.Explained = []ExplainedAlarm{{Priority: P1, Why: "both are on h1"}} })}, "hides the P1"},
		"an alarm hidden unsaid":   {[]ProblemView{p(Paged, P2, func(v *ProblemView) { v.Explained = []ExplainedAlarm{{Priority: P4}} })}, "nothing says why"},
		"a P1 that somebody silenced": {[]ProblemView{p(SilencedState, P4, func(v *ProblemView) {
			v.Explained = []ExplainedAlarm{{Priority: P1, Silenced: true, Why: "both are on h1"}}
		})}, ""},
	} {
		err := View{Problems: tc.problems}.Check()
		if (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
			t.Errorf("%s: Check = %v; want %q", name, err, tc.fault)
		}
	}
}

// Each state of a problem reads as a sentence of its own.
func TestWhySaysWhereAProblemStands(t *testing.T) {
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		p    ProblemView
		want string
	}{
		{ProblemView{State: Waiting, Until: now.Add(5 * time.Second)}, "waits for at most 5s more for its cause or effects to show"},
		{ProblemView{State: Held, Until: now.Add(time.Minute)}, "is held behind a worse problem for at most 1m0s more"},
		{ProblemView{State: Held, AckedBy: "ann"}, "is held behind a worse problem, and ann has acknowledged it already"},
		{ProblemView{State: Paged, Key: "k:1"}, "was paged as k:1"},
		{ProblemView{State: AckedState, Key: "k:1", AckedBy: "ann"}, "was paged as k:1 and acknowledged by ann"},
		{ProblemView{State: Sending, Key: "k:1"}, "is being sent: the pager has not accepted it yet"},
		{ProblemView{State: LostState, Key: "k:1"}, "was paged as k:1, and contact with its sender is lost"},
		{ProblemView{State: ClosedState, Key: "k:1"}, "was closed at the pager and still fires"},
		{ProblemView{State: Recovering, Key: "k:1", Until: now.Add(time.Minute)}, "is recovering for at most 1m0s more before it resolves"},
		{ProblemView{State: SilencedState, SilencedBy: "bob", Until: now.Add(time.Hour)}, "is silenced by bob for at most 1h0m0s more"},
		{ProblemView{State: SilencedState}, "is silenced by a person"},
		{ProblemView{State: Board}, "is on the board only"},
	} {
		tc.p.Priority, tc.p.Reason, tc.p.Root = P2, "it is one of 3 in cluster:db, which can spare 1 and has lost 1", Alarm{Labels: map[string]string{LabelRule: "DiskFull", "instance": "db-1:9100"}}
		got, want := View{At: now, Problems: []ProblemView{tc.p}}.Why("DiskFull"), "DiskFull on db-1:9100 is P2 and "+tc.want+": "+tc.p.Reason+"."
		if got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestWhyNotIsSaidOfTheView(t *testing.T) {
	alarm := func(rule string) Alarm {
		return Alarm{Labels: map[string]string{LabelRule: rule, LabelEntity: "on-" + rule}}
	}
	a, b, c := alarm("A"), alarm("B"), alarm("C")
	v := View{Problems: []ProblemView{
		{ID: "p1", Root: a, Explained: []ExplainedAlarm{{Alarm: c}}, Refused: []Refusal{{a.Fingerprint(), b.Fingerprint(), "it began too long after it"}}},
		{ID: "p2", Root: b},
	}}
	for _, tc := range []struct{ a, b, want string }{
		{"A", "B", "A is not explained by B: it began too long after it."},
		{"B", "A", "B is not explained by A: nothing ties on-A to on-B."},
		{"C", "A", "C is explained by A."},
		{"C", "B", "C is explained by A, which is the better cause."},
		{"B", "C", "C is itself explained by A. B is not explained by A: nothing ties on-A to on-B."},
		{"A", "p1", "Both are one alarm."},
		{"A", "gone", ""},
	} {
		if got := v.WhyNot(tc.a, tc.b); got != tc.want {
			t.Errorf("why %s not %s: %q; want %q", tc.a, tc.b, got, tc.want)
		}
	}
}
