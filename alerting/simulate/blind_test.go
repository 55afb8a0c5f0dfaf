package simulate

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestRulesNobodyCanRead plays faults that rules tell of whose names and texts say nothing, and compares the rules that head the
// pages that wake.
func TestRulesNobodyCanRead(t *testing.T) {
	const s, m = time.Second, time.Minute
	on := func(after time.Duration, rule string, from, to int, labels string) (out []other) {
		for n := from; n < to; n++ {
			out = append(out, other{after, fmt.Sprintf("%s node=n%d %s", rule, n, labels)})
		}
		return out
	}
	for name, tc := range map[string]struct {
		alarms []other
		last   time.Duration
		want   []string
	}{
		"another rule on the very hosts ten minutes later": {slices.Concat(
			on(0, "Xa critical", 0, 5, "cluster=c"), on(10*m, "Xb critical", 0, 4, "cluster=c zone=z"),
		), time.Hour, []string{"Xa"}},
		"another rule on other hosts ten minutes later": {slices.Concat(
			on(0, "Xa critical", 0, 5, "cluster=c"), on(10*m, "Xb critical", 5, 9, "cluster=c"),
		), time.Hour, []string{"Xa", "Xb"}},
		"another rule on two of the hosts ten minutes later": {slices.Concat(
			on(0, "Xa critical", 0, 5, "cluster=c"), on(10*m, "Xb critical", 0, 2, "cluster=c"),
		), time.Hour, []string{"Xa", "Xb"}},
		"the first of them came 30 s before the others, and a ticket followed it": {slices.Concat(
			on(0, "Xa critical", 0, 5, "cluster=c"), on(10*m, "Xb critical", 0, 1, "cluster=c"), []other{{10*m + 10*s, "Xt warning namespace=k cluster=c"}}, on(10*m+30*s, "Xb critical", 1, 5, "cluster=c"),
		), time.Hour, []string{"Xa"}},
		"what a guess folded and a page names does not page again": {slices.Concat(
			[]other{{0, "Xz critical cluster=c"}}, on(20*s, "Xa critical", 0, 1, "instance=n0:1 cluster=c"), on(25*s, "Xa critical", 0, 5, "instance=n0:2 cluster=c"),
		), time.Hour, []string{"Xa"}},
		"what a guess folded and a page names the host of does not page again": {[]other{
			{0, "Xz critical"}, {20 * s, "HostDown critical instance=n0:1 job=node"}, {25 * s, "PrometheusTargetMissing critical instance=n0:1 job=node"},
		}, time.Hour, []string{"PrometheusTargetMissing"}},
	} {
		t.Run(name, func(t *testing.T) {
			if rules, at := heads(t, nil, tc.last, tc.alarms...); !slices.Equal(rules, tc.want) {
				t.Errorf("pages are headed by %v after %v, want %v", rules, at, tc.want)
			}
		})
	}
}
