package intake

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/navcloud/binnacle/alerting"
)

// Whatever is posted, an alarm that is taken has labels, is bounded and is in time.
func FuzzInput(f *testing.F) {
	f.Add([]byte(`{"labels":{"alertname":"A","":"x","b":""},"annotations":{"summary":"s"},"startsAt":"2026-11-24T03:00:00Z"}`))
	f.Add([]byte(`{"labels":{"a":"\ud800"},"endsAt":"9999-01-01T00:00:00Z","generatorURL":"x"}`))
	f.Add([]byte(`{"labels":{"a":"b"},"startsAt":"9999-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p models.PostableAlert
		if json.Unmarshal(data, &p) != nil {
			return
		}
		now := time.Now()
		in, _, err := input(&p, now)
		firing, ok := in.(alerting.Firing)
		if err != nil || !ok {
			return
		}
		a := firing.Alarm
		if len(a.Labels) == 0 || len(a.Labels) > maxLabels || len(a.Annotations) > maxAnnotations || len(a.Generator) > maxAnnotation || !a.EndsAt.After(now) || a.StartsAt.After(now.Add(resolveTimeout)) {
			t.Errorf("alarm %+v is out of bounds", a)
		}
		for k, v := range a.Labels {
			if v == "" || len(k) > maxName || len(v) > maxLabelValue || !utf8.ValidString(v) || !utf8.ValidString(k) {
				t.Errorf("label %q = %q", k, v)
			}
		}
	})
}
