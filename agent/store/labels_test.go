package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// TestASeriesWithTooManyLabelsIsRefusedAlone sends one with as many labels as it may have, and one with a label more.
func TestASeriesWithTooManyLabelsIsRefusedAlone(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Retention: 24 * time.Hour, RetentionSize: 1 << 30, LabelLimit: 20, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now().UnixMilli()
	of := func(name string, n int) prompb.TimeSeries {
		ls := []prompb.Label{{Name: "__name__", Value: name}}
		for i := range n - 1 {
			ls = append(ls, prompb.Label{Name: fmt.Sprintf("l%02d", i), Value: "x"})
		}
		return prompb.TimeSeries{Labels: ls, Samples: []prompb.Sample{{Value: 1, Timestamp: now - 1000}, {Value: 1, Timestamp: now}}}
	}
	body, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{of("most", 20), of("too_many", 21), of("after", 2)}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	w := httptest.NewRecorder()
	s.Handler("v1", func() Rules { return nil }).ServeHTTP(w, req)
	if w.Code != http.StatusNoContent && w.Code != http.StatusOK {
		t.Fatalf("write: %d %s", w.Code, w.Body)
	}
	got, err := s.Instant(t.Context(), `{__name__=~".+"}`, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range got {
		names = append(names, g.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"after", "most"}) {
		t.Errorf("kept %v; want after and most", names)
	}
	if n := s.Stats().Refused["too_many_labels"]; n != 2 {
		t.Errorf("%v samples refused; want 2", n)
	}
}
