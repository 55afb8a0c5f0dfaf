package sinks_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

func newRemoteWrite(t *testing.T, fake *sinkstest.RemoteWrite) sinks.Sink {
	t.Helper()
	o := sinks.DefaultRemoteWrite()
	o.URL, o.Bearer = "http://router.test/api/v1/write", secret.New("token")
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	return must(sinks.NewRemoteWrite(o, env(fake)))
}

func remoteNames(fake *sinkstest.RemoteWrite) (out []string) {
	for _, s := range fake.Samples() {
		out = append(out, s.Name())
	}
	return out
}

func httpFaults(s *sinkstest.Server) (fail func(int), refuse, hang func()) {
	fail = func(n int) { s.Answer(slices.Repeat([]sinkstest.Answer{{Status: 500, Body: "<html>oops"}}, n)...) }
	refuse = func() { s.Answer(sinkstest.Answer{Status: 413}) }
	hang = func() { s.Answer(sinkstest.Answer{Hang: true}) }
	return fail, refuse, hang
}

func TestRemoteWriteKeepsTheContract(t *testing.T) {
	for name, set := range map[string]func(*sinkstest.RemoteWrite){
		"version 2": func(*sinkstest.RemoteWrite) {},
		"version 1": func(f *sinkstest.RemoteWrite) { f.Only1 = true },
	} {
		t.Run(name, func(t *testing.T) {
			sinkstest.Run(t, func(t *testing.T) sinkstest.Target {
				fake := sinkstest.NewRemoteWrite()
				set(fake)
				fail, refuse, hang := httpFaults(&fake.Server)
				return sinkstest.Target{
					Sink: newRemoteWrite(t, fake), Names: func() []string { return remoteNames(fake) },
					Fail: fail, Refuse: refuse, Hang: hang,
				}
			})
		})
	}
}

func TestRemoteWriteFallsBackToVersion1(t *testing.T) {
	for name, set := range map[string]func(*sinkstest.RemoteWrite){
		"a receiver that answers 415":                  func(f *sinkstest.RemoteWrite) { f.Only1 = true },
		"a receiver that is content and wrote nothing": func(f *sinkstest.RemoteWrite) { f.Silent1 = true },
	} {
		t.Run(name, func(t *testing.T) {
			fake := sinkstest.NewRemoteWrite()
			set(fake)
			s := newRemoteWrite(t, fake)
			for range 2 {
				if err := s.Write(t.Context(), sinkstest.Samples(2, time.Now())); err != nil {
					t.Fatal(err)
				}
			}
			if got, n := remoteNames(fake), fake.Requests(); len(got) != 4 || n != 3 || !slices.Equal(fake.Versions(), []int{1, 1}) {
				t.Errorf("%d samples in %d requests, versions %v; want 4 in 3, the second time version 1 at once", len(got), n, fake.Versions())
			}
		})
	}
}

func TestRemoteWriteTellsTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sinkstest.NewRemoteWrite()
		spec, _ := sinks.Lookup("remote_write")
		q := must(spec.Open(sinks.RemoteWrite{HTTPOptions: sinks.HTTPOptions{URL: "http://x.test"}}, spec.Common, env(fake)))
		stop := run(t, q)
		trips := &metric.Desc{Name: "navcloud.trips", Kind: metric.Delta, Help: "Trips"}
		took := &metric.Desc{Name: "navcloud.took", Kind: metric.Distribution, Unit: metric.Seconds}
		still := &metric.Desc{Name: "navcloud.still"}
		for range 3 {
			h := &metric.Histogram{}
			h.Observe(0.2, 1)
			h.Observe(-7, 2)
			h.Observe(0, 1)
			feed(q, []metric.Sample{
				{Desc: trips, Labels: metric.L("op:x", "put"), Time: time.Now(), Value: 5},
				{Desc: took, Time: time.Now(), Hist: h},
			})
			time.Sleep(10 * time.Second)
		}
		for range 12 {
			feed(q, []metric.Sample{{Desc: still, Time: time.Now(), Value: 1}}) // nothing else is collected, and the totals stand
			time.Sleep(10 * time.Second)
		}
		stop()
		var sums, counts []string
		for _, s := range fake.Samples() {
			if s.Histogram {
				counts = append(counts, fmt.Sprint(s.Count))
				continue
			}
			if s.Labels["__name__"] == "navcloud_still" {
				continue
			}
			sums = append(sums, fmt.Sprint(s.Value))
			want := map[string]string{
				"__name__": "navcloud_trips_total", "op_x": "put", "node": "navcloud-01", "stack": "prod", "group": "api", "az": "eu-west-1a",
			}
			if fmt.Sprint(s.Labels) != fmt.Sprint(want) || s.Type != "METRIC_TYPE_COUNTER" || s.Help != "Trips" {
				t.Errorf("sample %+v; want labels %v of a counter", s, want)
			}
		}
		if want := []string{"0", "5", "10", "15"}; !slices.Equal(sums[:4], want) || sums[len(sums)-1] != "15" || len(sums) != 6 {
			t.Errorf("totals %v; want %v and the last again each minute", sums, want)
		}
		if want := []string{"0", "4", "8", "12"}; !slices.Equal(counts[:4], want) {
			t.Errorf("counts %v; want %v", counts, want)
		}
	})
}

func TestHTTPAnswersAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		answer    sinkstest.Answer
		permanent bool
		after     time.Duration
	}{
		"a wrong key may be mended":       {sinkstest.Answer{Status: 401}, false, 0},
		"a bad request never":             {sinkstest.Answer{Status: 400}, true, 0},
		"too many says when":              {sinkstest.Answer{Status: 429, RetryAfter: 7 * time.Second}, false, 7 * time.Second},
		"a page of HTML is a bad gateway": {sinkstest.Answer{Status: 502, Body: "<html>"}, false, 0},
		"a connection that is cut":        {sinkstest.Answer{Cut: true}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			fake := sinkstest.NewRemoteWrite()
			fake.Answer(tc.answer)
			err := newRemoteWrite(t, fake).Write(t.Context(), sinkstest.Samples(1, time.Now()))
			var after time.Duration
			if ra, ok := err.(*sinks.RetryAfterError); ok {
				after = ra.After
			}
			if err == nil || sinks.IsPermanent(err) != tc.permanent || after != tc.after {
				t.Errorf("Write = %v, permanent %v, after %v; want permanent %v, after %v", err, sinks.IsPermanent(err), after, tc.permanent, tc.after)
			}
		})
	}
}
