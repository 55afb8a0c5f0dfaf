package store

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/agent/query"
)

// TestWhatAQueryMakesRoomForIsBounded asks what is short and costs gigabytes before a sample is read, and beside each what is as
// large as people ask.
func TestWhatAQueryMakesRoomForIsBounded(t *testing.T) {
	s := open(t)
	for _, tc := range []struct {
		name, promql string
		span         time.Duration // 0: at one time
		want         string        // "": it is answered
	}{
		{"a month by minutes", `max_over_time(vector(1)[30d:1m])`, 0, ""},
		{"30 years by seconds", `count_over_time(vector(1)[30y:1s])`, 0, "946080000 steps"},
		{"a day by milliseconds", `count_over_time(vector(1)[1d:1ms])`, 0, "too many samples"},
		{"the inner of two", `max_over_time(max_over_time(vector(1)[1m:1s])[30d:1d])`, 0, "2592060 steps"},
		{"over a long time", `max_over_time(vector(1)[1h:1s])`, 10_000 * time.Hour, "too many samples"},
		{"a step that is not said", `max_over_time(vector(1)[30y:])`, 0, "15768000 steps"},
		{"labels, as people join them", `label_join(label_replace(vector(1), "a", "$1-$2", "b", "(.*):(.*)"), "c", "/", "a", "b", "d")`, 0, ""},
		{"labels that double and double", `label_replace(` + strings.Repeat(`label_replace(`, 6) + `vector(1)` + strings.Repeat(`, "a", "$1$1", "a", "(.*)")`, 7), 0, "64 times"},
		{"labels joined with themselves", `label_join(label_join(vector(1),"a","","b"` + strings.Repeat(`,"a"`, 10) + `),"a",""` + strings.Repeat(`,"a"`, 10) + `)`, 0, "64 times"},
	} {
		var err error
		if now := time.Now(); tc.span == 0 {
			_, err = s.Instant(t.Context(), tc.promql, now)
		} else {
			_, err = s.Range(t.Context(), tc.promql, now.Add(-tc.span), now, tc.span/100)
		}
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v; want %q", tc.name, err, tc.want)
		}
	}
}

// TestTheSeriesOfAQueryAreBounded counts those of all its selectors together.
func TestTheSeriesOfAQueryAreBounded(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Retention: time.Hour, RetentionSize: 1 << 30, Query: query.Config{Timeout: time.Minute, MaxSamples: 40}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	app := s.Appendable().AppenderV2(t.Context())
	for _, l := range "abcdef" {
		if _, err := app.Append(0, labels.FromStrings("__name__", "up", "l", string(l)), 0, time.Now().UnixMilli(), 1, nil, nil, storage.AOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	for promql, fits := range map[string]bool{"sum(up)": true, "sum(up) + sum(up)": false, `sum(up) + sum(up{l=~"[a-d]"})`: true} {
		_, err := s.Instant(t.Context(), promql, time.Now())
		if fits && err != nil || !fits && (err == nil || !strings.Contains(err.Error(), "more than 10 series")) {
			t.Errorf("%s: %v; want that it fits: %v", promql, err, fits)
		}
	}
}

// TestAHistogramOfTooManyBucketsIsRefusedAlone sends one of half a million, which a query would copy at each step.
func TestAHistogramOfTooManyBucketsIsRefusedAlone(t *testing.T) {
	s := open(t)
	app := s.Appendable().AppenderV2(t.Context())
	now := time.Now().UnixMilli()
	for name, n := range map[string]int{"small": 160, "huge": 500_000} {
		h := &histogram.Histogram{Count: uint64(n), Sum: 1, PositiveSpans: []histogram.Span{{Length: uint32(n)}}, PositiveBuckets: make([]int64, n)}
		h.PositiveBuckets[0] = 1
		if _, err := app.Append(0, labels.FromStrings("__name__", name), 0, now, 0, h, nil, storage.AOptions{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Instant(t.Context(), `count({__name__=~"small|huge"})`, time.UnixMilli(now))
	if err != nil || len(got) != 1 || got[0].Points[0].V != 1 {
		t.Errorf("kept %v, %v; want the small one", got, err)
	}
	if n := s.Stats().Refused["too_many_buckets"]; n != 1 {
		t.Errorf("%v samples refused; want 1", n)
	}
}
