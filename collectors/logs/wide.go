package logs

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// Marks at the begin of a file: of UTF-8 it is no part of the first line, of UTF-16 it says the order of bytes, as SQL Server
// writes its log.
var (
	mark8    = []byte("\xef\xbb\xbf")
	markLow  = []byte("\xff\xfe")
	markHigh = []byte("\xfe\xff")
)

// begin finds how a file is written, once its first bytes are there.
func (t *tail) begin(size int64) error {
	if t.begun || size < 2 {
		return nil
	}
	var b [2]byte
	if _, err := t.file.ReadAt(b[:], 0); err != nil {
		return err
	}
	t.begun, t.order = true, orderOf(b[:])
	return nil
}

// orderOf is the order of bytes that a file begins with; nil: it is not of UTF-16.
func orderOf(head []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(head, markLow):
		return binary.LittleEndian
	case bytes.HasPrefix(head, markHigh):
		return binary.BigEndian
	}
	return nil
}

// takeWide is take for UTF-16. Offset moves by lines alone, so that it stays between two characters.
func (t *tail) takeWide(b []byte, line func([]byte)) (lines, cut int) {
	at := len(t.part) &^ 1
	t.part = append(t.part, b...)
	begin := 0
	emit := func(end, next int) {
		if text := t.text(t.part[begin:end]); len(text) > 0 && !t.long {
			lines++
			line(text)
		}
		t.Offset, begin = t.Offset+int64(next-begin), next
	}
	for ; at+1 < len(t.part); at += 2 {
		switch {
		case t.order.Uint16(t.part[at:]) == '\n':
			emit(at, at+2)
			t.long = false
		case at+2-begin >= maxLine:
			if !t.long {
				cut++
			}
			emit(at+2, at+2)
			t.long = true
		}
	}
	t.part = append(t.part[:0], t.part[begin:]...)
	return lines, cut
}

// text is a line as the patterns see it.
func (t *tail) text(line []byte) []byte {
	if t.order == nil {
		return clean(line)
	}
	units := make([]uint16, 0, len(line)/2)
	for ; len(line) >= 2; line = line[2:] {
		units = append(units, t.order.Uint16(line))
	}
	return clean([]byte(string(utf16.Decode(units))))
}
