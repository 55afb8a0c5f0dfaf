package reading

import (
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting"
)

// names are what an alarm can share with another one that is about the same thing: its identity, and owners no wider than a host.
func names(r *alerting.Reading) []string {
	out := []string{"identity:" + r.Identity}
	for _, o := range r.Owners {
		if o.Trust >= alerting.Certain && slices.Contains(narrow, o.Kind) {
			out = append(out, o.ID())
			if ip := private(o); ip != "" {
				out = append(out, KindNode+":"+ip)
			}
		}
	}
	if id := r.Subject.ID(); id != "" && !slices.Contains(narrow, r.Subject.Kind) && !slices.Contains(wide, r.Subject.Kind) {
		out = append(out, id)
	}
	if slices.Contains(wide, r.Subject.Kind) && r.Owner(KindJob) != "" { // the program that speaks of itself is all that it names
		out = append(out, strings.Join([]string{"job:" + r.Owner(KindJob), r.Owner(KindNamespace), r.Scope}, " "))
	}
	return out
}

// private is the address in the name that AWS gives an instance: some exporters know the one, some the other.
// Source: Amazon EC2 user guide, "EC2 instance hostnames and domains" (ip-10-1-2-3), read 30 November 2026.
func private(o alerting.Owner) string {
	rest, ok := strings.CutPrefix(o.Name, "ip-")
	if !ok || o.Kind != KindNode || strings.Count(rest, "-") != 3 || strings.Trim(rest, "0123456789-") != "" {
		return ""
	}
	return strings.ReplaceAll(rest, "-", ".")
}

// narrow are the kinds of owners that two alarms of one fault share; wide ones hold too much.
var (
	narrow = []string{"container", "pod", "device", "volume", "target", "database", "queue", "workload", "node"}
	wide   = []string{"cluster", "namespace", "region", "zone"}
)

// place is the rule of an alarm and where it is: what alarms of one rule in one place have in common.
func place(rule string, r *alerting.Reading) string {
	return strings.Join([]string{rule, r.Severity.Value, r.Scope, r.Owner("namespace"), r.Owner("site"), r.Owner("zone"), r.Owner("region"), r.Owner(KindEnvironment)}, "\x00")
}
