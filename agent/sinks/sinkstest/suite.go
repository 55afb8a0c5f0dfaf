package sinkstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
)

// Target is a Sink with its destination behind it, as the suite needs them.
type Target struct {
	Sink sinks.Sink
	// Names returns the metric names that arrived, in order, as the destination spells them.
	Names func() []string
	// Fail makes the destination refuse the next n calls for now; nil where it never answers.
	Fail func(n int)
	// Refuse makes it refuse the next call for good; nil as above.
	Refuse func()
	// Hang makes it take the next call and never answer; nil as above.
	Hang func()
	// Repeats says that a write that failed may arrive twice.
	Repeats bool
}

// Samples makes n gauges, suite_0 and up, at the given time.
func Samples(n int, at time.Time) []metric.Sample {
	out := make([]metric.Sample, n)
	for i := range out {
		d := &metric.Desc{Name: fmt.Sprintf("suite_%d", i), Kind: metric.Gauge, Help: "A sample of the suite"}
		out[i] = metric.Sample{Desc: d, Labels: metric.L("shard", fmt.Sprint(i%7)), Time: at, Value: float64(i)}
	}
	return out
}

// Run holds a Sink to its contract. open makes a new one with a new destination each time.
func Run(t *testing.T, open func(t *testing.T) Target) {
	t.Run("an empty batch is no fault and no call", func(t *testing.T) {
		tg := open(t)
		write(t, tg, nil)
		if got := tg.Names(); len(got) != 0 {
			t.Errorf("after Write of nothing %v arrived", got)
		}
	})
	t.Run("more than one request holds arrives whole and in order", func(t *testing.T) {
		tg := open(t)
		in := Samples(1200, time.Now())
		write(t, tg, in)
		expect(t, tg, in)
	})
	t.Run("samples are left as they were", func(t *testing.T) {
		tg := open(t)
		at := time.Now()
		in, want := Samples(3, at), Samples(3, at)
		write(t, tg, in)
		for i := range in {
			if in[i].Desc.Name != want[i].Desc.Name || in[i].Labels.String() != want[i].Labels.String() || in[i].Value != want[i].Value {
				t.Errorf("Write changed sample %d: %v", i, in[i])
			}
		}
	})
	runFaults(t, open)
	t.Run("a partial write says what was delivered", func(t *testing.T) { partial(t, open(t)) })
}

// runFaults is the part of the contract that is about destinations in trouble.
func runFaults(t *testing.T, open func(t *testing.T) Target) {
	t.Run("what fails for now is not permanent, and a repetition delivers it", func(t *testing.T) {
		tg := open(t)
		if tg.Fail == nil {
			t.Skip("the destination never answers")
		}
		tg.Fail(20)
		in := Samples(10, time.Now())
		if err := tg.Sink.Write(t.Context(), in); err == nil || sinks.IsPermanent(err) {
			t.Fatalf("Write = %v; want an error that may pass", err)
		}
		tg.Fail(0)
		write(t, tg, in)
		expect(t, tg, in)
	})
	t.Run("what is refused for good is permanent", func(t *testing.T) {
		tg := open(t)
		if tg.Refuse == nil {
			t.Skip("the destination never answers")
		}
		tg.Refuse()
		if err := tg.Sink.Write(t.Context(), Samples(10, time.Now())); !sinks.IsPermanent(err) {
			t.Fatalf("Write = %v; want a permanent error", err)
		}
	})
	t.Run("the end of the context ends a write, and is not permanent", func(t *testing.T) {
		tg := open(t)
		if tg.Hang == nil {
			t.Skip("the destination never answers")
		}
		tg.Hang()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := tg.Sink.Write(ctx, Samples(10, time.Now()))
		if err == nil || sinks.IsPermanent(err) || ctx.Err() == nil {
			t.Fatalf("Write = %v, context %v; want it ended by the context", err, ctx.Err())
		}
	})
	t.Run("a cancelled context writes nothing", func(t *testing.T) {
		tg := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := tg.Sink.Write(ctx, Samples(10, time.Now()))
		if err == nil || sinks.IsPermanent(err) {
			t.Fatalf("Write = %v; want the context's error", err)
		}
		if got := tg.Names(); len(got) != 0 {
			t.Errorf("%d samples arrived", len(got))
		}
	})
}

// partial lets a destination fail under a write of several requests, and repeats from where Write says.
func partial(t *testing.T, tg Target) {
	if tg.Fail == nil {
		t.Skip("the destination never answers")
	}
	in := Samples(1200, time.Now())
	tg.Fail(20)
	err := tg.Sink.Write(t.Context(), in)
	if err == nil {
		t.Fatal("Write succeeded against a destination that fails")
	}
	done := 0
	var pe *sinks.PartialError
	if errors.As(err, &pe) {
		done = pe.Written
	}
	if got := len(tg.Names()); !tg.Repeats && got != done {
		t.Errorf("Write says %d samples were delivered, %d were", done, got)
	}
	tg.Fail(0)
	write(t, tg, in[done:])
	expect(t, tg, in)
}

func write(t *testing.T, tg Target, in []metric.Sample) {
	t.Helper()
	if err := tg.Sink.Write(t.Context(), in); err != nil {
		t.Fatalf("Write of %d samples: %v", len(in), err)
	}
}

func expect(t *testing.T, tg Target, in []metric.Sample) {
	t.Helper()
	want := make([]string, len(in))
	for i, s := range in {
		want[i] = s.Desc.Name
	}
	got := tg.Names()
	if tg.Repeats && len(got) > len(want) {
		got = got[len(got)-len(want):]
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d names arrived, first %.3q; want %d, first %.3q", len(got), got[:min(3, len(got))], len(want), want[:3])
	}
}
