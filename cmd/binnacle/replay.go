package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/router"
	"github.com/navcloud/binnacle/alerting/topology"
)

type replayOptions struct {
	config, topology string
	json             bool
	ackAfter, on     time.Duration
}

func newReplay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use: "replay FILE", Short: "Print the pages that recorded alarms would have led to, in order and with reasons; FILE - is the input",
		Long: "Print the pages that recorded alarms would have led to, in order and with reasons. FILE has a JSON object in each line, - is the input:\n\n" +
			`  {"at": "2026-11-24T03:00:00Z", "labels": {"alertname": "DiskFull", ...}, "annotations": {...}, "startsAt": ..., "endsAt": ..., "resolved": false}` + "\n\n" +
			"at is when the alarm was told. Told with resolved, or with an endsAt that has passed, it is over; past an endsAt that was ahead, without another word, it is out of\n" +
			"contact. A line without at tells a whole alarm, from startsAt to endsAt. Time is simulated: every call is accepted at once.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.on < 0 || o.on > 24*time.Hour || o.ackAfter < 0 {
				return fmt.Errorf("--on: want 0 to 24h, --ack-after: want no less than 0; have %v and %v", o.on, o.ackAfter)
			}
			told, err := readRecording(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			p, err := o.player()
			if err != nil {
				return err
			}
			if err := p.play(cmd.Context(), told, o.on); err != nil {
				return err
			}
			if o.json {
				return p.writeJSON(cmd.OutOrStdout())
			}
			p.write(cmd.OutOrStdout())
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "YAML file whose route.order and routing keys apply (default: none, all defaults)")
	f.StringVar(&o.topology, "topology", "", "topology file, over the file's")
	f.DurationVar(&o.ackAfter, "ack-after", 0, "a person takes each page so long after it came (default: nobody does)")
	f.DurationVar(&o.on, "on", time.Hour, "how long to look on after the last line")
	f.BoolVar(&o.json, "json", false, "one line of JSON for each call to the pager")
	return cmd
}

// player makes a player with the settings that the flags ask for.
func (o replayOptions) player() (*player, error) {
	cfg, err := agent.LoadConfig(o.config)
	if err != nil {
		return nil, err
	}
	set := cfg.Route.Order
	if err := set.Validate(); err != nil {
		return nil, err
	}
	set.RouteBy = cfg.Route.PagerDuty.RouteOf
	p := &player{router: router.New(set), ackAfter: o.ackAfter}
	path := cfg.Route.Topology
	if o.topology != "" {
		path = o.topology
	}
	if path != "" {
		g, err := topology.Load(path)
		if err != nil {
			return nil, err
		}
		p.in = append(p.in, alerting.Topology{Graph: g})
	}
	return p, nil
}

// told is one input with its time.
type told struct {
	at time.Time
	in alerting.Input
}

// line is one line of a recording.
type line struct {
	At          time.Time         `json:"at"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Resolved    bool              `json:"resolved"`
	Generator   string            `json:"generatorURL"`
}

// inputs makes one or two inputs of a line.
func (l line) inputs() ([]told, error) {
	if len(l.Labels) == 0 {
		return nil, errors.New("labels: want at least one")
	}
	a := alerting.Alarm{Labels: l.Labels, Annotations: l.Annotations, StartsAt: l.StartsAt, EndsAt: l.EndsAt, Generator: l.Generator}
	end := alerting.Ended{Fingerprint: a.Fingerprint()}
	switch {
	case l.At.IsZero() && l.StartsAt.IsZero():
		return nil, errors.New("at: want a time, or a startsAt")
	case l.At.IsZero():
		a.EndsAt = time.Time{} // its end is known
		out := []told{{l.StartsAt, alerting.Firing{Alarm: a}}}
		if !l.EndsAt.IsZero() {
			if l.EndsAt.Before(l.StartsAt) {
				return nil, fmt.Errorf("endsAt: %s is before startsAt", l.EndsAt.Format(time.RFC3339))
			}
			out = append(out, told{l.EndsAt, end})
		}
		return out, nil
	case l.Resolved || !l.EndsAt.IsZero() && !l.EndsAt.After(l.At):
		return []told{{l.At, end}}, nil
	}
	if a.StartsAt.IsZero() {
		a.StartsAt = l.At
	}
	return []told{{l.At, alerting.Firing{Alarm: a}}}, nil
}

// Bounds of a recording.
const (
	maxRecording = 512 << 20
	maxTold      = 1_000_000
	maxSpan      = 92 * 24 * time.Hour
)

// readRecording reads a recording and puts it into the order of time; lines of one time keep their order.
func readRecording(stdin io.Reader, path string) ([]told, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	var out []told
	dec := json.NewDecoder(io.LimitReader(in, maxRecording))
	for n := 1; ; n++ {
		var l line
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			break
		}
		var more []told
		if err == nil {
			more, err = l.inputs()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: alarm %d: %w", path, n, err)
		}
		if out = append(out, more...); len(out) > maxTold {
			return nil, fmt.Errorf("%s: more than %d alarms", path, maxTold)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no alarm in it", path)
	}
	slices.SortStableFunc(out, func(a, b told) int { return a.at.Compare(b.at) })
	if d := out[len(out)-1].at.Sub(out[0].at); d > maxSpan {
		return nil, fmt.Errorf("%s: from %s on it spans %s, want at most %s", path, out[0].at.Format(time.RFC3339), brief(d), brief(maxSpan))
	}
	return out, nil
}

// player lets a router live through a recording.
type player struct {
	router   *router.Router
	in       []alerting.Input
	ackAfter time.Duration
	acks     []told // to come, in order

	alarms map[string]bool // that fired
	calls  []call
	board  int // problems that were left on the board at the end
}

// call is one call to the pager.
type call struct {
	at     time.Time
	action alerting.Action
}

const (
	answerAfter = 100 * time.Millisecond // is how long the pager takes to answer
	// gather is how long alarms wait for each other, as they do before a router that is busy: a storm costs few steps.
	gather = 200 * time.Millisecond
)

// play lets the router live through the list and for a while after; it errs when ctx ends before.
func (p *player) play(ctx context.Context, list []told, on time.Duration) error {
	p.alarms = map[string]bool{}
	end := list[len(list)-1].at.Add(on)
	now := list[0].at
	for !now.After(end) {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted at %s of the recording", now.Format(time.RFC3339))
		}
		for len(list) > 0 && !list[0].at.After(now) {
			if f, ok := list[0].in.(alerting.Firing); ok {
				p.alarms[f.Alarm.Fingerprint()] = true
			}
			p.in = append(p.in, list[0].in)
			list = list[1:]
		}
		for len(p.acks) > 0 && !p.acks[0].at.After(now) {
			p.in = append(p.in, p.acks[0].in)
			p.acks = p.acks[1:]
		}
		next := p.step(now)
		if len(list) > 0 && list[0].at.Before(next) {
			next = list[0].at
			if soonest := now.Add(gather); next.Before(soonest) {
				next = soonest
			}
		}
		if len(p.acks) > 0 && p.acks[0].at.Before(next) {
			next = p.acks[0].at
		}
		now = next
	}
	for _, q := range p.router.View().Problems {
		if q.State == alerting.Board {
			p.board++
		}
	}
	return nil
}

// step steps the router once and answers its calls.
func (p *player) step(now time.Time) (next time.Time) {
	actions, next := p.router.Step(now, p.in)
	p.in = nil
	for _, a := range actions {
		p.calls = append(p.calls, call{now, a})
		p.in = append(p.in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
		if a.Kind == alerting.Trigger && p.ackAfter > 0 {
			p.acks = append(p.acks, told{now.Add(p.ackAfter), alerting.Acked{Key: a.Key, By: "replay"}})
		}
	}
	switch {
	case len(p.in) > 0:
		return now.Add(answerAfter)
	case next.IsZero(): // when there is something to tell
		return now.Add(time.Hour)
	}
	return next
}

func (p *player) write(w io.Writer) {
	var pages []time.Time
	by := map[alerting.Priority]int{}
	for _, c := range p.calls {
		g, at := c.action.Page, c.at.Format("2006-01-02 15:04:05")
		switch c.action.Kind {
		case alerting.Trigger:
			pages = append(pages, c.at)
			by[g.Priority]++
			fmt.Fprintf(w, "%s  PAGE %d  %s %s [%s]\n", at, len(pages), g.Priority, plain(g.Sentence), plain(g.Rule))
			detail(w, "impact", g.Impact)
			detail(w, "first", g.Guidance)
			detail(w, "why", g.Reason)
			if n := len(g.Explained) - 1; n > 0 {
				detail(w, "explains", words.Plural(n, "more alarm"))
			}
			for _, b := range g.Behind {
				detail(w, "behind", b)
			}
		case alerting.Retitle:
			fmt.Fprintf(w, "%s  renamed %s %s [%s]\n", at, g.Priority, plain(g.Sentence), plain(g.Rule))
			detail(w, "why", g.Reason)
		case alerting.Resolve:
			fmt.Fprintf(w, "%s  resolved %s %s [%s], after %s\n", at, g.Priority, plain(g.Sentence), plain(g.Rule), brief(c.at.Sub(c.action.Record.OpenedAt)))
		case alerting.Note:
			fmt.Fprintf(w, "%s  note: %s\n", at, plain(c.action.Text))
		}
	}
	fmt.Fprintf(w, "%s, %s (%d P1, %d P2, %d P3), at most %d in 10 minutes", words.Plural(len(p.alarms), "alarm"), words.Plural(len(pages), "page"),
		by[alerting.P1], by[alerting.P2], by[alerting.P3], busiest(pages, 10*time.Minute))
	if p.board > 0 {
		fmt.Fprintf(w, "; %d left on the board only", p.board)
	}
	fmt.Fprintln(w)
}

func detail(w io.Writer, name, text string) {
	if text = plain(text); text != "" {
		fmt.Fprintf(w, "    %-9s %s\n", name, strings.TrimSpace(text))
	}
}

// busiest is the largest number of pages within a window; times are in order.
func busiest(times []time.Time, window time.Duration) (most int) {
	for i, from := 0, 0; i < len(times); i++ {
		for times[i].Sub(times[from]) > window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func (p *player) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	for _, c := range p.calls {
		g := c.action.Page
		if err := enc.Encode(map[string]any{
			"at": c.at, "action": c.action.Kind.String(), "key": c.action.Key, "route": c.action.Route, "priority": g.Priority.String(),
			"title": g.Sentence, "rule": g.Rule, "entity": g.Entity, "impact": g.Impact, "guidance": g.Guidance, "reason": g.Reason,
			"explains": max(0, len(g.Explained)-1), "behind": g.Behind, "text": c.action.Text,
		}); err != nil {
			return err
		}
	}
	return nil
}
