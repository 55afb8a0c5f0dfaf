package series

import (
	"fmt"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"github.com/navcloud/binnacle/agent/metric"
)

var seed = maphash.MakeSeed()

// hashOf tells most identities apart; who finds one compares.
func hashOf(c class, unit metric.Unit, name string, ls metric.Labels) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_ = h.WriteByte(byte(c)) // a hash takes everything
	_, _ = h.WriteString(string(unit))
	_ = h.WriteByte(0xff)
	_, _ = h.WriteString(name)
	for _, l := range ls {
		_ = h.WriteByte(0xff)
		_, _ = h.WriteString(l.Name)
		_ = h.WriteByte(0xff)
		_, _ = h.WriteString(l.Value)
	}
	return h.Sum64()
}

// apart returns the labels that a collector gave where they are not those of the series.
func apart(native, labels metric.Labels) *metric.Labels {
	if equal(native, labels) {
		return nil
	}
	return &native
}

func equal(a, b metric.Labels) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 0 || &a[0] == &b[0] {
		return true
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// identify returns the labels of a series as Prometheus has them, and as destinations with other rules get them. The
// two are one slice where nothing had to be changed, which is nearly always.
//
// What is reserved in one output is renamed in all: names that begin with two underscores, and le and quantile on a
// distribution, get exported_ in front. Where two names become one, the one that was legal keeps it and the others get
// a number, in all outputs. Bytes that are not UTF-8 are written as \xHH.
func identify(k metric.Kind, native metric.Labels) (translated, said metric.Labels) {
	fine := true
	for _, l := range native {
		fine = fine && legalLabel(l.Name) && !reserved(k, l.Name) && utf8.ValidString(l.Value)
	}
	if fine {
		return native, native
	}
	translated, said = make(metric.Labels, len(native)), make(metric.Labels, len(native))
	taken := map[string]bool{}
	for i, l := range native {
		l.Name, l.Value = valid(l.Name), valid(l.Value)
		if reserved(k, l.Name) {
			l.Name = "exported_" + l.Name
		}
		said[i] = l
		if legalLabel(l.Name) && !taken[l.Name] {
			taken[l.Name] = true
			translated[i] = l
		}
	}
	for i, l := range said {
		if translated[i].Name != "" {
			continue
		}
		name := metric.LabelName(l.Name)
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", metric.LabelName(l.Name), n)
		}
		translated[i] = metric.Label{Name: name, Value: l.Value}
		if name != metric.LabelName(l.Name) {
			said[i].Name = name
		}
		taken[name] = true
	}
	return metric.Normalize(translated), metric.Normalize(said)
}

func reserved(k metric.Kind, name string) bool {
	return strings.HasPrefix(name, "__") || k == metric.Distribution && (name == "le" || name == "quantile")
}

func legalLabel(name string) bool { return metric.LabelName(name) == name }

// valid writes bytes that are not UTF-8 as \xHH, so that different strings stay different.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}
