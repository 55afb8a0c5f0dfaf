package alerting

import "testing"

func TestASummaryHasNoEmptyBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"Redis missing master (instance )":         "Redis missing master",
		"Redis missing master (instance )\n":       "Redis missing master",
		"Redis down (instance 10.0.0.4:9121)":      "Redis down (instance 10.0.0.4:9121)",
		"Queue (vhost: ) is full":                  "Queue is full",
		"Queue () is full":                         "Queue is full",
		"Ring of riak-2 (instance=) is behind ( )": "Ring of riak-2 is behind",
		"close() failed":                           "close() failed",
		"12 of 14 (86 %) are down":                 "12 of 14 (86 %) are down",
		"":                                         "Rule",
	} {
		a := Alarm{Labels: map[string]string{LabelRule: "Rule"}, Annotations: map[string]string{AnnotationSummary: text}}
		if got := a.Summary(); got != want {
			t.Errorf("%q reads %q, want %q", text, got, want)
		}
	}
}

// What Why names an alarm by is understood again, also of one that its problem explains.
func TestWhatIsShownIsUnderstood(t *testing.T) {
	one := Alarm{Labels: map[string]string{"alertname": "DiskFull", "instance": "web1:9100"}}
	two := Alarm{Labels: map[string]string{"alertname": "DiskFull", "instance": "web2:9100"}}
	v := View{Problems: []ProblemView{{
		ID: "p1", Root: one, Page: Page{Entity: "host:web1"}, Explained: []ExplainedAlarm{{Alarm: two, Why: "one rule"}},
	}}}
	for name, want := range map[string]int{
		"WEB2:9100": 1, "web1:9100": 1, "HOST:web1": 1, "diskfull": 2, "p1": 1, two.Fingerprint(): 1, "web3": 0, "": 0,
	} {
		if got := v.Meant(name); len(got) != want || (v.Why(name) == "") != (want == 0) {
			t.Errorf("%q means %v, and Why says %q; want %d alarms", name, got, v.Why(name), want)
		}
	}
}
