package planner

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// TestAPoolThatComesSoonAfterTheStartIsSeenAtOnce: collectors come one after the other, and who has just started the
// agent looks at the page.
func TestAPoolThatComesSoonAfterTheStartIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		main := open(t, "main")
		p, kept := planned(t, main, Default())
		p.o.Now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = p.Run(ctx) }) // it only ever returns nil
		tell := func(descs ...*metric.Desc) {
			b := &metric.Batch{Time: time.Now()}
			for _, d := range descs {
				b.Add(d, 100, "node", "a", "mountpoint", "/")
			}
			if err := main.Append(ctx, "test", b.Time, b.Samples); err != nil {
				t.Fatal(err)
			}
			time.Sleep(11 * time.Second)
		}
		pools := func() int { return len(p.Report().Answers) }
		if tell(descOpen, descMost); pools() != 1 {
			t.Errorf("%d pools, want the balancer", pools())
		}
		if tell(descOpen, descMost, descSize, descFree); pools() != 2 {
			t.Errorf("%d pools, want the disk too", pools())
		}
		for range 55 {
			tell(descOpen, descMost, descSize, descFree)
		}
		cancel()
		wg.Wait()
		if st := kept.Stats(); len(st.Refused) > 0 {
			t.Errorf("the figures kept were told twice: %v", st.Refused)
		}
	})
}
