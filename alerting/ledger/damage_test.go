package ledger

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// What a sound ledger of these tests holds.
const (
	seedEntries  = 300
	seedSilences = 40
	seedEvents   = 3000
)

// seedLedger makes a ledger that has lived a while, so that pages were freed and used again.
func seedLedger(t testing.TB, path string) {
	t.Helper()
	l, err := Open(path, Options{Hang: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	lease, err := l.Acquire(t.Context(), "a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	revs := make([]uint64, seedEntries)
	at := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	for round := range 10 {
		var b Batch
		for n := range seedEntries {
			e := seedEntry(n, at.Add(time.Duration(round)*time.Minute))
			e.Revision = revs[n]
			b.Entries = append(b.Entries, e)
		}
		for n := range seedSilences {
			b.Silences = append(b.Silences, alerting.Silence{ID: fmt.Sprintf("s-%d", n), CreatedBy: "ann", EndsAt: at.Add(24 * time.Hour), UpdatedAt: at})
		}
		for n := range seedEvents / 10 {
			b.Events = append(b.Events, Event{At: at, Kind: Decided, Key: fmt.Sprintf("k-%d", n), Title: "something is wrong with the machine"})
		}
		if revs, err = l.Write(t.Context(), lease, b); err != nil {
			t.Fatal(err)
		}
	}
}

func seedEntry(n int, at time.Time) Entry {
	key := fmt.Sprintf("k-%03d", n)
	return Entry{Record: alerting.Record{
		Key: key, Base: key, Open: true, UpdatedAt: at,
		Page: alerting.Page{Priority: alerting.P1, Rule: "Rule", Sentence: "something is wrong", Explained: []alerting.Alarm{{Labels: map[string]string{"alertname": "Rule", "entity": "node:" + key}}}},
	}}
}

// mutation breaks the file at path. Some leave all, some leave nothing.
type mutation struct {
	do    func(t *testing.T, path string)
	least int  // records that must be kept
	quiet bool // there is nothing to tell
}

func flip(n int, from int64, seed uint64) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		b := readFile(t, path)
		r := rand.New(rand.NewPCG(seed, 1))
		for range n {
			i := from + r.Int64N(int64(len(b))-from)
			b[i] ^= 1 << r.IntN(8)
		}
		writeFile(t, path, b)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cutTo(share float64, less int64) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, int64(float64(info.Size())*share)-less)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func replaceAll(from, to string, most int) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		b := readFile(t, path)
		if !bytes.Contains(b, []byte(from)) {
			t.Fatalf("the file has no %q", from)
		}
		writeFile(t, path, bytes.Replace(b, []byte(from), []byte(to), most))
	}
}

// zero writes zeros over pages.
func zero(page, n int64) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(make([]byte, n*int64(os.Getpagesize())), page*int64(os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
	}
}

const all = seedEntries + seedSilences + seedEvents

var mutations = map[string]mutation{
	"sound":                    {do: func(*testing.T, string) {}, least: all, quiet: true},
	"gone":                     {do: func(t *testing.T, p string) { must(t, os.Remove(p)) }, quiet: true},
	"zero length":              {do: cutTo(0, 0)},
	"100 bytes":                {do: func(t *testing.T, p string) { must(t, os.Truncate(p, 100)) }},
	"one page":                 {do: func(t *testing.T, p string) { must(t, os.Truncate(p, 4096)) }},
	"two pages":                {do: func(t *testing.T, p string) { must(t, os.Truncate(p, 8192)) }},
	"four pages":               {do: func(t *testing.T, p string) { must(t, os.Truncate(p, 16384)) }},
	"cut to a quarter":         {do: cutTo(0.25, 0), least: all / 20},
	"cut to a half":            {do: cutTo(0.5, 0), least: all / 10},
	"cut to a half, mid page":  {do: cutTo(0.5, 1234), least: all / 10},
	"cut by 100 bytes":         {do: cutTo(1, 100), least: all / 2},
	"longer by noise":          {do: func(t *testing.T, p string) { writeFile(t, p, append(readFile(t, p), noise(50_000)...)) }, least: all, quiet: true},
	"longer by a hole":         {do: func(t *testing.T, p string) { must(t, os.Truncate(p, 100<<30)) }, least: all, quiet: true},
	"a hole without an end":    {do: func(t *testing.T, p string) { must(t, os.Truncate(p, 0)); must(t, os.Truncate(p, 100<<30)) }},
	"no heads, and a hole":     {do: func(t *testing.T, p string) { zero(0, 2)(t, p); must(t, os.Truncate(p, 100<<30)) }, least: all},
	"5 bits":                   {do: flip(5, 8192, 1), least: all / 2},
	"50 bits":                  {do: flip(50, 8192, 2), least: all / 2},
	"500 bits":                 {do: flip(500, 8192, 3), least: all / 4},
	"5000 bits":                {do: flip(5000, 8192, 4)},
	"50000 bits":               {do: flip(50000, 8192, 5)},
	"one head":                 {do: zero(0, 1), least: all},
	"the other head":           {do: zero(1, 1), least: all},
	"both heads":               {do: zero(0, 2), least: all},
	"ten pages of zeros":       {do: zero(8, 10), least: all / 2},
	"a hundred pages of zeros": {do: zero(8, 100), least: 0},
	"pages of noise":           {do: noisy(8, 20), least: all / 2},
	"all noise":                {do: func(t *testing.T, p string) { writeFile(t, p, noise(len(readFile(t, p)))) }},
	"text":                     {do: func(t *testing.T, p string) { writeFile(t, p, bytes.Repeat([]byte("hello\n"), 5000)) }},
	"another program's SQLite": {do: func(t *testing.T, p string) { writeFile(t, p, append([]byte("SQLite format 3\x00"), noise(40_000)...)) }},
	"zeros":                    {do: func(t *testing.T, p string) { writeFile(t, p, make([]byte, 64<<10)) }},
	"a folder":                 {do: func(t *testing.T, p string) { must(t, os.Remove(p)); must(t, os.Mkdir(p, 0o700)) }},
	"all entries no JSON":      {do: replaceAll(`{"Revision"`, `}"Revision"`, -1), least: seedSilences},
	"one entry no JSON":        {do: replaceAll(`{"Revision":10,`, `}"Revision":10,`, 1), least: all - 1},
	"events no JSON":           {do: replaceAll(`{"seq":`, `}"seq":`, -1), least: seedEntries + seedSilences, quiet: true},
	"silences of another type": {do: replaceAll(`"CreatedBy":"ann"`, `"CreatedBy":12345`, -1), least: seedEntries},
	"a newer layout":           {do: replaceAll("version\x00\x00\x00\x00\x00\x00\x00\x01", "version\x00\x00\x00\x00\x00\x00\x00\x63", -1), least: all},
	"free list no list":        {do: pageOfKind(flagFreelist, func(b []byte) { b[8] = 0x40 }), least: all},
	"free list of used pages":  {do: pageOfKind(flagFreelist, func(b []byte) { binary.LittleEndian.PutUint16(b[10:], 1); binary.LittleEndian.PutUint64(b[16:], 3) }), least: all / 2},
	"branch to itself":         {do: pageOfKind(flagBranch, func(b []byte) { copy(b[24:32], b[:8]) }), least: all / 2},
	"branch to nowhere":        {do: pageOfKind(flagBranch, func(b []byte) { binary.LittleEndian.PutUint64(b[24:], 1<<40) }), least: all / 2},
	"leaf with 65535 elements": {do: pageOfKind(flagLeaf, func(b []byte) { binary.LittleEndian.PutUint16(b[10:], 65535) }), least: all / 2},
	"leaf that flows over":     {do: pageOfKind(flagLeaf, func(b []byte) { binary.LittleEndian.PutUint32(b[12:], 1<<31) }), least: all / 2},
	"leaf that takes for meta": {do: pageOfKind(flagLeaf, func(b []byte) { b[8] = 4 }), least: all / 2},
	"leaf with a wrong number": {do: pageOfKind(flagLeaf, func(b []byte) { b[0]++ }), least: all / 2},
	"recorded cut to 8 KiB":    {do: recorded("cut-8192.db.gz")},
	"recorded cut to 16 KiB":   {do: recorded("cut-16384.db.gz")},
	"recorded cut to 128 KiB":  {do: recorded("cut-131072.db.gz"), least: 1},
	"a ledger without buckets": {do: func(t *testing.T, p string) {
		must(t, os.Remove(p))
		db, err := bbolt.Open(p, 0o600, nil)
		must(t, err)
		must(t, db.Close())
	}, quiet: true},
	"a ledger in a dead folder": {do: func(t *testing.T, p string) { must(t, os.RemoveAll(filepath.Dir(p))) }, quiet: true},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	c := rand.NewChaCha8([32]byte{1})
	_, _ = c.Read(b) // it never errs
	return b
}

func noisy(page, n int64) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		b := readFile(t, path)
		copy(b[page*int64(os.Getpagesize()):], noise(int(n)*os.Getpagesize()))
		writeFile(t, path, b)
	}
}

// pageOfKind changes the live pages of a kind.
func pageOfKind(flag uint16, change func(b []byte)) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		b := readFile(t, path)
		m, err := openImage(bytes.NewReader(b), int64(len(b)))
		must(t, err)
		must(t, m.check())
		n := 0
		for id := m.end - 1; id >= 2; id-- {
			p := b[int64(id)*m.page:][:m.page]
			used := m.seen[id/64]&(1<<(id%64)) != 0
			if used && binary.LittleEndian.Uint64(p) == id && binary.LittleEndian.Uint16(p[8:]) == flag && (flag != flagFreelist || id == m.free) {
				change(p)
				if n++; n == 2 {
					break
				}
			}
		}
		if n == 0 {
			t.Fatalf("no page of kind %#x", flag)
		}
		writeFile(t, path, b)
	}
}

func recorded(name string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		f, err := os.Open(filepath.Join("testdata", name))
		must(t, err)
		defer f.Close()
		z, err := gzip.NewReader(f)
		must(t, err)
		b, err := io.ReadAll(z)
		must(t, err)
		writeFile(t, path, b)
	}
}

// TestEveryDamageStartsAndKeepsWhatCanBeRead breaks a ledger in each way, opens it, writes to it and opens it once more.
func TestEveryDamageStartsAndKeepsWhatCanBeRead(t *testing.T) {
	if len(mutations) < 40 {
		t.Fatalf("%d ways of damage; want 40 at least", len(mutations))
	}
	seed := filepath.Join(t.TempDir(), "seed.db")
	seedLedger(t, seed)
	for name, m := range mutations {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", "ledger.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			writeFile(t, path, readFile(t, seed))
			m.do(t, path)
			var told []damage.Report
			l, err := Open(path, Options{Hang: time.Minute, Damaged: func(r damage.Report) { told = append(told, r) }})
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			st, err := l.Load(t.Context())
			must(t, err)
			events, err := l.History(t.Context(), Query{Limit: 2 * seedEvents})
			must(t, err)
			got := len(st.Entries) + len(st.Silences) + len(events)
			if got < m.least {
				t.Errorf("%d records are left; want %d at least; told %v", got, m.least, told)
			}
			if m.quiet && len(told) > 0 || !m.quiet && len(told) == 0 && got < all {
				t.Errorf("%d records are left, told %v", got, told)
			}
			goesOn(t, l, st)
			must(t, l.Close())
			again := mustOpen(t, path, Options{Damaged: func(r damage.Report) { t.Errorf("damaged again: %v", r) }})
			after, err := again.Load(t.Context())
			if err != nil || !slices.ContainsFunc(after.Entries, func(e Entry) bool { return e.Record.Key == "new" }) || len(after.Entries) < len(st.Entries) {
				t.Errorf("after a restart %d entries, %v; want those %d and the new one", len(after.Entries), err, len(st.Entries))
			}
		})
	}
}

// goesOn writes what a router would: every entry again, and a new one.
func goesOn(t *testing.T, l Ledger, st State) {
	t.Helper()
	lease, err := l.Acquire(t.Context(), "b", time.Hour)
	must(t, err)
	b := Batch{Entries: append(slices.Clone(st.Entries), Entry{Record: alerting.Record{Key: "new", Open: true, UpdatedAt: time.Now()}})}
	b.Events = []Event{{At: time.Now(), Kind: Decided, Key: "new"}}
	if _, err := l.Write(t.Context(), lease, b); err != nil {
		t.Fatalf("Write: %v", err)
	}
	events, err := l.History(t.Context(), Query{Key: "new"})
	if err != nil || len(events) != 1 {
		t.Errorf("History = %v, %v; want what was just written", events, err)
	}
}

// FuzzImage reads any file as a ledger: it gives records and errors, and neither panics nor runs away.
func FuzzImage(f *testing.F) {
	path := filepath.Join(f.TempDir(), "ledger.db")
	l, err := Open(path, Options{})
	if err != nil {
		f.Fatal(err)
	}
	lease, err := l.Acquire(f.Context(), "a", time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := l.Write(f.Context(), lease, Batch{Entries: []Entry{seedEntry(1, time.Unix(1_800_000_000, 0))}, Events: []Event{{Kind: Decided}}}); err != nil {
		f.Fatal(err)
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint32(0), []byte{})
	f.Add(b, uint32(4096*3+8), []byte{0xFF, 0xFF, 0xFF})
	f.Add([]byte("hello"), uint32(2), []byte("x"))
	f.Fuzz(func(t *testing.T, b []byte, at uint32, over []byte) {
		if len(b) > 1<<20 {
			return
		}
		b = slices.Clone(b)
		if int(at) < len(b) {
			copy(b[at:], over)
		}
		m, err := openImage(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_ = m.check()
			m.freePages()
		}
		r := salvage(bytes.NewReader(b), int64(len(b)), m.page)
		if r.count() > len(b)/2 {
			t.Errorf("%d records of %d bytes", r.count(), len(b))
		}
	})
}
