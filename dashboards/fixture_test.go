package dashboards_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards/oncall"
)

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func alarm(rule, entity, summary string) alerting.Alarm {
	return alerting.Alarm{
		Labels:      map[string]string{"alertname": rule, "entity": entity, "severity": "critical"},
		Annotations: map[string]string{"summary": summary}, StartsAt: noon.Add(-3 * time.Minute),
	}
}

func problem(id string, pr alerting.Priority, st alerting.State, rule, entity, sentence string) alerting.ProblemView {
	root := alarm(rule, entity, sentence)
	return alerting.ProblemView{
		ID: id, State: st, Priority: pr, Reason: "users are hurt: NavCloudEventsNotDelivered holds", Root: root, Since: root.StartsAt,
		Page: alerting.Page{
			Priority: pr, Sentence: sentence, Rule: rule, Entity: entity, Impact: "Only 62 % of events reach the streams that wait for them",
			Broken: sentence, Since: root.StartsAt, Guidance: "Restart nothing yet. Check the path between the zones: `rabbitmqctl cluster_status`.",
			Runbook: "http://localhost:9600/runbooks/" + rule, Reason: "users are hurt",
		},
	}
}

// incident is the demo's: a partition, a full disk behind it, a node that its group replaced, and a silence.
func incident() alerting.View {
	p1 := problem("00000000000000a1", alerting.P1, alerting.AckedState, "RabbitMQSplitBrain", "cluster:rabbit", "Users hurt: RabbitMQ is split between eu-west-1a and eu-west-1b")
	p1.Key, p1.AckedBy = "fleet:RabbitMQSplitBrain:cluster:rabbit:1", "maria"
	p1.Page.Changed = []string{"deploy of navcloud 3.2.1 by ci, 9 minutes before"}
	for i, e := range []string{"node:navcloud-1", "node:navcloud-2", "node:navcloud-3"} {
		p1.Explained = append(p1.Explained, alerting.ExplainedAlarm{
			Alarm: alarm("NavCloudBrokerErrors", e, "Node "+e[5:]+" cannot publish"), Why: e + " needs cluster:rabbit, which is partitioned",
			Since: noon.Add(-150 * time.Second), Lost: i == 1, Over15: i == 2,
		})
	}
	p2 := problem("00000000000000b2", alerting.P2, alerting.Held, "RiakDiskFull", "node:riak-07", "Riak disk on riak-07 is 96 % full, full in 40 minutes")
	p2.Root.Annotations[alerting.AnnotationTop] = "CPU: beam.smp 182 %, compact 41 %, binnacle 1 %; memory: beam.smp 11 GiB, compact 240 MiB; I/O: compact 88 MiB/s"
	p2.Until, p2.Behind, p2.Reason = noon.Add(95*time.Second), p1.ID, "a person must act within the hour: harm in 40m"
	p2.Page.Impact = "No user is known to be hurt."
	p2.Refused = []alerting.Refusal{{Alarm: p2.Root.Fingerprint(), By: p1.Root.Fingerprint(), Reason: "nothing ties its subject to it"}}
	p4 := problem("00000000000000c4", alerting.P4, alerting.Board, "HostCPUSaturated", "node:navcloud-4", `Node "navcloud-4" <b>is</b> at 97 % CPU`)
	p4.Note, p4.Reason = "flapping", "one node of many"
	quiet := problem("00000000000000d3", alerting.P3, alerting.SilencedState, "HostUnitFailed", "node:web-1", "Unit backup.service failed on web-1")
	quiet.SilencedBy, quiet.Until = "jo", noon.Add(time.Hour)
	return alerting.View{
		At: noon.Add(-time.Second), Problems: []alerting.ProblemView{p1, p2, p4, quiet}, Firing: 7, Lost: 1,
		Silences: []alerting.Silence{{
			ID: "s1", Matchers: []alerting.Matcher{{Name: "alertname", Value: "HostUnitFailed"}, {Name: "entity", Value: "node:web-.*", Regex: true}},
			StartsAt: noon.Add(-time.Hour), EndsAt: noon.Add(time.Hour), CreatedBy: "jo", Comment: "backup is being moved",
		}, {
			ID: "s2", Matchers: []alerting.Matcher{{Name: "alertname", Value: "BackupSlow"}},
			StartsAt: noon.Add(10 * time.Hour), EndsAt: noon.Add(14 * time.Hour), CreatedBy: "maintenance backups", Comment: "backups run", Window: "backups",
		}},
	}
}

// odd are problems whose texts others wrote: longer than any screen, from right to left, of signs, and of no space at all.
func odd() alerting.View {
	long := "payments-gateway-eu-west-1-blue-replica-set-0001.internal.production.example.com-with-a-suffix-that-nobody-shortened-42"
	v := alerting.View{At: noon, Storm: true, Firing: 5}
	for i, p := range []struct{ rule, entity, says string }{
		{strings.Repeat("LongRuleNameThatNobodyReadOnAPhone", 3), "host:" + long, long + " does not answer within 10 s"},
		{"\u0645\u0634\u0643\u0644\u0629", "host:\u062e\u0627\u062f\u0645-1", "\u0642\u0627\u0639\u062f\u0629 \u0627\u0644\u0628\u064a\u0627\u0646\u0627\u062a \u0644\u0627 \u062a\u0633\u062a\u062c\u064a\u0628 (db-01)"},
		{"CPU", "db:orders", "\U0001f525\U0001f525 orders is slow \U0001f422, p99 > 3 s \U0001f6a8"},
		{"Turned", "host:db-2", "\u202eReversed text that overrides its direction"},
		{"NoSpaces", "host:x", strings.Repeat("x", 120)},
	} {
		pv := problem(fmt.Sprintf("00000000000000f%d", i+1), alerting.Priority(1+i), alerting.Paged, p.rule, p.entity, p.says)
		pv.Root.Labels["DBInstanceIdentifier"], pv.Root.Labels["alarm_arn"] = "orders", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"+p.rule
		pv.Root.Annotations["reason"], pv.Root.Annotations["perfdata"] = "Threshold Crossed: 1 datapoint [98.2 (24/11/26 11:57:00)] was greater than the threshold (90.0).", "load1=12.3;5;10;0;"
		pv.Page.Guidance, pv.AckedBy = "", strings.Repeat("a.person.with.a.long.name@", 2)+"example.com"
		v.Problems = append(v.Problems, pv)
	}
	return v
}

// happened is a day of the ledger, up to noon.
func happened(_ context.Context, q oncall.EventQuery) ([]oncall.Event, error) {
	var out []oncall.Event
	for _, e := range theDay() {
		if !e.At.Before(q.Since) && (q.Until.IsZero() || e.At.Before(q.Until)) && (q.Key == "" || q.Key == e.Key) {
			out = append(out, e)
		}
	}
	return out, nil
}

func theDay() []oncall.Event {
	const split, disk = "fleet:RabbitMQSplitBrain:cluster:rabbit:1", "fleet:HostDiskFull:node:x:1"
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	return []oncall.Event{
		{At: ago(20 * time.Hour), Kind: "started", Detail: "on"},
		{At: ago(10 * time.Hour), Kind: "accepted", Action: "trigger", Key: disk, Priority: alerting.P2, Title: "Disk /data on x is 96 % full [HostDiskFull]", Reason: "a person must act within the hour", Alarms: 1},
		{At: ago(9 * time.Hour), Kind: "accepted", Action: "resolve", Key: disk, Priority: alerting.P2, Title: "Disk /data on x is 96 % full [HostDiskFull]"},
		{At: ago(12 * time.Minute), Kind: "deployed", Key: "navcloud", Title: "deploy navcloud 3.2.1 at 11:48 UTC by ci"},
		{At: ago(3 * time.Minute), Kind: "decided", Action: "trigger", Key: split, Priority: alerting.P1},
		{At: ago(3 * time.Minute), Kind: "accepted", Action: "trigger", Key: split, Priority: alerting.P1, Title: "Users hurt: RabbitMQ is split between eu-west-1a and eu-west-1b [RabbitMQSplitBrain]", Reason: "users are hurt", Alarms: 4},
		{At: ago(2 * time.Minute), Kind: "acked", Key: split, Priority: alerting.P1, By: "maria"},
		{At: ago(90 * time.Second), Kind: "noted", Key: split, Priority: alerting.P1, By: "maria", Detail: "Both sides answer; the network team looks at the rules of 11:48"},
		{At: ago(time.Minute), Kind: "silenced", Key: "s1", By: "jo", Title: "alertname=HostUnitFailed", Detail: "backup is being moved"},
	}
}

// flood is many problems of every priority with many alarms in all.
func flood(n int) alerting.View {
	v := alerting.View{At: noon, Storm: true, Firing: 2 * n, Refused: 3}
	for i := range n {
		pr := alerting.Priority(1 + 5*i/n)
		p := problem(fmt.Sprintf("%016x", i), pr, alerting.Paged, "HostDiskFull", fmt.Sprintf("node:host-%03d", i), fmt.Sprintf("Disk /data on host-%03d is %d %% full", i, 90+i%10))
		p.Since = noon.Add(-time.Duration(i*37) * time.Second)
		p.Page.Since = p.Since
		p.Explained = []alerting.ExplainedAlarm{{Alarm: alarm("HostDiskFilling", p.Page.Entity, fmt.Sprintf("Disk /data on host-%03d fills", i)), Why: "both are about the same disk", Since: p.Since}}
		v.Problems = append(v.Problems, p)
	}
	return v
}

func at(t time.Time, v float64) []query.Point { return []query.Point{{T: t, V: v}} }

// fleet answers the queries of the streams page for nodes in three zones, by what the query asks for.
type fleet struct {
	nodes int
	fail  string // queries that contain it fail
	age   float64
}

var errStore = errors.New("query timed out in expression evaluation")

func (f fleet) promql(_ context.Context, q string, now time.Time) (many []query.Series, err error) {
	if f.fail != "" && strings.Contains(q, f.fail) {
		return nil, errStore
	}
	if f.nodes == 0 {
		return nil, nil
	}
	if strings.HasPrefix(q, "broken(") {
		return nil, errors.New(`query "broken(": 1:8: parse error: unclosed left parenthesis`)
	}
	if q == "many" {
		for i := range 300 {
			many = append(many, query.Series{Labels: map[string]string{"__name__": "many", "i": fmt.Sprint(i)}, Points: at(now, float64(i))})
		}
		return many, nil
	}
	if s, ok := clusterAnswers(q, now); ok {
		return s, nil
	}
	one := func(v float64) ([]query.Series, error) { return []query.Series{{Points: at(now, v)}}, nil }
	reasons := func(by map[string]float64) (out []query.Series, err error) {
		for r, v := range by {
			out = append(out, query.Series{Labels: map[string]string{"reason": r}, Points: at(now, v)})
		}
		return out, nil
	}
	if strings.Contains(q, "__name__=~") {
		for name, n := range map[string]float64{"navcloud_streams_open": 3, "shop_orders_total": 12, "shop_checkout_seconds": 4, "host_load1": 3, "riak_up": 3, "binnacle_collector_up": 30} {
			many = append(many, query.Series{Labels: map[string]string{"__name__": name}, Points: at(now, n)})
		}
		return many, nil
	}
	if strings.Contains(q, "host_") {
		return f.perNode(func(i int) []query.Point { return at(now, 0.3+0.1*float64(i)) }), nil
	}
	switch {
	case strings.Contains(q, "histogram_count"):
		return nil, nil
	case strings.Contains(q, "timestamp("):
		return f.perNode(func(int) []query.Point { return at(now, f.age) }), nil
	case strings.Contains(q, "streams_open)"):
		return f.perNode(func(i int) []query.Point { return at(now, float64(900+i*2700%9100)) }), nil
	case strings.Contains(q, "streams_limit"):
		return []query.Series{{Labels: map[string]string{"stack": "navcloud-prod"}, Points: at(now, 10000)}}, nil
	case strings.Contains(q, "closed_total"):
		return reasons(map[string]float64{"client": 4.2, "slow": 0.2, "timeout": 0})
	case strings.Contains(q, "dropped_total"):
		return reasons(map[string]float64{"slow": 0.004})
	case strings.Contains(q, "heartbeats_late"):
		return one(0.9)
	case strings.Contains(q, "expected_total"):
		return one(12000)
	case strings.Contains(q, "delivered_total"):
		return one(11999)
	case strings.Contains(q, "0.99"):
		return one(0.182)
	case strings.Contains(q, "0.5"):
		return one(0.0042)
	}
	return one(30)
}

func (f fleet) ranged(_ context.Context, q string, start, end time.Time, step time.Duration) ([]query.Series, error) {
	if f.fail != "" && strings.Contains(q, f.fail) {
		return nil, errStore
	}
	if f.nodes == 0 {
		return nil, nil
	}
	line := func(i int) (out []query.Point) {
		for t := start; !t.After(end); t = t.Add(step) {
			n := int(t.Sub(start) / step)
			if n > 40 && n < 50 && i == 0 {
				continue // a gap
			}
			v := 1000 + 300*float64((n*7+i*3)%11)/11
			switch {
			case strings.Contains(q, "quantile"):
				v /= 8000
			case strings.Contains(q, "host_"):
				v /= 3000
			case strings.Contains(q, "events_missing"):
				v = 30 + float64(n*7%11)
				if left := noon.Sub(t); left < 3*time.Minute && left >= 0 {
					v = 1400 - 100*left.Minutes()
				}
			case strings.Contains(q, "late_total"):
				v /= 1e5
			case strings.Contains(q, "streams_limit"):
				v /= 1400
			}
			out = append(out, query.Point{T: t, V: v})
		}
		return out
	}
	if strings.Contains(q, "by (reason)") {
		return []query.Series{{Labels: map[string]string{"reason": "client"}, Points: line(1)}, {Labels: map[string]string{"reason": "slow"}, Points: line(2)}}, nil
	}
	if strings.Contains(q, "by (") {
		return f.perNode(line), nil
	}
	return []query.Series{{Labels: nil, Points: line(0)}}, nil
}

// noise is the fleet's lines with as many different values as a real fleet's.
func noise(f fleet) func(context.Context, string, time.Time, time.Time, time.Duration) ([]query.Series, error) {
	return func(ctx context.Context, q string, start, end time.Time, step time.Duration) ([]query.Series, error) {
		all, err := f.ranged(ctx, q, start, end, step)
		for _, s := range all {
			for i := range s.Points {
				s.Points[i].V *= 1 + 0.1*rand.NormFloat64()
			}
		}
		return all, err
	}
}

func (f fleet) perNode(points func(i int) []query.Point) (out []query.Series) {
	for i := range f.nodes {
		out = append(out, query.Series{Labels: map[string]string{"stack": "navcloud-prod", "az": "eu-west-1" + string("abc"[i%3]), "node": fmt.Sprintf("navcloud-%d", i+1)}, Points: points(i)})
	}
	return out
}

func goodStatus() health.Status {
	return health.Status{
		Begun: noon.Add(-26 * time.Hour), Listen: "127.0.0.1:9600", Data: "/var/lib/binnacle",
		Collectors: []health.Collector{
			{Name: "host_load", Up: true, LastRun: noon, LastUp: noon.Add(-4 * time.Second), Took: 800 * time.Microsecond, Series: 3, Interval: 10 * time.Second},
			{Name: "riak", Absent: true, LastRun: noon, Interval: 10 * time.Second},
		},
		Sinks:   []health.Sink{{Name: "cloudwatch", Up: true, LastSuccess: noon.Add(-20 * time.Second), Sent: 123456, Waiting: 12}},
		Store:   &health.Store{Series: 5123, Bytes: 45 << 20, Oldest: noon.Add(-30 * time.Hour)},
		Rollups: &health.Rollups{Series: 1204, Bytes: 210 << 20, Oldest: noon.Add(-200 * 24 * time.Hour), Until: noon.Add(-12 * time.Minute)},
		Pager:   "PagerDuty", Rules: &health.Rules{Groups: 12, Rules: 96}, Route: &health.Route{Mode: "on", Durable: true, Open: 2},
	}
}

func illStatus() health.Status {
	s := goodStatus()
	s.Rollups = &health.Rollups{Error: "commit: no space left on device"}
	s.DataError, s.Reload = "read-only file system", "binnacle.yaml:3:5: no key intervall, did you mean interval?"
	s.Collectors[0] = health.Collector{Name: "rabbitmq", Error: "dial tcp 127.0.0.1:15692: connection refused", LastRun: noon, LastUp: noon.Add(-5 * time.Minute), Overruns: 3}
	s.Sinks[0] = health.Sink{Name: "cloudwatch", DownSince: noon.Add(-time.Hour), Error: "503 Service Unavailable", Spooled: 40000, SpoolBytes: 3 << 20, SpoolOldest: noon.Add(-time.Hour), Dropped: map[string]float64{"queue_full": 12, "expired": 0}}
	s.Rules.Late, s.Rules.Failing = time.Minute, []string{"host.rules: parse error"}
	s.Route.Durable, s.Route.Since, s.Route.Undelivered = false, noon.Add(-10*time.Minute), 2*time.Minute
	return s
}
