package agent

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/collectors/host"
)

// Bounds of what is read of processes.
const (
	topEvery = 2 * time.Minute // what an alarm names was used since the last sample, or since the alarm before it
	maxTops  = 200             // alarms whose onset is remembered
)

// tops puts into alarms about this machine which processes used most of it when they began. It is read once for an alarm, as it
// is first told of; the same words go with it until it ends.
type tops struct {
	top  host.Top
	name func() string // this node's

	mu   sync.Mutex
	told map[string]string // by fingerprint
}

func newTops(a *Agent) *tops {
	return &tops{top: host.Top{Proc: filepath.Join(a.where.root, "proc")}, name: func() string { return a.config().nodeName() }, told: map[string]string{}}
}

// run samples what processes have used until ctx ends.
func (t *tops) run(ctx context.Context) error {
	tick := time.NewTicker(topEvery)
	defer tick.Stop()
	for {
		t.top.Sample(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// add returns inputs whose alarms about this machine say its processes.
func (t *tops) add(in []alerting.Input) []alerting.Input {
	read := "" // once for all of a batch
	for n, i := range in {
		switch i := i.(type) {
		case alerting.Ended:
			t.mu.Lock()
			delete(t.told, i.Fingerprint)
			t.mu.Unlock()
		case alerting.Firing:
			if !t.mine(i.Alarm) {
				continue
			}
			fp := i.Alarm.Fingerprint()
			t.mu.Lock()
			said, known := t.told[fp]
			t.mu.Unlock()
			if !known {
				if read == "" {
					read = t.top.Read(time.Now())
				}
				said = read
				t.keep(fp, said)
			}
			if said != "" {
				i.Alarm.Annotations = maps.Clone(i.Alarm.Annotations)
				if i.Alarm.Annotations == nil {
					i.Alarm.Annotations = map[string]string{}
				}
				i.Alarm.Annotations[alerting.AnnotationTop] = said
				in[n] = i
			}
		}
	}
	return in
}

func (t *tops) keep(fp, said string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.told) >= maxTops {
		clear(t.told) // a storm: what fires on is read anew
	}
	t.told[fp] = said
}

// mine says whether an alarm is about this machine itself.
func (t *tops) mine(a alerting.Alarm) bool {
	if a.Labels[alerting.LabelLayer] != "host" {
		return false
	}
	_, name, _ := strings.Cut(a.Labels[alerting.LabelEntity], ":")
	me := t.name()
	return name == me || a.Labels["node"] == me
}
