package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Ten thousand alarms in a minute, and what users feel among them: its page is not late for it.
func BenchmarkTenThousandAlarms(b *testing.B) {
	for b.Loop() {
		w := newWorld(b)
		for n := range 60 {
			for i := range 167 {
				w.in = append(w.in, alerting.Firing{Alarm: tell(fmt.Sprintf("Rule%d-%d warning saturation node store-a%d", n, i, i%4))})
			}
			if n == 30 {
				w.in = append(w.in, alerting.Firing{Alarm: burn})
			}
			w.wait(time.Second)
		}
		w.wait(time.Minute)
		if len(w.log) == 0 || w.log[0] != "46s trigger P1 Burn" {
			b.Fatalf("sent %v", w.log)
		}
	}
}
