package intake

import (
	"cmp"

	"github.com/navcloud/binnacle/alerting"
)

// Worst returns the gravest alarm that fires here: what users feel, then critical ones, then the oldest.
func (c *Client) Worst() (worst alerting.Alarm, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.table {
		if l.ended.IsZero() && (!ok || graver(l.alarm, worst)) {
			worst, ok = l.alarm, true
		}
	}
	return worst, ok
}

func graver(a, b alerting.Alarm) bool {
	grave := func(x alerting.Alarm) int {
		switch severity := x.Labels[alerting.LabelSeverity]; {
		case severity == "critical" && x.Labels[alerting.LabelKind] == "symptom":
			return 0
		case severity == "critical":
			return 1
		case severity == "info":
			return 3
		}
		return 2
	}
	return cmp.Or(cmp.Compare(grave(a), grave(b)), a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.Fingerprint(), b.Fingerprint())) < 0
}
