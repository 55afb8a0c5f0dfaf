package sinks_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

// Thirty minutes without CloudWatch, and a kill in the middle: every minute's bucket arrives afterwards, once, with
// its own timestamp, but for the window that was open when the kill came.
func TestCloudWatchOutageWithAKill(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	dir := t.TempDir()
	const nseries, minutes, killed = 50, 30, 15
	synctest.Test(t, func(t *testing.T) {
		fake := sinkstest.NewCloudWatch()
		fake.Answer(slices.Repeat([]sinkstest.Answer{{Status: 503, Code: "ServiceUnavailable"}}, 100_000)...)
		world := env(fake)
		world.Data = dir
		spec, _ := sinks.Lookup("cloudwatch")
		open := func() *sinks.Queue { return must(spec.Open(cwOptions(), spec.Common, world)) }
		descs := make([]*metric.Desc, nseries)
		for i := range descs {
			descs[i] = &metric.Desc{Name: fmt.Sprintf("m%d", i), Kind: metric.Delta}
		}
		q := open()
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		gone := make(chan error, 1)
		go func() { gone <- q.Run(ctx) }()
		stop := func() {}
		for minute := range minutes {
			if minute == killed {
				kill() // and no Drain: what memory holds is lost
				<-gone
				q = open()
				stop = run(t, q)
			}
			for range 6 {
				var in []metric.Sample
				for _, d := range descs {
					in = append(in, metric.Sample{Desc: d, Time: time.Now(), Value: 1})
				}
				feed(q, in)
				time.Sleep(10 * time.Second)
			}
			if d := q.Stats().Depth; d > 2*nseries {
				t.Fatalf("minute %d: %d samples in memory; want two minutes' at most", minute, d)
			}
		}
		fake.Answer()
		time.Sleep(3 * time.Minute)
		stop()
		perMinute := map[int64]float64{}
		for _, d := range fake.Datums() {
			perMinute[d.Time.Unix()/60] += d.Value
		}
		first := now().Unix() / 60
		for minute := range int64(minutes) {
			got, want := perMinute[first+minute], 6.0*nseries
			if minute == killed-1 {
				continue // its flush had not come yet when the kill did
			}
			if got != want {
				t.Errorf("minute %d: %v arrived; want %v", minute, got, want)
			}
		}
		if st := q.Stats(); len(st.Dropped) != 0 || st.Spool.Samples != 0 {
			t.Errorf("afterwards %+v; want nothing lost and nothing waiting", st)
		}
	})
}
