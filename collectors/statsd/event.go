package statsd

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

var (
	eventPrefix = []byte("_e{")
	checkPrefix = []byte("_sc|")
)

// isEvent says whether a line is an event or a service check, hence for ParseEvent.
func isEvent(b []byte) bool {
	return len(b) > 3 && b[0] == '_' && (bytes.HasPrefix(b, eventPrefix) || bytes.HasPrefix(b, checkPrefix))
}

// ParseEvent reads a DogStatsD event (_e{5,4}:title|text|...) or service check (_sc|name|status|...).
// Time is the zero time where the line has none. A host named in the line becomes the label host.
func ParseEvent(b []byte) (metric.Event, Reason) {
	e := metric.Event{Level: metric.Info}
	var rest []byte
	if after, ok := bytes.CutPrefix(b, checkPrefix); ok {
		name, after, _ := cut(after)
		status, after, _ := cut(after)
		if len(name) == 0 || len(status) != 1 || status[0] < '0' || status[0] > '3' {
			return e, BadEvent
		}
		e.Check, e.Title, e.Level, rest = true, clean(name), metric.Level(status[0]-'0'), after
	} else {
		title, text, after, ok := eventTexts(bytes.TrimPrefix(b, eventPrefix))
		if !ok {
			return e, BadEvent
		}
		e.Title, e.Text, rest = clean(title), newlines(text), after
	}
	return e, eventFields(&e, rest)
}

// eventTexts cuts "5,4}:title|text|..." by its own lengths, since both texts may hold bars. They are of bytes, but some
// clients count characters, or UTF-16 units, or before they escape: where the lengths lead to no bar and are no more than
// what is there, the texts are cut at the bars.
func eventTexts(b []byte) (title, text, rest []byte, ok bool) {
	lengths, after, found := bytes.Cut(b, []byte("}:"))
	first, second, two := bytes.Cut(lengths, []byte(","))
	nt, err1 := strconv.Atoi(string(first))
	nx, err2 := strconv.Atoi(string(second))
	if !found || !two || err1 != nil || err2 != nil || nt <= 0 || nx < 0 || nt > len(after) || nx > len(after) {
		return nil, nil, nil, false
	}
	end := nt + 1 + nx
	if end <= len(after) && after[nt] == '|' && (end == len(after) || after[end] == '|') {
		return after[:nt], after[nt+1 : end], bytes.TrimPrefix(after[end:], []byte("|")), true
	}
	bar := bytes.IndexByte(after, '|')
	if bar < nt {
		return nil, nil, nil, false
	}
	title, text = after[:bar], after[bar+1:]
	for at := 0; at < len(text); at++ {
		if text[at] == '|' && at >= nx && isField(text[at+1:]) {
			return title, text[:at], text[at+1:], true
		}
	}
	return title, text, nil, nx <= len(text)
}

// isField says whether b begins with a field of an event: |d:, |h:, |k:, |p:, |s:, |t:, |c:, |e:, |card: or |#.
func isField(b []byte) bool {
	return len(b) > 0 && b[0] == '#' || len(b) > 1 && b[1] == ':' && bytes.IndexByte([]byte("dhkpstce"), b[0]) >= 0 || bytes.HasPrefix(b, []byte("card:"))
}

func eventFields(e *metric.Event, rest []byte) Reason {
	var ls metric.Labels
	var host string
	for len(rest) > 0 {
		if e.Check && bytes.HasPrefix(rest, []byte("m:")) { // the last field by the protocol: it may hold bars
			e.Text = newlines(rest[2:])
			break
		}
		var f []byte
		f, rest, _ = cut(rest)
		key, v, _ := bytes.Cut(f, []byte(":"))
		switch {
		case len(f) > 0 && f[0] == '#':
			var r Reason
			if ls, r = labels(f[1:], ls); r != Accepted {
				return r
			}
		case len(key) != 1:
		case key[0] == 'd':
			t, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil || t <= 0 || t > 1<<40 {
				return BadTimestamp
			}
			e.Time = time.Unix(t, 0)
		case key[0] == 'h':
			host = clean(v)
		case key[0] == 'k':
			e.Key = clean(v)
		case key[0] == 't' && !e.Check:
			e.Level = alertType(string(v))
		}
	}
	if host != "" {
		ls = append(metric.Labels{{Name: "host", Value: host}}, ls...)
	}
	e.Labels = metric.Normalize(ls)
	return Accepted
}

func alertType(s string) metric.Level {
	switch s {
	case "error":
		return metric.Critical
	case "warning":
		return metric.Warning
	case "success":
		return metric.OK
	}
	return metric.Info
}

// newlines puts real newlines for the two characters that stand for one on the wire.
func newlines(b []byte) string { return strings.ReplaceAll(clean(b), `\n`, "\n") }

func clean(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// labels appends the tags of b, as sent, to ls. A tag without a colon gets the value "true"; one with an
// empty name is passed over, one with an empty value goes when the labels are normalized.
func labels(b []byte, ls metric.Labels) (metric.Labels, Reason) {
	n := 0
	for len(b) > 0 {
		tag := b
		if i := bytes.IndexByte(b, ','); i >= 0 {
			tag, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		tag = bytes.TrimPrefix(tag, []byte("#")) // some clients write it before each tag
		if len(tag) == 0 {
			continue
		}
		if n++; n > maxTags {
			return nil, ManyTags
		}
		name, value, has := strings.Cut(clean(tag), ":")
		if !has {
			value = "true"
		}
		if name != "" {
			ls = append(ls, metric.Label{Name: name, Value: value})
		}
	}
	return ls, Accepted
}
