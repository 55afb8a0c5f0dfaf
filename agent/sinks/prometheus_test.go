package sinks_test

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
)

// What Prometheus' own receivers make of what we send: the figures must come out of its database.
func TestPrometheusTakesWhatWeSend(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	v1, v2 := remoteapi.MessageTypes{remoteapi.WriteV1MessageType}, remoteapi.MessageTypes{remoteapi.WriteV2MessageType}
	for name, receive := range map[string]struct {
		handler func(*teststorage.TestStorage) http.Handler
		sink    func(url string) (sinks.Sink, error)
		schema  int
	}{
		"remote-write 2": {
			func(s *teststorage.TestStorage) http.Handler {
				return remote.NewWriteHandler(log, prometheus.NewRegistry(), s, v2, false, false)
			},
			remoteTo, metric.Schema,
		},
		"remote-write 1, after a refusal of 2": {
			func(s *teststorage.TestStorage) http.Handler {
				return remote.NewWriteHandler(log, prometheus.NewRegistry(), s, v1, false, false)
			},
			remoteTo, metric.Schema,
		},
		"OTLP": {
			func(s *teststorage.TestStorage) http.Handler {
				return remote.NewOTLPWriteHandler(log, prometheus.NewRegistry(), s, func() config.Config { return config.DefaultConfig }, remote.OTLPOptions{})
			},
			func(url string) (sinks.Sink, error) {
				o := sinks.DefaultOTLP()
				o.URL = url
				return sinks.NewOTLP(o, sinks.Env{Node: "n1"})
			},
			3, // 14 octaves fit into 160 buckets at this one
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := teststorage.New(t)
			server := httptest.NewServer(receive.handler(db))
			defer server.Close()
			s := must(receive.sink(server.URL))
			defer s.(interface{ Close() error }).Close()
			h := &metric.Histogram{}
			for i := range 100 {
				h.Observe(math.Exp(float64(i)/10), 1)
			}
			at := time.Now()
			err := s.Write(t.Context(), []metric.Sample{
				{Desc: &metric.Desc{Name: "host_load1", Help: "Load"}, Labels: metric.L("op", "x"), Time: at, Value: 0.5},
				{Desc: &metric.Desc{Name: "trips", Kind: metric.Delta}, Labels: metric.L("op", "x"), Time: at, Value: 42},
				{Desc: &metric.Desc{Name: "took", Kind: metric.Distribution, Unit: metric.Seconds}, Labels: metric.L("op", "x"), Time: at, Hist: h},
			})
			if err != nil {
				t.Fatal(err)
			}
			got := series(t, db, at)
			want := fmt.Sprint(map[string]string{"host_load1": "0.5", "trips_total": "42", "took_seconds": fmt.Sprintf("100 of %.6g, schema %d", h.Sum, receive.schema)})
			if fmt.Sprint(got) != want {
				t.Errorf("the database holds %v; want %v", got, want)
			}
		})
	}
}

func remoteTo(url string) (sinks.Sink, error) {
	o := sinks.DefaultRemoteWrite()
	o.URL = url
	return sinks.NewRemoteWrite(o, sinks.Env{Node: "n1"})
}

// series reads every series with the label op=x.
func series(t *testing.T, db *teststorage.TestStorage, at time.Time) map[string]string {
	t.Helper()
	q := must(db.Querier(at.Add(-time.Hour).UnixMilli(), at.Add(time.Hour).UnixMilli()))
	defer q.Close()
	out := map[string]string{}
	set := q.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "op", "x"))
	for set.Next() {
		it := set.At().Iterator(nil)
		name := set.At().Labels().Get("__name__")
		for typ := it.Next(); typ != chunkenc.ValNone; typ = it.Next() {
			if typ == chunkenc.ValFloat {
				_, v := it.At()
				out[name] = fmt.Sprint(v)
				continue
			}
			_, fh := it.AtFloatHistogram(nil)
			out[name] = fmt.Sprintf("%v of %.6g, schema %d", fh.Count, fh.Sum, fh.Schema)
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
