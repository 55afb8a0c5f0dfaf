package agent

import (
	"testing"
	"time"
)

// FuzzConfig reads any text as a configuration: it gives one that is within bounds, or every fault, and never panics.
func FuzzConfig(f *testing.F) {
	f.Add("")
	f.Add("interval: 1s\ndeadline: 500ms\nnode: {name: a, tags: {az: b}}\ncollect: {statsd: {listen: ['udp://:8125']}, riak: off}\n")
	f.Add("ship: {graphite: {address: 'a:1', queue: {size: -1}}, cloudwatch: off}\nroute: {order: {wait: {most: 300y}}}\n")
	f.Add("a: &a [*a, *a]\nrules: {files: [1, {}, null]}\n? [x]\n: y\n")
	f.Add("listen: [\x00\nstore: {retention: 1e999s}")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		cfg, err := ParseConfig("fuzz.yaml", []byte(text))
		if err != nil {
			if err.Error() == "" {
				t.Error("a refusal without a reason")
			}
			return
		}
		if cfg.Interval < time.Second || cfg.nodeName() == "" || cfg.boardURL() == "" {
			t.Errorf("%q was taken: interval %v, node %q, board %q", text, cfg.Interval, cfg.nodeName(), cfg.boardURL())
		}
		if _, err := collectorPlans(cfg); err == nil {
			_, _ = sinkPlans(cfg) // it may refuse
		}
	})
}
