package logs

import (
	"cmp"
	"compress/gzip"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// slack is by how much the clock of a file system is behind ours: it ticks some hundred times a second.
const slack = 50 * time.Millisecond

// maxUnpacked bounds what is read of a file that was compressed before it was read whole, in bytes.
const maxUnpacked = 256 << 20

// packed says whether a file is one that a rotation compressed: its lines were read before.
func packed(path string) bool {
	return slices.Contains([]string{".gz", ".xz", ".bz2", ".zst", ".lz4"}, filepath.Ext(path))
}

// resume opens the files that were read before the agent ended, wherever they are named now. Another file under a name that was
// read, or one that was made since, is new: it is read from its begin.
func (s *source) resume(known []place, at, now time.Time) {
	s.since, s.looked, s.paths = at, at, map[string]bool{}
	for _, p := range known {
		s.paths[p.Path] = true
		s.names[p.Path] = p.identity
		path, ok := whereIs(p)
		if !ok {
			s.packedRest(p, at, now)
			continue
		}
		if t, err := openAt(path, p.identity, p); err == nil {
			s.tails[p.identity] = t
		}
	}
}

// whereIs finds a file by who it is: under its name, or beside it, where a rotation put it.
func whereIs(p place) (string, bool) {
	if id, _, err := identityOf(p.Path); err == nil && id == p.identity {
		return p.Path, true
	}
	for _, name := range beside(p.Path) {
		path := filepath.Join(filepath.Dir(p.Path), name)
		if packed(path) {
			continue
		}
		if id, _, err := identityOf(path); err == nil && id == p.identity {
			return path, true
		}
	}
	return "", false
}

// beside are the names in the folder of a file, none where it cannot be listed.
func beside(path string) []string {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }() // it is only read
	names, _ := dir.Readdirnames(maxFolder)
	return names
}

// bornAfter says whether a file was made after a time.
func bornAfter(path string, at time.Time) bool { return !at.IsZero() && born(path).After(at) }

// between opens the files that had a path for less than the time between two looks, or while no agent ran: they were made
// since, and have the name of the path with a number behind it (app.log.1, app.log-20261130). Where a file system does not
// know when a file was made, there are none.
func (s *source) between(path string) {
	for _, other := range numbered(path, s.looked) {
		if !packed(other) {
			s.openRotated(other, place{})
		}
	}
}

// openRotated opens a file that no path names, unless it is open.
func (s *source) openRotated(path string, from place) *tail {
	id, _, err := identityOf(path)
	if err != nil || s.tails[id] != nil {
		return nil
	}
	t, err := openAt(path, id, from)
	if err != nil {
		return nil
	}
	t.gone = true
	s.tails[id] = t
	return t
}

// copied reads on in the copy of a file that was emptied in place: what was written since the last look is there alone. Other
// copies that were made since are of what was written and emptied within one look.
func (s *source) copied(was place, t *tail, now time.Time) {
	var rest, others []string
	for _, path := range numbered(was.Path, s.before) {
		switch begins := beginsAs(path, was); {
		case packed(path):
		case begins && len(rest) == 0:
			rest = append(rest, path)
		default:
			others = append(others, path)
		}
	}
	switch {
	case len(rest) > 0:
		if on := s.openRotated(rest[0], was); on != nil {
			on.entry, on.entryAt, t.entry = t.entry, t.entryAt, nil
		}
	case len(others) == 0:
		s.packedRest(was, s.before, now)
	}
	for _, path := range others {
		s.openRotated(path, place{})
	}
}

// beginsAs says whether a file begins as another one did, and is as long as that was read.
func beginsAs(path string, p place) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it is only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() < p.Offset {
		return false
	}
	sum, err := sumOf(f, p.HeadLen)
	return err == nil && (p.HeadLen == 0 || sum == p.Head)
}

// numbered returns the files beside path that have its name with a number behind it and were made since, the oldest first.
func numbered(path string, since time.Time) (out []string) {
	at := map[string]time.Time{}
	for _, name := range beside(path) {
		rest, ok := strings.CutPrefix(name, filepath.Base(path))
		if !ok || len(rest) < 2 || !strings.ContainsRune(".-_", rune(rest[0])) || rest[1] < '0' || rest[1] > '9' {
			continue
		}
		other := filepath.Join(filepath.Dir(path), name)
		if made := born(other); !since.IsZero() && made.After(since.Add(-slack)) {
			at[other] = made
			out = append(out, other)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(at[a].Compare(at[b]), cmp.Compare(a, b)) })
	return out
}

// packedRest reads on in a file that was compressed before it was read whole: it is the one that begins as the file did.
func (s *source) packedRest(p place, since, now time.Time) {
	for _, path := range numbered(p.Path, since) {
		if filepath.Ext(path) != ".gz" || p.HeadLen == 0 {
			continue
		}
		t := &tail{place: place{Path: path}, begun: true}
		if t.unpack(p, func(b []byte) {
			lines, cut := t.take(b, func(line []byte) { s.line(t, now, line) })
			s.lines, s.cut = s.lines+lines, s.cut+cut
		}) == nil {
			s.match(t, now)
			return
		}
	}
}

// errOther says that a compressed file is not the one that was read before.
var errOther = errors.New("another file")

// unpack gives what stands behind a place to take.
func (t *tail) unpack(p place, take func([]byte)) error {
	f, err := os.Open(t.Path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it is only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	head := make([]byte, p.HeadLen)
	if _, err := io.ReadFull(z, head); err != nil || crc32.ChecksumIEEE(head) != p.Head {
		return errors.Join(errOther, err)
	}
	t.order = orderOf(head)
	if _, err := io.CopyN(io.Discard, z, p.Offset-p.HeadLen); err != nil {
		return err
	}
	_, err = io.Copy(writer(take), io.LimitReader(z, maxUnpacked))
	return err
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}
