package door

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang/snappy"
)

// Bounds of one request.
const (
	bulkBody = 16 << 20  // bytes of alarms or samples, as sent and as decompressed
	form     = 1 << 20   // of a question
	small    = 256 << 10 // of all else

	// A body comes at slowest at this rate after a first while, so that no connection is held by a trickle.
	bodyFirst = 10 * time.Second
	bodyRate  = 16 << 10 // bytes a second

	// inFlight bounds the bytes of all bodies that are held at once; above it bulk waits.
	inFlight = 64 << 20
	bigBody  = 4 << 20 // is tidied up after, before the handler makes its own copies

	atOnce     = 2                // questions that are answered at once
	inLine     = 64               // and that wait
	queryLimit = 25 * time.Second // for waiting and answering; the engine's own limit is below it
)

var (
	errLine     = errors.New("too many questions at once: ask again later")
	errInFlight = errors.New("too many large requests at once: send again later")
)

// bodyError is a body that is refused with a status.
type bodyError struct {
	status int
	why    string
}

func (e *bodyError) Error() string { return e.why }

// Status is what a handler that reads such a body answers with.
func (e *bodyError) Status() int { return e.status }

func tooLarge(format string, args ...any) error {
	return &bodyError{http.StatusRequestEntityTooLarge, fmt.Sprintf(format, args...)}
}

func bodyStatus(err error) int {
	var own *bodyError
	var max *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own.status
	case errors.As(err, &max):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errInFlight):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// Bounds of what is read of a body that is refused.
const (
	drainBytes = 64 << 20
	drainTime  = 5 * time.Second
)

// drain reads what a client still sends, for a while: one that is cut off while it sends never reads why. Who asks
// first whether to send at all is answered at once.
func drain(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.Header.Get("Expect") != "" || r.ContentLength > drainBytes {
		return
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(drainTime))
	if _, err := io.CopyN(io.Discard, r.Body, drainBytes); err == io.EOF {
		_ = rc.SetReadDeadline(time.Time{})
	}
}

// bodyKind is how a body is looked at before a handler decodes it: the decoders allocate for each part, so that a few
// bytes can ask for gigabytes.
type bodyKind uint8

const (
	plain       bodyKind = iota // bounded in bytes and time
	jsonBody                    // and in depth and parts, as it is read
	remoteWrite                 // snappy, protobuf
	remoteRead                  // likewise
	otlp                        // protobuf or JSON, gzip or not
)

// body returns a request's body, bounded as its route says.
func (d *Door) body(w http.ResponseWriter, r *http.Request, rt route) (io.ReadCloser, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return http.NoBody, nil
	}
	limit := rt.max
	if limit == 0 {
		limit = small // of a GET
	}
	if r.ContentLength > limit {
		return nil, tooLarge("the body has %d bytes, at most %d are taken", r.ContentLength, limit)
	}
	rc := http.NewResponseController(w)
	rest := *r // as it came
	refused := func() { drain(w, &rest) }
	timed := &timedBody{ReadCloser: http.MaxBytesReader(w, r.Body, limit), set: rc.SetReadDeadline, refused: refused, began: time.Now()}
	timed.extend()
	switch rt.body {
	case jsonBody:
		if e := encodingOf(r); e != "" && e != "identity" {
			return nil, &bodyError{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q is not taken here: send it plain", clip(e))}
		}
		return &jsonReader{ReadCloser: timed, scan: jsonScan{maxParts: maxParts, maxValues: maxValues}, refused: refused}, nil
	case remoteWrite, remoteRead, otlp:
		return d.bulk(r, rt, timed)
	}
	return timed, nil
}

// bulk reads a body whole, looks at it decompressed, and hands on what the handler expects.
func (d *Door) bulk(r *http.Request, rt route, from io.ReadCloser) (io.ReadCloser, error) {
	raw, err := readHeld(from)
	if err != nil {
		return nil, err
	}
	kept := int64(cap(raw))
	decoded, err := decompress(r, rt, raw)
	if err == nil {
		err = inspect(r, rt, decoded)
	}
	if err != nil {
		held.Add(-kept)
		return nil, err
	}
	if encodingOf(r) == "gzip" {
		raw = decoded // it need not be decompressed again
		r.Header.Del("Content-Encoding")
	}
	if len(decoded) > bigBody {
		decoded = nil
		runtime.GC() // the handler makes two or three copies more: this one must be gone by then
	}
	return &heldBody{Reader: bytes.NewReader(raw), n: kept}, nil
}

// encodingOf is how a body is compressed. Case says nothing in it. Source: RFC 9110, 8.4.1.
func encodingOf(r *http.Request) string { return strings.ToLower(r.Header.Get("Content-Encoding")) }

func decompress(r *http.Request, rt route, raw []byte) ([]byte, error) {
	encoding := encodingOf(r)
	switch {
	case rt.body == otlp && encoding == "gzip":
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		out, err := io.ReadAll(io.LimitReader(z, rt.max+1))
		switch {
		case err != nil:
			return nil, fmt.Errorf("body: %w", err)
		case int64(len(out)) > rt.max:
			return nil, tooLarge("the body has more than %d bytes decompressed", rt.max)
		}
		return out, nil
	case rt.body == otlp && (encoding == "" || encoding == "identity"):
		return raw, nil
	case rt.body != otlp && (encoding == "" || encoding == "snappy"):
		n, err := snappy.DecodedLen(raw)
		switch {
		case err != nil:
			return nil, fmt.Errorf("body: %w", err)
		case int64(n) > rt.max:
			return nil, tooLarge("the body has %d bytes decompressed, at most %d are taken", n, rt.max)
		}
		out, err := snappy.Decode(nil, raw)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		return out, nil
	}
	return nil, &bodyError{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q is not taken here", clip(encoding))}
}

// inspect counts what a decoder would make of a body.
func inspect(r *http.Request, rt route, decoded []byte) error {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	switch {
	case rt.body == otlp && media == "application/json":
		scan := jsonScan{maxParts: maxParts, maxValues: maxValues, spread: maxSpread}
		return scan.more(decoded)
	case rt.body == otlp:
		t, err := count(decoded, otlpRequest)
		if err == nil && t.longest > 1<<10 && t.longest*t.series > maxSpread {
			err = tooLarge("the body has a text of %d bytes that would be repeated for each of %d series", t.longest, t.series)
		}
		return err
	case rt.body == remoteRead:
		_, err := count(decoded, readRequest)
		return err
	case strings.HasPrefix(params["proto"], "io.prometheus.write.v2"):
		if _, err := count(decoded, writeRequest2); err != nil {
			return err
		}
		return spread(decoded)
	}
	_, err = count(decoded, writeRequest)
	return err
}

// held are the bytes of bodies that are in memory now.
var held atomic.Int64

// readHeld reads a body within the budget of all bodies.
func readHeld(from io.Reader) ([]byte, error) {
	buf := make([]byte, 0, 64<<10)
	held.Add(int64(cap(buf)))
	for {
		if len(buf) == cap(buf) {
			before := cap(buf)
			if held.Load()+int64(before) > inFlight {
				held.Add(-int64(before))
				return nil, errInFlight
			}
			buf = append(buf, 0)[:len(buf)]
			held.Add(int64(cap(buf) - before))
		}
		n, err := from.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			held.Add(int64(len(buf) - cap(buf)))
			return buf[:len(buf):len(buf)], nil
		}
		if err != nil {
			held.Add(-int64(cap(buf)))
			return nil, err
		}
	}
}

// heldBody gives its bytes back to the budget when it is closed.
type heldBody struct {
	*bytes.Reader
	n int64
}

func (b *heldBody) Close() error {
	held.Add(-b.n)
	b.n = 0
	return nil
}

// timedBody moves the deadline of its connection as the bytes come, and takes it away at the end: a deadline that
// passes while the handler works would end the request.
type timedBody struct {
	io.ReadCloser
	set     func(time.Time) error
	refused func() // is called when the body is too large
	began   time.Time
	n       int64
	done    bool
}

func (b *timedBody) extend() {
	_ = b.set(b.began.Add(bodyFirst + time.Duration(b.n)*time.Second/bodyRate)) // a recorder in a test has none
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	switch {
	case err == io.EOF && !b.done:
		b.done = true
		_ = b.set(time.Time{})
	case err == nil:
		b.extend()
	case isTimeout(err):
		err = &bodyError{http.StatusRequestTimeout, fmt.Sprintf("the body came too slowly: %d bytes in %v", b.n, time.Since(b.began).Round(time.Second))}
	default:
		if max, ok := errors.AsType[*http.MaxBytesError](err); ok {
			err = fmt.Errorf("the body has more than %d bytes: %w", max.Limit, err)
			if !b.done {
				b.done = true
				b.refused()
			}
		}
	}
	return n, err
}
