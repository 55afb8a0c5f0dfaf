package agent

import (
	"log/slog"
	"maps"
	"sync"

	"github.com/navcloud/binnacle/agent/metric"
)

var descRejectedLines = &metric.Desc{
	Name: "binnacle_collect_rejected_lines_total", Kind: metric.Counter,
	Help: "Lines of an answer that could not be read and were left out, by reason; the rest of the answer was read",
}

// maxRejectReasons bounds the reasons of one collector: they come from its code, and are few.
const maxRejectReasons = 20

// rejects counts the lines that a collector could not read, and logs the first of each reason.
type rejects struct {
	log *slog.Logger

	mu sync.Mutex
	by map[string]float64 // by reason
}

func newRejects(log *slog.Logger) *rejects { return &rejects{log: log, by: map[string]float64{}} }

// count is the Rejected of an Env.
func (r *rejects) count(reason, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.by[reason] == 0
	if first && len(r.by) >= maxRejectReasons {
		reason, first = "other", r.by["other"] == 0
	}
	if r.by[reason]++; first {
		const most = 200 // of bytes
		r.log.Warn("a line could not be read and is left out", "reason", reason, "line", line[:min(len(line), most)])
	}
}

// counts returns a copy.
func (r *rejects) counts() map[string]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.by)
}
