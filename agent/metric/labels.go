package metric

import (
	"slices"
	"strings"
)

// Label is a name and its value.
type Label struct{ Name, Value string }

// Labels identify a series within its metric: sorted by name, names unique, values not empty. They
// are shared freely and therefore never changed in place.
type Labels []Label

// L makes Labels of names and values in turn. A pair without a value is left out; of a repeated
// name the last one counts. It panics when the number of arguments is odd, a programming error.
func L(kv ...string) Labels {
	if len(kv)%2 != 0 {
		panic("metric.L: odd number of arguments")
	}
	if len(kv) == 0 {
		return nil
	}
	ls := make(Labels, 0, len(kv)/2)
	for i := 0; i < len(kv); i += 2 {
		ls = append(ls, Label{kv[i], kv[i+1]})
	}
	return ls.normal()
}

// Normalize sorts ls in place, drops empty values and all but the last of a repeated name, and
// returns the result.
func Normalize(ls Labels) Labels { return ls.normal() }

func (ls Labels) normal() Labels {
	slices.SortStableFunc(ls, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	out := ls[:0]
	for i, l := range ls {
		if i+1 < len(ls) && ls[i+1].Name == l.Name {
			continue
		}
		if l.Value != "" {
			out = append(out, l)
		}
	}
	return out
}

// Get returns the value of name, or "".
func (ls Labels) Get(name string) string {
	for _, l := range ls {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// With returns a copy of ls in which name has value; an empty value removes it.
func (ls Labels) With(name, value string) Labels {
	out := make(Labels, 0, len(ls)+1)
	out = append(append(out, ls...), Label{name, value})
	return out.normal()
}

// Merge returns ls with those of other added whose names ls does not have.
func (ls Labels) Merge(other Labels) Labels {
	if len(other) == 0 {
		return ls
	}
	out := make(Labels, 0, len(ls)+len(other))
	out = append(append(out, other...), ls...)
	return out.normal()
}

// Key returns a string that two Labels share only when they are equal.
func (ls Labels) Key() string {
	var b strings.Builder
	for _, l := range ls {
		b.WriteString(l.Name)
		b.WriteByte(0xff)
		b.WriteString(l.Value)
		b.WriteByte(0xff)
	}
	return b.String()
}

// Map returns a copy of ls as a map.
func (ls Labels) Map() map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}

// escaped writes a value as the exposition format does.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// String writes ls as {a="x",b="y"}, as the exposition format does.
func (ls Labels) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range ls {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.Name + `="`)
		_, _ = escaped.WriteString(&b, l.Value) // a Builder takes everything
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
