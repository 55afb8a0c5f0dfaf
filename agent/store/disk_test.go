package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/damage/damagetest"
	"github.com/navcloud/binnacle/agent/metric"
)

// feed appends a sample of each of 50 series every step from a time on, and returns when it ended. Errors are the caller's.
func feed(t *testing.T, s *Store, from time.Time, n int, step time.Duration) (end time.Time, errs []error) {
	t.Helper()
	for i := range n {
		at := from.Add(time.Duration(i) * step)
		var in []metric.Sample
		for k := range 50 {
			in = append(in, sample(load, at, at.Sub(begin).Seconds(), "node", fmt.Sprint("n", k)))
		}
		if err := s.Append(t.Context(), "host", at, in); err != nil {
			errs = append(errs, err)
			time.Sleep(20 * time.Millisecond) // real disks: the loop goes over to memory
		}
	}
	return from.Add(time.Duration(n) * step), errs
}

// holes asks for each step of a time and returns how many of them lack a sample.
func holes(t *testing.T, s *Store, from, to time.Time, step time.Duration) (n int) {
	t.Helper()
	for at := from; at.Before(to); at = at.Add(step) {
		out := ask(t, s, fmt.Sprintf(`count(host_load1 == %v)`, at.Sub(begin).Seconds()), at)
		if len(out) != 1 || out[0].Points[0].V != 50 {
			n++
		}
	}
	return n
}

func onDisk(t *testing.T, d *damagetest.Disk) (*Store, Options) {
	t.Helper()
	spare := filepath.Join(t.TempDir(), "spare")
	o := Options{
		Retention: 30 * 24 * time.Hour, Interval: 10 * time.Second, Now: func() time.Time { return begin },
		Spare: func() (string, error) { return spare, nil }, Damaged: func(r damage.Report) { t.Errorf("damaged: %v", r) },
	}
	s, err := Open(filepath.Join(d.Path, "store"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, o
}

// TestAFullDiskLosesNoSample fills the disk and lets five hours pass, past many passes that would write chunks and past the
// cut of a block, of which one alone used to end the process.
func TestAFullDiskLosesNoSample(t *testing.T) {
	disk := damagetest.NewDisk(t, "48m")
	s, o := onDisk(t, disk)
	const step = time.Minute
	full, errs := feed(t, s, begin, 100, step)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	disk.Fill()
	at, failed := full, 0
	for range 25 {
		var errs []error
		at, errs = feed(t, s, at, 12, step)
		failed += len(errs)
		s.disk.maintain()
	}
	if failed == 0 || failed > 3 {
		t.Errorf("%d of 300 writes failed; want the first ones alone", failed)
	}
	if _, kept, err := s.Failing(); err == nil || !kept {
		t.Errorf("Failing = %v, kept in memory %v; want the disk's error, and that it is", err, kept)
	}
	// The first database as it was, and the last two hours.
	if n := holes(t, s, begin, full, step); n > 0 {
		t.Errorf("%d of 100 minutes from before are gone", n)
	}
	if n := holes(t, s, at.Add(-spareTime+10*time.Minute), at, step); n > 0 {
		t.Errorf("%d minutes of the last two hours are missing", n)
	}
	disk.Free()
	s.disk.comeBack(&pause{})
	if _, _, err := s.Failing(); err != nil {
		t.Fatalf("there is room, and it is still failing: %v", err)
	}
	last, errs := feed(t, s, at, 10, step)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(s.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if n := holes(t, s, begin, full, step) + holes(t, s, at.Add(-spareTime+10*time.Minute), last, step); n > 0 {
		t.Errorf("%d minutes are missing after a restart", n)
	}
	dir, _ := o.Spare()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder in memory is still there: %v", err)
	}
}

func TestWithoutAFolderInMemoryTheErrorIsToldAndTheOldIsRead(t *testing.T) {
	disk := damagetest.NewDisk(t, "48m")
	s, _ := onDisk(t, disk)
	s.disk.o.Spare = func() (string, error) { return "", errors.New("no memory") }
	full, _ := feed(t, s, begin, 10, time.Minute)
	disk.Fill()
	if _, errs := feed(t, s, full, 200, time.Minute); len(errs) < 100 {
		t.Errorf("%d of 200 writes failed; want nearly all", len(errs))
	}
	if n := holes(t, s, begin, full, time.Minute); n > 0 {
		t.Errorf("%d of 10 minutes are gone", n)
	}
	disk.Free()
	s.disk.comeBack(&pause{})
	if _, errs := feed(t, s, full.Add(4*time.Hour), 10, time.Minute); len(errs) > 0 {
		t.Errorf("there is room again, and writes fail: %v", errs)
	}
}

// breakages are ways in which a folder of the history was found damaged, and what must be left of 200 minutes.
var breakages = map[string]struct {
	do    func(t *testing.T, dir string)
	least int
	quiet bool
}{
	"sound":              {func(*testing.T, string) {}, 200, true},
	"a pipe for the log": {func(t *testing.T, d string) { inPlaceOf(t, firstOf(t, d, dirWAL), "") }, 100, false},
	"a device for a log": {func(t *testing.T, d string) { inPlaceOf(t, firstOf(t, d, dirWBL), "/dev/zero") }, 100, false},
	"a device for chunks": {func(t *testing.T, d string) {
		check(t, os.MkdirAll(filepath.Join(d, dirChunks), 0o750))
		inPlaceOf(t, filepath.Join(d, dirChunks, "000009"), "/dev/zero")
	}, 100, false},
	"a link to itself":      {func(t *testing.T, d string) { inPlaceOf(t, filepath.Join(d, dirWBL), filepath.Join(d, dirWBL)) }, 100, false},
	"gone":                  {func(t *testing.T, d string) { check(t, os.RemoveAll(d)) }, 0, true},
	"a file in place of it": {func(t *testing.T, d string) { check(t, os.RemoveAll(d)); file(t, d, 1) }, 0, false},
	"log is a file":         {func(t *testing.T, d string) { w := filepath.Join(d, "wal"); check(t, os.RemoveAll(w)); file(t, w, 1) }, 0, false},
	"chunks are a file": {func(t *testing.T, d string) {
		w := filepath.Join(d, "chunks_head")
		check(t, os.RemoveAll(w))
		file(t, w, 1)
	}, 0, false},
	"lock is a folder": {func(t *testing.T, d string) {
		l := filepath.Join(d, "lock")
		check(t, os.RemoveAll(l))
		check(t, os.Mkdir(l, 0o700))
	}, 200, false},
	"log segments with a gap":      {func(t *testing.T, d string) { copyFile(t, first(t, d, "wal/0*"), filepath.Join(d, "wal", "00000009")) }, 150, false},
	"log segment that is a folder": {func(t *testing.T, d string) { check(t, os.Mkdir(filepath.Join(d, "wal", "00000077"), 0o700)) }, 0, false},
	"a link that leads nowhere in place of it": {func(t *testing.T, d string) {
		check(t, os.RemoveAll(d))
		check(t, os.Symlink(d, d))
	}, 0, false},
	"first log segment is a folder": {func(t *testing.T, d string) {
		f := first(t, d, "wal/0*")
		check(t, os.Remove(f))
		check(t, os.Mkdir(f, 0o700))
	}, 100, false},
	"log of a hole":             {func(t *testing.T, d string) { check(t, os.Truncate(first(t, d, "wal/0*"), 100<<30)) }, 100, false},
	"snapshot of a hole":        {func(t *testing.T, d string) { check(t, os.Truncate(first(t, d, "chunk_snapshot*/0*"), 100<<30)) }, 0, false},
	"snapshot file is a device": {func(t *testing.T, d string) { inPlaceOf(t, first(t, d, "chunk_snapshot*/0*"), "/dev/zero") }, 0, false},
	"snapshot is a link": {func(t *testing.T, d string) {
		s := first(t, d, "chunk_snapshot*")
		check(t, os.Rename(s, d+".away"))
		check(t, os.Symlink(d+".away", s))
	}, 100, false},
	"log bits flipped":  {killed(each("wal/0*", func(b []byte) []byte { return flip(b, 50) })), 0, false},
	"log cut to a half": {killed(each("wal/0*", func(b []byte) []byte { return b[:len(b)*2/3+7] })), 0, false},
	"log zeroed":        {killed(each("wal/0*", func(b []byte) []byte { return make([]byte, len(b)) })), 0, true},
	"log emptied":       {each("wal/0*", func([]byte) []byte { return nil }), 200, true},
	"checkpoint of noise": {func(t *testing.T, d string) {
		c := filepath.Join(d, "wal", "checkpoint.00000000")
		check(t, os.Mkdir(c, 0o700))
		file(t, filepath.Join(c, "00000000"), 40_000)
	}, 0, false},
	"head chunks of noise": {func(t *testing.T, d string) { file(t, filepath.Join(d, "chunks_head", "000001"), 100_000) }, 100, false},
	"head chunks with a gap": {func(t *testing.T, d string) {
		file(t, filepath.Join(d, "chunks_head", "000007"), 10)
		file(t, filepath.Join(d, "chunks_head", "000003"), 10)
	}, 100, false},
	"snapshot of noise": {each("chunk_snapshot*/0*", noise), 0, true},
	"snapshot is a file": {func(t *testing.T, d string) {
		s := first(t, d, "chunk_snapshot*")
		check(t, os.RemoveAll(s))
		file(t, s, 10)
	}, 200, false},
	"block without meta":           {block(map[string]string{}), 200, false},
	"block with garbage for meta":  {block(map[string]string{"meta.json": "{garbage"}), 200, false},
	"block with an empty meta":     {block(map[string]string{"meta.json": ""}), 200, false},
	"block of another name":        {block(map[string]string{"meta.json": `{"ulid":"01JZZZZZZZZZZZZZZZZZZZZZZY","minTime":1,"maxTime":7200000,"version":1}`}), 200, false},
	"block without index":          {block(map[string]string{"meta.json": blockMeta}), 200, false},
	"block with garbage for index": {block(map[string]string{"meta.json": blockMeta, "index": "garbage", "chunks/000001": "garbage"}), 200, false},
	"block with garbage tombs":     {block(map[string]string{"meta.json": blockMeta, "index": "", "tombstones": "x"}), 200, false},
	"all noise":                    {everyFile(noise), 0, false},
	"all empty":                    {everyFile(func([]byte) []byte { return nil }), 0, true},
	"dies while it is opened":      {func(t *testing.T, d string) { check(t, os.WriteFile(filepath.Join(d, openMark), []byte("5"), 0o600)) }, 200, true},
}

const blockMeta = `{"ulid":"01JZZZZZZZZZZZZZZZZZZZZZZZ","minTime":1,"maxTime":7200000,"stats":{},"compaction":{"level":1,"sources":["01JZZZZZZZZZZZZZZZZZZZZZZZ"]},"version":1}`

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, path string, n int) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	check(t, os.WriteFile(path, noise(make([]byte, n)), 0o600))
}

func noise(b []byte) []byte {
	b = make([]byte, len(b))
	_, _ = rand.NewChaCha8([32]byte{3}).Read(b) // it never errs
	return b
}

func flip(b []byte, n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	for range n {
		b[r.IntN(len(b)/2)] ^= 1 << r.IntN(8)
	}
	return b
}

func first(t *testing.T, dir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("there is no %s: %v", pattern, err)
	}
	return names[0]
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	check(t, err)
	check(t, os.WriteFile(to, b, 0o600))
}

func each(pattern string, change func([]byte) []byte) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		first(t, dir, pattern)
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		check(t, err)
		for _, name := range names {
			b, err := os.ReadFile(name)
			check(t, err)
			if len(b) > 0 {
				check(t, os.WriteFile(name, change(b), 0o600))
			}
		}
	}
}

func everyFile(change func([]byte) []byte) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, change(append(b, make([]byte, 10)...)), 0o600)
		}))
	}
}

// killed is a folder as a kill leaves it, without a snapshot.
func killed(then func(t *testing.T, dir string)) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		check(t, os.RemoveAll(first(t, dir, "chunk_snapshot*")))
		then(t, dir)
	}
}

func block(files map[string]string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		b := filepath.Join(dir, "01JZZZZZZZZZZZZZZZZZZZZZZZ")
		check(t, os.MkdirAll(filepath.Join(b, "chunks"), 0o700))
		for name, text := range files {
			check(t, os.WriteFile(filepath.Join(b, name), []byte(text), 0o600))
		}
	}
}

// inPlaceOf puts a link where path is, or a named pipe where it leads nowhere.
func inPlaceOf(t *testing.T, path, to string) {
	t.Helper()
	check(t, os.RemoveAll(path))
	if to == "" {
		check(t, syscall.Mkfifo(path, 0o600))
		return
	}
	check(t, os.Symlink(to, path))
}

// firstOf is the first file of a log, or where one would be.
func firstOf(t *testing.T, dir, log string) string {
	t.Helper()
	check(t, os.MkdirAll(filepath.Join(dir, log), 0o750))
	names, err := filepath.Glob(filepath.Join(dir, log, "0*"))
	check(t, err)
	return append(names, filepath.Join(dir, log, "00000000"))[0]
}

// TestEveryDamagedHistoryOpens breaks the folder in each way, opens it, writes to it and opens it once more.
func TestEveryDamagedHistoryOpens(t *testing.T) {
	for name, b := range breakages {
		t.Run(name, func(t *testing.T) {
			var told []damage.Report
			o := Options{Retention: 30 * 24 * time.Hour, Interval: 10 * time.Second, Now: func() time.Time { return begin }, Damaged: func(r damage.Report) { told = append(told, r) }}
			dir := filepath.Join(t.TempDir(), "store")
			s, err := Open(dir, o)
			check(t, err)
			end, _ := feed(t, s, begin, 100, time.Minute)
			s.disk.maintain()
			end, _ = feed(t, s, end, 100, time.Minute)
			check(t, s.Close())
			b.do(t, dir)
			s, err = Open(dir, o)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if left := 200 - holes(t, s, begin, end, time.Minute); left < b.least {
				t.Errorf("%d of 200 minutes are left; want %d; told %v", left, b.least, told)
			}
			if b.quiet != (len(told) == 0) {
				t.Errorf("told %v", told)
			}
			for _, r := range told {
				if r.Aside != "" && !strings.Contains(r.Aside, ".damaged-") {
					t.Errorf("set aside as %s", r.Aside)
				}
			}
			later := end.Add(time.Hour)
			if _, errs := feed(t, s, later, 5, time.Minute); len(errs) > 0 {
				t.Error(errs)
			}
			check(t, s.Close())
			o.Damaged = func(r damage.Report) { t.Errorf("damaged again: %v", r) }
			s, err = Open(dir, o)
			check(t, err)
			defer func() { _ = s.Close() }()
			if n := holes(t, s, later, later.Add(5*time.Minute), time.Minute); n > 0 {
				t.Errorf("%d of 5 minutes that were written after are missing", n)
			}
		})
	}
}
