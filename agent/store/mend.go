package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/navcloud/binnacle/agent/damage"
)

// What a folder of the library holds beside its blocks.
const (
	dirWAL     = "wal"
	dirWBL     = "wbl"
	dirChunks  = "chunks_head"
	snapshots  = "chunk_snapshot."
	lockName   = "lock"
	openMark   = ".opening" // how often the process ended while it opened this folder
	wasWAL     = ".wal-as-found"
	maxSegment = 1 << 30 // bytes; the library's segments and files of chunks have 128 MiB
	mostDeath  = 5       // in a row, and the parts that are replayed are set aside: what kills there is in them
)

// openSound opens the database. What keeps it from opening it sets aside, the least first: damaged blocks, chunks of the
// head, the log, at last all of it. It tells what that was.
func (d *disk) openSound() (*tsdb.DB, *prometheus.Registry, error) {
	if err := d.lockDir(); err != nil {
		return nil, nil, err
	}
	d.asideNoFiles()
	d.asidePlainFiles()
	if err := d.keepSnapshot(); err != nil {
		return nil, nil, err
	}
	d.asideBlocks(func(path string) error { return soundMeta(path) })
	stage := 0
	if deaths := d.mark(); deaths >= mostDeath {
		stage = 2
	}
	defer d.unmark()
	for again := 0; ; {
		found := d.linkWAL()
		db, reg, err := openDB(d.dir, d.o, d.log)
		if err == nil {
			if d.tellRepairs(reg, found) && again < 2 {
				again++ // it repairs the first damage that it meets
				if err = guard(db.Close); err == nil {
					continue
				}
			}
			return db, reg, err
		}
		_ = os.RemoveAll(found)
		if isDisk(err) {
			return nil, nil, err
		}
		if stage++; stage > len(stages) {
			return nil, nil, err
		}
		stages[stage-1](d, err)
	}
}

// stages are what is tried in turn while the database does not open.
var stages = []func(d *disk, why error){
	func(d *disk, _ error) {
		d.asideBlocks(func(path string) error {
			b, err := tsdb.OpenBlock(nil, path, nil, nil)
			if err != nil {
				return err
			}
			return b.Close()
		})
		d.asideGaps()
	},
	func(d *disk, why error) {
		d.aside(dirChunks, why)
		d.asideSnapshots(why)
	},
	func(d *disk, why error) {
		d.aside(dirWAL, why)
		d.aside(dirWBL, why)
		d.asideSnapshots(why)
	},
	func(d *disk, why error) {
		names, _ := os.ReadDir(d.dir) // what cannot be listed cannot be set aside
		for _, n := range names {
			if n.Name() != lockName && !strings.Contains(n.Name(), ".damaged-") {
				d.aside(n.Name(), why)
			}
		}
	},
}

// lockDir makes the folder and takes its lock, once. A file in place of the folder is set aside.
func (d *disk) lockDir() error {
	if d.lock != nil {
		return nil
	}
	if _, err := os.Lstat(d.dir); err == nil && !isDir(d.dir) {
		d.asidePath(d.dir, errors.New("a file is where the folder of the history was"))
	}
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return err
	}
	path := filepath.Join(d.dir, lockName)
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		d.asidePath(path, errors.New("its lock is no file"))
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return ErrInUse
		}
		return err
	}
	d.lock = f
	return nil
}

// mark notes that the folder is about to be opened, and returns how often a process ended in the middle of that, in a row.
func (d *disk) mark() int {
	path := filepath.Join(d.dir, openMark)
	b, _ := os.ReadFile(path) // none: it never happened
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	n = max(n, 0)
	_ = os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600) // a disk that cannot be written shows elsewhere
	return n
}

func (d *disk) unmark() { _ = os.Remove(filepath.Join(d.dir, openMark)) }

// aside sets an entry of the folder aside.
func (d *disk) aside(name string, why error) {
	path := filepath.Join(d.dir, name)
	if _, err := os.Lstat(path); err == nil {
		d.asidePath(path, why)
	}
}

func (d *disk) asidePath(path string, why error) {
	d.asideAs(path, path, why)
}

func (d *disk) asideAs(path, as string, why error) {
	if strings.HasPrefix(filepath.Base(as), snapshots) {
		as = filepath.Join(filepath.Dir(as), "head_snapshot") // the library takes all that begins like one for one
	}
	what := filepath.Base(path) + ": " + firstLine(why)
	to, err := damage.AsideAs(path, as, time.Now())
	if err != nil {
		what += "; it cannot be set aside: " + err.Error()
	}
	d.o.Damaged(damage.Report{Store: filepath.Base(d.dir), What: what, Aside: to, At: time.Now()})
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func (d *disk) asideSnapshots(why error) {
	for _, name := range d.named(snapshots) {
		d.aside(name, why)
	}
}

// named are the entries of the folder whose names begin so.
func (d *disk) named(prefix string) (out []string) {
	entries, _ := os.ReadDir(d.dir) // what cannot be listed cannot be opened either
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && !strings.Contains(e.Name(), ".damaged-") {
			out = append(out, e.Name())
		}
	}
	return out
}

// asideNoFiles sets aside what is neither a file nor a folder, nor leads to one: to open a named pipe waits for ever, and a device
// may have no end.
func (d *disk) asideNoFiles() {
	_ = filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error { // what cannot be listed, opening meets
		if err != nil || e.IsDir() || e.Type().IsRegular() {
			return nil
		}
		name, _ := filepath.Rel(d.dir, path)
		if strings.Contains(name, ".damaged-") {
			return nil
		}
		if info, err := os.Stat(path); err == nil && (info.IsDir() || info.Mode().IsRegular()) {
			return nil
		}
		as := filepath.Join(d.dir, strings.ReplaceAll(name, string(filepath.Separator), "-")) // beside it, the library might read on in it
		d.asideAs(path, as, fmt.Errorf("no file but %v", e.Type()))
		return nil
	})
}

// asidePlainFiles sets aside files that stand where folders belong.
func (d *disk) asidePlainFiles() {
	for _, name := range []string{dirWAL, dirWBL, dirChunks} {
		if !isDir(filepath.Join(d.dir, name)) {
			d.aside(name, errors.New("a file is where a folder was"))
		}
	}
	for _, name := range d.named(snapshots) {
		if info, err := os.Lstat(filepath.Join(d.dir, name)); err == nil && !info.IsDir() { // the library follows no link here
			d.aside(name, errors.New("a file is where a folder was"))
		}
	}
	for _, sub := range append(d.named(snapshots), dirWAL, dirWBL, dirChunks) {
		d.asideOdd(sub)
	}
}

// asideOdd sets aside folders that stand where numbered files belong, and files that are too long: a log of zeros is read for as long
// as it says to be.
func (d *disk) asideOdd(sub string) {
	entries, _ := os.ReadDir(filepath.Join(d.dir, sub)) // none: nothing stands in the way
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		path, as := filepath.Join(d.dir, sub, e.Name()), filepath.Join(d.dir, sub+"-"+e.Name())
		if info, err := os.Stat(path); err == nil && info.Size() > maxSegment {
			d.asideAs(path, as, fmt.Errorf("%d bytes, at most %d can be right", info.Size(), maxSegment))
		}
		if e.IsDir() {
			d.asideAs(path, as, errors.New("a folder is where a file was"))
		}
	}
}

// isDir says whether a path is a folder or leads to one.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// keepSnapshot sees that the log goes on after the newest snapshot. The library reads a log from where the snapshot ends:
// of one that begins anew with the same number it would pass over what is written next.
func (d *disk) keepSnapshot() error {
	names := d.named(snapshots)
	if len(names) == 0 {
		return nil
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(slices.Max(names), snapshots), ".")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil // none of the library's
	}
	if err := os.MkdirAll(filepath.Join(d.dir, dirWAL), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(d.dir, dirWAL, fmt.Sprintf("%08d", n)), os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	return f.Close()
}

// asideBlocks sets aside the blocks that are not sound.
func (d *disk) asideBlocks(sound func(path string) error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if _, err := ulid.ParseStrict(e.Name()); err != nil || !e.IsDir() {
			continue
		}
		if err := guard(func() error { return sound(filepath.Join(d.dir, e.Name())) }); err != nil && !isDisk(err) {
			d.aside(e.Name(), err)
		}
	}
}

// soundMeta says whether the library would see the block: it passes over one without a word.
func soundMeta(path string) error {
	b, err := os.ReadFile(filepath.Join(path, "meta.json"))
	if err != nil {
		return err
	}
	var m tsdb.BlockMeta
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("meta.json: %w", err)
	}
	if m.Version != 1 || m.ULID.String() != filepath.Base(path) {
		return fmt.Errorf("meta.json: version %d of block %s", m.Version, m.ULID)
	}
	return nil
}

// asideGaps sets aside what follows a gap in the numbers of log segments and chunk files, since nothing can be read in
// order past it, and what is in their way. What comes before the gap stays.
func (d *disk) asideGaps() {
	for _, sub := range []string{dirWAL, dirWBL, dirChunks} {
		entries, err := os.ReadDir(filepath.Join(d.dir, sub))
		if err != nil {
			continue
		}
		var numbers []int
		names := map[int]string{}
		for _, e := range entries {
			if n, err := strconv.Atoi(e.Name()); err == nil {
				numbers = append(numbers, n)
				names[n] = e.Name()
			}
		}
		slices.Sort(numbers)
		for i := 1; i < len(numbers); i++ {
			if numbers[i] == numbers[i-1]+1 {
				continue
			}
			for _, n := range numbers[i:] {
				d.aside(filepath.Join(sub, names[n]), fmt.Errorf("files %s to %s are missing", names[numbers[i-1]], names[numbers[i]]))
			}
			break
		}
	}
}

// linkWAL keeps the log as it is found under another name, without a copy: the library repairs it in place, and what it
// cuts off would be gone. It returns the name, empty where nothing is kept.
func (d *disk) linkWAL() string {
	from, to := filepath.Join(d.dir, dirWAL), filepath.Join(d.dir, wasWAL)
	_ = os.RemoveAll(to) // of a start that was killed
	entries, err := os.ReadDir(from)
	if err != nil || len(entries) == 0 || os.Mkdir(to, 0o750) != nil {
		return ""
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			_ = os.Link(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())) // a file system without links keeps nothing
		}
	}
	return to
}

// tellRepairs tells what the library repaired when it opened the folder. found is the log as it was.
func (d *disk) tellRepairs(reg *prometheus.Registry, found string) (repaired bool) {
	if n := counter(reg, "prometheus_tsdb_wal_corruptions_total"); n > 0 {
		repaired = true
		r := damage.Report{Store: filepath.Base(d.dir), What: "its log was damaged: what came after the damage is lost", At: time.Now()}
		if found != "" {
			aside := filepath.Join(d.dir, dirWAL)
			if to, err := damage.AsideAs(found, aside, time.Now()); err == nil {
				r.Aside, found = to, ""
			}
		}
		d.o.Damaged(r)
	}
	if found != "" {
		_ = os.RemoveAll(found)
	}
	if n := counter(reg, "prometheus_tsdb_mmap_chunk_corruptions_total"); n > 0 {
		d.o.Damaged(damage.Report{Store: filepath.Base(d.dir), What: "chunks of its head were damaged and read from the log again", At: time.Now()})
	}
	return repaired
}

// counter is the value of a counter without labels, 0 where there is none.
func counter(reg *prometheus.Registry, name string) float64 {
	families, _ := reg.Gather() // what can be gathered
	for _, f := range families {
		if f.GetName() == name && len(f.GetMetric()) > 0 {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}
