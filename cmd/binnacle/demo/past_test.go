package demo

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/store"
)

func TestThePastThatIsMadeUpEndsWhereTheDemoBegins(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 2, 0, 0, time.UTC)
	w := &world{dir: t.TempDir()}
	if err := inventPast(t.Context(), w, now); err != nil {
		t.Fatal(err)
	}
	for folder, queries := range map[string]map[string]struct{ lo, hi float64 }{
		"capacity": {
			`sum(binnacle_capacity_use{pool="streams_per_node"})`:                                          {560, 640},
			`count(count_over_time(binnacle_capacity_use[14d]) >= 14 * 288)`:                               {15, 15},
			`min(binnacle_capacity_use{pool="rabbitmq_disk",node="n2"} offset 13d)`:                        {140e9, 170e9},
			`count(binnacle_capacity_forecast{pool="balancer"} offset 2h)`:                                 {3, 3},
			`count_over_time(binnacle_capacity_forecast{pool="riak_operations",quantile="0.5"}[14d])`:      {200, 300},
			`count(last_over_time(binnacle_capacity_throughput{stack="navcloud-demo",node="api-a"}[59m]))`: {1, 1},
		},
		"rollups": {
			`sum(last_over_time(navcloud_streams_open[5m]))`:               {560, 640},
			`count(count_over_time(navcloud_streams_open[14d]) >= 14*288)`: {3, 3},
			`sum(rate(navcloud_streams_opened_total[1h]))`:                 {0.5, 0.8}, // 600 last a quarter of an hour
		},
	} {
		s, err := store.Open(filepath.Join(w.dir, "station", folder), store.Options{
			Retention: 100 * 24 * time.Hour, RetentionSize: 1 << 30, Interval: 5 * time.Minute, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range queries {
			got, err := s.Instant(t.Context(), query, now)
			if err != nil || len(got) != 1 || got[0].Points[0].V < want.lo || got[0].Points[0].V > want.hi {
				t.Errorf("%s = %v, %v; want %v", query, got, err, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
