package metric

import "strings"

// PromName translates d.Name into the Prometheus convention: characters outside [a-zA-Z0-9_:] become
// an underscore, the base unit and, for what counts, _total come last. A name that follows the
// convention already is returned as it is. Histograms take no _total.
// Source: prometheus.io/docs/practices/naming, read November 2026.
func PromName(d *Desc) string {
	if d.Exact {
		return d.Name
	}
	name := Sanitize(d.Name)
	counts := d.Kind == Counter || d.Kind == Delta
	if counts {
		name = strings.TrimSuffix(name, "_total")
	}
	if d.Unit != Count && !strings.HasSuffix(name, "_"+string(d.Unit)) {
		name += "_" + string(d.Unit)
	}
	if counts {
		name += "_total"
	}
	return name
}

// Sanitize makes a legal metric or label name of s: characters outside [a-zA-Z0-9_:] become an
// underscore, and a leading digit gets one in front.
func Sanitize(s string) string {
	ok := s != "" && !digit(s[0])
	for i := 0; ok && i < len(s); i++ {
		ok = legal(s[i])
	}
	if ok {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 1)
	if s == "" || digit(s[0]) {
		b.WriteByte('_')
	}
	for i := 0; i < len(s); i++ {
		if legal(s[i]) {
			b.WriteByte(s[i])
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

// LabelName makes a legal label name of s: as Sanitize does, and without colons, which are legal in a metric's name alone.
func LabelName(s string) string { return strings.ReplaceAll(Sanitize(s), ":", "_") }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func legal(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digit(c) || c == '_' || c == ':'
}
