package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/alerting/compare"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// Whose incidents compare sets beside ours; anything else is a file.
const (
	ofAlertmanager = "alertmanager"
	ofPagerDuty    = "pagerduty"
)

// maxLogFile bounds a file of log entries.
const maxLogFile = 256 << 20

// theirs sets the incidents of another beside ours.
type theirs struct {
	of, config string
	since      time.Time
	asJSON     bool
}

func (t theirs) run(ctx context.Context, r *remote, out, errs io.Writer) error {
	events, err := r.history(ctx, t.since, ledger.Shadowed, ledger.Decided, ledger.Accepted, ledger.Theirs)
	if err != nil {
		return err
	}
	if len(events) == maxEvents {
		fmt.Fprintf(errs, "only the newest %d events were read: the first days lack something\n", maxEvents)
	}
	now := time.Now()
	source, list := "Alertmanager", compare.Recorded(events)
	if t.of != ofAlertmanager {
		text, err := t.log(ctx, now)
		if err != nil {
			return err
		}
		var skipped int
		if list, skipped, err = compare.PagerDuty(text); err != nil {
			return err
		}
		if skipped > 0 {
			fmt.Fprintf(errs, "%d log entries have no incident or no time and were left out\n", skipped)
		}
		source, list = "PagerDuty", within(list, t.since, now)
	}
	report := compare.Make(source, t.since, now, compare.Ours(events), list)
	if t.asJSON {
		return json.NewEncoder(out).Encode(report)
	}
	report.Write(out, time.Local, plain)
	if len(list) == 0 && t.of == ofAlertmanager {
		fmt.Fprintf(out, "Add this receiver to Alertmanager, beside those it has: webhook_configs: [{url: %s}]\n", r.shown()+"/api/v1/alertmanager")
	}
	return nil
}

// within leaves out what began outside a time: a file may hold more.
func within(list []*compare.Incident, since, until time.Time) (out []*compare.Incident) {
	for _, i := range list {
		if !i.Start.Before(since) && i.Start.Before(until) {
			out = append(out, i)
		}
	}
	return out
}

// log are PagerDuty's log entries, from its API or from a file.
func (t theirs) log(ctx context.Context, now time.Time) ([]byte, error) {
	if t.of != ofPagerDuty {
		f, err := os.Open(t.of)
		if err != nil {
			return nil, fmt.Errorf("--theirs: want %s, %s or a file of PagerDuty's log entries: %w", ofAlertmanager, ofPagerDuty, err)
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxLogFile))
	}
	cfg, err := agent.LoadConfig(t.config)
	if err != nil {
		return nil, err
	}
	client, err := pagerduty.New(cfg.Route.PagerDuty, pagerduty.Options{})
	if err != nil {
		return nil, err
	}
	return client.Log(ctx, t.since, now)
}
