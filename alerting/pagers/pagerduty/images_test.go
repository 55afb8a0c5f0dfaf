package pagerduty

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

// TestEvidenceInAnEvent looks where evidence and its picture stand in what is sent.
func TestEvidenceInAnEvent(t *testing.T) {
	p := alerting.Page{
		Priority: alerting.P1, Sentence: "Split", Rule: "Split", Changed: []string{"deploy of x"}, Reason: "users",
		Evidence: "481. The alarm fires above 50.", Chart: "https://board.example/charts/a.png?sig=1",
	}
	e := trigger(alerting.Action{Key: "k", Page: p}, "key", false, "binnacle", "https://board.example")
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if want := `"images":[{"src":"https://board.example/charts/a.png?sig=1","href":"https://board.example/problems/k","alt":"481. The alarm fires above 50."}]`; !strings.Contains(text, want) {
		t.Errorf("the event lacks %s:\n%s", want, text)
	}
	last := 0
	for _, part := range []string{`"changed":`, `"evidence":"481. `, `"priority":`} {
		at := strings.Index(text, part)
		if at < last {
			t.Errorf("%s stands at %d, want it after what came before (%d):\n%s", part, at, last, text)
		}
		last = at
	}
	if p.Chart = "http://board.example/x.png"; images(p, "") != nil {
		t.Error("a picture without https is sent: PagerDuty would refuse it")
	}
	if !strings.Contains(Text(p), "evidence  481. The alarm") {
		t.Errorf("the text lacks its evidence:\n%s", Text(p))
	}
}
