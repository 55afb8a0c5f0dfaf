package sinks_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/navcloud/binnacle/agent/sinks"
)

func fleet(instance int) (o sinks.CloudWatch, ps []sinks.Published) {
	o = sinks.DefaultCloudWatch()
	for i := range 200 {
		ps = append(ps, sinks.Published{Metric: fmt.Sprintf("m%03d", i), Series: 1})
		if i < instance {
			o.Instance = append(o.Instance, ps[i].Metric)
		}
	}
	return o, ps
}

// The figures are those of the cost table that the prices come with.
func TestCost(t *testing.T) {
	for name, tc := range map[string]struct {
		instance, groups int
		series           int
		metrics          float64
	}{
		"30 nodes in one group, default scopes": {0, 1, 200, 57},
		"30 nodes in 3 groups, default scopes":  {0, 3, 600, 177},
		"20 of 200 per instance, 3 groups":      {20, 3, 1140, 339},
		"every metric per instance, 30 x 200":   {200, 3, 6000, 1797},
	} {
		t.Run(name, func(t *testing.T) {
			o, ps := fleet(tc.instance)
			b := sinks.Cost(o, 30, tc.groups, ps)
			if b.Series != tc.series || math.Abs(b.Total-b.CallsCost-tc.metrics) > 0.01 || b.Calls != 30*43_800 || math.Abs(b.CallsCost-3.14) > 0.001 {
				t.Errorf("Cost = %d series, %.2f, %v calls %.3f; want %d, %.2f, one call a node a minute", b.Series, b.Total-b.CallsCost, b.Calls, b.CallsCost, tc.series, tc.metrics)
			}
			sum := b.CallsCost
			for _, l := range b.Lines {
				sum += l.Dollars
			}
			if math.Abs(sum-b.Total) > 0.01 {
				t.Errorf("lines add up to %.2f of %.2f", sum, b.Total)
			}
		})
	}
}

func TestCostKnowsTheTiers(t *testing.T) {
	o := sinks.DefaultCloudWatch()
	o.MaxSeries = 2_000_000 // more than Validate allows
	b := sinks.Cost(o, 1, 1, []sinks.Published{{Metric: "a", Series: 1_100_010}})
	if want := 3000.0 + 24_000 + 37_500 + 2000; math.Abs(b.Total-b.CallsCost-want) > 0.01 {
		t.Errorf("1,100,010 series cost %.2f; want %.2f", b.Total-b.CallsCost, want)
	}
}

func ExampleCost() {
	o, published := fleet(20)
	b := sinks.Cost(o, 30, 3, published)
	fmt.Printf("%d series, %.0f calls, $%.2f a month (list of %s)\n", b.Series, b.Calls, b.Total, sinks.PricesRead)
	fmt.Printf("dearest: %s (%s), $%.2f\n", b.Lines[0].Metric, b.Lines[0].Scope, b.Lines[0].Dollars)
	// Output:
	// 1140 series, 1314000 calls, $342.14 a month (list of November 2026)
	// dearest: m000 (instance), $8.92
}

// What max_series keeps back costs nothing, and is said.
func TestCostKnowsTheCap(t *testing.T) {
	o := sinks.DefaultCloudWatch()
	o.Both = []string{"b"}
	b := sinks.Cost(o, 10, 1, []sinks.Published{{Metric: "a", Series: 100}, {Metric: "b", Series: 150}, {Metric: "c", Series: 7}})
	if b.Series != 100+100+100*10 || b.Capped != 2*50+7 {
		t.Errorf("%d series, %d kept back; want 1200 and 107", b.Series, b.Capped)
	}
}
