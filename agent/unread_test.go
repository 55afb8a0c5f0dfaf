package agent

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/testport"
)

// TestNoTotalIsKeptThatNothingReads delivers to an agent without a store and a destination, and to one that gets a destination
// by a reload. What was begun goes on when the destination is gone again.
func TestNoTotalIsKeptThatNothingReads(t *testing.T) {
	const text = "data: %s\nlisten: %s\ncollect: {riak: off, rabbitmq: off, host_systemd: off}\nstore: off\nrules: off\nroute: off\nweb: off\n"
	data, web := t.TempDir(), testport.Free(t)
	a, end := run(t, parsed(t, text, data, web))
	defer end()
	d := &metric.Desc{Name: "seen", Kind: metric.Delta}
	deliver := func() {
		a.collect.deliver("test", &metric.Batch{Time: time.Now(), Samples: []metric.Sample{{Desc: d, Time: time.Now(), Value: 1}}})
	}
	total := func() (sum float64) {
		for _, p := range a.store.series.Latest(time.Time{}) {
			if p.Name == "seen_total" {
				sum += p.Value
			}
		}
		return sum
	}
	if deliver(); a.store.series.Has("test") {
		t.Error("a total is kept that nothing reads")
	}
	ships := parsed(t, text+"ship: {statsd: {address: 'udp://127.0.0.1:9'}}\n", data, web)
	for i, cfg := range []Config{ships, parsed(t, text, data, web)} {
		if err := a.Reload(t.Context(), cfg, nil); err != nil {
			t.Fatal(err)
		}
		if deliver(); total() != float64(i+1) {
			t.Errorf("after reload %d the total is %v", i+1, total())
		}
		time.Sleep(2 * time.Millisecond) // a total is given out once a millisecond
	}
}
