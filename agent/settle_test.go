package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
)

// After a restart nobody tells the end of an alarm that no rule had raised: the agent that could raise it again must.
func TestWhatNoRuleRaisedEndsAfterARestart(t *testing.T) {
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf("data: %s\nlisten: %s\nnode: {name: n}\nrules: off\n", t.TempDir(), testport.Free(t))))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Hooks{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(a.web.close(), a.folder.close()); err != nil {
			t.Error(err)
		}
	}()
	about := func(rule, entity string) alerting.Alarm {
		return alerting.Alarm{Labels: map[string]string{alerting.LabelRule: rule, alerting.LabelEntity: entity}}
	}
	rec := alerting.Record{Page: alerting.Page{Explained: []alerting.Alarm{
		about(ruleHistory, "host:n"), about(dispatch.RuleLedger, "host:n"), about(ruleHistory, "host:other"), about("Theirs", "host:n"),
	}}}
	want := []alerting.Input{
		alerting.Ended{Fingerprint: rec.Page.Explained[0].Fingerprint()}, alerting.Ended{Fingerprint: rec.Page.Explained[1].Fingerprint()},
	}
	if got, _ := a.over([]alerting.Record{rec}, settleAfter); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("over are %v; want %v: those of this node that no rule raises", got, want)
	}
	a.history.step(time.Now(), errors.New("no space left on device"), false)
	if got, _ := a.over([]alerting.Record{rec}, settleAfter); len(got) != 1 || got[0] != want[1] {
		t.Errorf("while the history is not written over are %v; want the ledger's alone", got)
	}
}

// What its rule keeps firing ends no sooner than that, counted from the start: when its condition was true last is not known.
func TestWhatARuleKeepsFiringIsSettledLater(t *testing.T) {
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf("data: %s\nlisten: %s\nnode: {name: n}\nrules: off\n", t.TempDir(), testport.Free(t))))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Hooks{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(a.web.close(), a.folder.close()); err != nil {
			t.Error(err)
		}
	}()
	rec := alerting.Record{Page: alerting.Page{Explained: []alerting.Alarm{{
		Labels:      map[string]string{alerting.LabelRule: ruleHistory, alerting.LabelEntity: "host:n"},
		Annotations: map[string]string{alerting.AnnotationKeeps: "10m0s"},
	}}}}
	if over, next := a.over([]alerting.Record{rec}, settleAfter); len(over) != 1 || next != 0 {
		t.Errorf("of an alarm of no rule: %v, again after %v; want its end: no rule keeps it", over, next)
	}
}
