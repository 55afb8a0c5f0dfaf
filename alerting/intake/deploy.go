package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// Deploy is a mark that something was changed on purpose. It wakes nobody; what breaks soon after may be
// blamed on it.
type Deploy struct {
	Service string    `json:"service"` // what was changed, or Entity
	Entity  string    `json:"entity"`
	Cluster string    `json:"cluster"`
	Version string    `json:"version"`
	By      string    `json:"by"`
	Text    string    `json:"text"`
	URL     string    `json:"url"`
	At      time.Time `json:"at"`    // now when absent
	Blame   string    `json:"blame"` // how long it may be blamed; 1h
}

// RuleDeploy is the rule of the alarm that a deploy mark becomes.
const RuleDeploy = "Deploy"

const (
	defaultBlame = time.Hour
	maxBlame     = 24 * time.Hour
)

// Input makes an alarm of kind change of the mark. It ends by itself, at EndsAt.
func (d Deploy) Input(now time.Time) (alerting.Input, error) {
	if d.Service == "" && d.Entity == "" {
		return nil, errors.New("service: want the service or the entity that was changed")
	}
	blame := defaultBlame
	if d.Blame != "" {
		v, err := words.ParseDuration(d.Blame)
		if err != nil || v <= 0 || v > maxBlame {
			return nil, fmt.Errorf("blame: want a duration up to %v, have %q", maxBlame, d.Blame)
		}
		blame = v
	}
	if d.At.IsZero() || d.At.After(now) {
		d.At = now
	}
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: RuleDeploy, alerting.LabelKind: "change", alerting.LabelSeverity: "info",
			alerting.LabelPage: "never", alerting.LabelSource: "deploy",
		},
		Annotations: map[string]string{alerting.AnnotationSummary: d.summary()},
		StartsAt:    d.At, EndsAt: d.At.Add(blame), Generator: d.URL,
	}
	for name, v := range map[string]string{
		alerting.LabelService: d.Service, alerting.LabelCluster: d.Cluster, "version": d.Version, alerting.LabelEntity: d.Entity,
	} {
		if v != "" {
			a.Labels[name] = cutLabel(v)
		}
	}
	if d.Entity == "" {
		a.Labels[alerting.LabelEntity] = "service:" + cutLabel(d.Service)
	}
	if !a.EndsAt.After(now) {
		return alerting.Ended{Fingerprint: a.Fingerprint()}, nil
	}
	return alerting.Firing{Alarm: a}, nil
}

func (d Deploy) summary() string {
	what := d.Service
	if what == "" {
		what = d.Entity
	}
	text := "deploy " + what
	if d.Version != "" {
		text += " " + d.Version
	}
	text += " at " + d.At.UTC().Format("15:04 MST")
	if d.By != "" {
		text += " by " + d.By
	}
	if d.Text != "" {
		text += ": " + d.Text
	}
	return strings.ToValidUTF8(text[:min(len(text), maxAnnotation)], "")
}

func (i *Intake) postDeploy(w http.ResponseWriter, r *http.Request) {
	var d Deploy
	if err := read(w, r, maxSmall, &d); err != nil {
		i.fail(w, status(err), err)
		return
	}
	now := time.Now()
	if d.At.IsZero() {
		d.At = now
	}
	if by := i.person(r, d.By); d.By != "" && d.By != by { // a pipeline says whose change it rolls out
		d.By += " via " + by
	} else {
		d.By = by
	}
	in, err := d.Input(now)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	if !i.put(w, r, in) {
		return
	}
	i.endLater(in)
	i.opts.Deployed(r.Context(), d)
	w.WriteHeader(http.StatusAccepted)
}

// due is the end of a deploy mark, or of an alarm that was sent without an end.
type due struct {
	fingerprint, sender string
	at                  time.Time
}

const (
	maxMarks  = 20_000
	marksTick = 5 * time.Second
)

// endLater notes when an alarm ends unless it is repeated: nobody else will say so.
func (i *Intake) endLater(in alerting.Input) {
	f, ok := in.(alerting.Firing)
	if !ok {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.marks) == maxMarks {
		i.marks = i.marks[1:] // the router will call it out of contact
	}
	i.marks = append(i.marks, due{f.Alarm.Fingerprint(), f.Sender, f.Alarm.EndsAt})
}

// Run ends deploy marks, and alarms that were sent without an end, when their time is over, and watches heartbeats. It blocks until ctx ends.
func (i *Intake) Run(ctx context.Context) error {
	var beats sync.WaitGroup
	defer beats.Wait()
	beats.Go(func() { i.beat(ctx) })
	if in := i.cloud.state.repeat(); len(in) > 0 && i.opts.Put(ctx, in...) != nil {
		return nil // ctx ended
	}
	ticker := time.NewTicker(marksTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			for _, end := range i.over(now) {
				if err := i.opts.Put(ctx, end); err != nil {
					return nil // ctx ended
				}
			}
		}
	}
}

// over takes out what ends now. The same mark or alarm sent again moves its end, so an earlier end of the same fingerprint
// says nothing.
func (i *Intake) over(now time.Time) []alerting.Ended {
	i.mu.Lock()
	defer i.mu.Unlock()
	last := map[string]time.Time{}
	for _, m := range i.marks {
		if m.at.After(last[m.fingerprint]) {
			last[m.fingerprint] = m.at
		}
	}
	var out []alerting.Ended
	keep := i.marks[:0]
	for _, m := range i.marks {
		switch {
		case m.at.After(now):
			keep = append(keep, m)
		case m.at.Equal(last[m.fingerprint]):
			out = append(out, alerting.Ended{Fingerprint: m.fingerprint, Sender: m.sender})
		}
	}
	i.marks = keep
	return out
}
