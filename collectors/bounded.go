package collectors

import (
	"bytes"
	"fmt"
	"io"
)

// Bounded ends with an error, not as if the body were complete, when r holds more than limit bytes.
func Bounded(r io.Reader, limit int) io.Reader { return &boundedReader{r, limit, limit} }

type boundedReader struct {
	r           io.Reader
	left, limit int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("body is longer than %d bytes", b.limit)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// Limited keeps the first Limit bytes of what is written to it, takes the rest, and says in Over whether there was any.
type Limited struct {
	bytes.Buffer
	Limit int
	Over  bool
}

func (l *Limited) Write(b []byte) (int, error) {
	room := max(l.Limit-l.Len(), 0)
	l.Over = l.Over || len(b) > room
	l.Buffer.Write(b[:min(len(b), room)])
	return len(b), nil
}
