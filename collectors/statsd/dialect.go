package statsd

import (
	"bytes"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// Style is where a client writes its tags, beside those of DogStatsD, which are always read.
// Source: github.com/prometheus/statsd_exporter, README, "Tagging Extensions", and github.com/statsd/statsd, stats.js
// (several values with types of their own in a line) and graphite.js; read 30 November 2026.
type Style uint8

// The styles.
const (
	Datadog  Style = iota // name:1|c|#tag:value
	Influx                // name,tag=value:1|c
	Librato               // name#tag=value:1|c
	SignalFx              // name[tag=value]:1|c
	Graphite              // name;tag=value:1|c
	Etsy                  // name:1|c:320|ms
	styles
)

var styleNames = [styles]string{"datadog", "influx", "librato", "signalfx", "graphite", "etsy"}

// String returns the word that the option dialect takes.
func (s Style) String() string { return styleNames[s] }

// Styles yields every Style but Datadog.
func Styles(yield func(Style) bool) {
	for s := Datadog + 1; s < styles; s++ {
		if !yield(s) {
			return
		}
	}
}

func styleOf(name string) (Style, bool) {
	for i, n := range styleNames {
		if n == name {
			return Style(i), true
		}
	}
	return Datadog, false
}

// marks are what stands between name and tags, and between two tags.
var marks = [styles]struct{ open, next string }{
	Influx: {",", ","}, Librato: {"#", ","}, SignalFx: {"[", ","}, Graphite: {";", ";"},
}

// cut parts a name from the tags in it. A tag without a value is true, as one of DogStatsD is.
func (s Style) cut(b []byte) (name []byte, tags metric.Labels) {
	m := marks[s]
	if m.open == "" {
		return b, nil
	}
	name, rest, found := bytes.Cut(b, []byte(m.open))
	if !found {
		return b, nil
	}
	if s == SignalFx {
		inside, after, closed := bytes.Cut(rest, []byte("]"))
		if !closed {
			return b, nil
		}
		name, rest = append(bytes.Clone(name), after...), inside
	}
	for tag := range strings.SplitSeq(clean(rest), m.next) {
		k, v, has := strings.Cut(tag, "=")
		if !has {
			v = "true"
		}
		if k != "" {
			tags = append(tags, metric.Label{Name: k, Value: v})
		}
	}
	return name, tags
}

// looks says which style a name is written in that the listener does not read; Datadog where it is none.
func (s Style) looks(name []byte) Style {
	eq := bytes.IndexByte(name, '=')
	if eq < 0 || s != Datadog && s != Etsy {
		return Datadog
	}
	for _, other := range []Style{Influx, Librato, SignalFx, Graphite} {
		if at := bytes.Index(name, []byte(marks[other].open)); at > 0 && at < eq {
			return other
		}
	}
	return Datadog
}

// looksEtsy says whether a line that was refused for its type has several values with types of their own.
func looksEtsy(line []byte) bool {
	bar := bytes.IndexByte(line, '|')
	if bar < 0 {
		return false
	}
	colon := bytes.IndexByte(line[bar:], ':')
	return colon > 0 && bytes.IndexByte(line[bar+colon:], '|') > 0
}

// severally reads a line that has several values with types of their own as a line for each.
func (t *Table) severally(now int64, line []byte, o Dialect) {
	o.Style = Datadog
	name, rest, _ := bytes.Cut(line, []byte(":"))
	rest, tags, tagged := bytes.Cut(rest, []byte("|#")) // of all of them
	for part := range bytes.SplitSeq(rest, []byte(":")) {
		one := append(append(append(t.several[:0], name...), ':'), part...)
		if tagged {
			one = append(append(one, "|#"...), tags...)
		}
		t.several = one
		t.read(now, one, o, false)
	}
}
