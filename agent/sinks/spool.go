package sinks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/metric"
)

// SpoolOptions bound what waits on disk. Bytes 0 means no spool.
type SpoolOptions struct {
	Bytes int64 `yaml:"bytes"` // 0, or 4 MiB to 1 TiB
}

// DefaultSpool returns the defaults.
func DefaultSpool() SpoolOptions { return SpoolOptions{Bytes: 256 << 20} }

// Validate says what is out of bounds.
func (o SpoolOptions) Validate() error {
	if o.Bytes != 0 && (o.Bytes < 4<<20 || o.Bytes > 1<<40) {
		return fmt.Errorf("bytes: %d is neither 0 nor within 4 MiB to 1 TiB", o.Bytes)
	}
	return nil
}

const (
	segmentBytes  = 1 << 20 // a segment is closed when it has grown beyond this
	recordHeader  = 20      // length, samples, time of the oldest in milliseconds, checksum
	recordSamples = 2000    // in one record at most
	maxRecord     = 64 << 20
	cursorFile    = "cursor"
	segmentSuffix = ".seg"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Spool is a first-in-first-out of batches in segment files of one directory, bounded in bytes: what
// does not fit pushes the oldest segment out. A record has a checksum; a torn one at the end of a
// segment, as a kill or a power cut leaves it, is cut off when the spool is opened. What was
// delivered is noted in a cursor file; a kill between the delivery and the note repeats one batch.
type Spool struct {
	dir  string
	opts SpoolOptions

	mu   sync.Mutex
	segs []*segment // oldest first
	skip int        // samples of the first record that were delivered
	tail *os.File   // the last segment, nil until something is appended
	next uint64     // number of the next segment
}

type segment struct {
	id      uint64
	size    int64
	records []record // that still wait
	torn    bool     // it ends in the middle of a record
}

type record struct {
	at      int64 // offset in the segment
	length  uint32
	samples int
	oldest  time.Time
}

// OpenSpool opens the spool in dir, and makes it. It reads every record's checksum once. Damage is set aside under a name
// and told, and every record that is sound is kept. Damaged may be nil.
func OpenSpool(dir string, o SpoolOptions, damaged func(damage.Report)) (*Spool, error) {
	tell := func(path string, what string, kept, lost int) {
		to, err := damage.Aside(path, time.Now())
		if err != nil {
			what += "; it cannot be set aside: " + err.Error()
		}
		if damaged != nil {
			damaged(damage.Report{Store: "spool " + filepath.Base(dir), What: what, Aside: to, Kept: kept, Lost: lost, At: time.Now()})
		}
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		if info, err := os.Stat(d); err == nil && !info.IsDir() {
			tell(d, "a file is where its folder was", 0, 0)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{dir: dir, opts: o}
	names, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	slices.Sort(names)
	for n, name := range names {
		id, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), segmentSuffix), 16, 64)
		if err != nil {
			continue // not ours
		}
		if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
			tell(name, "a segment is no file", 0, 0)
			s.next = id + 1
			continue
		}
		g, bad, err := scanSegment(name, id)
		if err != nil {
			return nil, err
		}
		if bad > 0 || g.torn && n < len(names)-1 { // a kill tears the end of the newest segment alone
			if err := g.rewrite(name, func() { tell(name, "records that make no sense", len(g.records), max(bad, 1)) }); err != nil {
				return nil, err
			}
			s.forgetCursor(id)
		}
		s.segs, s.next = append(s.segs, g), id+1
	}
	return s, s.readCursor()
}

// scanSegment finds the sound records of a segment, also behind damage. What is torn at the end, as a kill leaves it, it cuts
// off. bad is how many stretches make no sense before a sound record.
func scanSegment(name string, id uint64) (g *segment, bad int, err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("spool: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("spool: %w", err)
	}
	g = &segment{id: id}
	for at := int64(0); at < info.Size(); {
		r, _, err := readRecord(f, at, info.Size())
		if err != nil {
			next := nextRecord(f, at+1, info.Size())
			if next < 0 {
				var head [recordHeader]byte
				if _, err := f.ReadAt(head[:], at); err == nil && !plausible(head[:]) {
					bad++ // no kill leaves that
				}
				break
			}
			bad, at = bad+1, next
			continue
		}
		g.records = append(g.records, r)
		at += recordHeader + int64(r.length)
		g.size = at
	}
	if g.torn = g.size < info.Size(); g.torn && bad == 0 {
		if err := f.Truncate(g.size); err != nil {
			return nil, 0, fmt.Errorf("spool: %w", err)
		}
	}
	return g, bad, nil
}

// maxSearch bounds how far a sound record is looked for behind damage.
const maxSearch = 4 << 20

// nextRecord finds where a sound record begins, at an offset or after it; -1 where none does.
func nextRecord(f io.ReaderAt, at, size int64) int64 {
	buf := make([]byte, min(size-at, maxSearch))
	n, _ := f.ReadAt(buf, at) // what there is
	buf = buf[:max(n, 0)]
	for i := 0; i+recordHeader <= len(buf); i++ {
		if !plausible(buf[i:]) {
			continue
		}
		if _, _, err := readRecord(f, at+int64(i), size); err == nil {
			return at + int64(i)
		}
	}
	return -1
}

// plausible says whether b could begin with the head of a record.
func plausible(b []byte) bool {
	length, samples := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	return length <= maxRecord && samples > 0 && samples <= recordSamples
}

// rewrite writes the sound records of a segment anew, after aside has moved the damaged file away.
func (g *segment) rewrite(name string, aside func()) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	defer f.Close()
	aside()
	out, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	g.size = 0
	for i := range g.records {
		r := &g.records[i]
		n := recordHeader + int64(r.length)
		if _, cerr := io.Copy(out, io.NewSectionReader(f, r.at, n)); cerr != nil {
			err = cerr
			break
		}
		r.at, g.size = g.size, g.size+n
	}
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

var errTorn = errors.New("torn record")

// readRecord reads the record at an offset of a file of the given size, and checks it.
func readRecord(f io.ReaderAt, at, size int64) (record, []byte, error) {
	var head [recordHeader]byte
	if at+recordHeader > size {
		return record{}, nil, errTorn
	}
	if _, err := f.ReadAt(head[:], at); err != nil {
		return record{}, nil, err
	}
	r := record{
		at:      at,
		length:  binary.LittleEndian.Uint32(head[0:]),
		samples: int(binary.LittleEndian.Uint32(head[4:])),
		oldest:  time.UnixMilli(int64(binary.LittleEndian.Uint64(head[8:]))),
	}
	if r.length > maxRecord || at+recordHeader+int64(r.length) > size || r.samples == 0 || r.samples > recordSamples {
		return record{}, nil, errTorn
	}
	body := make([]byte, r.length)
	if _, err := f.ReadAt(body, at+recordHeader); err != nil {
		return record{}, nil, err
	}
	sum := crc32.Update(crc32.Checksum(head[:16], castagnoli), castagnoli, body)
	if sum != binary.LittleEndian.Uint32(head[16:]) {
		return record{}, nil, errTorn
	}
	return r, body, nil
}

// Append adds samples at the end. It returns how many of them it kept, all where there is no error,
// and how many older ones it gave up for them. They are on the disk when it returns.
func (s *Spool) Append(samples []metric.Sample) (kept, lost int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for chunk := range slices.Chunk(samples, recordSamples) {
		if err := s.append(chunk); err != nil {
			return kept, lost, fmt.Errorf("spool: %w", err)
		}
		kept += len(chunk)
		lost += s.evict()
	}
	if s.tail != nil {
		if err := s.tail.Sync(); err != nil {
			return kept, lost, fmt.Errorf("spool: %w", err)
		}
	}
	return kept, lost, nil
}

func (s *Spool) append(samples []metric.Sample) error {
	oldest := samples[0].Time
	for _, sm := range samples {
		if sm.Time.Before(oldest) {
			oldest = sm.Time
		}
	}
	body, err := encodeSamples(samples)
	if err != nil {
		return err
	}
	g, err := s.last()
	if err != nil {
		return err
	}
	rec := make([]byte, recordHeader, recordHeader+len(body))
	binary.LittleEndian.PutUint32(rec[0:], uint32(len(body)))
	binary.LittleEndian.PutUint32(rec[4:], uint32(len(samples)))
	binary.LittleEndian.PutUint64(rec[8:], uint64(oldest.UnixMilli()))
	sum := crc32.Update(crc32.Checksum(rec[:16], castagnoli), castagnoli, body)
	binary.LittleEndian.PutUint32(rec[16:], sum)
	rec = append(rec, body...)
	if _, err := s.tail.WriteAt(rec, g.size); err != nil {
		return errors.Join(err, s.tail.Truncate(g.size)) // half a record must not stand before whole ones
	}
	g.records = append(g.records, record{g.size, uint32(len(body)), len(samples), oldest})
	g.size += int64(len(rec))
	return nil
}

// last returns the segment that grows, a new one where the last is full or from an earlier life.
func (s *Spool) last() (*segment, error) {
	if s.tail != nil {
		if g := s.segs[len(s.segs)-1]; g.size < segmentBytes {
			return g, nil
		}
		err := errors.Join(s.tail.Sync(), s.tail.Close())
		s.tail = nil
		if err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(s.path(s.next), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s.tail = f
	s.segs = append(s.segs, &segment{id: s.next})
	s.next++
	return s.segs[len(s.segs)-1], nil
}

func (s *Spool) path(id uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x%s", id, segmentSuffix))
}

// evict gives up the oldest segments over the bound, never the one that grows.
func (s *Spool) evict() (lost int) {
	for len(s.segs) > 1 && s.bytes() > s.opts.Bytes {
		for _, r := range s.segs[0].records {
			lost += r.samples
		}
		lost -= s.skip
		s.dropFirst()
	}
	return lost
}

func (s *Spool) bytes() (n int64) {
	for _, g := range s.segs {
		n += g.size
	}
	return n
}

// dropFirst forgets the oldest segment. A file that can't be removed is met again by the next start,
// where the cursor passes it over.
func (s *Spool) dropFirst() {
	g := s.segs[0]
	if len(s.segs) == 1 && s.tail != nil {
		_ = s.tail.Close() // nothing in it is wanted any more
		s.tail = nil
	}
	_ = os.Remove(s.path(g.id))
	s.segs, s.skip = s.segs[1:], 0
}
