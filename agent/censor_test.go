package agent

import (
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

func TestNoAlarmShowsASecret(t *testing.T) {
	var c censor
	sent := alerting.Alarm{
		Labels:      map[string]string{alerting.LabelRule: "ProbeFails", "instance": "https://ann:hunter2@shop.example/"},
		Annotations: map[string]string{"summary": "get https://ann:hunter2@shop.example/?token=abc failed"},
	}
	plain := alerting.Alarm{Labels: map[string]string{alerting.LabelRule: "DiskFull"}}
	in := c.inputs([]alerting.Input{alerting.Firing{Alarm: sent, Sender: "s"}, alerting.Firing{Alarm: plain}, alerting.Ended{Fingerprint: sent.Fingerprint()}})
	shown := in[0].(alerting.Firing)
	if l, a := shown.Alarm.Labels["instance"], shown.Alarm.Annotations["summary"]; l != "https://ann:<secret>@shop.example/" || a != "get https://ann:<secret>@shop.example/?token=<secret> failed" || shown.Sender != "s" {
		t.Errorf("shown are %q and %q", l, a)
	}
	if sent.Labels["instance"] != "https://ann:hunter2@shop.example/" {
		t.Error("the sender's own labels were changed")
	}
	if end := in[2].(alerting.Ended); end.Fingerprint != shown.Alarm.Fingerprint() {
		t.Errorf("its end is of %s; want of %s, which is shown", end.Fingerprint, shown.Alarm.Fingerprint())
	}
	if got := in[1].(alerting.Firing).Alarm.Fingerprint(); got != plain.Fingerprint() || c.shows(got) || !c.shows(shown.Alarm.Fingerprint()) {
		t.Error("an alarm without secrets became another one")
	}
}
