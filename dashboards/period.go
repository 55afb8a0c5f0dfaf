package dashboards

import (
	"fmt"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// FormTime is how a browser's field for a time without zone writes it; pages read it as UTC.
const FormTime = "2006-01-02T15:04"

// Period is from when to when a page looks back, as its form shows it.
type Period struct {
	From, To time.Time
	Misread  string // what of the address was not understood
	Links    []Link
	Kept     map[string]string // of the address, beside the time
	Running  bool              // it ends now, and so goes on
	Sparse   *Sparse           // nil: samples are as fine as ever
}

// FormFrom and FormTo are the form's values.
func (p Period) FormFrom() string { return p.From.UTC().Format(FormTime) }
func (p Period) FormTo() string   { return p.To.UTC().Format(FormTime) }

// ReadPeriod reads from and to, or last (a duration that ends now); span is what is meant without them, longest
// the most that is allowed.
func ReadPeriod(q url.Values, now time.Time, path string, span, longest time.Duration, choices ...time.Duration) Period {
	p := Period{From: now.Add(-span), To: now, Running: !q.Has("from") && !q.Has("to")}
	for _, c := range choices {
		p.Links = append(p.Links, Link{path + "?last=" + c.String(), words.Duration(c), q.Get("last") == c.String()})
	}
	if text := q.Get("last"); text != "" {
		d, err := words.ParseDuration(text)
		if err != nil || d < time.Minute || d > longest {
			p.Misread = fmt.Sprintf("last: want between 1m and %s, have %q.", longest, Clip(text, MaxName))
			return p
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
			return p
		}
		*end.at = t
	}
	if !p.To.After(p.From) || p.To.Sub(p.From) > longest {
		p.Misread = "Its end must come after its beginning, by " + words.Duration(longest) + " at most."
		p.From, p.To = now.Add(-span), now
	}
	return p
}

// ParseTime reads a time as a link or a form writes it: RFC 3339, or without zone, which is UTC.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, FormTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time like %s, have %q", FormTime, Clip(text, MaxName))
}

// Sparse is the part of a chart whose samples are five minutes apart.
type Sparse struct {
	Until time.Time
	Note  string
}
