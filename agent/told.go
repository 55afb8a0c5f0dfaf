package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// toldFile is where a node that posts to routers keeps which of its alarms fire.
const toldFile = "firing.json"

const (
	maxTold      = 1000    // alarms
	maxToldBytes = 4 << 20 // of the file that is read
)

// told are the alarms of this node that fire, as routers were told. A router has a ledger; a node that posts to one has nothing
// but this: after its restart an alarm whose check does not answer would be made by no rule, and end at the router as one that
// is over.
type told struct {
	path    string // empty: nothing is kept
	now     func() time.Time
	log     *slog.Logger
	damaged func(damage.Report)

	mu     sync.Mutex
	firing map[string]alerting.Alarm // by fingerprint
	before []alerting.Alarm          // of the life before
	failed bool                      // the file could not be written, and that is logged
}

// openTold reads what the life before had told. What cannot be read is set aside and told.
func openTold(dir string, now func() time.Time, log *slog.Logger, damaged func(damage.Report)) *told {
	t := &told{now: now, log: log, damaged: damaged, firing: map[string]alerting.Alarm{}}
	if dir == "" {
		return t
	}
	t.path = filepath.Join(dir, toldFile)
	if aside, err := damage.Load(t.path, maxToldBytes, now(), &t.before); err != nil {
		t.before = nil
		log.Warn("which alarms fired before is lost", "err", err)
		damaged(damage.Report{Store: "firing", What: "which alarms fired before cannot be read: " + err.Error(), Aside: aside, At: now()})
	}
	return t
}

// note takes over what routers are told. The file is written where another set of alarms fires than before.
func (t *told) note(in []alerting.Input) {
	t.mu.Lock()
	defer t.mu.Unlock()
	news := false
	for _, i := range in {
		switch i := i.(type) {
		case alerting.Firing:
			fp := i.Alarm.Fingerprint()
			_, known := t.firing[fp]
			if !known && len(t.firing) >= maxTold {
				continue
			}
			t.firing[fp] = i.Alarm
			news = news || !known
		case alerting.Ended:
			_, known := t.firing[i.Fingerprint]
			delete(t.firing, i.Fingerprint)
			news = news || known
		}
	}
	if news && t.path != "" {
		t.write()
	}
}

// write replaces the file; t.mu is held. Until what the life before had told is settled it stays in it.
func (t *told) write() {
	all := make([]alerting.Alarm, 0, len(t.firing)+len(t.before))
	for _, a := range t.firing {
		all = append(all, a)
	}
	for _, a := range t.before {
		if _, again := t.firing[a.Fingerprint()]; !again {
			all = append(all, a)
		}
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = atomicfile.Write(t.path, text, 0o600)
	}
	if err != nil && !t.failed {
		t.log.Warn("which alarms fire is not kept: after a restart one that nobody can see ends", "err", err)
	}
	t.failed = err != nil
}

// settle hands over what the life before had told and this one has not.
func (t *told) settle() (left []alerting.Alarm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.before {
		if _, again := t.firing[a.Fingerprint()]; !again {
			left = append(left, a)
		}
	}
	t.before = nil
	if len(left) > 0 && t.path != "" {
		t.write()
	}
	return left
}

// settleTold holds, some time after a start, what fired in the life before, and no rule makes now since a check does not answer.
// All else has ended: routers hear no more of it.
func (a *Agent) settleTold(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(settleAfter):
	}
	m := a.rules.get()
	if m == nil {
		return nil
	}
	for _, al := range a.told.settle() {
		if m.Blind(al) {
			a.log.Info("an alarm of an earlier life is held: what it was judged from cannot be seen", "alarm", al.Rule(), "entity", al.Labels[alerting.LabelEntity])
		}
	}
	return nil
}
