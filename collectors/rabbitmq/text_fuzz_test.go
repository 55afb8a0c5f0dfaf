package rabbitmq

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// FuzzText reads any answer of the broker's exposition: what is yielded is a name and a finite value, and every line is
// yielded, passed over, or rejected, at most once.
func FuzzText(f *testing.F) {
	f.Add("# HELP x y\nrabbitmq_queue_messages{vhost=\"/\",queue=\"a\\\"b\"} 3 1700000000000\nx NaN\ny{a=\"b\nz +Inf\n")
	f.Add("a{} 1\na{b=\"c\",b=\"d\"} 2\n{} 3\na 1e999\n")
	f.Add(strings.Repeat("x", 5000) + " 1\nb 2")
	f.Fuzz(func(t *testing.T, text string) {
		rejected, yielded := 0, 0
		_ = parseText(strings.NewReader(text), func(reason, _ string) {
			if rejected++; reason == "" {
				t.Error("rejected without a reason")
			}
		}, func(name string, labels []textLabel, v float64) {
			yielded++
			if name == "" || math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%q = %v", name, v)
			}
			for _, l := range labels {
				if l.name == "" {
					t.Errorf("%q has a label without a name", name)
				}
			}
		})
		if lines := strings.Count(text, "\n") + 1; rejected+yielded > lines {
			t.Errorf("%d rejected and %d yielded of %d lines", rejected, yielded, lines)
		}
	})
}

// FuzzNodes reads any list of nodes of the management API.
func FuzzNodes(f *testing.F) {
	f.Add(`[{"name":"rabbit@a","running":true,"partitions":["rabbit@b"],"mem_used":1e308}]`)
	f.Add(`[{"name":7,"running":"undefined"},null,{}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var nodes []nodeInfo
		if json.Unmarshal([]byte(text), &nodes) != nil {
			return
		}
		for _, n := range nodes {
			_ = n.runs()
		}
	})
}
