package sinks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

func newGraphite(t *testing.T, format string) (sinks.Sink, *sinkstest.Graphite) {
	t.Helper()
	fake := must(sinkstest.NewGraphite())
	t.Cleanup(func() { _ = fake.Close() })
	o := sinks.DefaultGraphite()
	o.Address, o.Format, o.Prefix = fake.Addr(), format, "nav."
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	return must(sinks.NewGraphite(o, sinks.Env{})), fake
}

func TestGraphiteKeepsTheContract(t *testing.T) {
	sinkstest.Run(t, func(t *testing.T) sinkstest.Target {
		s, fake := newGraphite(t, "tags")
		return sinkstest.Target{
			Sink: s, Fail: fake.Refuse, Hang: fake.Hang,
			Names: func() (out []string) {
				for _, p := range fake.Points() {
					name, _, _ := strings.Cut(strings.TrimPrefix(p.Path, "nav."), ";")
					out = append(out, name)
				}
				return out
			},
		}
	})
}

func TestGraphiteForms(t *testing.T) {
	h := &metric.Histogram{}
	h.Observe(0.1, 4)
	in := []metric.Sample{
		{Desc: &metric.Desc{Name: "open now"}, Labels: metric.L("az", "eu.1", "op", "a;b"), Time: time.Unix(60, 9), Value: -1.5},
		{Desc: &metric.Desc{Name: "took", Kind: metric.Distribution, Unit: metric.Seconds}, Labels: metric.L("op", "x"), Time: time.Unix(61, 0), Hist: h},
	}
	for format, want := range map[string][]string{
		"path": {"nav.open_now.eu_1.a_b -1.5 60", "nav.took.x.count 4 61", "nav.took.x.p99 100 61"},
		"tags": {"nav.open_now;az=eu.1;op=a_b -1.5 60", "nav.took.count;op=x 4 61", "nav.took.p99;op=x 100 61"},
	} {
		s, fake := newGraphite(t, format)
		if err := s.Write(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range fake.Points() {
			got = append(got, fmt.Sprintf("%s %v %d", p.Path, p.Value, p.Time))
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %q is not among %q", format, w, got)
			}
		}
		if len(got) != 9 || len(fake.Faults()) > 0 {
			t.Errorf("%s: %d lines, faults %q; want 9 and none", format, len(got), fake.Faults())
		}
	}
}
