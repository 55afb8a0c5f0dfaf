package health

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/query"
)

// Missing is an instance that Auto Scaling has in a group of ours and from which no agent reports, or, without an ID, an instance that the
// group wants and does not have.
type Missing struct {
	Instance, Group, State string
	Excused                string // what becomes of it, where nobody needs to look
	N                      int    // instances that a group lacks
}

// String says it in a line.
func (m Missing) String() string {
	switch {
	case m.Instance == "":
		return fmt.Sprintf("group %s lacks %d of the instances that it wants", m.Group, m.N)
	case m.Excused != "":
		return fmt.Sprintf("%s of group %s (%s): %s", m.Instance, m.Group, m.State, m.Excused)
	}
	return fmt.Sprintf("%s of group %s (%s): Auto Scaling has it, and no agent there reports", m.Instance, m.Group, m.State)
}

// Wants says whether somebody should look: an instance that is in service without an agent.
func (m Missing) Wants() bool { return m.Instance != "" && m.Excused == "" && m.State == "InService" }

// MissingQueries are what FindMissing asks. Groups from which no agent ever reports are others'.
var MissingQueries = map[string]string{
	"instances": `(binnacle_autoscaling_member unless on (instance_id) max by (instance_id) (max_over_time(binnacle_node_info{instance_id!=""}[10m])))
		and on (autoscaling_group) (binnacle_autoscaling_member and on (instance_id) max by (instance_id) (max_over_time(binnacle_node_info{instance_id!=""}[1h])))`,
	"groups": `max by (autoscaling_group) (binnacle_autoscaling_lacking) > 0
		and on (autoscaling_group) (binnacle_autoscaling_member and on (instance_id) max by (instance_id) (max_over_time(binnacle_node_info{instance_id!=""}[1h])))`,
}

// FindMissing lists who is missing, by group; nobody where no router reads Auto Scaling.
func FindMissing(ctx context.Context, ask query.Func, at time.Time) ([]Missing, error) {
	got, err := query.All(ctx, ask, MissingQueries, at)
	var out []Missing
	seen := map[string]bool{}
	for _, s := range got["instances"] {
		m := Missing{Instance: s.Labels["instance_id"], Group: s.Labels["autoscaling_group"], State: s.Labels["state"], Excused: s.Labels["excused"]}
		if m.Instance != "" && m.Group != "" && !seen[m.Instance] { // two routers may have told of it
			seen[m.Instance] = true
			out = append(out, m)
		}
	}
	for _, s := range got["groups"] {
		if m := (Missing{Group: s.Labels["autoscaling_group"], N: int(query.Last(s))}); m.Group != "" && m.N > 0 {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Missing) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Instance, b.Instance))
	})
	return out, err
}
