package dashboards

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// Bounds of the pages that look back.
const (
	defaultShift = 8 * time.Hour
	maxShift     = 31 * 24 * time.Hour
	maxDeeds     = 500
)

// formTime is how a browser's field for a time without zone writes it; pages read it as UTC.
const formTime = "2006-01-02T15:04"

// period is from when to when a page looks back, as its form shows it.
type period struct {
	From, To time.Time
	Misread  string // what of the address was not understood
	Links    []menuEntry
	Kept     map[string]string // of the address, beside the time
	Running  bool              // it ends now, and so goes on
	Sparse   *sparse           // nil: samples are as fine as ever
}

// FormFrom and FormTo are the form's values.
func (p period) FormFrom() string { return p.From.UTC().Format(formTime) }
func (p period) FormTo() string   { return p.To.UTC().Format(formTime) }

// readPeriod reads from and to, or last (a duration that ends now); span is what is meant without them, longest
// the most that is allowed.
func readPeriod(q url.Values, now time.Time, path string, span, longest time.Duration, choices ...time.Duration) period {
	p := period{From: now.Add(-span), To: now, Running: !q.Has("from") && !q.Has("to")}
	for _, c := range choices {
		p.Links = append(p.Links, menuEntry{path + "?last=" + c.String(), words.Duration(c), q.Get("last") == c.String()})
	}
	if text := q.Get("last"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Minute || d > longest {
			p.Misread = fmt.Sprintf("last: want between 1m and %s, have %q.", longest, clip(text, maxName))
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
		t, err := parseTime(text)
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

// parseTime reads a time as a link or a form writes it: RFC 3339, or without zone, which is UTC.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, formTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time like %s, have %q", formTime, clip(text, maxName))
}

// handover is what one person tells the next.
type handover struct {
	period
	Shift    shift
	Open     []row
	Silences []alerting.Silence
	Changes  []deed
	Fault    string
	Known    bool // what happened; else no figure is shown, since 0 would be a lie
	Node     string
	At       time.Time
}

func (p *Pages) handover(r *http.Request) page {
	pg := page{Name: "timeline", Title: "Handover", Forms: true, Scripts: []string{"print.js"}}
	if p.opts.History == nil || p.opts.View == nil {
		return noLedger(pg)
	}
	now := p.opts.Now()
	h := handover{period: readPeriod(r.URL.Query(), now, "/handover", defaultShift, maxShift, 8*time.Hour, 12*time.Hour, 24*time.Hour, 7*24*time.Hour), Node: p.opts.Node, At: now}
	events, fault := p.history(r.Context(), EventQuery{Since: h.From, Until: h.To.Add(silencedWithin)})
	if q := r.URL.Query(); !q.Has("last") && h.Running {
		h.Links[0].Here = true // the shift that is meant without words
	}
	h.Fault, h.Known = fault, fault == "" || len(events) > 0
	h.Shift = reckon(events, h.From, h.To)
	if len(h.Shift.Idle) > maxDeeds {
		h.Shift.Idle = h.Shift.Idle[:maxDeeds]
	}
	h.Shift.Idle = linked(h.Shift.Idle)
	for _, d := range deeds(events) {
		if d.Mark == "change" && d.At.Before(h.To) {
			h.Changes = append(h.Changes, d)
		}
	}
	v := p.opts.View()
	rows, _ := p.rows(v, "")
	for _, rw := range rows {
		if rw.Priority <= alerting.P3 && len(h.Open) < maxDeeds {
			h.Open = append(h.Open, rw)
		}
	}
	h.Silences = v.Silences
	pg.Sections = []section{{ID: "handover", Hush: true, Parts: []part{{"handover-sheet", "handover", h}}}}
	return pg
}
