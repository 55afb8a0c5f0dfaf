package dashboards

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// FormTime is how a browser's field for a time without zone writes it; pages read it as UTC.
const FormTime = "2006-01-02T15:04"

// Spans are what every page that looks back offers, in the bar above it: one choice that goes with the reader from page to page.
var Spans = []time.Duration{time.Hour, 6 * time.Hour, day, 7 * day, 14 * day, 30 * day, 90 * day, 365 * day}

const day = 24 * time.Hour

// Period is from when to when a page looks back, as the bar shows it.
type Period struct {
	From, To time.Time
	Misread  string // what of the address was not understood
	Links    []Link
	Kept     map[string]string // of the address, beside the time
	Running  bool              // it ends now, and so goes on
	Before   string            // address of as long a time before it
	After    string            // and after it; empty where that is not over
	Sparse   *Sparse           // nil: samples are as fine as ever
}

// FormFrom and FormTo are the form's values.
func (p Period) FormFrom() string { return p.From.UTC().Format(FormTime) }
func (p Period) FormTo() string   { return p.To.UTC().Format(FormTime) }

// Label says in a few words which time is shown.
func (p Period) Label() string {
	if p.Running {
		return words.Duration(p.To.Sub(p.From))
	}
	return words.Minute(p.From) + " to " + words.Minute(p.To) + " UTC"
}

// timeKeys are what an address says of the time.
var timeKeys = []string{"last", "from", "to"}

// TimeOf is what an address says of the time, and nothing else of it: what its links to other pages take along.
func TimeOf(q url.Values) url.Values {
	out := url.Values{}
	for _, k := range timeKeys {
		if v := q.Get(k); v != "" {
			out.Set(k, v)
		}
	}
	return out
}

// SpanText is a span as an address has it: 6h, 7d.
func SpanText(d time.Duration) string {
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return words.Compact(d)
}

// ReadPeriod reads from and to, or last (a duration that ends now); span is what is meant without them, longest
// the most that is allowed. A last that is longer, as another page allows it, is cut to it.
// also are spans of this page alone.
func ReadPeriod(q url.Values, now time.Time, path string, span, longest time.Duration, also ...time.Duration) Period {
	p := Period{From: now.Add(-span), To: now, Running: !q.Has("from") && !q.Has("to"), Kept: map[string]string{}}
	rest := url.Values{}
	for k := range q {
		if !slices.Contains(timeKeys, k) && k != "done" && k != "problem" && q.Get(k) != "" {
			p.Kept[k] = q.Get(k)
			rest.Set(k, q.Get(k))
		}
	}
	p.read(q, now, span, longest)
	choices := append(slices.Clone(Spans), also...)
	slices.Sort(choices)
	for _, c := range choices {
		if c > longest {
			break
		}
		rest.Set("last", SpanText(c))
		p.Links = append(p.Links, Link{path + "?" + rest.Encode(), words.Duration(c), p.Running && p.To.Sub(p.From) == c})
	}
	rest.Del("last")
	step := p.To.Sub(p.From)
	p.Before = stretch(path, rest, p.From.Add(-step), p.From)
	if to := p.To.Add(step); !to.After(now) {
		p.After = stretch(path, rest, p.To, to)
	}
	return p
}

// stretch is the address of a page for a time between two.
func stretch(path string, rest url.Values, from, to time.Time) string {
	q := maps.Clone(rest)
	q.Set("from", from.UTC().Format(FormTime))
	q.Set("to", to.UTC().Format(FormTime))
	return path + "?" + q.Encode()
}

func (p *Period) read(q url.Values, now time.Time, span, longest time.Duration) {
	if text := q.Get("last"); text != "" {
		d, err := words.ParseDuration(text)
		if err != nil || d < time.Minute {
			p.Misread = fmt.Sprintf("last: want between 1m and %s, have %q.", SpanText(longest), words.Cut(text, MaxName))
			return
		}
		if d > longest {
			d = longest
			p.Misread = "This page goes back " + words.Duration(longest) + " at most."
		}
		p.From = now.Add(-d)
	}
	for _, end := range []struct {
		name string
		at   *time.Time
	}{{"from", &p.From}, {"to", &p.To}} {
		text := q.Get(end.name)
		if text == "" {
			continue
		}
		t, err := ParseTime(text)
		if err != nil {
			p.Misread = fmt.Sprintf("%s: %v.", end.name, err)
			return
		}
		*end.at = t
	}
	if !p.To.After(p.From) || p.To.Sub(p.From) > longest {
		p.Misread = "Its end must come after its beginning, by " + words.Duration(longest) + " at most."
		p.From, p.To = now.Add(-span), now
	}
}

// ParseTime reads a time as a link or a form writes it: RFC 3339, or without zone, which is UTC.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, FormTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time like %s, have %q", FormTime, words.Cut(text, MaxName))
}

// Sparse is the part of a chart whose samples are five minutes apart.
type Sparse struct {
	Until time.Time
	Note  string
}
