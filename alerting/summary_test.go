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
