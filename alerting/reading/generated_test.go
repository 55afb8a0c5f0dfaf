package reading

import (
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

// sloth lets a team's own severity label through, which often names a channel; its own label says what it made the alarm for.
func TestAGeneratorsSeverityCountsWhereTheTeamsIsUnknown(t *testing.T) {
	for text, want := range map[string]struct{ made, severity, unknown string }{
		"slack":    {"ticket", Warning, ""},
		"pageteam": {"page", Critical, ""},
		"warning":  {"page", Warning, ""}, // the author's word
		"home":     {"", Critical, "home"},
	} {
		r := New(DefaultSettings()).Read(alerting.Alarm{Labels: map[string]string{
			alerting.LabelRule: "HighErrorRate", alerting.LabelSeverity: text, "sloth_severity": want.made, "sloth_service": "shop", "sloth_slo": "requests",
		}})
		if r.Severity.Value != want.severity || r.Unknown != want.unknown {
			t.Errorf("severity %s made as %s: %s, unknown %q", text, want.made, r.Severity.Value, r.Unknown)
		}
	}
}
