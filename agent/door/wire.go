package door

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message of protobuf costs a few bytes on the wire and some hundred in memory. These tables say what each message
// of the formats that the agent takes costs as its decoder makes it; count adds them up without decoding.
//
// Source: prompb/types.proto, prompb/remote.proto and io/prometheus/write/v2/types.proto of Prometheus v0.316;
// opentelemetry-proto v1.11 metrics.proto; sizes by unsafe.Sizeof of the generated types; read 30 November 2026.
type message struct {
	cost   int // bytes in memory of one
	series int // that one makes at most, before its own parts are added
	fields map[protowire.Number]part
}

// part is a field that costs more than its bytes.
type part struct {
	of     *message
	varint int  // bytes for each number of a packed field
	fixed  int  // series for each 8 bytes of a packed field
	text   bool // a text: counts its bytes and, for OTLP, is one of those that are repeated
}

const (
	maxCost   = 24 << 20 // bytes of messages
	maxSeries = 20_000   // that one request may send
	maxText   = 64 << 10 // bytes of one name or value
	longList  = 2000     // of this many parts, and above, a list costs listGrows as much: it is copied as it grows
	listGrows = 4
	maxNested = 24

	longText   = 1 << 10 // bytes; a longer one counts with the copies that decoder, handler and database make of it
	textCopies = 3
)

var (
	text  = part{text: true}
	label = &message{cost: 64, fields: map[protowire.Number]part{1: text, 2: text}}
	span  = &message{cost: 40}

	labelExemplar = &message{cost: 72, fields: map[protowire.Number]part{1: {of: label}}}
	deltas        = part{varint: 8}
	histogram1    = &message{cost: 300, fields: map[protowire.Number]part{8: {of: span}, 9: deltas, 11: {of: span}, 12: deltas}}
	writeRequest  = &message{fields: map[protowire.Number]part{
		1: {of: &message{cost: 136, series: 1, fields: map[protowire.Number]part{
			1: {of: label}, 2: {of: &message{cost: 48}}, 3: {of: labelExemplar}, 4: {of: histogram1},
		}}},
		3: {of: &message{cost: 96, fields: map[protowire.Number]part{2: text, 4: text, 5: text}}},
	}}

	refs          = part{varint: 4}
	writeRequest2 = &message{fields: map[protowire.Number]part{
		4: {of: &message{cost: 16}, text: true},
		5: {of: &message{cost: 200, series: 1, fields: map[protowire.Number]part{
			1: refs, 2: {of: &message{cost: 56}}, 3: {of: histogram1}, 4: {of: &message{cost: 72, fields: map[protowire.Number]part{1: refs}}}, 5: {of: &message{cost: 48}},
		}}},
	}}

	readRequest = &message{fields: map[protowire.Number]part{
		1: {of: &message{cost: 2000, fields: map[protowire.Number]part{ // each is a search of its own
			3: {of: &message{cost: 2000, fields: map[protowire.Number]part{2: text, 3: text}}}, 4: {of: &message{cost: 120, fields: map[protowire.Number]part{5: {of: &message{cost: 16}}}}},
		}}},
		2: deltas,
	}}

	otlpRequest = otlpMetrics()
)

func otlpMetrics() *message {
	value := &message{cost: 64}
	keyValue := &message{cost: 80, fields: map[protowire.Number]part{1: text, 2: {of: value}}}
	value.fields = map[protowire.Number]part{
		1: text,
		5: {of: &message{cost: 40, fields: map[protowire.Number]part{1: {of: value}}}},
		6: {of: &message{cost: 40, fields: map[protowire.Number]part{1: {of: keyValue}}}},
		7: text,
	}
	exemplar := part{of: &message{cost: 120, fields: map[protowire.Number]part{7: {of: keyValue}}}}
	buckets := part{of: &message{cost: 48, fields: map[protowire.Number]part{2: deltas}}}
	number := part{of: &message{cost: 160, series: 1, fields: map[protowire.Number]part{7: {of: keyValue}, 5: exemplar}}}
	points := map[protowire.Number]part{
		5: {of: &message{cost: 48, fields: map[protowire.Number]part{1: number}}}, // gauge
		7: {of: &message{cost: 48, fields: map[protowire.Number]part{1: number}}}, // sum
		9: {of: &message{cost: 48, fields: map[protowire.Number]part{1: {of: &message{cost: 280, series: 3, fields: map[protowire.Number]part{ // histogram: a series for each bucket
			9: {of: keyValue}, 6: {fixed: 1}, 8: exemplar,
		}}}}}},
		10: {of: &message{cost: 48, fields: map[protowire.Number]part{1: {of: &message{cost: 320, series: 1, fields: map[protowire.Number]part{ // exponential histogram
			1: {of: keyValue}, 8: buckets, 9: buckets, 11: exemplar,
		}}}}}},
		11: {of: &message{cost: 48, fields: map[protowire.Number]part{1: {of: &message{cost: 160, series: 2, fields: map[protowire.Number]part{ // summary
			7: {of: keyValue}, 6: {of: &message{cost: 32, series: 1}},
		}}}}}},
		12: {of: keyValue}, 1: text, 2: text, 3: text,
	}
	scope := part{of: &message{cost: 120, fields: map[protowire.Number]part{1: text, 2: text, 3: {of: keyValue}}}}
	resource := part{of: &message{cost: 80, fields: map[protowire.Number]part{1: {of: keyValue}}}}
	return &message{fields: map[protowire.Number]part{1: {of: &message{cost: 120, fields: map[protowire.Number]part{
		1: resource, 3: text,
		2: {of: &message{cost: 120, fields: map[protowire.Number]part{1: scope, 3: text, 2: {of: &message{cost: 200, fields: points}}}}},
	}}}}}
}

// tally is what a body would make.
type tally struct{ cost, series, longest int }

// count adds up a message and errs when it is out of bounds.
func count(b []byte, m *message) (tally, error) {
	var t tally
	err := t.add(b, m, 0)
	return t, err
}

// bounds says what is too much of it.
func (t *tally) bounds() error {
	switch {
	case t.cost > maxCost:
		return tooLarge("the body would take more than %d MiB of memory decoded: send smaller batches", maxCost>>20)
	case t.series > maxSeries:
		return tooLarge("the body has more than %d series: send smaller batches", maxSeries)
	case t.longest > maxText:
		return tooLarge("the body has a text of %d bytes, at most %d are taken", t.longest, maxText)
	}
	return nil
}

func (t *tally) add(b []byte, m *message, depth int) error {
	t.cost += m.cost
	t.series += m.series
	if depth > maxNested {
		return tooLarge("the body is nested deeper than %d", maxNested)
	}
	for parts := 0; len(b) > 0; parts++ {
		if err := t.bounds(); err != nil {
			return err
		}
		before := t.cost
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("body: %w", protowire.ParseError(n))
		}
		b = b[n:]
		if typ == protowire.StartGroupType || typ == protowire.EndGroupType {
			return fmt.Errorf("body: field %d is a group, which no format here has", num)
		}
		p, known := m.fields[num]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return fmt.Errorf("body: %w", protowire.ParseError(n))
			}
			b = b[n:]
			t.cost += max(p.varint, 1) // a list may come number by number
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return fmt.Errorf("body: %w", protowire.ParseError(n))
		}
		b = b[n:]
		if !known {
			t.cost += 2 // kept as it is, by some decoders
			continue
		}
		if err := t.field(v, p, depth); err != nil {
			return err
		}
		if parts >= longList && p.of != nil {
			t.cost += (listGrows - 1) * min(t.cost-before, p.of.cost)
		}
	}
	return t.bounds()
}

func (t *tally) field(v []byte, p part, depth int) error {
	if p.text {
		t.longest = max(t.longest, len(v))
		if len(v) > longText {
			t.cost += textCopies * len(v)
		}
	}
	if p.varint > 0 {
		for _, c := range v {
			if c < 0x80 {
				t.cost += p.varint
			}
		}
	}
	t.series += p.fixed * len(v) / 8
	if p.of == nil {
		return nil
	}
	if p.text {
		t.cost += p.of.cost
		return nil
	}
	return t.add(v, p.of, depth+1)
}

// maxLabels bounds the bytes of the labels that remote-write 2 makes of its symbols: a symbol is sent once and may be
// named by every series.
const (
	maxLabels   = 16 << 20
	labelHeader = 32 // bytes of a label beside its text
)

// spread adds up the labels of a remote-write 2 request as they would be written out.
func spread(b []byte) error {
	var symbols []int
	if err := each(b, func(num protowire.Number, v []byte) error {
		if num == 4 {
			symbols = append(symbols, len(v))
		}
		return nil
	}); err != nil {
		return err
	}
	total := 0
	refs := func(num protowire.Number, v []byte) error {
		for num == 1 && len(v) > 0 {
			ref, n := protowire.ConsumeVarint(v)
			if n < 0 {
				return fmt.Errorf("body: %w", protowire.ParseError(n))
			}
			v = v[n:]
			total += labelHeader
			if ref < uint64(len(symbols)) {
				total += symbols[ref]
			}
			if total > maxLabels {
				return tooLarge("the body's labels have more than %d MiB written out: send smaller batches", maxLabels>>20)
			}
		}
		return nil
	}
	return each(b, func(num protowire.Number, v []byte) error {
		if num != 5 {
			return nil
		}
		return each(v, func(num protowire.Number, v []byte) error {
			if num == 4 { // an exemplar has labels of its own
				return each(v, refs)
			}
			return refs(num, v)
		})
	})
}

// each calls f for the fields of a message that hold bytes.
func each(b []byte, f func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("body: %w", protowire.ParseError(n))
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return fmt.Errorf("body: %w", protowire.ParseError(n))
		}
		if typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(b)
			if err := f(num, v); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}
