package views

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// system is a cluster as its own nodes see it at one time.
type system struct {
	ID, Kind, Cluster string
	Members           []member
	Verdict           string
	Bad               bool
	Shares            bool    // of Riak's ring are known
	Partitions        float64 // of that ring
}

// member is a row and a column of the matrix of views.
type member struct {
	Name    string // as Erlang calls it
	Node    string // of the agent that watches it; empty: none does
	State   string // its own, in a word; empty: no word
	Side    string // the nodes that it works with, as it sees them
	Version string
	Owned   float64 // partitions of Riak's ring, as most see it
	Share   string  // of those of the member that has most, of 100
	Sees    []sight // of each member, in their order
}

// sight is a cell: how one sees another.
type sight struct{ Class, Word string }

var sights = map[string]sight{
	"self": {"self", "itself"}, "yes": {"yes", "sees it"}, "link": {"half", "linked, not seen running"}, "no": {"no", "does not see it"}, "none": {"none", "no word"},
}

var SystemQueries = map[string]string{
	"rabbit self": `max by (cluster, node, broker, version) (rabbitmq_node_info)`, "rabbit state": `max by (cluster, node, state) (rabbitmq_state) == 1`,
	"rabbit side": `max by (cluster, node, broker, side) (rabbitmq_view) == 1`, "rabbit runs": `max by (cluster, node, broker, peer) (rabbitmq_peer_running)`,
	"rabbit link": `max by (cluster, node, broker, peer) (rabbitmq_peer_link_up)`,
	"riak self":   `max by (cluster, node, member) (riak_member_self)`, "riak up": `max by (cluster, node) (riak_up)`,
	"riak sees": `max by (cluster, node, member) (riak_member_connected)`, "riak owned": `quantile by (cluster, owner) (0.5, riak_ring_partitions_owned)`,
	"riak view": `max by (cluster, node) (riak_ring_view)`, "riak ring": `max by (cluster) (riak_ring_partitions)`,
	"riak status": `max by (cluster, member, status) (riak_member_status)`,
}

type systemsHead struct {
	Says    string
	At      time.Time
	Live    bool
	Field   string // of the form
	Fault   string
	Steps   []dashboards.Link
	Nothing bool
}

func (p *Pages) systems(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "systems", Title: "Systems", Crumb: "Systems", Forms: true}
	if p.opts.Query == nil {
		return dashboards.NoStore(pg)
	}
	now := p.opts.Now()
	h := systemsHead{At: now, Live: true}
	if text := r.URL.Query().Get("at"); text != "" {
		t, err := dashboards.ParseTime(text)
		if err != nil {
			h.Fault = "at: " + err.Error() + "."
		} else {
			h.At, h.Live = t, false
		}
	}
	if h.Live {
		pg.Live = dashboards.LivePath("systems", nil)
	}
	h.Field = h.At.UTC().Format(dashboards.FormTime)
	for _, s := range []struct {
		by    time.Duration
		label string
	}{{-time.Hour, "1 h before"}, {-10 * time.Minute, "10 min before"}, {-time.Minute, "1 min before"}, {time.Minute, "1 min after"}, {10 * time.Minute, "10 min after"}} {
		if t := h.At.Add(s.by); !t.After(now) {
			h.Steps = append(h.Steps, dashboards.Link{Path: "/systems?at=" + t.UTC().Format("2006-01-02T15:04:05"), Label: s.label, Here: false})
		}
	}
	type result struct {
		systems []system
		err     error
	}
	at := h.At.Truncate(time.Second)
	got := p.answers.Get(r.Context(), "systems\xff"+at.Truncate(dashboards.LookEvery).String(), now, time.Minute, queryTime, func(ctx context.Context) any {
		s, err := SystemsAt(ctx, p.opts.Query, at)
		return result{s, err}
	}).(result)
	if got.err != nil {
		h.Fault = "The store did not answer all that was asked, so what is missing is not known: " + got.err.Error() + "."
	}
	h.Nothing = len(got.systems) == 0 && h.Fault == ""
	body, bad := dashboards.Section{ID: "clusters", Label: "Clusters", Hush: true}, 0
	for _, s := range got.systems {
		body.Parts = append(body.Parts, dashboards.Part{ID: s.ID, Template: "system", Data: s})
		if s.Bad {
			bad++
		}
	}
	if bad > 0 {
		pg.Title = fmt.Sprintf("Systems: %d of %d to look at", bad, len(got.systems))
	}
	h.Says = saysSystems(got.systems, bad)
	pg.Sections = []dashboards.Section{{ID: "summary", Hush: true, Parts: []dashboards.Part{{ID: "systems-head", Template: "systems-head", Data: h}}}, body}
	return pg
}

// SystemsAt reads the views of all clusters.
func SystemsAt(ctx context.Context, ask query.Func, at time.Time) ([]system, error) {
	got, err := query.All(ctx, ask, SystemQueries, at)
	out := append(rabbits(got), riaks(got)...)
	for i := range out {
		out[i].ID = fmt.Sprintf("system-%d", i)
	}
	return out, err
}

// clusters groups series by cluster, in order of name.
func clusters(series ...[]query.Series) []string {
	var out []string
	for _, list := range series {
		for _, s := range list {
			out = append(out, s.Labels["cluster"])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func of(cluster string, list []query.Series) []query.Series {
	return slices.DeleteFunc(slices.Clone(list), func(s query.Series) bool { return s.Labels["cluster"] != cluster })
}

func rabbits(got map[string][]query.Series) (out []system) {
	for _, c := range clusters(got["rabbit self"], got["rabbit state"]) {
		s := system{Kind: "RabbitMQ", Cluster: c}
		broker, see := map[string]string{}, map[[2]string]string{} // of an agent's node; from, to
		for _, x := range of(c, got["rabbit self"]) {
			broker[x.Labels["node"]] = x.Labels["broker"]
			s.add(member{Name: x.Labels["broker"], Node: x.Labels["node"], Version: x.Labels["version"]})
		}
		for _, x := range of(c, got["rabbit state"]) {
			name := cmp.Or(broker[x.Labels["node"]], x.Labels["node"])
			s.add(member{Name: name, Node: x.Labels["node"], State: strings.ReplaceAll(x.Labels["state"], "_", " ")})
		}
		for _, x := range of(c, got["rabbit side"]) {
			s.add(member{Name: cmp.Or(x.Labels["broker"], broker[x.Labels["node"]]), Side: x.Labels["side"]})
		}
		for _, x := range of(c, got["rabbit link"]) {
			if query.Last(x) > 0 {
				see[[2]string{x.Labels["broker"], x.Labels["peer"]}] = "link"
			}
		}
		for _, x := range of(c, got["rabbit runs"]) {
			s.add(member{Name: x.Labels["peer"]})
			k := [2]string{x.Labels["broker"], x.Labels["peer"]}
			if query.Last(x) > 0 {
				see[k] = "yes"
			} else if see[k] == "" {
				see[k] = "no"
			}
		}
		s.finish(see)
		out = append(out, s)
	}
	return out
}

func riaks(got map[string][]query.Series) (out []system) {
	for _, c := range clusters(got["riak self"], got["riak up"]) {
		s := system{Kind: "Riak", Cluster: c}
		name, see := map[string]string{}, map[[2]string]string{}
		for _, x := range of(c, got["riak self"]) {
			name[x.Labels["node"]] = x.Labels["member"]
			s.add(member{Name: x.Labels["member"], Node: x.Labels["node"]})
		}
		for _, x := range of(c, got["riak up"]) {
			state := "not answering"
			if query.Last(x) > 0 {
				state = "answering"
			}
			s.add(member{Name: cmp.Or(name[x.Labels["node"]], x.Labels["node"]), Node: x.Labels["node"], State: state})
		}
		for _, x := range of(c, got["riak view"]) {
			s.add(member{Name: cmp.Or(name[x.Labels["node"]], x.Labels["node"]), Side: fmt.Sprintf("ring %.0f", query.Last(x))})
		}
		for _, x := range of(c, got["riak owned"]) {
			s.add(member{Name: x.Labels["owner"], Owned: query.Last(x)})
		}
		for _, x := range of(c, got["riak status"]) {
			if st := x.Labels["status"]; st != "valid" {
				s.add(member{Name: x.Labels["member"], State: st})
			}
		}
		for _, x := range of(c, got["riak sees"]) {
			s.add(member{Name: x.Labels["member"]})
			k := [2]string{name[x.Labels["node"]], x.Labels["member"]}
			see[k] = "no"
			if query.Last(x) > 0 {
				see[k] = "yes"
			}
		}
		for _, x := range of(c, got["riak ring"]) {
			s.Partitions = query.Last(x)
		}
		s.finish(see)
		s.ring()
		out = append(out, s)
	}
	return out
}

// add merges what is known of a member.
func (s *system) add(m member) {
	if m.Name == "" {
		return
	}
	for i := range s.Members {
		if o := &s.Members[i]; o.Name == m.Name {
			o.Node, o.State, o.Side, o.Version, o.Owned = cmp.Or(m.Node, o.Node), cmp.Or(m.State, o.State), cmp.Or(m.Side, o.Side), cmp.Or(m.Version, o.Version), cmp.Or(m.Owned, o.Owned)
			return
		}
	}
	s.Members = append(s.Members, m)
}

// fine are the states in which a member serves.
var fine = []string{"running", "answering"}

// finish fills the cells and says in words what they show.
func (s *system) finish(see map[[2]string]string) {
	slices.SortFunc(s.Members, func(a, b member) int { return cmp.Compare(a.Name, b.Name) })
	unseen, mute, sick, sides := 0, []string{}, []string{}, map[string]bool{}
	for i := range s.Members {
		m := &s.Members[i]
		for _, to := range s.Members {
			how := cmp.Or(see[[2]string{m.Name, to.Name}], "none")
			if to.Name == m.Name {
				how = "self"
			}
			if how == "no" || how == "link" {
				unseen++
			}
			m.Sees = append(m.Sees, sights[how])
		}
		switch {
		case m.State == "":
			mute = append(mute, m.Name)
		case !m.Well():
			sick = append(sick, m.Name+" is "+m.State)
		}
		if m.Side != "" {
			sides[m.Side] = true
		}
	}
	var saying []string
	if len(sides) > 1 {
		saying = append(saying, fmt.Sprintf("They do not agree: there are %d views of who belongs together", len(sides)))
	}
	if unseen > 0 {
		saying = append(saying, fmt.Sprintf("%d of the views between them are missing", unseen))
	}
	saying = append(saying, sick...)
	if len(mute) > 0 {
		saying = append(saying, "no word from "+strings.Join(mute, ", "))
	}
	s.Bad = len(saying) > 0
	s.Verdict = strings.Join(saying, ". ") + "."
	if !s.Bad {
		s.Verdict = fmt.Sprintf("All %d see each other.", len(s.Members))
	}
}

// ring works out what share of the ring each member owns, beside the one that owns most. Who owns which place no figure says.
func (s *system) ring() {
	most := 0.0
	for _, m := range s.Members {
		most = max(most, m.Owned)
	}
	s.Shares = most > 0
	for i := range s.Members {
		s.Members[i].Share = charts.Coordinate(100 * s.Members[i].Owned / max(most, 1))
	}
}

// Well says whether the member serves.
func (m member) Well() bool { return slices.Contains(fine, m.State) }

// saysSystems is the sentence that the page begins with.
func saysSystems(all []system, bad int) string {
	switch {
	case len(all) == 0:
		return "Who sees whom"
	case bad == 0 && len(all) == 1:
		return "The members of " + all[0].Kind + " " + all[0].Cluster + " agree"
	case bad == 0:
		return "All " + words.Plural(len(all), "system") + " agree"
	case bad == 1:
		for _, s := range all {
			if s.Bad {
				return s.Kind + " " + s.Cluster + " needs a look"
			}
		}
	}
	return fmt.Sprintf("%d of %s need a look", bad, words.Plural(len(all), "system"))
}
