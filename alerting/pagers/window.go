package pagers

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"go.yaml.in/yaml/v3"
)

// Window is a time of the week or year. One with the name of a pager is when that pager is sent pages at all.
type Window struct {
	TimeIntervals []Interval `yaml:"time_intervals"`
	Location      string     `yaml:"location"` // of those that name none, such as Europe/Dublin; empty: UTC
}

// Interval is Alertmanager's time interval.
type Interval struct {
	timeinterval.TimeInterval
	shown any
}

// UnmarshalYAML reads one as Alertmanager does.
func (i *Interval) UnmarshalYAML(n *yaml.Node) error {
	if err := n.Decode(&i.shown); err != nil {
		return err
	}
	if err := n.Decode(&i.TimeInterval); err != nil {
		return err
	}
	for at := 0; at+1 < len(n.Content); at += 2 {
		if k := n.Content[at].Value; !slices.Contains([]string{"times", "weekdays", "days_of_month", "months", "years", "location"}, k) {
			return fmt.Errorf("%s: unknown name", k)
		}
	}
	return nil
}

// MarshalYAML shows it as it was written.
func (i Interval) MarshalYAML() (any, error) { return i.shown, nil }

func (w Window) validate() error {
	if len(w.TimeIntervals) == 0 {
		return errors.New("want time_intervals")
	}
	if _, err := time.LoadLocation(w.Location); err != nil {
		return fmt.Errorf("location: %w", err)
	}
	return nil
}

// contains says whether a time is in the window.
func (w Window) contains(t time.Time) bool {
	return slices.ContainsFunc(w.TimeIntervals, func(i Interval) bool { return i.shows(t.In(w.zone(i))) })
}

// zone is where an interval's clock hangs.
func (w Window) zone(i Interval) *time.Location {
	if i.Location != nil {
		return i.Location.Location
	}
	if loc, err := time.LoadLocation(w.Location); err == nil {
		return loc
	}
	return time.UTC
}

// shows says whether the interval contains what a clock shows, wherever that hangs.
func (i Interval) shows(t time.Time) bool {
	i.Location = nil
	return i.ContainsTime(t)
}

// clockChanges says at which changes of the clocks in the year from now the window gains or loses time.
func (w Window) clockChanges(now time.Time) (out []string) {
	for _, i := range w.TimeIntervals {
		zone := w.zone(i)
		for at := now.In(zone); ; {
			_, next := at.ZoneBounds()
			if next.IsZero() || next.After(now.AddDate(1, 0, 0)) {
				break
			}
			if text := i.clockChange(next.In(zone)); text != "" && !slices.Contains(out, text) {
				out = append(out, text)
			}
			at = next.In(zone)
		}
	}
	return out
}

// clockChange says what the interval gains or loses at one change of the clocks; empty: nothing.
func (i Interval) clockChange(at time.Time) string {
	_, before := at.Add(-time.Second).Zone()
	_, after := at.Zone()
	by := time.Duration(after-before) * time.Second
	shown := at.In(time.FixedZone("", max(before, after))) // the later of what clocks show at that time
	for m := min(0, by); m < max(0, by); m += time.Minute {
		if !i.shows(at.In(time.FixedZone("", before)).Add(m)) {
			continue
		}
		if by > 0 {
			return fmt.Sprintf("on %s clocks in %s skip %s to %s, and the window loses that time", at.Format("2 Jan 2006"), at.Location(), shown.Add(-by).Format("15:04"), shown.Format("15:04"))
		}
		return fmt.Sprintf("on %s clocks in %s show %s to %s twice, and the window is open both times", at.Format("2 Jan 2006"), at.Location(), shown.Add(by).Format("15:04"), shown.Format("15:04"))
	}
	return ""
}
