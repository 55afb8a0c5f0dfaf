package rules

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/agent/words"
)

// How far back is looked, and how finely.
const (
	lookNow   = 5 * time.Minute // Prometheus' own: a series without a sample for so long is not there
	lookHosts = time.Hour
	lookBack  = 14 * 24 * time.Hour
	looks     = 200 // steps over all that is looked at
	leastPast = 24 * time.Hour
	someNames = 5 // values of a label that are named
)

// selectorOf is a selector alone, without offset and time.
func selectorOf(s *parser.VectorSelector) string {
	return (&parser.VectorSelector{Name: s.Name, LabelMatchers: s.LabelMatchers}).String()
}

// exists says that a selector has a sample within a window until now.
func (c *cover) exists(ctx context.Context, s *parser.VectorSelector, window time.Duration) (bool, error) {
	v, err := c.instant(ctx, fmt.Sprintf("count(last_over_time(%s[%s]))", selectorOf(s), promDuration(window)))
	return len(v) > 0, err
}

func promDuration(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

func (c *cover) instant(ctx context.Context, text string) (promql.Vector, error) {
	q, err := c.Engine.NewInstantQuery(ctx, c.Queryable, nil, text, c.Now)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return q.Exec(ctx).Vector()
}

// spans are how far back is asked for the last sample of a series that is gone, the nearest first.
var spans = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// why says what of a selector does not exist, and since when.
func (c *cover) why(ctx context.Context, s *parser.VectorSelector) (FindingKind, string) {
	name := s.Name
	var matchers []*labels.Matcher
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			if name == "" {
				name = m.Value
			}
			continue
		}
		matchers = append(matchers, m)
	}
	what := selectorOf(s)
	if c.ever(ctx, s.LabelMatchers) {
		for _, span := range spans {
			if v, err := c.instant(ctx, fmt.Sprintf("count(last_over_time(%s[%s]))", what, promDuration(span))); err == nil && len(v) > 0 {
				return NoSeries, what + " is gone: its last sample is less than " + words.Duration(span) + " old"
			}
		}
		return NoSeries, what + " is gone for more than " + words.Duration(spans[len(spans)-1])
	}
	named, err := labels.NewMatcher(labels.MatchEqual, model.MetricNameLabel, name)
	if name == "" || err != nil || len(matchers) == 0 || !c.ever(ctx, []*labels.Matcher{named}) {
		text := what + " was never stored"
		if near := c.nearest(ctx, name); near != "" {
			text += "; did you mean " + near + "?"
		}
		return NoSeries, text
	}
	for _, m := range matchers {
		if c.ever(ctx, []*labels.Matcher{named, m}) {
			continue
		}
		text := fmt.Sprintf("no series of %s has %s", name, m)
		if values := c.values(ctx, m.Name, c.Oldest, named); len(values) > 0 {
			text += ", it has " + some(values[:min(len(values), someNames)])
			if len(values) > someNames {
				text += fmt.Sprintf(" and %d more", len(values)-someNames)
			}
		} else {
			text += ": it has no label " + m.Name
		}
		return NoMatch, text
	}
	return NoMatch, "no series of " + name + " has all of " + what
}

// ever says that there is a series in all that is stored. It reads the index alone. The database sorts the matchers that it is
// given in place, and a rule's own are read by its evaluation: it gets others, here and in values.
func (c *cover) ever(ctx context.Context, ms []*labels.Matcher) bool {
	q, err := c.Queryable.Querier(c.Oldest.UnixMilli(), c.Now.UnixMilli())
	if err != nil {
		return false
	}
	defer q.Close()
	return q.Select(ctx, false, &storage.SelectHints{Start: c.Oldest.UnixMilli(), End: c.Now.UnixMilli(), Func: "series", Limit: 1}, slices.Clone(ms)...).Next()
}

func (c *cover) values(ctx context.Context, label string, from time.Time, ms ...*labels.Matcher) []string {
	q, err := c.Queryable.Querier(from.UnixMilli(), c.Now.UnixMilli())
	if err != nil {
		return nil
	}
	defer q.Close()
	out, _, err := q.LabelValues(ctx, label, nil, slices.Clone(ms)...)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(out), func(v string) bool { return v == "" })
}

// nearest is the metric whose name is most like one that does not exist; empty: none is like it.
func (c *cover) nearest(ctx context.Context, name string) string {
	if name == "" {
		return ""
	}
	if c.names == nil {
		c.names = c.values(ctx, model.MetricNameLabel, c.Oldest)
	}
	best, least := "", min(3, len(name)/4)+1
	for _, n := range c.names {
		if d := len(n) - len(name); d > -least && d < least {
			if d := distance(n, name, least); d < least {
				best, least = n, d
			}
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or replaced, or most where it is no less.
// Source: R. A. Wagner and M. J. Fischer, "The String-to-String Correction Problem", Journal of the ACM 21 (1974).
func distance(a, b string, most int) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last, least := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			next := last
			if a[i] != b[j] {
				next = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], next
			least = min(least, next)
		}
		if least >= most {
			return most
		}
	}
	return row[len(b)]
}

// near says whether what is compared with a number came near that number: half of it, in what is stored. Of 0 and of equality
// nothing is near.
func (c *cover) near(ctx context.Context, e parser.Expr, add func(FindingKind, string)) {
	t, ok := threshold(e)
	up := strings.HasPrefix(t.Op, ">")
	past := min(c.Now.Sub(c.Oldest), lookBack)
	switch {
	case !ok || !decides(e):
		add(Unsaid, "no comparison with a number decides whether it fires")
		return
	case !up && !strings.HasPrefix(t.Op, "<"), t.Limit == 0:
		add(Unsaid, "nothing is near to "+t.Op+" "+words.Plain(t.Limit))
		return
	case past < leastPast:
		add(Unsaid, "less than "+words.Duration(leastPast)+" is stored")
		return
	}
	fold := "min"
	if up {
		fold = "max"
	}
	q, err := c.Engine.NewRangeQuery(ctx, c.Queryable, nil, fold+"("+t.Query+")", c.Now.Add(-past), c.Now, max(past/looks, time.Minute))
	if err != nil {
		add(Failed, err.Error())
		return
	}
	defer q.Close()
	m, err := q.Exec(ctx).Matrix()
	if err != nil {
		add(Failed, err.Error())
		return
	}
	best := math.NaN()
	for _, s := range m {
		for _, p := range s.Floats {
			if math.IsNaN(best) || up && p.F > best || !up && p.F < best {
				best = p.F
			}
		}
	}
	half := math.Abs(t.Limit) / 2
	if !math.IsNaN(best) && (up && best < t.Limit-half || !up && best > t.Limit+half) {
		far := map[bool]string{true: "the most", false: "the least"}[up]
		add(NeverNear, fmt.Sprintf("%s in %s was %s, it fires at %s %s", far, words.Duration(past), words.Plain(best), t.Op, words.Plain(t.Limit)))
	}
}

// always are the rules that fired at each look of the last days.
func (c *cover) always(ctx context.Context) map[string]bool {
	past := min(c.Now.Sub(c.Oldest), lookBack)
	if past < leastPast {
		return nil
	}
	q, err := c.Engine.NewRangeQuery(ctx, c.Queryable, nil, `count by (alertname) (ALERTS{alertstate="firing"})`, c.Now.Add(-past), c.Now, past/looks)
	if err != nil {
		return nil
	}
	defer q.Close()
	m, err := q.Exec(ctx).Matrix()
	if err != nil {
		return nil
	}
	out := map[string]bool{}
	for _, s := range m {
		out[s.Metric.Get("alertname")] = len(s.Floats)*20 >= looks*19 // a restart is no pause
	}
	return out
}

// learnHosts finds the nodes that send figures.
func (c *cover) learnHosts(ctx context.Context) error {
	named, err := labels.NewMatcher(labels.MatchEqual, model.MetricNameLabel, "binnacle_node_info")
	if err != nil {
		return err
	}
	for _, h := range c.values(ctx, "node", c.Now.Add(-lookHosts), named) {
		c.hosts[h] = false
	}
	return nil
}

// see notes the hosts that a rule sees.
func (c *cover) see(ctx context.Context, e parser.Expr) {
	inspect(e, func(s *parser.VectorSelector, _ time.Duration) {
		if strings.HasPrefix(s.Name, "ALERTS") {
			return
		}
		for _, h := range c.values(ctx, "node", c.Now.Add(-lookHosts), s.LabelMatchers...) {
			if _, is := c.hosts[h]; is {
				c.hosts[h] = true
			}
		}
	})
}
