package statsd

import (
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
)

// What clients send as it comes from their own code is taken whole: nothing is refused, and each figure is there once.
func TestTheClientOfDatadog(t *testing.T) {
	for name, options := range map[string][]statsd.Option{
		"a line for each call":        {statsd.WithoutClientSideAggregation(), statsd.WithMaxMessagesPerPayload(1)},
		"packed":                      {statsd.WithoutClientSideAggregation()},
		"aggregated":                  {statsd.WithClientSideAggregation()},
		"timings aggregated too":      {statsd.WithExtendedClientSideAggregation()},
		"with what it says of itself": {statsd.WithContainerID("0123456789abcdef"), statsd.WithCardinality(statsd.CardinalityLow)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestStatsD(t, "udp://127.0.0.1:0")
			addr := c.slots[0].socket.Addr().String()
			d, err := statsd.New(addr, append(options, statsd.WithoutTelemetry(), statsd.WithNamespace("app."), statsd.WithTags([]string{"env:prod", "alone", "odd:a b/c:d"}))...)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{
				d.Count("hits", 3, []string{"shop:dublin"}, 1), d.Incr("hits", []string{"shop:dublin"}, 1),
				d.Gauge("temp", -3.5, nil, 1), d.Gauge("temp", 1e-9, []string{"room:été"}, 1), d.GaugeWithTimestamp("late", 7, nil, 1, time.Now()), d.CountWithTimestamp("lates", 2, nil, 1, time.Now()),
				d.Timing("t", 1500*time.Millisecond, nil, 1), d.TimeInMilliseconds("t", 500, nil, 1), d.Histogram("h", 40, nil, 1), d.Histogram("h", 2, nil, 1), d.Distribution("d", 1e21, nil, 1),
				d.Set("users", "bob", nil, 1), d.Set("users", "ann", nil, 1), d.Set("users", "bob", nil, 1),
				d.Event(&statsd.Event{Title: "Title|x", Text: "text\nline é", AlertType: statsd.Error, Priority: statsd.Low, AggregationKey: "k", SourceTypeName: "s", Hostname: "h", Timestamp: time.Now(), Tags: []string{"a:b"}}),
				d.ServiceCheck(&statsd.ServiceCheck{Name: "svc", Status: statsd.Warn, Hostname: "h", Message: "bad: m\nx", Timestamp: time.Now(), Tags: []string{"t:1"}}),
				d.Close(),
			} {
				if err != nil {
					t.Error(err)
				}
			}
			sumsOf(t, figures(stop(t, c)), map[string]float64{"app.hits": 4, "app.temp": -3.5 + 1e-9, "app.late": 7, "app.lates": 2, "app.t": 2, "app.h": 42, "app.d": 1e21, "app.users": 2})
		})
	}
}

// hotShots is what hot-shots 17 for Node.js sends, recorded 30 November 2026.
var hotShots = []string{
	"app.hits:1|c|#env:prod,empty:,odd:a:b_c_d_e_f", "app.hits:5|c|@0.999999|#env:prod,empty:,odd:a:b_c_d_e_f,a:b,c", "app.hits:-1|c|#env:prod,empty:,odd:a:b_c_d_e_f",
	"app.temp:-3.5|g|#env:prod,room:x y", "app.temp:+2|g|#env:prod,room:x y", "app.temp:-2|g|#env:prod,room:x y",
	"app.t:12.5|ms|#env:prod,empty:,odd:a:b_c_d_e_f", "app.h:42|h|#env:prod", "app.d:1e+21|d|#env:prod", "app.d:1e-7|d|#env:prod", "app.u:émile|s|#env:prod",
	"app.with ts:1|c|#env:prod", "app.ts:1|g|T1796050000|#env:prod",
	`_e{11,10}:app.Title|x|text\nline|d:1796050000|h:h|k:k|p:low|s:s|t:error|#env:prod,a:b`, "_sc|app.svc|1|h:h|#env:prod,t:1|m:bad: m\\nx",
	"kid.app.x:1|c|#env:prod,k:v", "buf:0|ms|#n:0\nbuf:1|ms|#n:1\nbuf:2|ms|#n:2\nbuf:3|ms|#n:3\nbuf:4|ms|#n:4",
}

// A decrement is refused, since a total never falls. A gauge with a sign is a value below zero for DogStatsD, and a change for
// gaugeDelta, which a listener has to be told.
func TestThePacketsOfHotShots(t *testing.T) {
	for listen, temp := range map[string]float64{"udp://127.0.0.1:0": -2, "udp://127.0.0.1:0?signed_gauges=true": -3.5} {
		c := newTestStatsD(t, listen)
		send(t, dial(t, "udp", c.slots[0].socket.Addr().String()), hotShots...)
		got := figures(stop(t, c))
		if n := got[`binnacle_statsd_rejected_total{reason="negative"}`]; n != 1 {
			t.Errorf("%v decrements were refused; want 1", n)
		}
		delete(got, `binnacle_statsd_rejected_total{reason="negative"}`)
		sumsOf(t, got, map[string]float64{
			"app.hits": 6.000005000005, "app.temp": temp, "app.t": 0.0125, "app.h": 42, "app.d": 1e21, "app.u": 1, "app.with ts": 1, "app.ts": 1, "kid.app.x": 1, "buf": 0.01,
		})
	}
}

// sumsOf compares the sums of each name over all tags, and wants no line to have been refused.
func sumsOf(t *testing.T, got, want map[string]float64) {
	t.Helper()
	sum := map[string]float64{}
	for name, v := range got {
		if strings.HasPrefix(name, "binnacle_statsd_rejected_total") && v != 0 {
			t.Errorf("refused: %s: %v", name, v)
		}
		base, _, _ := strings.Cut(name, "{")
		sum[base] += v
	}
	for name, v := range want {
		if d := sum[name] - v; d > 1e-9*max(1, v) || d < -1e-9*max(1, v) {
			t.Errorf("%s: %v, want %v", name, sum[name], v)
		}
	}
}
