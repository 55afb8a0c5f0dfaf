package charts

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
)

func TestLabelsDoNotOverlap(t *testing.T) {
	from := time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC)
	at := func(m int) time.Time { return from.Add(time.Duration(m) * time.Minute) }
	pl := Plan{
		ID: "c", Unit: InExact, Limit: 50, LimitName: "threshold 50", From: from, To: at(60), Step: time.Minute, Onset: at(58),
		Marks: []Mark{{at(5), "a"}, {at(47), "b"}, {at(48), "c"}, {at(50), "d"}},
	}
	c := Draw(pl, []query.Series{{Points: []query.Point{{T: at(0), V: 10}, {T: at(60), V: 100}}}}, func(query.Series) string { return "x" })
	rows := map[int]float64{}
	for _, l := range c.Labels() {
		switch l.Class {
		case "limit":
			if l.Row != -1 || l.Text != "threshold 50" {
				t.Errorf("threshold: %+v, want it above its line", l)
			}
		case "onset":
			if !l.End || l.Row != -1 {
				t.Errorf("onset near the end: %+v, want it to end there, above the drawing", l)
			}
		case "deploy":
			if l.Text == "deploy 11:05" {
				t.Error("four deploys are named, want the last three")
			}
			rows[l.Row]++
		}
	}
	if rows[0] == 3 || rows[0]+rows[1]+rows[2] != 3 {
		t.Errorf("three deploys within three minutes are in rows %v, want them apart", rows)
	}
	if c.NowX() != "100" || c.NowY() == "" {
		t.Errorf("newest value at %s %s, want it at the end", c.NowX(), c.NowY())
	}
}
