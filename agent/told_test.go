package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// TestWhatRoutersWereToldOutlivesTheAgent: a node that posts to routers has no ledger.
func TestWhatRoutersWereToldOutlivesTheAgent(t *testing.T) {
	dir := t.TempDir()
	var reports []damage.Report
	life := func() *told {
		return openTold(dir, time.Now, slog.New(slog.DiscardHandler), func(r damage.Report) { reports = append(reports, r) })
	}
	alarm := func(rule string) alerting.Alarm {
		return alerting.Alarm{
			Labels:      map[string]string{alerting.LabelRule: rule, alerting.LabelEntity: "node:n1"},
			Annotations: map[string]string{"summary": rule + " is so"}, StartsAt: time.Unix(1e9, 0).UTC(),
		}
	}
	unread, full, down := alarm("RabbitMQQueueUnread"), alarm("HostDiskFull"), alarm("RabbitMQNodeDown")
	first := life()
	first.note([]alerting.Input{alerting.Firing{Alarm: unread}, alerting.Firing{Alarm: full}, alerting.Firing{Alarm: down}})
	first.note([]alerting.Input{alerting.Ended{Fingerprint: down.Fingerprint()}})

	second := life()
	second.note([]alerting.Input{alerting.Firing{Alarm: full}})
	third := life() // killed before the second had settled
	third.note([]alerting.Input{alerting.Firing{Alarm: full}})
	left := third.settle()
	if len(left) != 1 || left[0].Fingerprint() != unread.Fingerprint() || left[0].Annotations["summary"] != "RabbitMQQueueUnread is so" || !left[0].StartsAt.Equal(unread.StartsAt) {
		t.Errorf("left from before: %+v; want the unread queue as it was", left)
	}
	if again := life().settle(); len(again) != 1 || again[0].Rule() != "HostDiskFull" {
		t.Errorf("settled, and another life: %+v; want what fires alone", again)
	}
	if err := os.WriteFile(filepath.Join(dir, toldFile), []byte(`[{"labels"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := life().settle(); len(got) != 0 || len(reports) != 1 {
		t.Errorf("half a file: %+v, told %v; want nothing, and a report", got, reports)
	}
}
