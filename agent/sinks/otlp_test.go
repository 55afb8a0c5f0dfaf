package sinks_test

import (
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

func newOTLP(t *testing.T, fake *sinkstest.OTLP) sinks.Sink {
	t.Helper()
	o := sinks.DefaultOTLP()
	o.URL = "http://collector.test/v1/metrics"
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	return must(sinks.NewOTLP(o, env(fake)))
}

func TestOTLPKeepsTheContract(t *testing.T) {
	sinkstest.Run(t, func(t *testing.T) sinkstest.Target {
		fake := sinkstest.NewOTLP()
		fail, refuse, hang := httpFaults(&fake.Server)
		return sinkstest.Target{
			Sink: newOTLP(t, fake), Fail: fail, Refuse: refuse, Hang: hang,
			Names: func() (out []string) {
				for _, p := range fake.Points() {
					out = append(out, p.Name)
				}
				return out
			},
		}
	})
}

func TestOTLPForms(t *testing.T) {
	fake := sinkstest.NewOTLP()
	s := newOTLP(t, fake)
	narrow, wide := &metric.Histogram{}, &metric.Histogram{}
	for range 3 {
		narrow.Observe(4, 1)    // the upper limit of its bucket: 2^(64/32)
		narrow.Observe(4.01, 1) // the next one
	}
	wide.Observe(1e-6, 1)
	wide.Observe(1e9, 1.4) // a weight
	wide.Observe(-3, 1)
	wide.Observe(0, 2)
	at := time.Unix(1000, 5)
	took := &metric.Desc{Name: "took", Kind: metric.Distribution, Unit: metric.Seconds}
	err := s.Write(t.Context(), []metric.Sample{
		{Desc: &metric.Desc{Name: "served", Kind: metric.Counter, Unit: metric.Bytes}, Labels: metric.L("op", "put"), Time: at, Value: 7},
		{Desc: took, Time: at, Hist: narrow},
		{Desc: took, Time: at, Hist: wide},
	})
	if err != nil {
		t.Fatal(err)
	}
	ps := fake.Points()
	if p := ps[0]; p.Kind != "sum" || p.Unit != "By" || p.Value != 7 || p.Attributes["op"] != "put" || p.Time != 1_000_000_000_005 {
		t.Errorf("counter %+v", p)
	}
	if p := ps[1]; p.Scale != 5 || p.First != 63 || !slices.Equal(p.Buckets, []uint64{3, 3}) {
		t.Errorf("histogram %+v; want buckets 63 and 64 of scale 5", p) // bucket 63 is (2^(63/32), 2^(64/32)]
	}
	if p := ps[2]; p.Scale >= 5 || len(p.Buckets) > 160 || p.Count != 5 || p.Sum != wide.Sum {
		t.Errorf("wide histogram of scale %d, %d buckets, count %d; want joined to 160 at most, and 5", p.Scale, len(p.Buckets), p.Count)
	}
	if r := fake.Resource(); r["host.name"] != "navcloud-01" || r["service.name"] != "binnacle" || r["az"] != "eu-west-1a" {
		t.Errorf("resource %v", r)
	}
}

func TestOTLPCountsWhatIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sinkstest.NewOTLP()
		fake.Reject = 3
		q := sinks.NewQueue("otlp", newOTLP(t, fake), sinks.DefaultQueue(), 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		feed(q, sinkstest.Samples(10, time.Now()))
		time.Sleep(15 * time.Second)
		stop()
		if st := q.Stats(); st.Sent != 7 || st.Dropped["refused"] != 3 || fake.Requests() != 1 {
			t.Errorf("%+v in %d requests; want 7 sent, 3 refused, once", st, fake.Requests())
		}
	})
}
