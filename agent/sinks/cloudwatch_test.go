package sinks_test

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

func cwOptions() sinks.CloudWatch {
	o := sinks.DefaultCloudWatch()
	o.Region, o.Endpoint = "eu-west-1", "http://cloudwatch.test"
	o.AccessKeyID, o.SecretAccessKey = "AKIDEXAMPLE", secret.New("example")
	o.MaxSeries = 10_000
	return o
}

func env(fake interface{ Transport() http.RoundTripper }) sinks.Env {
	return sinks.Env{
		Node: "navcloud-01", Tags: map[string]string{"stack": "prod", "group": "api", "az": "eu-west-1a"},
		HTTP: fake.Transport(), Log: slog.New(slog.DiscardHandler),
	}
}

func newCloudWatch(t *testing.T, o sinks.CloudWatch, fake *sinkstest.CloudWatch) sinks.Sink {
	t.Helper()
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := sinks.NewCloudWatch(o, env(fake))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCloudWatchKeepsTheContract(t *testing.T) {
	sinkstest.Run(t, func(t *testing.T) sinkstest.Target {
		fake := sinkstest.NewCloudWatch()
		return sinkstest.Target{
			Sink: newCloudWatch(t, cwOptions(), fake),
			Names: func() (out []string) {
				for _, d := range fake.Datums() {
					out = append(out, d.Name)
				}
				return out
			},
			Fail: func(n int) {
				// Not retried by the SDK, so that no time passes here; the queue does.
				fake.Answer(slices.Repeat([]sinkstest.Answer{{Status: 403, Code: "AccessDenied"}}, n)...)
			},
			Refuse: func() { fake.Answer(sinkstest.Answer{Status: 400, Code: "InvalidParameterValue"}) },
			Hang:   func() { fake.Answer(sinkstest.Answer{Hang: true}) },
		}
	})
}

func TestCloudWatchPacksToTheLimits(t *testing.T) {
	fake := sinkstest.NewCloudWatch()
	s := newCloudWatch(t, cwOptions(), fake)
	rnd := rand.New(rand.NewPCG(1, 2))
	var in []metric.Sample
	for i := range 400 {
		h := &metric.Histogram{}
		for range 600 {
			h.Observe(math.Exp(rnd.NormFloat64()*4), 1)
		}
		in = append(in, metric.Sample{
			Desc:   &metric.Desc{Name: fmt.Sprintf("navcloud_fanout_latency_of_room_%03d_seconds", i), Kind: metric.Distribution, Unit: metric.Seconds},
			Labels: metric.L("operation", "publish", "service", "navcloud"), Time: time.Now(), Hist: h,
		})
	}
	if err := s.Write(t.Context(), in); err != nil { // the fake refuses more than 1 MB or 150 values
		t.Fatal(err)
	}
	ds := fake.Datums()
	if len(ds) != len(in) {
		t.Fatalf("%d datums arrived, want %d", len(ds), len(in))
	}
	if got := fake.Batches(); len(got) > 2 {
		t.Errorf("requests %v; want 2 at most", got)
	}
	for i, d := range ds {
		h := in[i].Hist
		sum := 0.0
		for _, c := range d.Counts {
			sum += c
		}
		if *d.Stats != (sinkstest.Stats{Count: h.Count, Sum: h.Sum, Min: h.Min, Max: h.Max}) || sum != h.Count || d.Unit != "Seconds" {
			t.Fatalf("datum %d: stats %v, %v in values, unit %s; want %v", i, *d.Stats, sum, d.Unit, h.Count)
		}
	}
}

func TestCloudWatchScopes(t *testing.T) {
	fake := sinkstest.NewCloudWatch()
	o := cwOptions()
	o.Instance, o.Both, o.HighResolution = []string{"host_*"}, []string{"streams_open"}, []string{"streams_*"}
	s := newCloudWatch(t, o, fake)
	var in []metric.Sample
	for _, name := range []string{"host_load1", "streams_open", "trips_total"} {
		in = append(in, metric.Sample{
			Desc: &metric.Desc{Name: name}, Value: 1, Time: time.Now(),
			Labels: metric.L("node", "navcloud-01", "az", "eu-west-1a", "op", "get"),
		})
	}
	if err := s.Write(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range fake.Datums() {
		got = append(got, fmt.Sprintf("%s%v%d", d.Name, d.Dimensions, d.Resolution))
	}
	want := []string{
		"host_load1map[Group:api InstanceId:navcloud-01 Stack:prod op:get]60",
		"streams_openmap[Group:api Stack:prod op:get]1",
		"streams_openmap[Group:api InstanceId:navcloud-01 Stack:prod op:get]1",
		"trips_totalmap[Group:api Stack:prod op:get]60",
	}
	if !slices.Equal(got, want) {
		t.Errorf("datums\n%q\nwant\n%q", got, want)
	}
}

func TestCloudWatchChecksBeforeSending(t *testing.T) {
	o := cwOptions()
	o.MaxSeries = 2
	check := newCloudWatch(t, o, sinkstest.NewCloudWatch()).(sinks.Checker)
	d := &metric.Desc{Name: "ok"}
	many := metric.Labels{}
	for i := range 30 {
		many = append(many, metric.Label{Name: fmt.Sprintf("l%02d", i), Value: "x"})
	}
	for name, tc := range map[string]struct {
		s    metric.Sample
		want string
	}{
		"not a number":        {metric.Sample{Desc: d, Value: math.NaN()}, "not_finite"},
		"infinite":            {metric.Sample{Desc: d, Value: math.Inf(-1)}, "not_finite"},
		"a mean too large":    {metric.Sample{Desc: d, Hist: &metric.Histogram{Count: 1, Sum: 1e200, Min: 1e200, Max: 1e200}}, "not_finite"},
		"too far ahead":       {metric.Sample{Desc: d, Time: time.Now().Add(3 * time.Hour)}, "future"},
		"a name out of ASCII": {metric.Sample{Desc: &metric.Desc{Name: "küche"}}, "bad_name"},
		"an empty value":      {metric.Sample{Desc: d, Labels: metric.Labels{{Name: "a", Value: " "}}}, "bad_dimension"},
		"thirty dimensions":   {metric.Sample{Desc: d, Labels: many}, "too_many_dimensions"},
	} {
		if got := check.Check(tc.s); got != tc.want {
			t.Errorf("%s: Check = %q; want %q", name, got, tc.want)
		}
	}
	for i, want := range []string{"", "", "series_cap", ""} {
		s := metric.Sample{Desc: d, Labels: metric.L("i", fmt.Sprint(i%3))}
		if got := check.Check(s); got != want {
			t.Errorf("Check of series %d = %q; want %q", i%3, got, want)
		}
	}
}

// A minute of all kinds through the queue: what arrives is one call with the minute's own figures.
func TestCloudWatchMinute(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	synctest.Test(t, func(t *testing.T) {
		fake := sinkstest.NewCloudWatch()
		spec, _ := sinks.Lookup("cloudwatch")
		q, err := spec.Open(cwOptions(), spec.Common, env(fake))
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, q)
		start := time.Now()
		gauge, delta := &metric.Desc{Name: "g"}, &metric.Desc{Name: "d", Kind: metric.Delta}
		counter, dist := &metric.Desc{Name: "c", Kind: metric.Counter}, &metric.Desc{Name: "h", Kind: metric.Distribution, Unit: metric.Seconds}
		for i := range 6 {
			h := &metric.Histogram{}
			h.Observe(float64(i+1), 2)
			at := time.Now()
			feed(q, []metric.Sample{
				{Desc: gauge, Time: at, Value: float64(i)},
				{Desc: delta, Time: at, Value: 10},
				{Desc: counter, Time: at, Value: 100 + 7*float64(i)},
				{Desc: dist, Time: at, Hist: h},
			})
			time.Sleep(10 * time.Second)
		}
		time.Sleep(time.Minute)
		stop()
		if got := fake.Requests(); got != 1 {
			t.Errorf("%d requests; want 1", got)
		}
		got := map[string]sinkstest.Datum{}
		for _, d := range fake.Datums() {
			got[d.Name] = d
			if !d.Time.Equal(start.Truncate(time.Minute)) {
				t.Errorf("%s at %v; want the minute %v", d.Name, d.Time, start)
			}
		}
		if s := got["g"].Stats; s == nil || *s != (sinkstest.Stats{Count: 1, Sum: 2.5, Min: 0, Max: 5}) {
			t.Errorf("gauge %v; want one sample, the mean, from 0 to 5", s)
		}
		if got["d"].Value != 60 || got["c"].Value != 35 {
			t.Errorf("delta %v, counter %v; want 60 and 35", got["d"].Value, got["c"].Value)
		}
		if s := got["h"].Stats; s == nil || *s != (sinkstest.Stats{Count: 12, Sum: 42, Min: 1, Max: 6}) {
			t.Errorf("distribution %v; want 12 values from 1 to 6", s)
		}
	})
}

// Of a fleet's gauges Sum is the fleet's total, however often a node looked.
func TestGaugesOfAGroupAddUp(t *testing.T) {
	fake := sinkstest.NewCloudWatch()
	g := &metric.Desc{Name: "streams_open"}
	for n, values := range [][]float64{{10, 20, 30}, {100, 100, 100, 100, 100, 100}, {7}} {
		e := env(fake)
		e.Node = fmt.Sprintf("node-%d", n)
		s, err := sinks.NewCloudWatch(cwOptions(), e)
		if err != nil {
			t.Fatal(err)
		}
		h := &metric.Histogram{Min: slices.Min(values), Max: slices.Max(values)}
		for _, v := range values {
			h.Count, h.Sum = h.Count+1, h.Sum+v
		}
		if err := s.Write(t.Context(), []metric.Sample{{Desc: g, Time: time.Now(), Hist: h}}); err != nil {
			t.Fatal(err)
		}
	}
	var count, sum, least, most float64
	for _, d := range fake.Datums() {
		one := sinkstest.Stats{Count: 1, Sum: d.Value, Min: d.Value, Max: d.Value}
		if d.Stats != nil {
			one = *d.Stats
		}
		count, sum, most = count+one.Count, sum+one.Sum, max(most, one.Max)
		if least == 0 || one.Min < least {
			least = one.Min
		}
	}
	if count != 3 || sum != 20+100+7 || least != 7 || most != 100 {
		t.Errorf("SampleCount %v, Sum %v, Minimum %v, Maximum %v; want 3 nodes, 127, 7, 100", count, sum, least, most)
	}
}

// AWS knows an instance by its ID, and so does the dimension of that name.
func TestInstanceIDIsTheInstances(t *testing.T) {
	for name, tc := range map[string]struct{ dimension, instance, want string }{
		"on EC2": {"InstanceId", "i-0ab", "i-0ab"}, "elsewhere": {"InstanceId", "", "navcloud-01"}, "by another name": {"Host", "i-0ab", "navcloud-01"},
	} {
		fake := sinkstest.NewCloudWatch()
		o := cwOptions()
		o.Scope, o.InstanceDimension = "instance", tc.dimension
		e := env(fake)
		e.Instance = tc.instance
		s, err := sinks.NewCloudWatch(o, e)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), []metric.Sample{{Desc: &metric.Desc{Name: "x"}, Value: 1, Time: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		if got := fake.Datums()[0].Dimensions[tc.dimension]; got != tc.want {
			t.Errorf("%s: %q; want %q", name, got, tc.want)
		}
	}
}
