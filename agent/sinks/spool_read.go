package sinks

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/metric"
)

// Peek returns the oldest samples that wait, in the order in which they came; none when nothing does.
// With an error, lost samples could no longer be read and are passed over.
func (s *Spool) Peek() (samples []metric.Sample, lost int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
	if len(s.segs) == 0 {
		return nil, 0, nil
	}
	g := s.segs[0]
	samples, err = s.read(g, g.records[0])
	if err == nil && len(samples) != g.records[0].samples {
		err = errSpooled
	}
	if err != nil {
		lost = g.records[0].samples - s.skip
		g.records, s.skip = g.records[1:], 0
		return nil, lost, errors.Join(err, s.writeCursor())
	}
	return samples[s.skip:], 0, nil
}

func (s *Spool) read(g *segment, r record) ([]metric.Sample, error) {
	f, err := os.Open(s.path(g.id))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, body, err := readRecord(f, r.at, g.size)
	if err != nil {
		return nil, err
	}
	return decodeSamples(body)
}

// trim forgets segments of which nothing waits.
func (s *Spool) trim() {
	for len(s.segs) > 0 && len(s.segs[0].records) == 0 {
		s.dropFirst()
	}
}

// Next forgets the first n samples of what Peek returned.
func (s *Spool) Next(n int) error {
	if n == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segs) == 0 || len(s.segs[0].records) == 0 {
		return errors.New("spool: nothing was peeked")
	}
	g := s.segs[0]
	if s.skip += n; s.skip >= g.records[0].samples {
		g.records, s.skip = g.records[1:], 0
	}
	err := s.writeCursor()
	s.trim()
	return err
}

// writeCursor notes what was delivered: the segment, the offset of the record that is next, and how
// many of its samples are done. It replaces the file as a whole, and does not wait for the disk: it is written after each send,
// and a cursor lost with the power sends again what was delivered.
func (s *Spool) writeCursor() error {
	if len(s.segs) == 0 {
		return nil
	}
	g := s.segs[0]
	at := g.size
	if len(g.records) > 0 {
		at = g.records[0].at
	}
	tmp := filepath.Join(s.dir, cursorFile+".tmp")
	if err := os.WriteFile(tmp, fmt.Appendf(nil, "%d %d %d\n", g.id, at, s.skip), 0o600); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(s.dir, cursorFile)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// maxCursor bounds what is read of the cursor's file, in bytes.
const maxCursor = 4 << 10

// readCursor passes over what was delivered in an earlier life. A cursor that can't be understood
// passes over nothing: better twice than never.
func (s *Spool) readCursor() error {
	text, err := atomicfile.Read(filepath.Join(s.dir, cursorFile), maxCursor)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	var (
		id   uint64
		at   int64
		skip int
	)
	if n, _ := fmt.Sscanf(string(text), "%d %d %d\n", &id, &at, &skip); n != 3 {
		return nil
	}
	for len(s.segs) > 0 && s.segs[0].id < id {
		s.dropFirst()
	}
	if len(s.segs) > 0 && s.segs[0].id == id {
		g := s.segs[0]
		for len(g.records) > 0 && g.records[0].at < at {
			g.records = g.records[1:]
		}
		if len(g.records) > 0 && g.records[0].at == at && 0 <= skip && skip < g.records[0].samples {
			s.skip = skip
		}
	}
	s.next = max(s.next, id+1) // a number is never used again, or the cursor would pass over its new owner
	s.trim()
	return nil
}

// forgetCursor removes the note of what was delivered of a segment that was written anew: its places are others now, and
// better twice than never.
func (s *Spool) forgetCursor(id uint64) {
	path := filepath.Join(s.dir, cursorFile)
	text, err := atomicfile.Read(path, maxCursor)
	if err != nil {
		return
	}
	var at uint64
	if n, _ := fmt.Sscanf(string(text), "%d", &at); n == 1 && at == id {
		_ = os.Remove(path)
	}
}

// Stats returns what waits.
func (s *Spool) Stats() SpoolStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := SpoolStats{Bytes: s.bytes()}
	for _, g := range s.segs {
		for _, r := range g.records {
			st.Samples += r.samples
			if st.Oldest.IsZero() || r.oldest.Before(st.Oldest) {
				st.Oldest = r.oldest
			}
		}
	}
	st.Samples -= s.skip
	return st
}

// Close ends the writing; what waits stays for the next OpenSpool.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tail == nil {
		return nil
	}
	err := errors.Join(s.tail.Sync(), s.tail.Close())
	s.tail = nil
	return err
}

// spooled is the form of a batch on disk.
type spooled struct {
	Descs   []metric.Desc
	Samples []spooledSample
}

type spooledSample struct {
	Desc   int
	Labels metric.Labels
	Time   int64 // nanoseconds since 1970
	Value  float64
	Hist   *spooledHist
}

type spooledHist struct {
	Count, Sum, Zero, Min, Max float64
	Pos, Neg                   []int32
	PosCounts, NegCounts       []float64
}

func encodeSamples(samples []metric.Sample) ([]byte, error) {
	var batch spooled
	index := map[*metric.Desc]int{}
	for _, s := range samples {
		i, ok := index[s.Desc]
		if !ok {
			i = len(batch.Descs)
			index[s.Desc] = i
			batch.Descs = append(batch.Descs, *s.Desc)
		}
		batch.Samples = append(batch.Samples, spooledSample{i, s.Labels, s.Time.UnixNano(), s.Value, packHist(s.Hist)})
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(batch)
	return b.Bytes(), err
}

func packHist(h *metric.Histogram) *spooledHist {
	if h == nil {
		return nil
	}
	out := &spooledHist{Count: h.Count, Sum: h.Sum, Zero: h.Zero, Min: h.Min, Max: h.Max}
	for i, c := range h.Positive {
		out.Pos, out.PosCounts = append(out.Pos, i), append(out.PosCounts, c)
	}
	for i, c := range h.Negative {
		out.Neg, out.NegCounts = append(out.Neg, i), append(out.NegCounts, c)
	}
	return out
}
