package intake

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/navcloud/binnacle/alerting"
)

// Whatever is posted, an alarm that is taken has labels, is bounded and is in time; and a batch costs no other.
func FuzzAlarms(f *testing.F) {
	f.Add(`[{"labels":{"alertname":"A","":"x","b":""},"annotations":{"summary":"s"},"startsAt":"2026-11-24T03:00:00Z"}]`)
	f.Add(`[{"labels":{"a":"\ud800"},"endsAt":"9999-01-01T00:00:00Z","generatorURL":"x"},{"labels":{"a":1}}]`)
	f.Add(`[{"labels":{"a":"b"},"startsAt":"9999-01-01T00:00:00Z"},null,[],{"labels":[]},7]`)
	f.Add(`[{"labels":{"a":"]},{\""},"startsAt":1700000000}  ,	{}]`)
	f.Fuzz(func(t *testing.T, text string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(text))
		all, err := readAlarms(w, r)
		if err != nil {
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		b := batch{i: New(Options{}), r: r, now: time.Now(), heard: map[string]bool{}}
		n := 0
		for at, one := range all {
			if at != n || strings.TrimSpace(string(want[n])) != string(one) {
				t.Fatalf("alarm %d is %q, want %q", at, one, want[n])
			}
			n++
			_ = b.add(one)
		}
		if n != len(want) {
			t.Errorf("%d alarms of %d", n, len(want))
		}
		for _, in := range b.in {
			if f, ok := in.(alerting.Firing); ok {
				bounds(t, f.Alarm, b.now)
			}
		}
	})
}

func bounds(t *testing.T, a alerting.Alarm, now time.Time) {
	if len(a.Labels) == 0 || len(a.Labels) > maxLabels || len(a.Annotations) > maxAnnotations || len(a.Generator) > maxAnnotation || !a.EndsAt.After(now) || a.StartsAt.After(now) {
		t.Errorf("alarm %+v is out of bounds", a)
	}
	for k, v := range a.Labels {
		if v == "" || len(k) > maxName || len(v) > maxLabelValue || !utf8.ValidString(v) || !utf8.ValidString(k) {
			t.Errorf("label %q = %q", k, v)
		}
	}
}
