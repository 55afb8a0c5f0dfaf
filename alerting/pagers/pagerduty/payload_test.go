package pagerduty

import (
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

func TestOneAlarmIsNotAlarms(t *testing.T) {
	a := alerting.Alarm{Labels: map[string]string{alerting.LabelRule: "A"}}
	for n, want := range map[int]string{1: "", 2: "explains  1 alarm: 1 A", 3: "explains  2 alarms: 2 A"} {
		p := alerting.Page{Priority: alerting.P1, Sentence: "s"}
		for range n {
			p.Explained = append(p.Explained, a)
		}
		if got := Text(p); want == "" && strings.Contains(got, "explains") || !strings.Contains(got, want) {
			t.Errorf("the text of %d alarms is\n%s\nwant in it %q", n, got, want)
		}
	}
}
