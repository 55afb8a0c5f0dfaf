package oncall

import (
	"net/url"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// How incidents are drawn.
const (
	defaultDay   = 24 * time.Hour
	maxIncidents = 20  // that have a row each
	leastBar     = 6.0 // of 1000: what is shorter is still to be seen
)

// stretch is an incident from its page to its end, or to now.
type stretch struct {
	Key, Title string
	Priority   alerting.Priority
	From, To   time.Time
	Acked      time.Time // zero: nobody has
	By         string
	Open       bool

	X, Wide    string // of the bar, of 1000
	AckX, AckW string // of the part in which somebody had it
	Zoom       string // address of this time alone
}

// Link leads to all that is known of it.
func (s stretch) Link() string { return "/problems/" + url.PathEscape(s.Key) }

// Took is how long it was, in words.
func (s stretch) Took() string {
	if s.Open {
		return "open for " + words.Duration(s.To.Sub(s.From))
	}
	return words.Duration(s.To.Sub(s.From))
}

// Had says who had it and after what time.
func (s stretch) Had() string {
	if s.Acked.IsZero() {
		return "nobody acknowledged"
	}
	return s.By + " after " + words.Duration(s.Acked.Sub(s.From))
}

// incidents are those whose pages are among the events, in order of their begin; one without an end goes on until end.
func incidents(events []Event, end time.Time) []stretch {
	var out []stretch
	open := map[string]int{} // by key
	for _, e := range events {
		i, ok := open[e.Key]
		switch {
		case e.paged() && !ok:
			open[e.Key] = len(out)
			out = append(out, stretch{Key: e.Key, Title: e.Title, Priority: e.Priority, From: e.At, To: end, Open: true})
		case !ok:
		case e.Kind == "acked" && out[i].Acked.IsZero():
			out[i].Acked, out[i].By = e.At, e.By
		case e.Action == "retitle" && e.Title != "":
			out[i].Title = e.Title
		case e.Action == "resolve" && (e.Kind == "accepted" || e.Kind == "shadowed"):
			out[i].To, out[i].Open = e.At, false
			delete(open, e.Key)
		}
	}
	for i := range out {
		out[i].Title = Event{Title: out[i].Title}.Plain()
	}
	return out
}

// draw places the incidents, the newest first, and says how many there are.
func (t *timeline) draw(all []stretch) {
	open := 0
	for i := range all {
		t.place(&all[i])
		if all[i].Open {
			open++
		}
	}
	slices.Reverse(all)
	if t.Rest = max(0, len(all)-maxIncidents); t.Rest > 0 {
		all = all[:maxIncidents]
	}
	t.Incidents = all
	t.Counts = words.Plural(len(all)+t.Rest, "incident") + " in " + words.Duration(t.To.Sub(t.From))
	switch {
	case len(all) == 0:
		t.Counts = "No incident in " + words.Duration(t.To.Sub(t.From))
	case open > 0:
		t.Counts += ", " + words.Number(float64(open)) + " open"
	}
}

func (t *timeline) place(s *stretch) {
	span := t.To.Sub(t.From)
	at := func(x time.Time) float64 { return min(1000, max(0, 1000*float64(x.Sub(t.From))/float64(span))) }
	x, to := at(s.From), at(s.To)
	wide := max(leastBar, to-x)
	x = min(x, 1000-wide)
	s.X, s.Wide = charts.Coordinate(x), charts.Coordinate(wide)
	if !s.Acked.IsZero() && s.Acked.Before(s.To) {
		ack := max(x, at(s.Acked))
		s.AckX, s.AckW = charts.Coordinate(ack), charts.Coordinate(max(0, x+wide-ack))
	}
	room := max(5*time.Minute, s.To.Sub(s.From)/2)
	s.Zoom = "/timeline?" + url.Values{"from": {s.From.Add(-room).UTC().Format(dashboards.FormTime)}, "to": {s.To.Add(room).UTC().Format(dashboards.FormTime)}}.Encode()
}

// fitting is the shortest span that shows all that happened in a day, so that an hour's incident is no line of one pixel.
func fitting(events []Event, now time.Time) time.Duration {
	first := now
	for _, e := range events {
		if _, ok := tell(e); ok && e.At.Before(first) {
			first = e.At
		}
	}
	for _, d := range []time.Duration{15 * time.Minute, time.Hour, 6 * time.Hour} {
		if age := now.Sub(first); age > 0 && age <= d {
			return d
		}
	}
	return defaultDay
}
