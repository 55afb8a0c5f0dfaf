package dispatch

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/simulate"
	"github.com/navcloud/binnacle/alerting/topology"
)

// oldLedger is what revision 353fd47 wrote, and the records in it: three open incidents, of which ann acknowledged one and bob
// silenced another, and two low ones that waited.
func oldLedger(t *testing.T) ledger.State {
	t.Helper()
	zipped, err := os.Open(filepath.Join("testdata", "ledger-353fd47.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer zipped.Close()
	plain, err := gzip.NewReader(zipped)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	st, err := l.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// A ledger of revision 353fd47 goes on: nothing is sent twice, who acknowledged and who silenced is known, and all ends.
func TestALedgerOfAnEarlierVersionGoesOn(t *testing.T) {
	st := oldLedger(t)
	var recs []alerting.Record
	alarms := map[string]alerting.Alarm{}
	for _, e := range st.Entries {
		recs = append(recs, e.Record)
		for _, a := range e.Record.Page.Explained {
			alarms[a.Fingerprint()] = a
		}
	}
	if len(recs) != 3 || len(st.Silences) != 1 {
		t.Fatalf("the ledger has %d records and %d silences; want 3 and 1", len(recs), len(st.Silences))
	}
	begin := time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)
	g, err := topology.New([]topology.Entity{{ID: "c1", Kind: topology.KindCluster}, {ID: "c2", Kind: topology.KindCluster}, {ID: "c3", Kind: topology.KindCluster}})
	if err != nil {
		t.Fatal(err)
	}
	p := simulate.New(simulate.Options{Settings: alerting.DefaultSettings(), Graph: g})
	p.Watch = simulate.Checks(0)
	p.Restore(recs, st.Silences)
	for _, a := range alarms {
		for n := range 20 {
			at := begin.Add(10*time.Second + time.Duration(n)*time.Minute)
			a.EndsAt = at.Add(4 * time.Minute)
			p.Add(simulate.Event{At: at, In: alerting.Firing{Alarm: a}})
		}
		p.Add(simulate.Event{At: begin.Add(20 * time.Minute), In: alerting.Ended{Fingerprint: a.Fingerprint()}})
	}
	if err := p.Run(begin.Add(15 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Calls() {
		if c.Action.Kind == alerting.Trigger || c.Action.Kind == alerting.Resolve {
			t.Errorf("%s of %s; want neither while all goes on", c.Action.Kind, c.Action.Key)
		}
	}
	states := map[string]alerting.ProblemView{}
	for _, q := range p.View().Problems {
		states[q.Root.Rule()] = q
	}
	if q := states["Split"]; q.State != alerting.AckedState || q.AckedBy != "ann" {
		t.Errorf("Split is %s by %q; want it acknowledged by ann", q.State, q.AckedBy)
	}
	if q := states["Cert"]; q.State != alerting.SilencedState || q.SilencedBy != "bob" {
		t.Errorf("Cert is %s by %q; want it silenced by bob", q.State, q.SilencedBy)
	}
	if q := states["Disk"]; q.State != alerting.Paged {
		t.Errorf("Disk is %s; want it paged", q.State)
	}
	if err := p.Run(begin.Add(40 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if open := p.Open(); len(open) > 0 {
		t.Errorf("still open: %v", open)
	}
}
