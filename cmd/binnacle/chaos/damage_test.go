package chaos

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// broken is how files of the data folder were found. told: the status must name a damage.
type broken struct {
	name string
	told bool
	do   func(d folder)
}

// folder is a data folder, and the hands that break it.
type folder struct {
	t *testing.T
	string
}

func (d folder) path(name string) string { return filepath.Join(d.string, name) }

func (d folder) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d folder) noise(name string) { d.change(name, func(b []byte) []byte { return random(len(b)) }) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{9}).Read(b) // it never errs
	return b
}

// change changes all files at a path, and below it.
func (d folder) change(name string, f func([]byte) []byte) {
	d.t.Helper()
	_ = filepath.WalkDir(d.path(name), func(path string, e fs.DirEntry, err error) error { // what is not there needs no change
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		d.must(err)
		d.must(os.WriteFile(path, f(b), 0o600))
		return nil
	})
}

func (d folder) remove(name string) { d.must(os.RemoveAll(d.path(name))) }

func (d folder) file(name string, b []byte) {
	d.must(os.MkdirAll(filepath.Dir(d.path(name)), 0o700))
	d.must(os.WriteFile(d.path(name), b, 0o600))
}

func (d folder) dir(name string) { d.must(os.MkdirAll(d.path(name), 0o700)) }

func flips(n int, from int) func([]byte) []byte {
	return func(b []byte) []byte {
		r := rand.New(rand.NewPCG(uint64(n), 5))
		for range n {
			if len(b) > from {
				b[from+r.IntN(len(b)-from)] ^= 1 << r.IntN(8)
			}
		}
		return b
	}
}

func cut(share float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(share*float64(len(b)))] }
}

func nothing([]byte) []byte { return nil }

const (
	ledgerName = "ledger.db"
	badBlock   = "store/01JZZZZZZZZZZZZZZZZZZZZZZZ/"
	blockMeta  = `{"ulid":"01JZZZZZZZZZZZZZZZZZZZZZZZ","minTime":1,"maxTime":7200000,"stats":{},"compaction":{"level":1,"sources":["01JZZZZZZZZZZZZZZZZZZZZZZZ"]},"version":1}`
)

// damages are the ways. The packages have tables of their own, which look at what is kept; here the whole starts and pages.
var damages = []broken{
	{"sound", false, func(folder) {}},
	{"no folder", false, func(d folder) { d.remove("") }},
	{"ledger gone", false, func(d folder) { d.remove(ledgerName) }},
	{"ledger empty", true, func(d folder) { d.change(ledgerName, nothing) }},
	{"ledger of 8 KiB", true, func(d folder) { d.change(ledgerName, func(b []byte) []byte { return b[:8192] }) }},
	{"ledger of 16 KiB", true, func(d folder) { d.change(ledgerName, func(b []byte) []byte { return b[:16384] }) }},
	{"ledger cut to a half", true, func(d folder) { d.change(ledgerName, cut(0.5)) }},
	{"ledger 50 bits", true, func(d folder) { d.change(ledgerName, flips(200, 8192)) }},
	{"ledger 5000 bits", true, func(d folder) { d.change(ledgerName, flips(5000, 0)) }},
	{"ledger heads", true, func(d folder) { d.change(ledgerName, func(b []byte) []byte { clear(b[:8192]); return b }) }},
	{"ledger noise", true, func(d folder) { d.noise(ledgerName) }},
	{"ledger text", true, func(d folder) { d.file(ledgerName, bytes.Repeat([]byte("hello\n"), 5000)) }},
	{"ledger zeros", true, func(d folder) { d.change(ledgerName, func(b []byte) []byte { clear(b); return b }) }},
	{"ledger a folder", true, func(d folder) { d.remove(ledgerName); d.dir(ledgerName) }},
	{"ledger entries no JSON", true, func(d folder) {
		d.change(ledgerName, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`{"Revision"`), []byte(`}"Revision"`)) })
	}},
	{"ledger events no JSON", false, func(d folder) {
		d.change(ledgerName, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`{"seq":`), []byte(`}"seq":`)) })
	}},
	{"ledger of a newer layout", true, func(d folder) {
		d.change(ledgerName, func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("version\x00\x00\x00\x00\x00\x00\x00\x01"), []byte("version\x00\x00\x00\x00\x00\x00\x00\x63"))
		})
	}},
	{"store a file", true, func(d folder) { d.remove("store"); d.file("store", []byte("x")) }},
	{"store gone", false, func(d folder) { d.remove("store") }},
	{"store noise", true, func(d folder) { d.noise("store") }},
	{"store empty files", false, func(d folder) { d.change("store", nothing) }},
	{"log a file", true, func(d folder) { d.remove("store/wal"); d.file("store/wal", []byte("x")) }},
	{"log gone", false, func(d folder) { d.remove("store/wal") }},
	{"log noise", true, func(d folder) { d.noise("store/wal") }},
	{"log bits", true, func(d folder) { d.change("store/wal", flips(50, 0)) }},
	{"log cut", true, func(d folder) { d.change("store/wal", cut(0.37)) }},
	{"log with a gap", true, func(d folder) { d.file("store/wal/00000009", random(100)) }},
	{"checkpoint noise", true, func(d folder) { d.file("store/wal/checkpoint.00000000/00000000", random(50_000)) }},
	{"head chunks noise", true, func(d folder) { d.file("store/chunks_head/000001", random(100_000)) }},
	{"head chunks with a gap", true, func(d folder) {
		d.file("store/chunks_head/000003", random(10))
		d.file("store/chunks_head/000009", random(10))
	}},
	{"block without meta", true, func(d folder) { d.dir(badBlock + "chunks") }},
	{"block with garbage for meta", true, func(d folder) { d.file(badBlock+"meta.json", []byte("{garbage")) }},
	{"block without index", true, func(d folder) { d.dir(badBlock + "chunks"); d.file(badBlock+"meta.json", []byte(blockMeta)) }},
	{"block with garbage for index", true, func(d folder) {
		d.file(badBlock+"chunks/000001", random(100))
		d.file(badBlock+"meta.json", []byte(blockMeta))
		d.file(badBlock+"index", random(1000))
	}},
	{"lock a folder", true, func(d folder) { d.remove("store/lock"); d.dir("store/lock") }},
	{"rollups a file", true, func(d folder) { d.remove("rollups"); d.file("rollups", []byte("x")) }},
	{"rollups noise", false, func(d folder) { d.noise("rollups") }},
	{"capacity a file", true, func(d folder) { d.remove("capacity"); d.file("capacity", []byte("x")) }},
	{"capacity noise", false, func(d folder) { d.noise("capacity") }},
	{"spool a file", true, func(d folder) { d.remove("spool"); d.file("spool", []byte("x")) }},
	{"spool noise", true, func(d folder) { d.file("spool/graphite/0000000000000001.seg", random(50_000)) }},
	{"rules a file", false, func(d folder) { d.remove("rules"); d.file("rules", []byte("x")) }},
	{"collectors noise", false, func(d folder) { d.file("collectors/rabbitmq.json", random(100)) }},
	{"totals noise", true, func(d folder) { d.file("totals.json", random(1000)) }},
	{"all noise", true, func(d folder) { d.noise("") }},
	{"all empty", true, func(d folder) { d.change("", nothing) }},
}

// TestEveryDamageStartsAndPages breaks the folder in each way: the agent starts, says what is damaged where a record or more
// were lost, and pages a P1 within 10 s beyond the configured waits.
func TestEveryDamageStartsAndPages(t *testing.T) {
	ways := damages
	if len(ways) < 40 {
		t.Fatalf("%d ways; want 40 at least", len(ways))
	}
	if !long(t) { // every fourth; make chaos has all
		ways = nil
		for i := 0; i < len(damages); i += 4 {
			ways = append(ways, damages[i])
		}
	}
	seed := t.TempDir()
	r := newRig(t, filepath.Join(seed, "data"), "ship: {graphite: {address: '127.0.0.1:1'}}")
	r.start()
	r.pages("SeedA", patience(t, prompt))
	r.trips("9", patience(t, prompt))
	r.kill() // so that the log is read at the next start
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if out, err := exec.Command("cp", "-a", filepath.Join(seed, "data"), dir).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			way.do(folder{t, dir})
			r := newRig(t, dir, "ship: {graphite: {address: '127.0.0.1:1'}}")
			r.start()
			took := r.pages("New", patience(t, waits+10*time.Second))
			var s struct{ Damaged []string }
			if err := json.Unmarshal([]byte(r.status()), &s); err != nil {
				t.Errorf("status: %v", err)
			}
			if way.told != (len(s.Damaged) > 0) && !slices.Contains([]string{"log bits", "log cut"}, way.name) {
				t.Errorf("the status tells of %q; want a word %v", s.Damaged, way.told)
			}
			t.Logf("paged after %v, told %q", took.Round(time.Millisecond), s.Damaged)
			r.kill()
		})
	}
}
