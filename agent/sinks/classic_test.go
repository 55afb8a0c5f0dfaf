package sinks_test

import (
	"math"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

// TestAReceiverWithoutNativeHistogramsGetsClassicOnes sends a distribution and a gauge to receivers of both versions that refuse a
// request for a native histogram.
func TestAReceiverWithoutNativeHistogramsGetsClassicOnes(t *testing.T) {
	for name, only1 := range map[string]bool{"version 1": true, "version 2": false} {
		t.Run(name, func(t *testing.T) {
			fake := sinkstest.NewRemoteWrite()
			fake.Only1, fake.NoNative = only1, true
			s := newRemoteWrite(t, fake)
			h := &metric.Histogram{}
			for _, v := range []float64{-1, 0, 0.0003, 0.2, 0.2, 7, 20_000} {
				h.Observe(v, 1)
			}
			now := time.Now()
			samples := []metric.Sample{
				{Desc: &metric.Desc{Name: "up"}, Time: now, Value: 1},
				{Desc: &metric.Desc{Name: "get", Kind: metric.Distribution, Unit: metric.Seconds}, Labels: metric.L("route", "/"), Time: now, Hist: h},
			}
			for range 2 {
				if err := s.Write(t.Context(), samples); err != nil {
					t.Fatal(err)
				}
			}
			if n := fake.Requests(); n > 4 {
				t.Errorf("%d requests; want no further try with native histograms", n)
			}
			got := map[string]float64{}
			for _, g := range fake.Samples() {
				if g.Histogram {
					t.Errorf("a native histogram: %v", g)
				}
				if g.Name() != "up" && g.Labels["route"] != "/" {
					t.Errorf("labels %v; want those of the series", g.Labels)
				}
				got[g.Name()+g.Labels["le"]] = g.Value
			}
			for name, want := range map[string]float64{
				"up": 1, "get_seconds_bucket0.0001": 2, "get_seconds_bucket0.0005": 3, "get_seconds_bucket0.1": 3, "get_seconds_bucket0.25": 5,
				"get_seconds_bucket10": 6, "get_seconds_bucket10000": 6, "get_seconds_bucket+Inf": 7, "get_seconds_count": 7,
			} {
				if v, ok := got[name]; !ok || v != want {
					t.Errorf("%s = %v, %v; want %v", name, v, ok, want)
				}
			}
			if math.Abs(got["get_seconds_sum"]-20006.4003) > 1e-6 {
				t.Errorf("sum %v", got["get_seconds_sum"])
			}
		})
	}
}
