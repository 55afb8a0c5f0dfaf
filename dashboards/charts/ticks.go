package charts

import "time"

// Tick is a round time below a drawing.
type Tick struct {
	At   string // percent of the width
	X    string // of a plot
	Text string
	Time time.Time
}

// tickSteps are the round times that ticks may lie apart; assets/chart.js has the same.
var tickSteps = []time.Duration{
	10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, week, 2 * week, 4 * week, 13 * week,
}

const (
	day  = 24 * time.Hour
	week = 7 * day

	MaxTicks = 5    // spaces between them: labels of five fit on a phone
	LastTick = 0.97 // of the width; the label of one further right would leave the page
)

// Ticks are the round times of UTC in a span. Weeks begin on Mondays.
func Ticks(from, to time.Time) (out []Tick) {
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if to.Sub(from) <= MaxTicks*s {
			step = s
			break
		}
	}
	// Truncate counts from the first day of year 1, which was a Monday.
	for t := from.Add(step - 1).Truncate(step); ; t = t.Add(step) {
		share := float64(t.Sub(from)) / float64(max(to.Sub(from), 1))
		if share > LastTick {
			return out
		}
		out = append(out, Tick{Coordinate(100 * share), Coordinate(PlotWidth * share), tickText(t.UTC(), step), t})
	}
}

// tickText is as short as tells a time apart from its neighbours.
func tickText(t time.Time, step time.Duration) string {
	switch {
	case t.Equal(t.Truncate(day)):
		return t.Format("2 Jan")
	case step < time.Minute:
		return t.Format("15:04:05")
	}
	return t.Format("15:04")
}
