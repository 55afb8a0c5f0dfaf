package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/simulate"
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
			"at is when the alarm was received. With resolved, or with an endsAt that has passed, it has ended; past an endsAt that was ahead, without a repetition, it has lost\n" +
			"contact. Lines of one time and one sender (the field sender, else the host of generatorURL) are one batch. An alarm that always fires, as\n" +
			"Watchdog does, and is not repeated is an alarm about its sender. A line without at is a whole alarm, from startsAt to endsAt. Time is simulated: every call is accepted\n" +
			"at once. FILE may be a storm of the storm bench: then its graph applies, its pager may fail, and the pages are compared with those that are wanted.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.on < 0 || o.on > 24*time.Hour || o.ackAfter < 0 {
				return fmt.Errorf("--on: want 0 to 24h, --ack-after: want no less than 0; have %v and %v", o.on, o.ackAfter)
			}
			p, err := o.play(cmd.Context(), cmd.InOrStdin(), args[0])
			if err != nil {
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

// playback is what came of a recording.
type playback struct {
	*simulate.Player
	score *simulate.Score // of a storm file, which says what is wanted
	board int             // problems that were left on the board at the end
}

// play lets a router live through the recording, with the settings that production would have.
func (o replayOptions) play(ctx context.Context, stdin io.Reader, path string) (*playback, error) {
	cfg, err := agent.LoadConfig(o.config)
	if err != nil {
		return nil, err
	}
	opts, err := o.options(cfg)
	if err != nil {
		return nil, err
	}
	data, err := readBounded(stdin, path)
	if err != nil {
		return nil, err
	}
	storm, events, end, err := o.recording(data, &opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if storm == nil {
		opts.Beats = cfg.Intake.Senders(events[0].At)
	}
	p := &playback{Player: simulate.New(opts)}
	p.Add(events...)
	windows, err := cfg.Route.Recurring()
	if err != nil {
		return nil, err
	}
	for _, w := range windows {
		for _, s := range w.Between(events[0].At, end) {
			at := s.StartsAt
			if at.Before(events[0].At) {
				at = events[0].At
			}
			p.Add(simulate.Event{At: at, In: alerting.Silenced{Silence: s, By: s.CreatedBy}})
		}
	}
	check := simulate.Checks(checkEvery)
	p.Watch = func(now time.Time, view func() alerting.View) error {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted at %s of the recording", now.Format(time.RFC3339))
		}
		if err := check(now, view); err != nil {
			return fmt.Errorf("at %s of the recording the router is at fault, please report it: %w", now.Format(time.RFC3339), err)
		}
		return nil
	}
	if err := p.Run(end); err != nil {
		return nil, err
	}
	if storm != nil {
		score := storm.Score(p.Player)
		p.score = &score
	}
	for _, q := range p.View().Problems {
		if q.State == alerting.Board {
			p.board++
		}
	}
	return p, nil
}

// checkEvery is how often, in the time of the recording, what must never be is looked for.
const checkEvery = 10 * time.Second

// options are those of production with the same file.
func (o replayOptions) options(cfg agent.Config) (out simulate.Options, err error) {
	out.AckAfter = o.ackAfter
	out.Settings = cfg.RouterSettings()
	if err := out.Settings.Validate(); err != nil {
		return out, err
	}
	if path := cmp.Or(o.topology, cfg.Route.Topology); path != "" {
		out.Graph, err = topology.Load(path)
	}
	return out, err
}

// recording is what the file holds, and until when it is looked at.
func (o replayOptions) recording(data []byte, opts *simulate.Options) (*simulate.Storm, []simulate.Event, time.Time, error) {
	if simulate.IsStorm(data) {
		storm, err := simulate.ReadStorm(data)
		if err != nil {
			return nil, nil, time.Time{}, err
		}
		if o.topology == "" {
			opts.Graph, err = storm.Graph()
		}
		return storm, storm.Play(), storm.End(), err
	}
	events, err := simulate.Read(bytes.NewReader(data))
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	return nil, events, events[len(events)-1].At.Add(o.on), nil
}

// maxRecording bounds what is read.
const maxRecording = 512 << 20

// readBounded reads a file, or the input where path is -.
func readBounded(stdin io.Reader, path string) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxRecording+1))
	if err == nil && len(data) > maxRecording {
		err = fmt.Errorf("%s: larger than %d MiB", path, maxRecording>>20)
	}
	return data, err
}

func (p *playback) write(w io.Writer) {
	var pages []time.Time
	by := map[alerting.Priority]int{}
	for _, c := range p.Calls() {
		g, at := c.Action.Page, c.At.Format("2006-01-02 15:04:05")
		switch c.Action.Kind {
		case alerting.Trigger:
			pages = append(pages, c.At)
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
			fmt.Fprintf(w, "%s  resolved %s %s [%s], after %s\n", at, g.Priority, plain(g.Sentence), plain(g.Rule), words.Duration(c.At.Sub(c.Action.Record.OpenedAt)))
		case alerting.Acknowledge:
			fmt.Fprintf(w, "%s  acknowledged: %s\n", at, plain(c.Action.Text))
		case alerting.Note:
			fmt.Fprintf(w, "%s  note: %s\n", at, plain(c.Action.Text))
		}
	}
	fmt.Fprintf(w, "%s, %s (%d P1, %d P2, %d P3), at most %d in 10 minutes", words.Plural(p.Alarms(), "alarm"), words.Plural(len(pages), "page"),
		by[alerting.P1], by[alerting.P2], by[alerting.P3], busiest(pages, 10*time.Minute))
	if p.board > 0 {
		fmt.Fprintf(w, "; %d left on the board only", p.board)
	}
	if p.score != nil {
		fmt.Fprintf(w, "\n%v", p.score)
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

func (p *playback) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	for _, c := range p.Calls() {
		g := c.Action.Page
		if err := enc.Encode(map[string]any{
			"at": c.At, "action": c.Action.Kind.String(), "key": c.Action.Key, "route": c.Action.Route, "priority": g.Priority.String(),
			"title": g.Sentence, "rule": g.Rule, "entity": g.Entity, "impact": g.Impact, "guidance": g.Guidance, "reason": g.Reason,
			"explains": max(0, len(g.Explained)-1), "behind": g.Behind, "text": c.Action.Text,
		}); err != nil {
			return err
		}
	}
	return nil
}
