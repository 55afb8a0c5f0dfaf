package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// conform is the suite that every Ledger passes. open returns an empty one; reopen closes it and opens
// what it left behind.
func conform(t *testing.T, open func(t *testing.T) (l Ledger, reopen func() Ledger)) {
	record := func(key string, open bool) Entry {
		return Entry{Record: alerting.Record{Key: key, Base: key, Open: open, UpdatedAt: time.Now(), Page: alerting.Page{
			Priority: alerting.P1, Rule: "RabbitPartition", Explained: []alerting.Alarm{{Labels: map[string]string{"alertname": "RabbitPartition"}}},
		}}}
	}
	write := func(t *testing.T, l Ledger, lease Lease, b Batch) []uint64 {
		t.Helper()
		revs, err := l.Write(t.Context(), lease, b)
		if err != nil {
			t.Fatal(err)
		}
		return revs
	}
	for name, test := range map[string]func(t *testing.T, l Ledger, lease Lease, reopen func() Ledger){
		"what was written is there after a restart": func(t *testing.T, l Ledger, lease Lease, reopen func() Ledger) {
			e := record("a:1", true)
			silence := alerting.Silence{ID: "s1", CreatedBy: "ann", EndsAt: time.Now().Add(time.Hour)}
			revs := write(t, l, lease, Batch{Entries: []Entry{e}, Silences: []alerting.Silence{silence}})
			l = reopen()
			st, err := l.Load(t.Context())
			if err != nil || len(st.Entries) != 1 || len(st.Silences) != 1 {
				t.Fatalf("Load = %+v, %v; want one entry and one silence", st, err)
			}
			got := st.Entries[0]
			if got.Revision != revs[0] || !got.Record.Open || got.Record.Page.Explained[0].Rule() != "RabbitPartition" || st.Silences[0].CreatedBy != "ann" {
				t.Errorf("Load = %+v; want the entry of revision %d and the silence of ann", st, revs[0])
			}
		},
		"a stale revision changes nothing of its batch": func(t *testing.T, l Ledger, lease Lease, _ func() Ledger) {
			e := record("a:1", true)
			e.Revision = write(t, l, lease, Batch{Entries: []Entry{e}})[0]
			write(t, l, lease, Batch{Entries: []Entry{e}})
			_, err := l.Write(t.Context(), lease, Batch{Entries: []Entry{record("b:1", true), e}})
			if !errors.Is(err, ErrConflict) {
				t.Fatalf("Write with a stale revision: %v; want ErrConflict", err)
			}
			st, err := l.Load(t.Context())
			if err != nil || len(st.Entries) != 1 {
				t.Errorf("Load = %+v, %v; want a:1 alone", st, err)
			}
		},
		"a new entry needs revision 0": func(t *testing.T, l Ledger, lease Lease, _ func() Ledger) {
			e := record("a:1", true)
			e.Revision = 7
			if _, err := l.Write(t.Context(), lease, Batch{Entries: []Entry{e}}); !errors.Is(err, ErrConflict) {
				t.Errorf("Write of a new entry at revision 7: %v; want ErrConflict", err)
			}
		},
		"shadow entries stand beside the real ones": func(t *testing.T, l Ledger, lease Lease, _ func() Ledger) {
			real, shadow := record("a:1", true), record("a:1", false)
			shadow.Shadow = true
			write(t, l, lease, Batch{Entries: []Entry{real, shadow}})
			st, err := l.Load(t.Context())
			if err != nil || len(st.Entries) != 2 || st.Entries[0].Record.Open == st.Entries[1].Record.Open {
				t.Errorf("Load = %+v, %v; want both", st, err)
			}
		},
		"an overtaken lease is fenced off": func(t *testing.T, l Ledger, lease Lease, _ func() Ledger) {
			if _, err := l.Acquire(t.Context(), "b", time.Minute); !errors.Is(err, ErrHeld) {
				t.Fatalf("Acquire by b: %v; want ErrHeld", err)
			}
			renewed, err := l.Acquire(t.Context(), "a", time.Minute)
			if err != nil || renewed.Token != lease.Token {
				t.Fatalf("renewal = %+v, %v; want token %d", renewed, err, lease.Token)
			}
			if err := l.Release(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
			other, err := l.Acquire(t.Context(), "b", time.Minute)
			if err != nil || other.Token <= lease.Token {
				t.Fatalf("Acquire by b after the release = %+v, %v; want a token above %d", other, err, lease.Token)
			}
			if _, err := l.Write(t.Context(), lease, Batch{Entries: []Entry{record("a:1", true)}}); !errors.Is(err, ErrFenced) {
				t.Errorf("Write with the old lease: %v; want ErrFenced", err)
			}
		},
		"tokens rise over restarts": func(t *testing.T, _ Ledger, lease Lease, reopen func() Ledger) {
			next, err := reopen().Acquire(t.Context(), "a", time.Minute)
			if err != nil || next.Token <= lease.Token {
				t.Errorf("Acquire after a restart = %+v, %v; want a token above %d", next, err, lease.Token)
			}
		},
		"history answers by key, alarm, time and kind, oldest first": testHistory,
	} {
		t.Run(name, func(t *testing.T) {
			l, reopen := open(t)
			lease, err := l.Acquire(t.Context(), "a", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			test(t, l, lease, reopen)
		})
	}
}

func testHistory(t *testing.T, l Ledger, lease Lease, _ func() Ledger) {
	start := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	_, err := l.Write(t.Context(), lease, Batch{Events: []Event{
		{At: start, Kind: Decided, Key: "a:1", Alarms: []string{"f1", "f2"}},
		{At: start.Add(time.Second), Kind: Accepted, Key: "a:1", Alarms: []string{"f1", "f2"}},
		{At: start.Add(2 * time.Second), Kind: Decided, Key: "b:1", Alarms: []string{"f3"}},
		{At: start.Add(3 * time.Second), Kind: Acked, Key: "a:1", By: "ann"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		q    Query
		want []Kind
	}{
		"all":         {Query{}, []Kind{Decided, Accepted, Decided, Acked}},
		"newest two":  {Query{Limit: 2}, []Kind{Decided, Acked}},
		"by key":      {Query{Key: "a:1"}, []Kind{Decided, Accepted, Acked}},
		"by alarm":    {Query{Alarm: "f2"}, []Kind{Decided, Accepted}},
		"by kind":     {Query{Kinds: []Kind{Acked}}, []Kind{Acked}},
		"by time":     {Query{Since: start.Add(time.Second), Until: start.Add(3 * time.Second)}, []Kind{Accepted, Decided}},
		"none of yet": {Query{Key: "c:1"}, nil},
	} {
		got, err := l.History(t.Context(), tc.q)
		if err != nil || len(got) != len(tc.want) {
			t.Errorf("%s: History = %+v, %v; want %v", name, got, err, tc.want)
			continue
		}
		for i, k := range tc.want {
			if got[i].Kind != k {
				t.Errorf("%s: event %d is %s; want %s", name, i, got[i].Kind, k)
			}
		}
	}
}

func mustOpen(t *testing.T, path string, o Options) Ledger {
	t.Helper()
	if o.Hang == 0 {
		o.Hang = time.Minute // the machine may be busy
	}
	l, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestBolt(t *testing.T) {
	conform(t, func(t *testing.T) (Ledger, func() Ledger) {
		path := filepath.Join(t.TempDir(), "data", "ledger.db")
		l := mustOpen(t, path, Options{})
		return l, func() Ledger {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return mustOpen(t, path, Options{})
		}
	})
}

func TestBoltForgetsWhatIsOldButNothingOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, path, Options{Retention: time.Hour, MaxEvents: 10})
		lease, err := l.Acquire(t.Context(), "a", 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		write := func(b Batch) {
			t.Helper()
			if _, err := l.Write(t.Context(), lease, b); err != nil {
				t.Fatal(err)
			}
		}
		then := time.Now()
		write(Batch{
			Entries: []Entry{
				{Record: alerting.Record{Key: "open:1", Open: true, UpdatedAt: then}},
				{Record: alerting.Record{Key: "closed:1", UpdatedAt: then}},
			},
			Silences: []alerting.Silence{{ID: "s", EndsAt: then}},
		})
		time.Sleep(2 * time.Hour)
		for range pruneEvery {
			write(Batch{Events: []Event{{At: time.Now(), Kind: Decided}}})
		}
		st, err := l.Load(t.Context())
		if err != nil || len(st.Entries) != 1 || st.Entries[0].Record.Key != "open:1" || len(st.Silences) != 0 {
			t.Errorf("Load = %+v, %v; want open:1 alone", st, err)
		}
		events, err := l.History(t.Context(), Query{})
		if err != nil || len(events) > 11 || len(events) == 0 {
			t.Errorf("%d events, %v; want the newest 10 or so", len(events), err)
		}
	})
}

func TestBoltRefusesASecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	mustOpen(t, path, Options{})
	if l, err := Open(path, Options{Timeout: time.Millisecond}); !errors.Is(err, ErrInUse) {
		t.Errorf("the second Open = %v, %v; want ErrInUse", l, err)
	}
}

func TestWriteBoundsWhatItKeeps(t *testing.T) {
	l := mustOpen(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
	lease, err := l.Acquire(context.Background(), "a", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	e := Entry{Record: alerting.Record{Key: "a:1", Open: true, Page: alerting.Page{Explained: make([]alerting.Alarm, 10_000)}}}
	if _, err := l.Write(t.Context(), lease, Batch{Entries: []Entry{e}, Events: []Event{{At: time.Now(), Alarms: make([]string, 10_000), Detail: string(make([]byte, 1<<20))}}}); err != nil {
		t.Fatal(err)
	}
	st, err := l.Load(t.Context())
	if err != nil || len(st.Entries[0].Record.Page.Explained) != maxExplained {
		t.Errorf("kept %d explained alarms, %v; want %d", len(st.Entries[0].Record.Page.Explained), err, maxExplained)
	}
	if len(e.Record.Page.Explained) != 10_000 {
		t.Error("Write shortened the caller's page")
	}
	events, err := l.History(t.Context(), Query{})
	if err != nil || len(events[0].Alarms) != maxAlarms || len(events[0].Detail) != maxText {
		t.Errorf("kept %d alarms and %d bytes of an event, %v; want %d and %d", len(events[0].Alarms), len(events[0].Detail), err, maxAlarms, maxText)
	}
}

// BenchmarkOpen opens a ledger of 100,000 events, its check of all pages included.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ledger.db")
	l, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	lease, err := l.Acquire(b.Context(), "a", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for range 100 {
		batch := Batch{Events: make([]Event, 1000)}
		for i := range batch.Events {
			batch.Events[i] = Event{At: time.Now(), Kind: Decided, Key: "k", Title: "something is wrong with the machine [Rule]", Alarms: []string{"0123456789abcdef"}}
		}
		if _, err := l.Write(b.Context(), lease, batch); err != nil {
			b.Fatal(err)
		}
	}
	_ = l.Close()
	for b.Loop() {
		l, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		_ = l.Close()
	}
}
