package agent

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/rules"
)

// Rules that cannot fire are an alarm after a while, told again each minute, and it ends when they can.
func TestRulesThatCannotFireAreAnAlarm(t *testing.T) {
	cfg, err := ParseConfig("all", []byte("data: "+t.TempDir()+"\nlisten: 127.0.0.1:0\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRulesRole(&Agent{cfg: cfg})
	c := &coverage{r: r}
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	if due := c.next(now, true); !due.Equal(now.Add(coverSoon)) {
		t.Errorf("the next look is at %v", due)
	}
	r.covered = rules.Coverage{At: now, Rules: []rules.Covered{
		{Rule: "Mine", Findings: []rules.Finding{{Kind: rules.NoSeries, Text: "x was never stored"}}}, {Rule: "Shipped", Pack: "riak", Findings: []rules.Finding{{Kind: rules.NoSeries}}},
	}}
	if in := c.alarm(now); in != nil {
		t.Errorf("at once it is %v", in)
	}
	for _, at := range []time.Duration{partGrace, partGrace + partAgain} {
		in := c.alarm(now.Add(at))
		if f, ok := in[0].(alerting.Firing); len(in) != 1 || !ok || f.Alarm.Rule() != ruleCannotFire || f.Alarm.Summary() != "On "+cfg.nodeName()+" 1 of the rules cannot fire: Mine" {
			t.Errorf("after %v it is %v", at, in)
		}
	}
	if in := c.alarm(now.Add(partGrace + partAgain + time.Second)); in != nil {
		t.Errorf("within a minute it is told again: %v", in)
	}
	if due := c.next(now.Add(coverEarly), true); due.Sub(now) != coverEarly+coverAgain {
		t.Errorf("later the next look is after %v", due.Sub(now))
	}
	if due := c.next(now.Add(time.Hour), false); due.Sub(now) != time.Hour+coverDaily {
		t.Errorf("when all can fire the next look is after %v", due.Sub(now))
	}
	in := c.alarm(now.Add(time.Hour))
	if _, ok := in[0].(alerting.Ended); len(in) != 1 || !ok {
		t.Errorf("when all can fire it is %v", in)
	}
}
