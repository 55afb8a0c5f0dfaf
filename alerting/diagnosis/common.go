package diagnosis

import (
	"fmt"
	"slices"

	"github.com/navcloud/binnacle/alerting/topology"
)

// common gathers what may be one fault: the alarms of one rule (or of any rule, where the kind is down) on the
// machines of one zone, or on the nodes of one whole; or those of one rule and one owner that the graph does not know.
// It lives as long as it has alarms.
type common struct {
	name   string
	target topology.Entity
	of     int // machines or nodes there are; 0: nobody knows
	rule   string
	need   int        // on so many it is one alarm
	keys   []stranger // those of g.unknown by which it is found
	alarms []*judged
	fresh  []*judged      // that came in this step, not among alarms yet
	left   bool           // some of alarms are not in it any more
	on     map[string]int // how many are where, silences apart; made once they are asked for
	all    map[string]int // how many are where, silenced ones too
}

func (c *common) add(j *judged) {
	if c.target.ID == "" {
		return
	}
	c.fresh, j.in = append(c.fresh, j), append(j.in, c)
	c.count(j, 1)
}

// part takes an alarm out of all that it has in common with others.
func (j *judged) part() {
	for _, c := range j.in {
		c.left = true
		c.count(j, -1)
	}
	j.in = nil
}

// count notes that one alarm more, or less, is where j is.
func (c *common) count(j *judged, by int) {
	if c.all == nil {
		return
	}
	places := []map[string]int{c.all, c.on}
	if j.fact.Silence != "" {
		places = places[:1]
	}
	for _, at := range places {
		if at[j.where] += by; at[j.where] == 0 {
			delete(at, j.where)
		}
	}
}

// settle puts what came among the alarms, and drops what left. They are in the order of spokesmen.
func (c *common) settle() {
	if c.left {
		c.left = false
		out := func(j *judged) bool { return !slices.Contains(j.in, c) }
		c.alarms, c.fresh = slices.DeleteFunc(c.alarms, out), slices.DeleteFunc(c.fresh, out)
	}
	c.alarms = Merge(c.alarms, c.fresh, func(a, b *judged) int { return spokesman(a.fact, b.fact) })
	c.fresh = nil
}

func (c *common) says() string {
	if c.of == 0 {
		return fmt.Sprint(len(c.all))
	}
	return fmt.Sprintf("%d of %d", len(c.all), c.of)
}
