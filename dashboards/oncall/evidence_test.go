package oncall

import (
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

func TestSubjectOf(t *testing.T) {
	for name, tc := range map[string]struct {
		labels        map[string]string
		node, cluster string
	}{
		"its own node":              {map[string]string{"node": "a", "instance": "b:9100"}, "a", ""},
		"the entity's":              {map[string]string{"entity": "host:a"}, "a", ""},
		"a cluster":                 {map[string]string{"entity": "cluster:c"}, "", "c"},
		"as an exporter names it":   {map[string]string{"instance": "web1:9100"}, "web1", ""},
		"as Nagios names it":        {map[string]string{"host": "db-1"}, "db-1", ""},
		"nothing that is a machine": {map[string]string{"queue": "q"}, "", ""},
	} {
		got := subjectOf(alerting.Alarm{Labels: tc.labels})
		if got["node"] != tc.node || got["cluster"] != tc.cluster {
			t.Errorf("%s: %v, want node %q and cluster %q", name, got, tc.node, tc.cluster)
		}
	}
}
