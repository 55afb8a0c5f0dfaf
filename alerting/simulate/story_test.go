package simulate

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

var update = flag.Bool("update", false, "rewrite the decisions in the stories")

// Stories read like minutes of a meeting: inputs with their times on the left, decisions with their reasons on the right.
// Times are minutes and seconds, or hours too, since the begin. The verbs:
//
//	fires RULE SEVERITY KIND LAYER SUBJECT [label=value]...   repeated by its sender each minute until it ends
//	says RULE SUMMARY...                                      it reads so from now on
//	ends RULE                                                 its sender says so
//	vanishes RULE                                             nobody repeats it, 4 min after which it has lost contact
//	acknowledges WHO RULE, closes WHO RULE                    the incident that RULE heads, at the pager
//	silences WHO RULE DURATION                                on the board: the problem of RULE, with what it explains now
//	ends-silence WHO, restarts, looks                         looks prints the board
func TestStories(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "stories", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for n, f := range ar.Files {
				if f.Name != "story" {
					continue
				}
				got := tell(t, string(f.Data))
				if *update {
					ar.Files[n].Data = []byte(got)
				} else if got != string(f.Data) {
					t.Errorf("the story goes\n%s\nwant\n%s", got, f.Data)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(ar), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// story is a player with the names that a story uses.
type story struct {
	t      *testing.T
	p      *Player
	alarms map[string]alerting.Alarm // by rule
	calls  int                       // of those printed
	out    strings.Builder
}

// tell lets a story happen, and returns it with the decisions that it leads to.
func tell(t *testing.T, text string) string {
	s := &story{t: t, p: New(Options{Settings: alerting.DefaultSettings(), Graph: storyGraph(t)}), alarms: map[string]alerting.Alarm{}}
	s.p.Watch = Checks(0)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if line == "" || strings.HasPrefix(line, " ") {
			continue // a decision
		}
		clock, verb, ok := strings.Cut(line, "  ")
		at, err := time.ParseDuration(hms(clock))
		if !ok || err != nil {
			t.Fatalf("%q: want a time, two spaces and a verb: %v", line, err)
		}
		s.until(at)
		s.out.WriteString(line + "\n")
		s.happen(at, strings.Fields(verb))
		s.run(stormBegin.Add(at))
	}
	return s.out.String()
}

// hms makes a Go duration of 2:30 or 1:02:30.
func hms(clock string) string {
	parts := strings.Split(clock, ":")
	if len(parts) == 2 {
		return parts[0] + "m" + parts[1] + "s"
	}
	return strings.Join(parts, "h")[:len(parts[0])+1] + parts[1] + "m" + parts[2] + "s"
}

// until lets time pass to shortly before at.
func (s *story) until(at time.Duration) {
	if at > 0 {
		s.run(stormBegin.Add(at - time.Millisecond))
	}
}

// run lets time pass and prints the decisions.
func (s *story) run(end time.Time) {
	s.t.Helper()
	if err := s.p.Run(end); err != nil {
		s.t.Errorf("at %v: %v", end.Sub(stormBegin), err)
		s.p.Watch = nil
	}
	for ; s.calls < len(s.p.Calls()); s.calls++ {
		c := s.p.Calls()[s.calls]
		fmt.Fprintf(&s.out, "%40s  %s\n", clockOf(c.At), decision(c))
	}
}

func clockOf(at time.Time) string {
	d := at.Sub(stormBegin).Truncate(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d:%02d", d/time.Minute, d/time.Second%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60)
}

func decision(c Call) string {
	a := c.Action
	switch a.Kind {
	case alerting.Trigger:
		return fmt.Sprintf("page %s %s, because %s", a.Page.Priority, a.Key, a.Page.Reason)
	case alerting.Retitle:
		return fmt.Sprintf("%s is now %s %s, because %s", a.Key, a.Page.Priority, a.Page.Sentence, a.Page.Reason)
	case alerting.Resolve:
		return "resolve " + a.Key
	}
	return fmt.Sprintf("%s on %s: %s", a.Kind, a.Key, a.Text)
}

func (s *story) happen(at time.Duration, f []string) {
	when := stormBegin.Add(at)
	add := func(in alerting.Input) { s.p.Add(Event{At: when, In: in}) }
	switch f[0] {
	case "fires":
		a := storyAlarm(f[1:])
		a.StartsAt = when
		s.alarms[f[1]] = a
		s.repeat(when, a)
	case "says": // something else from now on
		a := s.alarms[f[1]]
		a.Annotations = maps.Clone(a.Annotations)
		a.Annotations[alerting.AnnotationSummary] = strings.Join(f[2:], " ")
		s.stop(when, a.Fingerprint())
		s.repeat(when, a)
	case "ends", "vanishes":
		s.stop(when, s.alarms[f[1]].Fingerprint())
		if f[0] == "ends" {
			add(alerting.Ended{Fingerprint: s.alarms[f[1]].Fingerprint()})
		}
	case "acknowledges":
		add(alerting.Acked{Key: s.problem(f[2]).Key, By: f[1], Pager: true})
	case "closes":
		add(alerting.Closed{Key: s.problem(f[2]).Key, By: f[1]})
	case "silences":
		d, err := time.ParseDuration(f[3])
		if err != nil {
			s.t.Fatal(err)
		}
		q := s.problem(f[2])
		alarms := []string{q.Root.Fingerprint()}
		for _, e := range q.Explained {
			alarms = append(alarms, e.Alarm.Fingerprint())
		}
		add(alerting.Silenced{Silence: alerting.Silence{ID: "s-" + f[1], Alarms: alarms, StartsAt: when, EndsAt: when.Add(d), CreatedBy: f[1]}})
	case "ends-silence":
		add(alerting.Silenced{Silence: alerting.Silence{ID: "s-" + f[1], EndsAt: when}})
	case "restarts":
		s.p.Restart()
		add(alerting.Leads{On: true})
	case "looks":
		for _, q := range s.p.View().Problems {
			fmt.Fprintf(&s.out, "%40s  board: %s %s %s: %s; explains %d\n", clockOf(when), q.State, q.Priority, q.Root.Rule(), q.Reason, len(q.Explained))
		}
	default:
		s.t.Fatalf("no such verb: %s", f[0])
	}
}

// repeat lets a sender repeat an alarm each minute, for a day.
func (s *story) repeat(from time.Time, a alerting.Alarm) {
	for n := range 24 * 60 {
		at := from.Add(time.Duration(n) * repeatEvery)
		again := a
		again.EndsAt = at.Add(lastsFor)
		s.p.Add(Event{At: at, In: alerting.Firing{Alarm: again}})
	}
}

// stop drops what was to be repeated.
func (s *story) stop(from time.Time, id string) {
	kept := s.p.events[:0]
	for _, e := range s.p.events {
		if f, ok := e.In.(alerting.Firing); !ok || f.Alarm.Fingerprint() != id || e.At.Before(from) {
			kept = append(kept, e)
		}
	}
	s.p.events = kept
}

// problem is that which rule belongs to.
func (s *story) problem(rule string) alerting.ProblemView {
	for _, q := range s.p.View().Problems {
		if q.Root.Rule() == rule || q.Page.Rule == rule {
			return q
		}
	}
	s.t.Fatalf("no problem of %s", rule)
	return alerting.ProblemView{}
}

func storyAlarm(f []string) alerting.Alarm {
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: f[0], alerting.LabelSeverity: f[1], alerting.LabelKind: f[2], alerting.LabelLayer: f[3], alerting.LabelEntity: f[4],
			alerting.LabelSource: "agent",
		},
		Annotations: map[string]string{alerting.AnnotationSummary: f[0] + " on " + f[4], alerting.AnnotationGuidance: "look at " + f[4]},
	}
	for _, more := range f[5:] {
		k, v, _ := strings.Cut(more, "=")
		a.Labels[k] = v
	}
	return a
}

// storyGraph is three zones of four store nodes each, of which three may be lost; a front that needs the store; and its users.
func storyGraph(t *testing.T) *topology.Graph {
	t.Helper()
	var es []topology.Entity
	var store, front []string
	for _, z := range []string{"a", "b", "c"} {
		es = append(es, topology.Entity{ID: "zone-" + z, Kind: topology.KindAZ, AZ: z})
		for i := range 5 {
			h := fmt.Sprintf("store-%s%d", z, i)
			es = append(es, topology.Entity{ID: h, Kind: topology.KindNode, Service: "store", AZ: z, Host: h, Parents: []string{"zone-" + z}})
			store = append(store, h)
		}
		h := "front-" + z
		es = append(es, topology.Entity{ID: h, Kind: topology.KindNode, Service: "front", AZ: z, Host: h, Parents: []string{"zone-" + z, "the-store"}})
		front = append(front, h)
	}
	es = append(es,
		topology.Entity{ID: "the-store", Kind: topology.KindCluster, Service: "store", Parents: store, Spare: 5},
		topology.Entity{ID: "edge", Kind: topology.KindELB, Service: "edge"},
		topology.Entity{ID: "users", Kind: topology.KindService, Service: "front", Parents: append(front, "edge"), Spare: 1})
	g, err := topology.New(es)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
