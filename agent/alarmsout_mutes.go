package agent

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/alerting/rules"
)

// mutesAhead is for how long mute rules are put ahead: so long they work when binnacle is gone.
const mutesAhead = 7 * 24 * time.Hour

// mostMutes bounds the mute rules of a fleet.
const mostMutes = 100

// pagingGroup is what one composite speaks for.
type pagingGroup struct{ group, windows string }

func (g pagingGroup) compare(o pagingGroup) int {
	return cmp.Or(cmp.Compare(g.group, o.group), cmp.Compare(g.windows, o.windows))
}

// name is as it was before there were windows where none is.
func (g pagingGroup) name() string {
	name := plainName(g.group)
	for _, window := range windowsOf(g.windows) {
		name += "+" + plainName(window)
	}
	return name
}

func windowsOf(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, "+") // which no name of a maintenance has
}

// covering are the windows that silence what a rule says of a series, by name. A label that a template fills, or that CloudWatch does not
// have as a dimension, is known to nobody here: what asks for it covers nothing, and CloudWatch pages.
func (w *alarmWriter) covering(t rules.Simple, dims []aws.Dimension) (names []string) {
	known := map[string]string{alerting.LabelRule: t.Rule}
	for _, d := range dims {
		switch d.Name {
		case "Group", "Stack": // the node's tags, which are labels by these names
			known[strings.ToLower(d.Name)] = d.Value
		case w.opts.InstanceDimension:
		default:
			known[d.Name] = d.Value
		}
	}
	for name, value := range t.Labels {
		if known[name] = value; strings.Contains(value, "{{") {
			delete(known, name)
		}
	}
	for _, r := range w.windows {
		if !slices.ContainsFunc(r.Matchers, func(m alerting.Matcher) bool {
			_, is := known[m.Name]
			return !is || !m.Matches(known)
		}) {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}

// mutes adds to the plan the mute rules that stand for the maintenance windows of the coming week: of the alarms with actions that a window
// silences as a whole. A P1 among them is muted as long as a silence may last.
func (w *alarmWriter) mutes(ctx context.Context, now time.Time) error {
	prefix := mutePrefix(w.cfg)
	have, err := w.ask.Mutes(ctx, prefix)
	if err != nil {
		if len(w.windows) > 0 {
			w.plan.Notes = append(w.plan.Notes, "no maintenance window mutes alarms at CloudWatch: "+err.Error())
		}
		return nil // the alarms are as wanted all the same
	}
	var want []aws.Mute
	for _, r := range w.windows {
		var alarms []string
		for i, c := range w.plan.Want {
			if c.Rule != "" && i < w.opts.Alarms.Max && slices.Contains(w.covered[c.Name], r.Name) {
				alarms = append(alarms, c.Name)
			}
		}
		if len(alarms) == 0 {
			w.plan.Notes = append(w.plan.Notes, "maintenance "+r.Name+" mutes no alarm of CloudWatch: its matchers fit none, or ask for labels that CloudWatch does not have")
			continue
		}
		for part := range slices.Chunk(alarms, aws.MaxMuted) {
			want = append(want, comingMutes(prefix, r, part, now)...)
		}
	}
	if len(want) > mostMutes {
		w.plan.Notes = append(w.plan.Notes, fmt.Sprintf("%d times at which maintenance windows open this week have no mute rule: more than %d", len(want)-mostMutes, mostMutes))
		slices.SortStableFunc(want, func(a, b aws.Mute) int { return a.Start.Compare(b.Start) })
		want = want[:mostMutes]
	}
	w.plan.Change.Mute, w.plan.Change.Unmute = aws.DiffMutes(want, have)
	return nil
}

// comingMutes are the mute rules of a window that is open or opens within mutesAhead. The name says all of one, so that what is there
// needs no question.
func comingMutes(prefix string, r people.Recurring, alarms []string, now time.Time) (out []aws.Mute) {
	for at := now; ; {
		s, ok := r.Next(at, now.Add(mutesAhead).Sub(at))
		if !ok {
			return out
		}
		at = s.EndsAt
		end := s.EndsAt
		if last := s.StartsAt.Add(alerting.MaxSilenceP1); end.After(last) {
			end = last
		}
		if !end.After(now) {
			continue
		}
		h := fnv.New32a()
		fmt.Fprintf(h, "%d %q", end.Unix(), alarms)
		out = append(out, aws.Mute{
			Name: fmt.Sprintf("%s%s.%s.%08x", prefix, r.Name, s.StartsAt.UTC().Format("20060102T1504Z"), h.Sum32()), Description: "maintenance " + r.Name,
			Start: s.StartsAt, End: end, Alarms: alarms,
		})
	}
}

// mutePrefix begins the names of a fleet's mute rules; no other fleet's begin so.
func mutePrefix(cfg Config) string {
	return "binnacle." + strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, cfg.Route.Order.Fleet) + "."
}
