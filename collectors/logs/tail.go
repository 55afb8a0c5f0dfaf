package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"
	"time"
)

// Bounds of one file.
const (
	maxLine  = 64 << 10         // bytes of an entry; what is longer is cut
	maxRead  = 16 << 20         // bytes of one look, so that a large file keeps no other waiting
	headSize = 1 << 10          // bytes at its begin that tell a file from another one in its place
	idleEnd  = 5 * time.Second  // an entry of several lines is whole, and a file that was removed is at its end
	idleKept = 10 * time.Minute // a file that was renamed is at its end: who has it open may write on until told to begin the new one
)

// identity is a file whatever its name. As long as it is open no other has it.
type identity struct{ Dev, Ino uint64 }

// place is where a file was read to. Head is the sum of its first HeadLen bytes: inodes are used again.
type place struct {
	Path string
	identity
	Offset  int64
	Head    uint32
	HeadLen int64
}

// tail is one file that is read as it grows.
type tail struct {
	place
	file    *os.File
	part    []byte           // of a line whose end is not written yet; its bytes are behind Offset
	entry   []byte           // of several lines, whose end shows with the next one
	order   binary.ByteOrder // of UTF-16; nil: bytes are characters
	begun   bool             // order was looked at
	long    bool             // the rest of the line is left out
	gone    bool             // its name is gone, or another file's
	grew    time.Time
	entryAt time.Time
}

// look reads what was written since, and calls line for each whole line. reset says that the file began anew in its place.
func (t *tail) look(now time.Time, line func([]byte)) (lines, cut int, reset bool, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return 0, 0, false, err
	}
	same, err := t.sameHead(info.Size())
	if err != nil {
		return 0, 0, false, err
	}
	if info.Size() < t.Offset || !same { // emptied in place, and maybe filled again
		reset, t.begun = true, false
		t.Offset, t.HeadLen, t.Head, t.part, t.long = 0, 0, 0, nil, false
	}
	if err := t.begin(info.Size()); err != nil || !t.begun {
		return 0, 0, reset, err
	}
	buf := make([]byte, maxLine)
	at := t.Offset + int64(len(t.part))
	for read := 0; read < maxRead; {
		n, err := t.file.ReadAt(buf, at)
		if n > 0 {
			at, read, t.grew = at+int64(n), read+n, now
			l, c := t.take(buf[:n], line)
			lines, cut = lines+l, cut+c
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if err == nil {
				err = t.keepHead()
			}
			return lines, cut, reset, err
		}
	}
	return lines, cut, reset, t.keepHead()
}

// take splits what was read into lines. Offset moves to the end of the last whole line, so that a restart reads a part again.
func (t *tail) take(b []byte, line func([]byte)) (lines, cut int) {
	if t.order != nil {
		return t.takeWide(b, line)
	}
	for len(b) > 0 {
		if len(t.part) == 0 && !t.long { // a hole, which a writer makes that does not append when its file is emptied in place
			rest := bytes.TrimLeft(b, "\x00")
			t.Offset += int64(len(b) - len(rest))
			if b = rest; len(b) == 0 {
				return lines, cut
			}
		}
		end := bytes.IndexByte(b, '\n')
		piece, ended := b, end >= 0
		if ended {
			piece = b[:end]
		}
		switch {
		case t.long:
			t.Offset += int64(len(piece))
		case len(t.part)+len(piece) > maxLine:
			room := maxLine - len(t.part)
			t.Offset += int64(len(t.part) + len(piece))
			t.part, t.long = append(t.part, piece[:room]...), true
			lines, cut = lines+1, cut+1
			line(clean(t.part))
			t.part = nil
		default:
			t.part = append(t.part, piece...)
		}
		if !ended {
			return lines, cut
		}
		b = b[end+1:]
		if !t.long {
			t.Offset += int64(len(t.part))
			if text := clean(t.part); len(text) > 0 {
				lines++
				line(text)
			}
			t.part = t.part[:0]
		}
		t.Offset, t.long = t.Offset+1, false
	}
	return lines, cut
}

func clean(line []byte) []byte { return bytes.TrimRight(bytes.TrimPrefix(line, mark8), "\r") }

// ended says whether nothing more will come of a file whose name is gone. Among many such files none is waited for.
func (t *tail) ended(now time.Time, many bool) bool {
	idle := idleKept
	if many {
		idle = idleEnd
	} else if info, err := t.file.Stat(); err != nil {
		idle = idleEnd
	} else if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
		idle = idleEnd
	}
	return t.gone && now.Sub(t.grew) >= idle
}

// sameHead says whether the file still begins as it did.
func (t *tail) sameHead(size int64) (bool, error) {
	if t.HeadLen == 0 || size < t.HeadLen {
		return size >= t.HeadLen, nil
	}
	sum, err := sumOf(t.file, t.HeadLen)
	return sum == t.Head, err
}

// keepHead takes more of the begin of a young file into account, as far as it was read.
func (t *tail) keepHead() error {
	n := min(t.Offset, headSize)
	if n <= t.HeadLen {
		return nil
	}
	sum, err := sumOf(t.file, n)
	if err == nil {
		t.Head, t.HeadLen = sum, n
	}
	return err
}

func sumOf(f *os.File, n int64) (uint32, error) {
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		return 0, fmt.Errorf("%s: its first %d bytes: %w", f.Name(), n, err)
	}
	return crc32.ChecksumIEEE(b), nil
}

// identityOf is who a file is. Pipes and devices are no logs: to open one may wait for ever.
func identityOf(path string) (identity, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return identity{}, 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return identity{}, 0, fmt.Errorf("%s is no regular file", path)
	}
	return identity{uint64(st.Dev), st.Ino}, info.Size(), nil
}

// openAt opens a file to read it from an offset on.
func openAt(path string, id identity, p place) (*tail, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || uint64(st.Dev) != id.Dev || st.Ino != id.Ino {
		return nil, errors.Join(errMoved, f.Close())
	}
	t := &tail{place: p, file: f}
	t.Path, t.identity = path, id
	return t, nil
}

// errMoved says that a name is another file's by now: the next look has it.
var errMoved = errors.New("it was renamed meanwhile")
