package rabbitmq

import (
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// TestAlarmsOfThisNode: the plugin tells none before 3.9.4, or is off, and the API does; what is no word of the broker is a failed check.
func TestAlarmsOfThisNode(t *testing.T) {
	const check, node = "api/health/checks/local-alarms", "api/nodes/rabbit@a?columns=mem_alarm,disk_free_alarm"
	for name, c := range map[string]struct {
		http   fixture.HTTP
		want   map[string]float64 // by resource; nil: nothing is told
		failed bool
	}{
		"none":               {fixture.HTTP{check: {Status: 200, Body: []byte(`{"status":"ok"}`)}}, map[string]float64{"memory": 0, "disk": 0}, false},
		"memory":             {fixture.HTTP{check: {Status: 503, Body: []byte(`{"status":"failed","alarms":[{"node":"rabbit@a","resource":"memory"}]}`)}}, map[string]float64{"memory": 1, "disk": 0}, false},
		"disk, as recorded":  {fixture.HTTP{check: {Status: 503, Body: []byte(`{"status":"failed","alarms":[{"node":"rabbit@a","resource":"disk space"}]}`)}}, map[string]float64{"memory": 0, "disk": 1}, false},
		"another one":        {fixture.HTTP{check: {Status: 503, Body: []byte(`{"status":"failed","alarms":[{"resource":"file_descriptor_limit"},{}]}`)}}, map[string]float64{"memory": 0, "disk": 0, "file_descriptors": 1, "other": 1}, false},
		"a proxy's 503":      {fixture.HTTP{check: {Status: 503, Body: []byte(`{"status":"ok"}`)}}, nil, true},
		"half":               {fixture.HTTP{check: {Status: 503, Body: []byte(`{"status":"failed","al`)}}, nil, true},
		"a page":             {fixture.HTTP{check: {Status: 200, Body: []byte(`<html>`)}}, nil, true},
		"no check":           {fixture.HTTP{check: {Status: 404, Body: []byte(`{}`)}, node: {Status: 200, Body: []byte(`{"mem_alarm":false,"disk_free_alarm":true}`)}}, map[string]float64{"memory": 0, "disk": 1}, false},
		"no check, odd":      {fixture.HTTP{check: {Status: 404, Body: []byte(`{}`)}, node: {Status: 200, Body: []byte(`{"mem_alarm":"undefined"}`)}}, nil, true},
		"no check, no node":  {fixture.HTTP{check: {Status: 404, Body: []byte(`{}`)}, node: {Status: 404, Body: []byte(`{}`)}}, nil, true},
		"the plugin says so": {fixture.HTTP{check: {Status: 200, Body: []byte(`{"status":"ok"}`)}, "metrics": {Status: 200, Body: []byte("rabbitmq_alarms_memory_used_watermark 1\n")}}, map[string]float64{"memory": 1, "disk": 0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			opt := defaultOptions
			opt.User, opt.Name, opt.Cluster = "monitor", "rabbit@a", "c"
			col, err := newCollector(collectors.Env{
				Options: opt, Root: collectors.Root(t.TempDir()), HTTP: c.http, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			r := col.(*collector)
			b := &metric.Batch{Time: time.Now()}
			_ = r.Collect(t.Context(), b) // it may say that it is blind
			got := map[string]float64{}
			for _, s := range b.Samples {
				if s.Desc == descAlarm {
					got[s.Labels.Get("resource")] = s.Value
				}
			}
			if !maps.Equal(got, c.want) && len(got)+len(c.want) > 0 {
				t.Errorf("told %v, want %v", got, c.want)
			}
			if failed := !r.checks.localAlarms.OK(); failed != c.failed {
				t.Errorf("the check failed: %v, want %v", failed, c.failed)
			}
		})
	}
}
