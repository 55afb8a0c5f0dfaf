package agent

import (
	"log/slog"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// ruleHistory names the alarm that no rule can raise: rules see nothing of a store that cannot be written.
const ruleHistory = "BinnacleHistoryNotWritten"

const (
	historyGrace = 30 * time.Second // a pause of the disk is no alarm
	historyAgain = time.Minute      // an alarm that holds is told again this often
)

// history watches whether the store can be written, and raises an alarm when it cannot: a disk that is full
// at once must not silence the page about itself.
type history struct {
	node, data string
	runbook    string
	log        *slog.Logger
	put        func([]alerting.Input)

	mu    sync.Mutex
	err   error
	kept  bool // in memory meanwhile
	since time.Time
	told  time.Time // zero while the alarm is not raised
}

// wrote notes what became of a write at now: why it is not on disk, and whether it is kept in memory meanwhile.
func (h *history) wrote(now time.Time, err error, kept bool) {
	if in := h.step(now, err, kept); len(in) > 0 {
		h.put(in)
	}
}

func (h *history) step(now time.Time, err error, kept bool) []alerting.Input {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil && h.err == nil:
		return nil
	case err == nil:
		h.log.Info("history written again", "after", now.Sub(h.since).Round(time.Second))
		raised := !h.told.IsZero()
		ended := alerting.Ended{Fingerprint: h.alarm().Fingerprint()}
		h.err, h.since, h.told = nil, time.Time{}, time.Time{}
		if raised {
			return []alerting.Input{ended}
		}
		return nil
	case h.err == nil:
		h.since = now
		h.log.Error("history not written", "err", err)
	}
	h.err, h.kept = err, kept
	if now.Sub(h.since) < historyGrace || now.Sub(h.told) < historyAgain {
		return nil
	}
	h.told = now
	return []alerting.Input{alerting.Firing{Alarm: h.alarm()}}
}

func (h *history) alarm() alerting.Alarm {
	memory, meanwhile := "it is kept in memory, and a restart loses it", "rules see what comes, of the last two hours"
	if !h.kept {
		memory, meanwhile = "its rules see nothing", "until then nothing that happens on "+h.node+" rings"
	}
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: ruleHistory, alerting.LabelSeverity: "critical", alerting.LabelPriority: "P2", alerting.LabelPage: "always",
			alerting.LabelKind: "down", alerting.LabelLayer: "host", alerting.LabelEntity: "host:" + h.node,
			alerting.LabelService: "binnacle", alerting.LabelSource: "agent",
		},
		Annotations: map[string]string{
			alerting.AnnotationRunbook:  h.runbook,
			alerting.AnnotationSummary:  "The agent on " + h.node + " cannot write its history: " + memory,
			alerting.AnnotationGuidance: "Make room, or give it back its folder: `df -h " + h.data + "; ls -ld " + h.data + "; dmesg -T | tail`; " + meanwhile,
		},
		StartsAt: h.since,
	}
	if h.err != nil {
		a.Annotations["error"] = h.err.Error()
	}
	return a
}

// failing returns why the last write failed; no error while all is well.
func (h *history) failing() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}
