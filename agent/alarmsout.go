package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/alerting/rules"
	"github.com/navcloud/binnacle/collectors/catalogue"
)

// AlarmsPlan is what of our rules CloudWatch can keep as alarms, and what there is to do for that.
type AlarmsPlan struct {
	Tag    aws.Tag
	Want   []aws.Code
	Not    []NotAnAlarm
	Notes  []string
	Change aws.Change
}

// NotAnAlarm is a rule that CloudWatch cannot keep, and why.
type NotAnAlarm struct{ Rule, Why string }

// AlarmAsker is what a plan needs of AWS; *aws.Account has it.
type AlarmAsker interface {
	Listed(ctx context.Context, namespace, name string) ([][]aws.Dimension, error)
	Groups(ctx context.Context) ([]aws.Group, error)
	Coded(ctx context.Context, prefix string) ([]aws.Code, error)
	Mutes(ctx context.Context, prefix string) ([]aws.MuteAt, error)
}

// ErrNoAlarms says that ship.cloudwatch.alarms.from is empty.
var ErrNoAlarms = errors.New("ship.cloudwatch.alarms.from names no rule: want all, or names")

// beatMinutes is for how long binnacle's beat must be missing.
const beatMinutes = 5

// PlanAlarms asks AWS what metrics and alarms there are, and says what is missing, too much or different. It changes nothing.
func PlanAlarms(ctx context.Context, cfg Config, ask AlarmAsker) (p AlarmsPlan, err error) {
	o, view, err := cloudWatch(cfg)
	if err != nil {
		return p, err
	}
	if !o.Alarms.On() {
		return p, ErrNoAlarms
	}
	p.Tag.Key, p.Tag.Value = o.Alarms.KeyValue()
	all, err := rules.SimpleRules(cfg.Rules.Packs, cfg.Rules.Files)
	if err != nil {
		return p, err
	}
	w := alarmWriter{cfg: cfg, opts: o, view: view, ask: ask, plan: &p, lists: map[string][][]aws.Dimension{}, prefix: alarmPrefix(cfg), covered: map[string][]string{}}
	if w.windows, err = cfg.Route.Recurring(); err != nil {
		return p, err
	}
	var paging []aws.Code
	for _, t := range chosen(all, o.Alarms, &p) {
		cs, why, err := w.rule(ctx, t)
		switch {
		case err != nil:
			return p, err
		case why != "":
			p.Not = append(p.Not, NotAnAlarm{t.Rule, why})
		}
		paging = append(paging, cs...)
	}
	beats, err := w.beats(ctx)
	if err != nil {
		return p, err
	}
	p.Want = append(append(beats, paging...), w.composites(paging, beats)...)
	have, err := ask.Coded(ctx, w.prefix)
	if err != nil {
		return p, err
	}
	alive, known := map[string]bool{}, true
	groups, err := ask.Groups(ctx)
	if err != nil {
		known = false
		p.Notes = append(p.Notes, "no alarm of an instance is deleted: "+err.Error())
	}
	for _, g := range groups {
		for _, m := range g.Members {
			alive[m.ID] = true
		}
	}
	p.Change = aws.Diff(p.Want, have, o.Alarms.Max, o.InstanceDimension, alive, known)
	return p, w.mutes(ctx, time.Now())
}

// alarmPrefix begins the names of a fleet's alarms.
func alarmPrefix(cfg Config) string { return "binnacle/" + plainName(cfg.Route.Order.Fleet) + "/" }

// chosen are the rules that from names. A name that is no rule's is said.
func chosen(all []rules.Simple, a sinks.Alarms, p *AlarmsPlan) (out []rules.Simple) {
	found := map[string]bool{}
	for _, t := range all {
		if a.All() || slices.Contains(a.From, t.Rule) {
			found[t.Rule] = true
			out = append(out, t)
		}
	}
	for _, name := range a.From {
		if name != "all" && !found[name] {
			p.Not = append(p.Not, NotAnAlarm{name, "no pack or file in force has such a rule"})
		}
	}
	return out
}

type alarmWriter struct {
	cfg    Config
	opts   sinks.CloudWatch
	view   sinks.View
	ask    AlarmAsker
	plan   *AlarmsPlan
	prefix string
	lists  map[string][][]aws.Dimension // by metric at CloudWatch

	windows []people.Recurring
	covered map[string][]string // by alarm: the names of the windows that silence it
}

// rule makes the alarms of a rule, or says why it can have none.
func (w *alarmWriter) rule(ctx context.Context, t rules.Simple) (out []aws.Code, why string, err error) {
	if t.Why != "" {
		return nil, t.Why, nil
	}
	name, why := w.shipped(t.Metric)
	if why != "" {
		return nil, why, nil
	}
	minutes := int(max(1, math.Ceil(t.For.Minutes())))
	if minutes > 24*60 {
		return nil, "CloudWatch looks back a day at most", nil
	}
	list, err := w.list(ctx, name)
	if err != nil {
		return nil, "", err
	}
	fits := false
	for _, dims := range list {
		if !t.Fits(labelsOf(dims)) {
			continue
		}
		fits = true
		if !w.inScope(dims) {
			continue
		}
		c := aws.Code{
			Name: w.name(t.Rule, dims), Metric: aws.Metric{Namespace: w.opts.Namespace, Name: name, Dimensions: dims}, Stat: "Maximum", Op: t.Op, Threshold: t.Value,
			Period: time.Minute, Of: minutes, Missing: "missing",
			Description: aws.Cut(fmt.Sprintf("Rule %s of binnacle: %s %s %v for %d min. Made by binnacle aws alarms; changes here are overwritten.", t.Rule, t.Metric, t.Op, t.Value, minutes), aws.MaxText),
		}
		if strings.HasPrefix(t.Op, "<") {
			c.Stat = "Minimum" // the node that is worst, as the rule has one alarm a node
		}
		w.covered[c.Name] = w.covering(t, dims)
		out = append(out, c)
	}
	switch {
	case len(list) == 0:
		return nil, "CloudWatch had nothing of " + name + " in the last 3 hours", nil
	case !fits:
		return nil, "no series of " + name + " at CloudWatch has such labels", nil
	case len(out) == 0:
		return nil, "no series of " + name + " at CloudWatch has the scope " + w.opts.Alarms.Scope + ": see ship.cloudwatch.scope", nil
	}
	return out, "", nil
}

// shipped is the name at CloudWatch of a metric that a rule names.
func (w *alarmWriter) shipped(prom string) (name, why string) {
	name = prom
	for _, spec := range catalogue.All() {
		for _, d := range spec.Metrics {
			if metric.PromName(d) != prom {
				continue
			}
			if name = d.Name; d.Kind != metric.Gauge {
				return "", "it compares a total; CloudWatch has what was added in each minute"
			}
		}
	}
	switch {
	case strings.Contains(prom, ":"):
		return "", "it reads what a rule records, which is not shipped"
	case !w.view.Shows(name):
		return "", "ship.cloudwatch.view leaves " + name + " out"
	}
	if to := w.view.Rename[name]; to != "" {
		name = to
	}
	return name, ""
}

func (w *alarmWriter) list(ctx context.Context, name string) ([][]aws.Dimension, error) {
	if l, ok := w.lists[name]; ok {
		return l, nil
	}
	l, err := w.ask.Listed(ctx, w.opts.Namespace, name)
	if err == nil {
		w.lists[name] = l
	}
	return l, err
}

func labelsOf(dims []aws.Dimension) map[string]string {
	out := map[string]string{}
	for _, d := range dims {
		out[d.Name] = d.Value
	}
	return out
}

func (w *alarmWriter) inScope(dims []aws.Dimension) bool {
	one := slices.ContainsFunc(dims, func(d aws.Dimension) bool { return d.Name == w.opts.InstanceDimension })
	switch w.opts.Alarms.Scope {
	case "group":
		return !one
	case "instance":
		return one
	}
	return true
}

// name is that of an alarm: fleet, rule, and what it is on in words that may be cut, with a hash of all of it.
func (w *alarmWriter) name(rule string, dims []aws.Dimension) string {
	h := fnv.New32a()
	var values []string
	for _, d := range dims {
		fmt.Fprintf(h, "%q=%q,", d.Name, d.Value)
		values = append(values, plainName(d.Value))
	}
	head := w.prefix + plainName(rule) + "/"
	tail := fmt.Sprintf("/%08x", h.Sum32())
	return head + aws.Cut(strings.Join(values, ","), max(aws.MaxName-len(head)-len(tail), 0)) + tail
}

// plainName keeps what needs no quotes in the rule of a composite.
func plainName(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r == '.' || r == '=' || r == ':' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, text)
}

// beats are the alarms that say that binnacle is silent: one for each group that routers are in.
func (w *alarmWriter) beats(ctx context.Context) (out []aws.Code, err error) {
	name := sinks.Beat
	if to := w.view.Rename[name]; to != "" {
		name = to
	}
	list, err := w.list(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, dims := range list {
		out = append(out, aws.Code{
			Name: w.name("beat", dims), Metric: aws.Metric{Namespace: w.opts.Namespace, Name: name, Dimensions: dims}, Stat: "Maximum", Op: "<", Threshold: 1,
			Period: time.Minute, Of: beatMinutes, Missing: "breaching", Actions: w.opts.Alarms.Actions,
			Description: "No router of binnacle pages: none ships its beat. Alarms of rules call by themselves meanwhile.",
		})
	}
	if len(out) == 0 {
		w.plan.Notes = append(w.plan.Notes, "the beat of a router is not at CloudWatch yet (a new metric takes up to 15 min to be listed): the alarms have no action until it is")
	}
	return out, nil
}

// composites page for the rules' alarms while no beat comes: one for each hundred of a group, or of all where there are no groups, that
// the same maintenance windows silence.
func (w *alarmWriter) composites(alarms, beats []aws.Code) (out []aws.Code) {
	if len(beats) == 0 {
		return nil
	}
	var silent []string
	for _, b := range beats {
		silent = append(silent, quoted(b.Name))
	}
	byGroup := map[pagingGroup][]string{}
	for _, a := range alarms {
		group := pagingGroup{cmp.Or(labelsOf(a.Metric.Dimensions)["Group"], "all"), strings.Join(w.covered[a.Name], "+")}
		byGroup[group] = append(byGroup[group], quoted(a.Name))
	}
	for _, g := range slices.SortedFunc(maps.Keys(byGroup), pagingGroup.compare) {
		for i, part := range slices.Collect(slices.Chunk(byGroup[g], w.childrenEach(len(beats)))) {
			c := aws.Code{
				Name: fmt.Sprintf("%spaging/%s/%d", w.prefix, g.name(), i+1), Rule: "(" + strings.Join(part, " OR ") + ") AND " + strings.Join(silent, " AND "),
				Description: "A rule of binnacle fires in " + aws.Cut(g.group, 200) + ", and no router of binnacle is there to page for it.", Actions: w.opts.Alarms.Actions,
			}
			w.covered[c.Name] = windowsOf(g.windows)
			out = append(out, c)
		}
	}
	return out
}

// maxAlarmRule bounds the rule of a composite. Source: CloudWatch API Reference, PutCompositeAlarm, read 30 November 2026.
const maxAlarmRule = 10_240

// childrenEach is how many alarms fit a composite beside the beats, all with names as long as they may be.
func (w *alarmWriter) childrenEach(beats int) int {
	const each = aws.MaxName + len(` OR ALARM("")`)
	return max(1, min(aws.MaxChildren-beats, maxAlarmRule/each-beats))
}

func quoted(name string) string { return fmt.Sprintf("ALARM(%q)", name) }

// CloudWatchAccount opens AWS as the configuration says, for a command.
func CloudWatchAccount(ctx context.Context, cfg Config) (*aws.Account, error) {
	o, _, err := cloudWatch(cfg)
	if err != nil {
		return nil, err
	}
	region := o.Region
	if region == "" {
		region = aws.RegionOf(cfg.Intake.AWS.Queue)
	}
	if o.Endpoint != "" && cfg.AWS.Endpoint == "" {
		cfg.AWS.Endpoint = o.Endpoint
	}
	return aws.Open(ctx, cfg.AWS, aws.Options{Region: region})
}

// alarmsEvery is how often a router holds CloudWatch's alarms against the rules.
const alarmsEvery = 10 * time.Minute

// keepAlarms plans, and applies where that is allowed, while this router leads.
func (r *routeRole) keepAlarms(ctx context.Context) error {
	for {
		cfg, renewed := r.a.untilRenewed()
		if !cfg.writesAlarms() {
			r.cloud.alarms.Store(nil) // a reload switched it off
		} else if r.leadsAWS() {
			said, err := r.keepAlarmsOnce(ctx, cfg)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				said.Fault = err.Error()
				r.a.log.Warn("CloudWatch's alarms are not as the rules say", "err", err)
			}
			r.cloud.alarms.Store(&said)
		}
		if !r.untilAlarmsChange(ctx, cfg, renewed) {
			return nil
		}
	}
}

// untilAlarmsChange waits for the next time to look, which a reload that changes what is wanted brings on; false: ctx ended.
func (r *routeRole) untilAlarmsChange(ctx context.Context, cfg Config, renewed <-chan struct{}) bool {
	next := time.NewTimer(alarmsEvery)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-next.C:
			return true
		case <-renewed:
		}
		var now Config
		if now, renewed = r.a.untilRenewed(); !reflect.DeepEqual(cfg.Ship, now.Ship) || !cfg.Route.Ways.Equal(now.Route.Ways) {
			return true
		}
	}
}

func (r *routeRole) keepAlarmsOnce(ctx context.Context, cfg Config) (said health.AWSAlarms, err error) {
	account := r.cloud.account.Load()
	plan, err := PlanAlarms(ctx, cfg, account)
	if err != nil {
		return said, err
	}
	o, _, _ := cloudWatch(cfg) // PlanAlarms read it
	said = health.AWSAlarms{Wanted: len(plan.Want), Put: len(plan.Change.Put) + len(plan.Change.Mute), Drop: len(plan.Change.Drop) + len(plan.Change.Unmute), Over: len(plan.Change.Over), Applies: o.Alarms.Apply}
	if !o.Alarms.Apply {
		return said, nil
	}
	done, err := account.Apply(ctx, plan.Change, plan.Tag, aws.PutEvery)
	said.Done = done
	return said, err
}
