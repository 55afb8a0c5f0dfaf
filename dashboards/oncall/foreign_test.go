package oncall

import (
	"reflect"
	"testing"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

func TestWhatOthersSayOfTheirEvidence(t *testing.T) {
	const arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders db/CPU"
	for name, tc := range map[string]struct {
		alarm alerting.Alarm
		want  foreign
	}{
		"CloudWatch": {
			alerting.Alarm{Labels: map[string]string{"alarm_arn": arn}, Annotations: map[string]string{
				"summary": "CPU", "reason": "Threshold Crossed: 1 datapoint [98.2 (30/11/26 14:02:00)] was greater than the threshold (90.0).",
			}},
			foreign{
				Value: "98.2", Words: []string{"Threshold Crossed: 1 datapoint [98.2 (30/11/26 14:02:00)] was greater than the threshold (90.0)."},
				Links: []dashboards.Link{{Path: "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/orders%20db%2FCPU", Label: "Open in CloudWatch"}},
			},
		},
		"Nagios": {
			alerting.Alarm{Annotations: map[string]string{"output": "and more", "perfdata": `'load 1'=12.3;5;10;0; load5=4 odd`}},
			foreign{Words: []string{"and more"}, Figures: [][2]string{{"load 1", "12.3, warning at 5, critical at 10"}, {"load5", "4"}}},
		},
		"Prometheus": {
			alerting.Alarm{Generator: "https://prom.example/graph?g0.expr=up", Annotations: map[string]string{"value": "0.97", "description": "Title", "message": "Disk fills"}},
			foreign{Value: "0.97", Words: []string{"Disk fills"}, Links: []dashboards.Link{{Path: "https://prom.example/graph?g0.expr=up", Label: "Open its graph"}}},
		},
		"an address that runs": {alerting.Alarm{Generator: "javascript:alert(1)", Labels: map[string]string{"alarm_arn": "arn:aws:cloudwatch:x.evil/:1:alarm:a"}}, foreign{}},
		"nothing":              {alerting.Alarm{}, foreign{}},
	} {
		if got := foreignOf(tc.alarm, "Title"); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
