package aws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/metric"
)

// settles is how long before a reading's own period is asked for again: what came late then counts.
const settles = 10 * time.Minute

// target is one resource.
type target struct {
	kind     *kind
	name     string
	dims     []aws.Dimension
	labels   []string
	readings []*reading

	depth aws.Waiting // of a queue
	asked time.Time   // for it
}

func (t *target) key() string { return t.kind.name + " " + t.name }

func sorted(ts []*target) []*target {
	slices.SortStableFunc(ts, func(a, b *target) int {
		return cmp.Or(cmp.Compare(a.kind.rank, b.kind.rank), strings.Compare(a.name, b.name), strings.Compare(a.kind.name, b.kind.name))
	})
	return ts
}

// reading is what is known of one figure of a resource.
type reading struct {
	of  *target
	fig *figure

	asked time.Time // zero: never
	read  time.Time // when it was last answered
	value float64
	known bool
	seen  map[int64]float64 // of a total: minutes that are in it, with what they had
}

func (r *reading) query() aws.Query {
	return aws.Query{Metric: aws.Metric{Namespace: r.of.kind.namespace, Name: r.fig.metric, Dimensions: r.of.dims}, Stat: r.fig.stat, Period: time.Minute}
}

// take takes the points of an answer, the newest first. whole says that all came.
func (r *reading) take(ps []aws.Point, every time.Duration, now time.Time, whole bool) {
	first := r.read.IsZero()
	r.read = now
	if r.fig.fold == counted {
		r.add(ps, first, now)
		return
	}
	if len(ps) == 0 {
		if whole {
			r.known, r.value = r.fig.zero, 0
		}
		return
	}
	newest := ps[0].At
	n, sum := 0.0, 0.0
	high, low := ps[0].Value, ps[0].Value
	for _, p := range ps {
		if newest.Sub(p.At) >= every {
			break
		}
		n, sum, high, low = n+1, sum+p.Value, max(high, p.Value), min(low, p.Value)
	}
	r.known = true
	switch r.fig.fold {
	case lowest:
		r.value = low
	case mean:
		r.value = sum / n
	default:
		r.value = high
	}
	if r.fig.scale != 0 {
		r.value *= r.fig.scale
	}
}

// add adds minutes to a total, each once; a minute that has more than before adds the difference. What was before the first reading
// is not counted: nobody saw it grow.
func (r *reading) add(ps []aws.Point, first bool, now time.Time) {
	for _, p := range ps {
		minute := p.At.Unix()
		if more := p.Value - r.seen[minute]; more > 0 {
			if !first {
				r.value += more
			}
			r.seen[minute] = p.Value
		}
	}
	r.known = true
	maps.DeleteFunc(r.seen, func(minute int64, _ float64) bool { return now.Sub(time.Unix(minute, 0)) > 2*time.Hour })
}

// tell adds what is known of a resource. What was read too long ago is not.
func (t *target) tell(b *metric.Batch, p plan, now time.Time) {
	for _, r := range t.readings {
		if r.known && now.Sub(r.read) <= 2*p.every(r.fig)+late {
			b.Add(r.fig.desc, r.value, append(slices.Clone(t.labels), r.fig.labels...)...)
		}
	}
	if t.kind.queue && now.Sub(t.asked) <= 3*time.Minute && !t.asked.IsZero() {
		for state, v := range map[string]float64{"visible": t.depth.Visible, "in_flight": t.depth.InFlight, "delayed": t.depth.Delayed} {
			b.Add(sqsMessages, v, append(slices.Clone(t.labels), "state", state)...)
		}
	}
}

// plan is what is read how often.
type plan struct {
	interval time.Duration    // between two readings of what is not slow
	targets  []*target        // that are read
	brief    map[*target]bool // of them, those whose extra figures are not
	left     map[*target]bool
	dollars  float64 // a month
	room     float64
}

func (p plan) every(f *figure) time.Duration {
	if f.slow {
		return max(slowest, p.interval)
	}
	return p.interval
}

// plans fits what there is to what the budget leaves a month: first by reading less often, down to a quarter of an hour, then by
// leaving out the extra figures from the end of the order, then whole resources.
func plans(ts []*target, every time.Duration, room float64) plan {
	p := plan{interval: every, brief: map[*target]bool{}, left: map[*target]bool{}, room: room}
	sum := p.sum(ts)
	for ; sum > room && p.interval < leastOft; sum = p.sum(ts) {
		p.interval += time.Minute
	}
	for i := len(ts) - 1; i >= 0 && sum > room; i-- {
		before := p.cost(ts[i])
		p.brief[ts[i]] = ts[i].kind.hasExtra()
		sum -= before - p.cost(ts[i])
	}
	if sum <= room {
		p.targets, p.dollars = ts, sum
		return p
	}
	for i, t := range ts {
		c := p.cost(t)
		if p.dollars+c > room {
			for _, rest := range ts[i:] {
				p.left[rest] = true
			}
			break
		}
		p.dollars += c
		p.targets = append(p.targets, t)
	}
	return p
}

func (p plan) sum(ts []*target) (sum float64) {
	for _, t := range ts {
		sum += p.cost(t)
	}
	return sum
}

// reads says whether a figure of a resource is read, where the resource is.
func (p plan) reads(t *target, f *figure) bool { return !f.extra || !p.brief[t] }

// cost of a resource, in dollars a month.
func (p plan) cost(t *target) (sum float64) {
	for i := range t.kind.figures {
		if !p.reads(t, &t.kind.figures[i]) {
			continue
		}
		sum += aws.AMonth(aws.PriceFigure, 1, p.every(&t.kind.figures[i]))
	}
	if t.kind.queue {
		sum += aws.AMonth(aws.PriceDepth, 1, time.Minute)
	}
	return sum
}

// due are the figures that it is time to ask for, which are asked for now.
func (p plan) due(now time.Time) (out []*reading) {
	for _, t := range p.targets {
		for _, r := range t.readings {
			if p.reads(t, r.fig) && now.Sub(r.asked) >= p.every(r.fig)-time.Second {
				r.asked = now
				out = append(out, r)
			}
		}
	}
	return out
}

const namedAtMost = 10

// notes say what is not as the section asks for.
func (p plan) notes(every time.Duration) (out []string) {
	if p.interval > every {
		out = append(out, fmt.Sprintf("AWS is asked every %v, not every %v: aws.budget leaves $%.2f a month for metrics", p.interval, every, p.room))
	}
	short := map[*target]bool{}
	without := map[string]bool{}
	for t := range p.brief {
		if !p.brief[t] || p.left[t] {
			continue
		}
		short[t] = true
		for i := range t.kind.figures {
			if t.kind.figures[i].extra {
				without[t.kind.figures[i].metric] = true
			}
		}
	}
	if len(short) > 0 {
		out = append(out, fmt.Sprintf("READ IN PART, over aws.budget, without %s: %s", strings.Join(slices.Sorted(maps.Keys(without)), ", "), named(short)))
	}
	if len(p.left) > 0 {
		out = append(out, "NOT READ, over aws.budget: "+named(p.left))
	}
	return out
}

// named names the first of some resources.
func named(ts map[*target]bool) string {
	var names []string
	for t := range ts {
		names = append(names, t.key())
	}
	slices.Sort(names)
	more := ""
	if n := len(names) - namedAtMost; n > 0 {
		names, more = names[:namedAtMost], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ") + more
}
