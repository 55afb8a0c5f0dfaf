package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/navcloud/binnacle/alerting"
)

// natsServer is a JetStream server of this process, on a loopback port.
func natsServer(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

func mustOpenNATS(t *testing.T, url, fleet string) Ledger {
	t.Helper()
	l, err := OpenNATS(t.Context(), NATS{URLs: []string{url}, Replicas: 1}, fleet, Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestNATS(t *testing.T) {
	url := natsServer(t)
	conform(t, func(t *testing.T) (Ledger, func() Ledger) {
		l := mustOpenNATS(t, url, t.Name())
		return l, func() Ledger {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return mustOpenNATS(t, url, t.Name())
		}
	})
}

// A lease that nobody renews runs out at the server, and its holder can write nothing more.
func TestNATSTheLeaseRunsOut(t *testing.T) {
	url := natsServer(t)
	a, b := mustOpenNATS(t, url, "fleet"), mustOpenNATS(t, url, "fleet")
	old, err := a.Acquire(t.Context(), "a", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var taken Lease
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if taken, err = b.Acquire(t.Context(), "b", time.Minute); err == nil {
			break
		}
		if !errors.Is(err, ErrHeld) || time.Now().After(deadline) {
			t.Fatalf("Acquire by b: %v; want the lease to run out", err)
		}
	}
	if taken.Token <= old.Token {
		t.Errorf("token %d after %d", taken.Token, old.Token)
	}
	entry := Entry{Record: alerting.Record{Key: "a:1", Open: true}}
	if _, err := a.Write(t.Context(), old, Batch{Entries: []Entry{entry}}); !errors.Is(err, ErrFenced) {
		t.Errorf("Write with the old lease: %v; want ErrFenced", err)
	}
	if _, err := b.Write(t.Context(), taken, Batch{Entries: []Entry{entry}}); err != nil {
		t.Errorf("Write with the new lease: %v", err)
	}
}

func TestNATSFollowersLearnWhatIsWritten(t *testing.T) {
	url := natsServer(t)
	a, b := mustOpenNATS(t, url, "fleet"), mustOpenNATS(t, url, "fleet")
	lease, err := a.Acquire(t.Context(), "a", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	write := func(l Ledger, lease Lease, e Entry) uint64 {
		t.Helper()
		revs, err := l.Write(t.Context(), lease, Batch{Entries: []Entry{e}, Silences: []alerting.Silence{{ID: e.Record.Key, EndsAt: time.Now().Add(time.Hour)}}})
		if err != nil {
			t.Fatal(err)
		}
		return revs[0]
	}
	e := Entry{Record: alerting.Record{Key: "a:1", Open: true}}
	e.Revision = write(a, lease, e)
	ctx, stop := context.WithCancel(t.Context())
	changes, ended := make(chan State, 10), make(chan error, 1)
	go func() { ended <- b.(Follower).Follow(ctx, func(st State) { changes <- st }) }()
	next := func() State {
		t.Helper()
		for {
			select {
			case st := <-changes:
				if len(st.Entries) > 0 {
					return st
				}
			case err := <-ended:
				t.Fatalf("Follow ended: %v", err)
			}
		}
	}
	if st := next(); st.Entries[0].Record.Key != "a:1" || st.Entries[0].Revision != e.Revision {
		t.Errorf("first change %+v; want a:1 at %d", st, e.Revision)
	}
	// A router that does not send tells what a person did.
	e.Record.AckedBy = "ann"
	write(b, Lease{}, e)
	if st := next(); st.Entries[0].Record.AckedBy != "ann" {
		t.Errorf("second change %+v; want the acknowledgement", st)
	}
	if _, err := a.Write(t.Context(), lease, Batch{Entries: []Entry{e}}); !errors.Is(err, ErrConflict) {
		t.Errorf("Write at a revision that another changed: %v; want ErrConflict", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
