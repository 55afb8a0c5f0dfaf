package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/diagnosis"
	"github.com/navcloud/binnacle/alerting/topology"
)

var start = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

// fleet is three zones of four store nodes and four front nodes, an edge and what users feel.
func fleet(t testing.TB) *topology.Graph {
	t.Helper()
	var es []topology.Entity
	var store, front []string
	for _, z := range []string{"a", "b", "c"} {
		es = append(es, topology.Entity{ID: "zone-" + z, Kind: topology.KindAZ, AZ: z})
		for i := range 4 {
			for _, s := range []string{"store", "front"} {
				h := fmt.Sprintf("%s-%s%d", s, z, i)
				es = append(es, topology.Entity{ID: "m-" + h, Kind: topology.KindHost, Service: s, AZ: z, Host: h, Parents: []string{"zone-" + z}})
				n := topology.Entity{ID: h, Kind: topology.KindNode, Service: s, AZ: z, Host: h, Parents: []string{"m-" + h}}
				if s == "store" {
					store = append(store, h)
				} else {
					n.Parents = append(n.Parents, "the-store")
					front = append(front, h)
				}
				es = append(es, n)
			}
		}
	}
	es = append(es,
		topology.Entity{ID: "the-store", Kind: topology.KindCluster, Service: "store", Cluster: "main", Parents: store, Spare: 3},
		topology.Entity{ID: "edge", Kind: topology.KindELB, Service: "edge"},
		topology.Entity{ID: "users", Kind: topology.KindService, Service: "front", Parents: append([]string{"edge"}, front...), Spare: 3})
	g, err := topology.New(es)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// trio is a service of nodes of one group, of which one may be lost.
func trio(t testing.TB, nodes ...string) *topology.Graph {
	t.Helper()
	es := []topology.Entity{{ID: "trips", Kind: topology.KindService, Service: "trips", Parents: nodes, Spare: 1}}
	for _, n := range nodes {
		es = append(es, topology.Entity{ID: n, Kind: topology.KindNode, Service: "trips", Group: "trips", Host: n})
	}
	g, err := topology.New(es)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// tell makes an alarm of "rule severity kind layer entity", with guidance where it is critical, and more labels.
func tell(what string, more ...string) alerting.Alarm {
	f := strings.Fields(what)
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: f[0], alerting.LabelSeverity: f[1], alerting.LabelKind: f[2], alerting.LabelLayer: f[3], alerting.LabelEntity: f[4], alerting.LabelSource: "agent",
		},
		Annotations: map[string]string{alerting.AnnotationSummary: f[0] + " on " + f[4]},
	}
	if f[1] == "critical" {
		a.Annotations[alerting.AnnotationGuidance] = "look at " + f[4]
	}
	for _, m := range more {
		k, v, _ := strings.Cut(m, "=")
		if k == alerting.AnnotationHarmIn {
			a.Annotations[k] = v
			continue
		}
		a.Labels[k] = v
	}
	return a
}

// world drives a router in simulated time and answers as a pager does.
type world struct {
	t      testing.TB
	set    alerting.Settings
	r      *Router
	now    time.Time
	next   time.Time
	in     []alerting.Input
	answer func(alerting.Action) alerting.Outcome
	log    []string // "12s trigger P1 Rule"
	notes  []string
	open   map[string]alerting.Priority
	ledger map[string]alerting.Record
	high   int
	anew   bool // each step diagnoses without what the one before found
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, set: alerting.DefaultSettings(), now: start, open: map[string]alerting.Priority{}, ledger: map[string]alerting.Record{}}
	w.boot()
	return w
}

func (w *world) boot() {
	w.r = New(w.set)
	w.in = append(w.in, alerting.Topology{Graph: fleet(w.t)})
}

// restart is kill -9: all that was not answered is lost, all that was recorded is told.
func (w *world) restart() {
	w.in = nil
	w.boot()
	var recs []alerting.Record
	for _, rec := range w.ledger {
		recs = append(recs, rec)
	}
	slices.SortFunc(recs, func(a, b alerting.Record) int { return strings.Compare(a.Key, b.Key) })
	w.r.Restore(recs)
}

func (w *world) fire(as ...alerting.Alarm) {
	for _, a := range as {
		w.in = append(w.in, alerting.Firing{Alarm: a})
	}
	w.step()
}

func (w *world) end(as ...alerting.Alarm) {
	for _, a := range as {
		w.in = append(w.in, alerting.Ended{Fingerprint: a.Fingerprint()})
	}
	w.step()
}

func (w *world) step() {
	for n := 0; ; n++ {
		if w.anew {
			w.r.memory.walks = diagnosis.NewWalks(w.r.memory.walks.Graph)
		}
		out, next := w.r.Step(w.now, w.in)
		w.in, w.next = nil, next
		for _, a := range out {
			w.carry(a)
		}
		if len(w.in) == 0 {
			return
		}
		if n > 100 {
			w.t.Fatal("the router does not come to rest")
		}
	}
}

func (w *world) carry(a alerting.Action) {
	pending := a.Record
	pending.Pending = a.ID
	w.ledger[a.Key] = pending
	o := alerting.Accepted
	if w.answer != nil {
		o = w.answer(a)
	}
	if o == 0 {
		return // killed under way
	}
	if o == alerting.Accepted {
		w.ledger[a.Key] = a.Record
		w.log = append(w.log, fmt.Sprintf("%v %s %s %s", w.now.Sub(start), a.Kind, a.Page.Priority, a.Page.Rule))
		w.happen(a)
	}
	w.in = append(w.in, alerting.Result{ActionID: a.ID, Outcome: o})
}

// happen is what the pager does with it.
func (w *world) happen(a alerting.Action) {
	switch a.Kind {
	case alerting.Note:
		w.notes = append(w.notes, a.Text)
	case alerting.Trigger:
		if _, ok := w.open[a.Key]; !ok && a.Page.Priority <= alerting.P2 {
			w.high++
		}
		w.open[a.Key] = a.Page.Priority
	case alerting.Resolve:
		delete(w.open, a.Key)
	}
	if n := len([]rune(a.Page.Sentence)); n == 0 || n >= 80 || a.Page.Guidance == "" || a.Page.Reason == "" || len(a.Page.Explained) == 0 {
		w.t.Errorf("page of %s is not whole: %+v", a.Key, a.Page)
	}
}

// wait lets time pass, waking the router when it wanted to be.
func (w *world) wait(d time.Duration) {
	until := w.now.Add(d)
	for !w.next.IsZero() && w.next.Before(until) {
		w.now = w.next
		w.step()
	}
	w.now = until
	w.step()
}

func (w *world) want(log ...string) {
	w.t.Helper()
	if !slices.Equal(w.log, log) {
		w.t.Errorf("sent\n  %s\nwant\n  %s", strings.Join(w.log, "\n  "), strings.Join(log, "\n  "))
	}
	w.log = nil
}

func TestATitleThatGotNoAnswerIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	lost := 3
	w.answer = func(a alerting.Action) alerting.Outcome {
		if a.Kind == alerting.Retitle && lost > 0 {
			lost--
			return alerting.Unknown
		}
		return alerting.Accepted
	}
	w.fire(burn)
	w.wait(20 * time.Second)
	w.fire(limit)
	w.wait(time.Minute)
	if !slices.Contains(w.log, "34s retitle P1 Limit") { // 2, 4 and 8 s after one another
		t.Errorf("sent %v; want the title at last", w.log)
	}
}

func TestATitleOfAnEarlierLifeIsPutRight(t *testing.T) {
	w := newWorld(t)
	w.answer = func(alerting.Action) alerting.Outcome { return alerting.Unknown } // and it may have had its effect
	w.fire(burn)
	w.wait(16 * time.Second)
	w.fire(limit)
	w.wait(5 * time.Second)
	w.answer = nil
	w.restart()
	w.fire(burn, limit)
	w.wait(time.Minute)
	if !slices.ContainsFunc(w.log, func(s string) bool { return strings.HasSuffix(s, "retitle P1 Limit") }) {
		t.Errorf("sent %v; want the title told, since the first try had another", w.log)
	}
}

func TestAProblemSaysThatItsRootHasEnded(t *testing.T) {
	w := newWorld(t)
	w.fire(split)
	w.wait(30 * time.Second)
	if v := w.r.View(); len(v.Problems) != 1 || v.Problems[0].Ended {
		t.Errorf("while it fires: %+v", v.Problems)
	}
	w.end(split)
	w.wait(time.Second)
	if v := w.r.View(); len(v.Problems) != 1 || !v.Problems[0].Ended {
		t.Errorf("when it has ended: %+v", v.Problems)
	}
}

func TestAlarmsThatAreToldAgainChangeNothing(t *testing.T) {
	for _, every := range []time.Duration{0, 7 * time.Second} {
		w := newWorld(t)
		w.fire(burn, disk, slow, process)
		w.wait(10 * time.Second)
		w.fire(limit, split)
		for range 40 {
			w.wait(7 * time.Second)
			if every > 0 {
				w.fire(burn, disk, slow, process, limit, split)
			}
		}
		w.end(burn, disk, slow, process, limit, split)
		w.wait(10 * time.Minute)
		w.want("13s trigger P1 Split", "5m50s resolve P1 Split")
	}
}

func TestWhatWakesNobodyGoesItsOwnWay(t *testing.T) {
	w := newWorld(t)
	w.set.LowRoute, w.set.NotifyP4 = "low", true
	w.boot()
	routes := func() string {
		var out []string
		for _, rec := range w.ledger {
			if rec.Open {
				out = append(out, rec.Route+" "+rec.Page.Rule)
			}
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	other := tell("Other warning saturation cluster elsewhere")
	w.fire(process, other, disk)
	w.wait(2 * time.Minute)
	if got, want := routes(), "default Disk, low Other"; got != want {
		t.Errorf("incidents %s; want %s", got, want)
	}
	worse := other.Clone()
	worse.Annotations = map[string]string{alerting.AnnotationHarmIn: "8m"}
	w.fire(worse)
	w.wait(time.Minute)
	if got, want := routes(), "default Disk, default Other, low Other"; got != want {
		t.Errorf("once it must wake, incidents %s; want %s", got, want)
	}
	w.end(process, worse, disk)
	w.wait(10 * time.Minute)
	if len(w.open) != 0 {
		t.Errorf("still open: %v", w.open)
	}
}

func TestP4IsToldWhereItIsWanted(t *testing.T) {
	for _, told := range []bool{false, true} {
		w := newWorld(t)
		w.set.NotifyP4 = told
		w.boot()
		w.fire(slow)
		w.wait(5 * time.Minute)
		if got := slices.Contains(w.log, "1m0s trigger P4 Slow"); got != told {
			t.Errorf("TellP4 %v: %v", told, w.log)
		}
	}
}
