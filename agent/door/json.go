package door

import (
	"io"
)

// Bounds of JSON.
const (
	maxDepth  = 32
	maxParts  = 60_000  // objects and lists
	maxValues = 600_000 // and what is in them
	// maxSpread bounds what a handler makes that repeats the longest text for each part, as OTLP repeats a resource's
	// name for each point: bytes.
	maxSpread = 128 << 20
)

// jsonScan counts the parts of a JSON text as it passes, without building any. It need not be valid: that is for the
// decoder to say.
type jsonScan struct {
	maxParts, maxValues int
	spread              int // 0: not looked at

	inText, escaped bool
	depth           int
	parts, values   int
	text, longest   int // bytes
}

func (s *jsonScan) more(p []byte) error {
	for _, c := range p {
		if s.inText {
			s.text++
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.inText = false
				s.longest = max(s.longest, s.text)
			}
			continue
		}
		switch c {
		case '"':
			s.inText, s.text = true, 0
		case '{', '[':
			s.parts++
			s.depth++
		case '}', ']':
			s.depth--
		case ',', ':':
			s.values++
		default:
			continue
		}
		switch {
		case s.depth > maxDepth:
			return tooLarge("the body is nested deeper than %d", maxDepth)
		case s.parts > s.maxParts:
			return tooLarge("the body has more than %d objects and lists", s.maxParts)
		case s.values > s.maxValues:
			return tooLarge("the body has more than %d values", s.maxValues)
		case s.spread > 0 && s.longest > 1<<10 && s.longest*s.parts > s.spread:
			return tooLarge("the body has a text of %d bytes that would be repeated too often", s.longest)
		}
	}
	return nil
}

// jsonReader ends a body with an error once it has too many parts: handlers read it whole before they decode it.
type jsonReader struct {
	io.ReadCloser
	scan    jsonScan
	refused func() // is called once, before the error
	err     error
}

func (r *jsonReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.ReadCloser.Read(p)
	if r.err = r.scan.more(p[:n]); r.err != nil {
		r.refused()
		return 0, r.err
	}
	return n, err
}
