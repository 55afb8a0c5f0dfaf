package store

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// metrics is a request of one resource, and the list of its metrics.
func metrics() (pmetric.Metrics, pmetric.MetricSlice) {
	md := pmetric.NewMetrics()
	r := md.ResourceMetrics().AppendEmpty()
	r.Resource().Attributes().PutStr("service.name", "shop")
	return md, r.ScopeMetrics().AppendEmpty().Metrics()
}

func stamp(at time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(at) }

// gauge adds one that every receiver takes.
func gauge(ms pmetric.MetricSlice, name string, at time.Time) pmetric.NumberDataPoint {
	m := ms.AppendEmpty()
	m.SetName(name)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(stamp(at))
	p.SetDoubleValue(1)
	return p
}

// expo adds an exponential histogram of three observations.
func expo(ms pmetric.MetricSlice, name string, at time.Time, scale, offset int32) pmetric.ExponentialHistogramDataPoint {
	m := ms.AppendEmpty()
	m.SetName(name)
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := h.DataPoints().AppendEmpty()
	p.SetTimestamp(stamp(at))
	p.SetStartTimestamp(stamp(at.Add(-time.Minute)))
	p.SetScale(scale)
	p.SetCount(3)
	p.SetSum(6)
	p.Positive().SetOffset(offset)
	p.Positive().BucketCounts().FromRaw([]uint64{1, 2})
	return p
}

func sendOTLP(t *testing.T, h http.Handler, md pmetric.Metrics) (int, string, pmetricotlp.ExportResponse) {
	t.Helper()
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, otlpPath, bytes.NewReader(body))
	r.Header.Set("Content-Type", otlpWire)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer := pmetricotlp.NewExportResponse()
	if w.Code == http.StatusOK {
		if err := answer.UnmarshalProto(w.Body.Bytes()); err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
	}
	return w.Code, w.Body.String(), answer
}

// TestOneOddPointOfOpenTelemetryCostsNoOther sends each odd form between two good points: both are kept, the answer says how
// many were refused, and they are counted. Alone it is 400, which no sender repeats.
func TestOneOddPointOfOpenTelemetryCostsNoOther(t *testing.T) {
	type form func(ms pmetric.MetricSlice, now time.Time)
	taken := map[string]form{
		"no attributes":   func(ms pmetric.MetricSlice, now time.Time) { gauge(ms, "odd", now) },
		"an empty value":  func(ms pmetric.MetricSlice, now time.Time) { gauge(ms, "odd", now).Attributes().PutStr("a", "") },
		"NaN":             func(ms pmetric.MetricSlice, now time.Time) { gauge(ms, "odd", now).SetDoubleValue(math.NaN()) },
		"infinite":        func(ms pmetric.MetricSlice, now time.Time) { gauge(ms, "odd", now).SetDoubleValue(math.Inf(-1)) },
		"the largest int": func(ms pmetric.MetricSlice, now time.Time) { gauge(ms, "odd", now).SetIntValue(math.MaxInt64) },
		"nested values": func(ms pmetric.MetricSlice, now time.Time) {
			v := gauge(ms, "odd", now).Attributes().PutEmptyMap("deep")
			for range 20 {
				v = v.PutEmptySlice("list").AppendEmpty().SetEmptyMap()
			}
		},
		"no points": func(ms pmetric.MetricSlice, _ time.Time) {
			m := ms.AppendEmpty()
			m.SetName("odd")
			m.SetEmptySum()
		},
		"a histogram without any observation": func(ms pmetric.MetricSlice, now time.Time) {
			p := expo(ms, "odd", now, 0, 0)
			p.SetCount(0)
			p.SetSum(0)
			p.Positive().BucketCounts().FromRaw(nil)
		},
		"a summary": func(ms pmetric.MetricSlice, now time.Time) {
			m := ms.AppendEmpty()
			m.SetName("odd")
			p := m.SetEmptySummary().DataPoints().AppendEmpty()
			p.SetTimestamp(stamp(now))
			p.SetCount(2)
			q := p.QuantileValues().AppendEmpty()
			q.SetQuantile(math.NaN())
			q.SetValue(math.NaN())
		},
		"changes": func(ms pmetric.MetricSlice, now time.Time) {
			p := expo(ms, "odd", now, 20, 7)
			ms.At(ms.Len() - 1).ExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			p.Negative().SetOffset(-9)
		},
	}
	for scale := int32(-4); scale <= 20; scale++ {
		taken[fmt.Sprintf("scale %d", scale)] = func(ms pmetric.MetricSlice, now time.Time) { expo(ms, "odd", now, scale, 0) }
	}
	refused := map[string]form{
		"a point far ahead": func(ms pmetric.MetricSlice, now time.Time) { gauge(ms, "odd", now.Add(time.Hour)) },
		"a point of 1970":   func(ms pmetric.MetricSlice, _ time.Time) { gauge(ms, "odd", time.Unix(0, 0)) },
		"no name":           func(ms pmetric.MetricSlice, now time.Time) { gauge(ms, "", now) },
		"a metric of no kind": func(ms pmetric.MetricSlice, _ time.Time) {
			ms.AppendEmpty().SetName("odd")
		},
		"a sum of no temporality": func(ms pmetric.MetricSlice, now time.Time) {
			m := ms.AppendEmpty()
			m.SetName("odd")
			m.SetEmptySum().DataPoints().AppendEmpty().SetTimestamp(stamp(now))
		},
		"fewer observations than its buckets": func(ms pmetric.MetricSlice, now time.Time) { expo(ms, "odd", now, 0, 0).SetCount(1) },
		"an attribute without a name": func(ms pmetric.MetricSlice, now time.Time) {
			gauge(ms, "odd", now).Attributes().PutStr("", "x")
		},
	}
	for scale := int32(-10); scale < -4; scale++ {
		refused[fmt.Sprintf("scale %d", scale)] = func(ms pmetric.MetricSlice, now time.Time) { expo(ms, "odd", now, scale, 0) }
	}
	s := open(t)
	h := s.Handler("v1", func() Rules { return nil })
	begin, played := time.Now().Add(-time.Minute), 0
	play := func(t *testing.T, odd form, want int) {
		played++
		now := begin.Add(time.Duration(played) * 100 * time.Millisecond)
		first, last := fmt.Sprint("first", played), fmt.Sprint("last", played)
		before := total(s)
		md, ms := metrics()
		gauge(ms, first, now)
		odd(ms, now)
		gauge(ms, last, now)
		code, text, answer := sendOTLP(t, h, md)
		if n := int(answer.PartialSuccess().RejectedDataPoints()); code != http.StatusOK || n != want || want > 0 && answer.PartialSuccess().ErrorMessage() == "" {
			t.Errorf("%d %q, %d refused; want 200 and %d", code, text, n, want)
		}
		got, err := s.Instant(t.Context(), "count({__name__=~\""+first+"|"+last+"\"})", now)
		if err != nil || len(got) != 1 || got[0].Points[0].V != 2 {
			t.Errorf("kept %v, %v; want the first and the last", got, err)
		}
		if n := total(s) - before; n != float64(want) {
			t.Errorf("%v points are counted as refused; want %d", n, want)
		}
		if want == 0 {
			return
		}
		md, ms = metrics()
		odd(ms, now.Add(time.Millisecond))
		if code, text, _ := sendOTLP(t, h, md); code != http.StatusBadRequest || !strings.Contains(text, "1 of ") {
			t.Errorf("alone: %d %q; want 400 and how many", code, text)
		}
	}
	for name, odd := range taken {
		t.Run(name, func(t *testing.T) { play(t, odd, 0) })
	}
	for name, odd := range refused {
		t.Run(name, func(t *testing.T) { play(t, odd, 1) })
	}
}

func total(s *Store) (n float64) {
	for _, v := range s.Stats().Refused {
		n += v
	}
	return n
}

// TestOffsetsAtTheLimitsHurtNothing sends exponential histograms whose buckets begin at the ends of 32 bits, in each scale and as
// changes that must be added up.
func TestOffsetsAtTheLimitsHurtNothing(t *testing.T) {
	s := open(t)
	h := s.Handler("v1", func() Rules { return nil })
	now := time.Now().Add(-time.Minute)
	for i, offset := range []int32{math.MinInt32, math.MinInt32 + 1, -1, 0, math.MaxInt32 - 1, math.MaxInt32} {
		for scale := int32(-10); scale <= 20; scale++ {
			for _, kind := range []pmetric.AggregationTemporality{pmetric.AggregationTemporalityCumulative, pmetric.AggregationTemporalityDelta, 0, 9} {
				md, ms := metrics()
				at := now.Add(time.Duration(i*100+int(scale)+10) * time.Millisecond)
				gauge(ms, "alive", at)
				p := expo(ms, "odd", at, scale, offset)
				p.Negative().SetOffset(-offset)
				p.Negative().BucketCounts().FromRaw([]uint64{0, math.MaxUint64})
				ms.At(1).ExponentialHistogram().SetAggregationTemporality(kind)
				if code, text, _ := sendOTLP(t, h, md); code != http.StatusOK {
					t.Fatalf("offset %d, scale %d, temporality %d: %d %s", offset, scale, kind, code, text)
				}
			}
		}
	}
}

// TestOpenTelemetryInJSON holds that parameters of the content type do not matter, and that the answer is JSON.
func TestOpenTelemetryInJSON(t *testing.T) {
	s := open(t)
	h := s.Handler("v1", func() Rules { return nil })
	md, ms := metrics()
	gauge(ms, "first", time.Now())
	expo(ms, "odd", time.Now(), -7, 0)
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, otlpPath, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer := pmetricotlp.NewExportResponse()
	if err := answer.UnmarshalJSON(w.Body.Bytes()); w.Code != http.StatusOK || err != nil || answer.PartialSuccess().RejectedDataPoints() != 1 {
		t.Errorf("%d %s, %v; want 200 and one refused", w.Code, w.Body, err)
	}
}

// TestWhenNothingCanBeWrittenOpenTelemetrySendersTryAgain.
func TestWhenNothingCanBeWrittenOpenTelemetrySendersTryAgain(t *testing.T) {
	s := open(t)
	h := s.Handler("v1", func() Rules { return nil })
	s.disk.mu.Lock()
	db := s.disk.db
	s.disk.db = nil
	s.disk.mu.Unlock()
	md, ms := metrics()
	gauge(ms, "first", time.Now())
	if code, text, _ := sendOTLP(t, h, md); code != http.StatusServiceUnavailable {
		t.Errorf("%d %s; want 503", code, text)
	}
	s.disk.mu.Lock()
	s.disk.db = db
	s.disk.mu.Unlock()
}
