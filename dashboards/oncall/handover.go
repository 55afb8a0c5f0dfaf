package oncall

import (
	"net/http"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// Bounds of the pages that look back.
const (
	defaultShift = 8 * time.Hour
	maxShift     = 31 * 24 * time.Hour
	maxDeeds     = 500
)

// handover is what one person tells the next.
type handover struct {
	dashboards.Period
	Says     string
	Shift    shift
	Open     []row
	Silences []alerting.Silence
	Changes  []deed
	Notes    []deed // what people said, the newest first
	Fault    string
	Known    bool // what happened; else no figure is shown, since 0 would be a lie
	Node     string
	At       time.Time
}

func (p *Pages) handover(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "timeline", Title: "Handover", Forms: true, Scripts: []string{"print.js"}}
	if p.opts.History == nil || p.opts.View == nil {
		return dashboards.NoLedger(pg)
	}
	now := p.opts.Now()
	h := handover{Period: dashboards.ReadPeriod(r.URL.Query(), now, "/handover", defaultShift, maxShift, defaultShift, 12*time.Hour), Node: p.opts.Node, At: now}
	events, fault := p.history(r.Context(), EventQuery{Since: h.From, Until: h.To.Add(silencedWithin)})
	pg.Period = &h.Period
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
	h.Notes = linked(notesOf(deeds(events)))
	v := p.opts.View()
	rows, _ := p.rows(v, "")
	for _, rw := range rows {
		if rw.Priority <= alerting.P3 && len(h.Open) < maxDeeds {
			h.Open = append(h.Open, rw)
		}
	}
	h.Silences, h.Says = v.Silences, saysHanded(h.Open)
	pg.Sections = []dashboards.Section{{ID: "handover", Hush: true, Parts: []dashboards.Part{{ID: "handover-sheet", Template: "handover", Data: h}}}}
	return pg
}

// saysHanded is the sentence that the page begins with.
func saysHanded(open []row) string {
	free := 0
	for _, rw := range open {
		if rw.Person() == "" {
			free++
		}
	}
	switch n := len(open); {
	case n == 0:
		return "Nothing is handed over"
	case free == 0:
		return words.Plural(n, "problem") + " handed over, each has a person"
	case n == 1:
		return "1 problem handed over, nobody has it"
	case free == n:
		return words.Plural(n, "problem") + " handed over, nobody has any"
	default:
		return words.Plural(n, "problem") + " handed over, " + words.Number(float64(free)) + " without a person"
	}
}
