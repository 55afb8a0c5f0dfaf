package router

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// TestAStepByDifferenceIsOneFromScratch plays random timelines to two routers, one of which forgets before each step what the
// last one judged: alarms of ours and of others that come, go, flap and are repeated, also with other texts; bursts of one rule, which
// become group alarms and end; silences, and graphs without some nodes.
// What both think and do is the same after every step.
func TestAStepByDifferenceIsOneFromScratch(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			one, other := newWorld(t), newWorld(t)
			other.anew = true
			rng := rand.New(rand.NewPCG(seed, 15))
			alarms := append(alphabet(), unlabelled()...)
			firing := map[int]bool{}
			for n := range 60 {
				in := randomInputs(t, rng, alarms, firing, one.now)
				pause := []time.Duration{0, time.Second, 7 * time.Second, time.Minute, 11 * time.Minute}[rng.IntN(5)]
				for _, w := range []*world{one, other} {
					w.in = append(w.in, in...)
					w.step()
				}
				if !reflect.DeepEqual(one.log, other.log) || !one.next.Equal(other.next) {
					t.Fatalf("step %d: by difference\n%v, next %v\nfrom scratch\n%v, next %v", n, one.log, one.next, other.log, other.next)
				}
				if a, b := one.r.View(), other.r.View(); !reflect.DeepEqual(a, b) {
					t.Fatalf("step %d: by difference\n%+v\nfrom scratch\n%+v", n, a, b)
				}
				one.wait(pause)
				other.wait(pause)
			}
		})
	}
}

func randomInputs(t *testing.T, rng *rand.Rand, alarms []alerting.Alarm, firing map[int]bool, now time.Time) (in []alerting.Input) {
	for range rng.IntN(5) {
		i := rng.IntN(len(alarms))
		if firing[i] = !firing[i] || rng.IntN(3) == 0; firing[i] {
			in = append(in, alerting.Firing{Alarm: alarms[i], Sender: "s"})
		} else {
			in = append(in, alerting.Ended{Fingerprint: alarms[i].Fingerprint(), Sender: "s"})
		}
	}
	switch rng.IntN(12) {
	case 0:
		a := alarms[rng.IntN(len(alarms))]
		in = append(in, alerting.Silenced{Silence: alerting.Silence{
			ID: fmt.Sprint("silence", rng.IntN(3)), CreatedBy: "jo", StartsAt: now.Add(-time.Second), EndsAt: now.Add(time.Duration(rng.IntN(1800)) * time.Second),
			Matchers: []alerting.Matcher{{Name: alerting.LabelRule, Value: a.Rule()}},
		}})
	case 1:
		var es []topology.Entity
		whole := fleet(t)
		for _, id := range whole.IDs() {
			if e, _ := whole.Get(id); e.Kind != topology.KindHost && e.Kind != topology.KindNode || rng.IntN(20) > 0 {
				es = append(es, e)
			}
		}
		g, _ := topology.New(es) // which tells of the nodes that are missing
		in = append(in, alerting.Topology{Graph: g})
	case 2:
		in = append(in, alerting.Heard{Sender: "s"})
	case 3, 4: // all alarms of a rule begin, or end
		rule, fires := alarms[rng.IntN(len(alarms))].Rule(), rng.IntN(2) == 0
		for i, a := range alarms {
			if a.Rule() != rule {
				continue
			}
			if firing[i] = fires; fires {
				in = append(in, alerting.Firing{Alarm: a, Sender: "s"})
			} else {
				in = append(in, alerting.Ended{Fingerprint: a.Fingerprint(), Sender: "s"})
			}
		}
	case 5: // what fires is repeated with another text, by which it reads otherwise
		for i, a := range alarms {
			if firing[i] && rng.IntN(4) == 0 {
				a = a.Clone()
				if a.Annotations == nil {
					a.Annotations = map[string]string{}
				}
				a.Annotations[[]string{"harm_in", "summary"}[rng.IntN(2)]] = []string{"5m", "3h", "0s"}[rng.IntN(3)]
				in = append(in, alerting.Firing{Alarm: a, Sender: "s"})
			}
		}
	}
	return in
}

// unlabelled are alarms whose rules know nothing of ordering.
func unlabelled() (out []alerting.Alarm) {
	for i := range 24 {
		out = append(out, alerting.Alarm{
			Labels: map[string]string{
				alerting.LabelRule: []string{"HostOutOfDisk", "KubePodCrashLooping", "TargetDown", "HighLatency"}[i%4], "severity": []string{"critical", "warning"}[i%2],
				"instance": fmt.Sprintf("front-a%d:9100", i%5), "job": "node", "namespace": fmt.Sprint("ns", i%2), "pod": []string{"", fmt.Sprint("web-", i)}[i/12],
			},
			Annotations: map[string]string{alerting.AnnotationSummary: "something is wrong"},
		})
	}
	return out
}
