package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/damage/damagetest"
	"github.com/navcloud/binnacle/alerting"
)

// memory writes as a router does: it knows its entries, and writes them all where the ledger was begun anew.
type memory struct {
	t     *testing.T
	l     Ledger
	lease Lease
	known map[string]Entry
}

func newMemory(t *testing.T, l Ledger) *memory {
	t.Helper()
	lease, err := l.Acquire(t.Context(), "a", 24*time.Hour)
	must(t, err)
	return &memory{t, l, lease, map[string]Entry{}}
}

func (m *memory) decide(key string) {
	m.t.Helper()
	e := m.known[key]
	e.Record = alerting.Record{Key: key, Open: true, UpdatedAt: time.Now(), Page: alerting.Page{Sentence: "x"}}
	m.known[key] = e
	write := []string{key}
	for range 4 {
		var b Batch
		for _, k := range write {
			b.Entries = append(b.Entries, m.known[k])
		}
		b.Events = []Event{{At: time.Now(), Kind: Decided, Key: key}}
		revs, err := m.l.Write(m.t.Context(), m.lease, b)
		if err == nil {
			for i, k := range write {
				e := m.known[k]
				e.Revision = revs[i]
				m.known[k] = e
			}
			return
		}
		if !errors.Is(err, ErrMended) && !errors.Is(err, ErrConflict) {
			m.t.Fatalf("Write of %s: %v", key, err)
		}
		write = m.readopt(key)
	}
	m.t.Fatalf("%s was not written", key)
}

// readopt takes the revisions of the ledger, and returns key and what the ledger lacks.
func (m *memory) readopt(key string) []string {
	st, err := m.l.Load(m.t.Context())
	must(m.t, err)
	there := map[string]uint64{}
	for _, e := range st.Entries {
		there[e.Record.Key] = e.Revision
	}
	write := []string{key}
	for k, e := range m.known {
		rev, ok := there[k]
		if e.Revision = rev; !ok && k != key {
			write = append(write, k)
		}
		m.known[k] = e
	}
	return write
}

func keys(t *testing.T, l Ledger) (out []string) {
	t.Helper()
	st, err := l.Load(t.Context())
	must(t, err)
	for _, e := range st.Entries {
		out = append(out, e.Record.Key)
	}
	slices.Sort(out)
	return out
}

func standsIn(l Ledger) bool {
	_, why := l.(Standing).StandsIn()
	return why != nil
}

// due lets the ledger look at its first file with the next write.
func due(l Ledger) { l.(*bolt).tried = time.Time{} }

func TestAFullDiskLosesNoDecision(t *testing.T) {
	disk := damagetest.NewDisk(t, "4m")
	o := Options{StandIn: filepath.Join(t.TempDir(), "memory", "ledger.db"), Damaged: func(r damage.Report) { t.Errorf("damaged: %v", r) }}
	path := filepath.Join(disk.Path, "ledger.db")
	l := mustOpen(t, path, o)
	m := newMemory(t, l)
	m.decide("a")
	disk.Fill()
	for n := range 50 {
		m.decide(fmt.Sprintf("b-%d", n%5))
	}
	if !standsIn(l) || len(keys(t, l)) != 6 {
		t.Fatalf("stands in %v, knows %v; want it to, and six entries", standsIn(l), keys(t, l))
	}
	must(t, l.Close()) // as a kill leaves it: both files are there
	l = mustOpen(t, path, o)
	if got := keys(t, l); len(got) != 6 {
		t.Errorf("a restart on the full disk knows %v; want six entries", got)
	}
	m = newMemory(t, l)
	m.readopt("a")
	m.decide("c")
	disk.Free()
	due(l)
	m.decide("d")
	if standsIn(l) {
		t.Error("the stand-in serves on; want the first file, which has room")
	}
	events, err := l.History(t.Context(), Query{})
	if err != nil || len(events) != 53 {
		t.Errorf("%d events, %v; want all 53", len(events), err)
	}
	must(t, l.Close())
	if got := keys(t, mustOpen(t, path, o)); len(got) != 8 {
		t.Errorf("after a restart %v; want eight entries", got)
	}
}

func TestAReadOnlyDiskStartsWithWhatItHolds(t *testing.T) {
	disk := damagetest.NewDisk(t, "4m")
	o := Options{StandIn: filepath.Join(t.TempDir(), "ledger.db")}
	path := filepath.Join(disk.Path, "ledger.db")
	l := mustOpen(t, path, o)
	newMemory(t, l).decide("a")
	must(t, l.Close())
	disk.ReadOnly(true)
	l = mustOpen(t, path, o)
	m := newMemory(t, l)
	m.decide("b")
	if got := keys(t, l); !slices.Equal(got, []string{"a", "b"}) || !standsIn(l) {
		t.Errorf("on a read-only disk it knows %v, stands in %v; want a and b, there", got, standsIn(l))
	}
	disk.ReadOnly(false)
	due(l)
	m.decide("c")
	if got := keys(t, l); !slices.Equal(got, []string{"a", "b", "c"}) || standsIn(l) {
		t.Errorf("once it can be written it knows %v, stands in %v; want all, in its place", got, standsIn(l))
	}
}

func TestADiskThatHangsIsLeftBehind(t *testing.T) {
	o := Options{StandIn: filepath.Join(t.TempDir(), "ledger.db"), Hang: 20 * time.Millisecond}
	l := mustOpen(t, filepath.Join(t.TempDir(), "ledger.db"), o)
	m := newMemory(t, l)
	m.decide("a")
	tx, err := l.(*bolt).main.db.Begin(true) // until it ends, every other write of the file waits
	must(t, err)
	m.decide("b")
	if !standsIn(l) || len(keys(t, l)) != 2 {
		t.Errorf("stands in %v, knows %v; want it to, and both entries", standsIn(l), keys(t, l))
	}
	due(l)
	m.decide("c")
	if !standsIn(l) {
		t.Error("it went back to a file of which a write still hangs")
	}
	must(t, tx.Rollback())
	for range 6000 { // the write that hung has to come back first
		if due(l); !standsIn(l) {
			break
		}
		time.Sleep(10 * time.Millisecond)
		m.decide("d")
	}
	if got := keys(t, l); standsIn(l) || !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("stands in %v, knows %v; want all four in the first file", standsIn(l), got)
	}
}

func TestAFileThatIsReplacedWhileInUseIsWrittenAnew(t *testing.T) {
	var told []damage.Report
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path, Options{Damaged: func(r damage.Report) { told = append(told, r) }})
	m := newMemory(t, l)
	m.decide("a")
	writeFile(t, path+".other", []byte("hello"))
	must(t, rename(path+".other", path))
	m.decide("b")
	if got := keys(t, l); !slices.Equal(got, []string{"a", "b"}) || len(told) != 2 {
		t.Errorf("it knows %v and told %v; want both entries, what was found and that it is written anew", got, told)
	}
	must(t, l.Close())
	if got := keys(t, mustOpen(t, path, Options{})); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("after a restart %v; want both entries", got)
	}
}

func TestAFileThatIsCutWhileInUseIsBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	seedLedger(t, path)
	var told []damage.Report
	l := mustOpen(t, path, Options{Damaged: func(r damage.Report) { told = append(told, r) }})
	m := newMemory(t, l)
	m.readopt("x")
	must(t, truncate(path, 16<<10))
	m.decide("x")
	if got := keys(t, l); !slices.Contains(got, "x") || len(told) == 0 {
		t.Errorf("it knows %d entries and told %v; want the new one, and a word", len(got), told)
	}
}

// TestADecisionCostsTheSameHoweverMuchThereIs counts what a decision reads and writes of a small and of a large ledger.
func TestADecisionCostsTheSameHoweverMuchThereIs(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes a ledger of 100,000 events")
	}
	cost := func(events int) (pages, allocs float64) {
		l := mustOpen(t, filepath.Join(t.TempDir(), "ledger.db"), Options{})
		b := l.(*bolt)
		b.main.db.NoSync = true
		m := newMemory(t, l)
		for n := 0; n < events; n += 1000 {
			batch := Batch{Events: make([]Event, 1000)}
			for i := range batch.Events {
				batch.Events[i] = Event{At: time.Now(), Kind: Decided, Key: "k", Title: "something is wrong with the machine [Rule]"}
			}
			_, err := l.Write(t.Context(), m.lease, batch)
			must(t, err)
		}
		before := b.main.db.Stats()
		const n = 200
		allocs = testing.AllocsPerRun(n, func() { m.decide("a") })
		after := b.main.db.Stats()
		diff := after.Sub(&before)
		return float64(diff.TxStats.GetPageAlloc()) / (n + 1), allocs
	}
	smallPages, smallAllocs := cost(1000)
	largePages, largeAllocs := cost(100_000)
	t.Logf("bytes of pages a decision: %.0f and %.0f; allocations: %.0f and %.0f", smallPages, largePages, smallAllocs, largeAllocs)
	if largePages > 1.6*smallPages || largeAllocs > 1.5*smallAllocs {
		t.Errorf("a decision writes %.0f bytes of pages and makes %.0f allocations at 100,000 events, and %.0f and %.0f at 1,000", largePages, largeAllocs, smallPages, smallAllocs)
	}
}

func TestALedgerMostlyFreeIsCompacted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path, Options{MaxEvents: 100})
	l.(*bolt).main.db.NoSync = true
	m := newMemory(t, l)
	m.decide("a")
	long := string(make([]byte, maxText))
	for range 12 {
		batch := Batch{Events: make([]Event, 1000)}
		for i := range batch.Events {
			batch.Events[i] = Event{At: time.Now(), Kind: Decided, Title: long}
		}
		_, err := l.Write(t.Context(), m.lease, batch)
		must(t, err)
	}
	for range 13 * pruneEvery {
		m.decide("a")
	}
	must(t, l.Close())
	before := size(t, path)
	l = mustOpen(t, path, Options{MaxEvents: 100})
	if got := size(t, path); before < compactAbove || got > before/4 {
		t.Errorf("%d bytes became %d; want a quarter at most", before, got)
	}
	if got := keys(t, l); !slices.Equal(got, []string{"a"}) {
		t.Errorf("it knows %v; want a", got)
	}
	newMemory(t, l).readopt("a")
}

// A disk that is still full when the ledger comes to look leaves the file in use as it is, though that is closed right after.
func TestALookAtAFullDiskChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	l, err := Open(filepath.Join(dir, "ledger.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := l.(*bolt)
	main := b.main
	if err := os.RemoveAll(dir); err != nil { // so that nothing can be written there
		t.Fatal(err)
	}
	if b.reopenMain() || b.main != main {
		t.Errorf("it goes back, to %v; want that it waits, with %v in use", b.main, main)
	}
	if err := b.Close(); err != nil { // an owner that ends: under -race this met the look
		t.Error(err)
	}
}
