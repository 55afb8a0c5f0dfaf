package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/aws/awstest"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// who asks the fake, with the groups that a router knows.
type who struct {
	*aws.Account
	*aws.Fleet
}

// bench is a collector with a fake of AWS behind it, and a clock.
type bench struct {
	t     *testing.T
	fake  *awstest.AWS
	c     *reader
	now   time.Time
	leads bool
	told  map[string]float64
}

func newBench(t *testing.T, budget float64, section string) *bench {
	t.Helper()
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	b := &bench{t: t, fake: awstest.New(), now: time.Date(2026, 11, 30, 3, 10, 7, 0, time.UTC), leads: true}
	t.Cleanup(b.fake.Close)
	account, err := aws.Open(t.Context(), aws.Config{Region: "eu-west-1", Endpoint: b.fake.URL, Budget: budget}, aws.Options{Now: func() time.Time { return b.now }})
	if err != nil {
		t.Fatal(err)
	}
	o := Spec.Options.(Options)
	if err := yaml.Unmarshal([]byte(section), &o); err != nil {
		t.Fatal(err)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := Spec.New(collectors.Env{
		Options: o, AWS: func() (any, string) {
			if b.leads {
				return who{account, &aws.Fleet{}}, ""
			}
			return nil, "another router does"
		},
		Deliver: func(_ string, batch *metric.Batch, _ time.Duration) { b.take(batch) },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.c = c.(*reader)
	return b
}

func (b *bench) take(batch *metric.Batch) {
	b.told = map[string]float64{}
	for _, s := range batch.Samples {
		b.told[s.Desc.Name+s.Labels.String()] = s.Value
	}
}

// minute collects once, and a minute passes.
func (b *bench) minute() error {
	err := b.c.Collect(context.Background(), &metric.Batch{Time: b.now})
	b.now = b.now.Add(time.Minute)
	return err
}

func (b *bench) minutes(n int) {
	b.t.Helper()
	for range n {
		if err := b.minute(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// want compares what is told of a metric; NaN cannot be: absent is said by "-".
func (b *bench) want(series, value string) {
	b.t.Helper()
	got := "-"
	if v, ok := b.told[series]; ok {
		got = fmt.Sprint(v)
	}
	if got != value {
		b.t.Errorf("%s is %s; want %s, of %v", series, got, value, b.told)
	}
}

func elb(name, metric string, at func(minute time.Time) (float64, bool)) awstest.Metric {
	m := awstest.Metric{Namespace: "AWS/ELB", Name: metric, Dimensions: map[string]string{"LoadBalancerName": name}}
	if at != nil {
		m.At = func(_ string, minute time.Time) (float64, bool) { return at(minute) }
	}
	return m
}

func always(v float64) func(time.Time) (float64, bool) {
	return func(time.Time) (float64, bool) { return v, true }
}

func TestBalancer(t *testing.T) {
	b := newBench(t, 100, "{elb: auto}")
	late := map[int]float64{} // minutes whose values come later
	b.fake.Lay(
		elb("www", "HealthyHostCount", func(at time.Time) (float64, bool) { return float64(3 - at.Minute()%2), true }),
		elb("www", "SurgeQueueLength", nil),
		elb("www", "SpilloverCount", func(at time.Time) (float64, bool) {
			if v, ok := late[at.Minute()]; ok {
				return v, true
			}
			return 10, true
		}),
		awstest.Metric{Namespace: "AWS/ELB", Name: "HealthyHostCount", Dimensions: map[string]string{"LoadBalancerName": "www", "AvailabilityZone": "eu-west-1a"}},
	)
	b.minutes(1)
	b.want("aws_elb_healthy_hosts{elb=\"www\"}", "2")        // the least of 5 minutes
	b.want("aws_elb_surge_queue_requests{elb=\"www\"}", "0") // not reported while nobody waits
	b.want("aws_elb_spillover_total{elb=\"www\"}", "0")      // what was before is not counted
	b.want("aws_elb_latency_seconds{elb=\"www\"}", "-")      // unknown is not 0
	late[9] = 4                                              // of the next reading, minute 9 is not whole yet
	b.minutes(5)
	b.want("aws_elb_spillover_total{elb=\"www\"}", "44") // 8 to 12 are new: 03:08, :09, :10, :11, :12
	late[9] = 14
	b.minutes(5)
	b.want("aws_elb_spillover_total{elb=\"www\"}", "104") // five minutes of ten, and ten that came late
	if n := b.fake.Count("GetMetricData"); n != 3 {
		t.Errorf("%d calls in 11 minutes; want one each 5", n)
	}
	if n := b.fake.Count("ListMetrics"); n != 1 {
		t.Errorf("listed %d times; want once an hour", n)
	}
}

func TestQueuesByPriority(t *testing.T) {
	b := newBench(t, 100, "{sqs: {high: prio-1, low: prio-2}}")
	b.fake.Queue("prio-1")
	b.fake.Send("prio-1", "x")
	err := b.minute()
	if err == nil || !strings.Contains(err.Error(), "prio-2") && !strings.Contains(err.Error(), "NonExistentQueue") {
		t.Errorf("%v; want the queue that is not there", err)
	}
	b.want(`aws_sqs_messages{queue="prio-1",queue_priority="high",state="visible"}`, "1")
	b.want(`aws_sqs_messages{queue="prio-2",queue_priority="low",state="visible"}`, "-")
	b.fake.Queue("prio-2")
	b.minutes(1)
	b.want(`aws_sqs_messages{queue="prio-2",queue_priority="low",state="visible"}`, "0")
	for _, s := range b.c.Checks() {
		if s.Err != nil {
			t.Errorf("check %s: %v after the queue is there", s.Name, s.Err)
		}
	}
}

// A right that lacks switches its own part off, and is named; the rest goes on.
func TestRightsThatLack(t *testing.T) {
	b := newBench(t, 100, "{elb: auto, sqs: [q]}")
	b.fake.Queue("q")
	b.fake.Deny("ListMetrics", true)
	err := b.minute()
	if err == nil || !strings.Contains(err.Error(), "lacks the right cloudwatch:ListMetrics") {
		t.Errorf("%v; want the right that lacks", err)
	}
	b.want(`aws_sqs_messages{queue="q",state="visible"}`, "0")
	b.fake.Deny("ListMetrics", false)
	b.fake.Lay(elb("www", "HealthyHostCount", always(3)))
	b.minutes(7)
	b.want("aws_elb_healthy_hosts{elb=\"www\"}", "3")
	// What cannot be read any more is told for a while, and then not.
	b.fake.Deny("GetMetricData", true)
	for range 10 {
		_ = b.minute()
	}
	b.want("aws_elb_healthy_hosts{elb=\"www\"}", "3")
	for range 8 {
		_ = b.minute()
	}
	b.want("aws_elb_healthy_hosts{elb=\"www\"}", "-")
	if s := b.c.Checks()[1]; s.Name != "figures" || !s.Blind(b.now) {
		t.Errorf("check %+v; want it blind", s)
	}
}

// Only who leads asks; what it told ends when it does no more.
func TestLead(t *testing.T) {
	b := newBench(t, 100, "{elb: auto}")
	b.fake.Lay(elb("www", "HealthyHostCount", always(3)))
	b.minutes(1)
	b.leads = false
	n := len(b.fake.Asked())
	b.minutes(30)
	if len(b.told) != 0 || len(b.fake.Asked()) != n || !strings.Contains(fmt.Sprint(b.c.Notes()), "another router does") {
		t.Errorf("told %v, asked %d more, notes %q; want nothing, and why", b.told, len(b.fake.Asked())-n, b.c.Notes())
	}
	b.leads = true
	b.minutes(1)
	b.want("aws_elb_healthy_hosts{elb=\"www\"}", "3")
	off, err := Spec.New(collectors.Env{Options: Spec.Options})
	if err != nil {
		t.Fatal(err)
	}
	if err := off.Collect(t.Context(), &metric.Batch{}); !errors.Is(err, collectors.ErrAbsent) {
		t.Errorf("off: %v; want it absent", err)
	}
}

// resourcesOf makes n resources: a tenth balancers, a tenth queues, two tenths databases, the rest functions and volumes.
func resourcesOf(n int) (out []*target) {
	byName := func(name string) *kind {
		for i := range kinds {
			if kinds[i].name == name {
				return &kinds[i]
			}
		}
		panic(name)
	}
	for i := range n {
		k := byName([]string{"elb", "sqs", "rds", "dynamodb", "lambda", "lambda", "lambda", "ebs", "ebs", "ebs"}[i%10])
		out = append(out, k.target([]string{fmt.Sprintf("r%04d", i)}, Pick{Auto: true}))
	}
	return sorted(out)
}

// Forty balancers for $5: the figures that say what users feel of all of them are worth more than all figures of half of them.
func TestBalancersAreReadInPartBeforeOneIsLeftOut(t *testing.T) {
	var ts []*target
	for i := range 40 {
		ts = append(ts, kinds[0].target([]string{fmt.Sprintf("lb%02d", i)}, Pick{Auto: true}))
	}
	p := plans(sorted(ts), 5*time.Minute, 4.9)
	if len(p.left) > 0 || len(p.targets) != 40 || p.dollars > 4.9 {
		t.Errorf("%d of 40 are read for $%.2f, %d left out; want all for at most $4.90", len(p.targets), p.dollars, len(p.left))
	}
	asked := map[string]int{}
	for _, r := range p.due(time.Now()) {
		asked[r.fig.metric]++
	}
	for _, metric := range []string{"SurgeQueueLength", "SpilloverCount", "HealthyHostCount", "Latency"} {
		if asked[metric] != 40 {
			t.Errorf("%s is asked of %d balancers; want all 40", metric, asked[metric])
		}
	}
	if n := asked["RequestCount"]; n == 0 || n == 40 {
		t.Errorf("RequestCount is asked of %d balancers; want those that the budget reaches", n)
	}
	notes := strings.Join(p.notes(5*time.Minute), "\n")
	if !strings.Contains(notes, "READ IN PART, over aws.budget, without HTTPCode_ELB_5XX, RequestCount, UnHealthyHostCount: elb lb") || strings.Contains(notes, "NOT READ") {
		t.Errorf("notes %q; want what is read in part", notes)
	}
	if p = plans(sorted(ts), 5*time.Minute, 3); len(p.left) == 0 || !strings.Contains(strings.Join(p.notes(5*time.Minute), "\n"), "NOT READ, over aws.budget: elb lb39") && len(p.left) <= namedAtMost {
		t.Errorf("for $3 %d are left out; notes %q", len(p.left), p.notes(5*time.Minute))
	}
}

// A month of 40, 400 and 4,000 resources stays within the budget; balancers are kept longest.
func TestAMonthIsWithinTheBudget(t *testing.T) {
	for n, want := range map[int]struct {
		every time.Duration
		left  bool
	}{5: {5 * time.Minute, false}, 40: {9 * time.Minute, false}, 400: {15 * time.Minute, true}, 4000: {15 * time.Minute, true}} {
		ts := resourcesOf(n)
		const room = 4.9
		p := plans(ts, 5*time.Minute, room)
		asked, depths := 0, 0
		now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		for range 730 * 60 {
			asked += len(p.due(now))
			for _, t := range p.targets {
				if t.kind.queue {
					depths++
				}
			}
			now = now.Add(time.Minute)
		}
		dollars := float64(asked)*aws.PriceFigure + float64(depths)*aws.PriceDepth
		if dollars > room || p.interval != want.every || (len(p.left) > 0) != want.left {
			t.Errorf("%d resources: $%.2f, every %v, %d left out; want at most $%v, %v, left out %v", n, dollars, p.interval, len(p.left), room, want.every, want.left)
		}
		for l := range p.left {
			for _, k := range p.targets {
				if k.kind.rank > l.kind.rank {
					t.Fatalf("%d resources: %s is read, and %s is left out", n, k.key(), l.key())
				}
			}
		}
		notes := strings.Join(p.notes(5*time.Minute), "\n")
		if want.left && !strings.Contains(notes, "NOT READ, over aws.budget: ") || p.interval > 5*time.Minute && !strings.Contains(notes, "every "+p.interval.String()) {
			t.Errorf("%d resources: notes %q; want what is not as asked for", n, notes)
		}
		t.Logf("%d resources: $%.2f a month, every %v, %d read, %d left out", n, dollars, p.interval, len(p.targets), len(p.left))
	}
}

func TestOptions(t *testing.T) {
	for text, want := range map[string]string{
		"{elb: auto, sqs: {high: a, low: b}, rds: [x], nat: off}": "",
		"{elb: all}":                "want auto, off, or names",
		"{elb: []}":                 "want auto, off, or names",
		"{elb: {high: x}}":          "a priority is a queue's",
		"{sqs: {high: a, low: a}}":  "both queue a",
		"{every: 30s}":              "every: want whole minutes",
		"{every: 20m}":              "every: want whole minutes",
		"{every: 90s}":              "every: want whole minutes",
		"{s3_age: [{bucket: A_B}]}": "want a bucket's name",
		"{s3_age: [{bucket: abc, older_than: 1m}]}": "outside 1h to 9600h",
	} {
		o := Spec.Options.(Options)
		err := yaml.Unmarshal([]byte(text), &o)
		if err == nil {
			err = o.Validate()
		}
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
		if err == nil {
			back, err := yaml.Marshal(o)
			var again Options
			if err = errors.Join(err, yaml.Unmarshal(back, &again)); err != nil || fmt.Sprint(again.picks()) != fmt.Sprint(o.picks()) {
				t.Errorf("%s is shown as %s, %v", text, back, err)
			}
		}
	}
}

// The age of the newest backup grows between two looks, and a prefix without objects has none.
func TestAgeOfBackups(t *testing.T) {
	b := newBench(t, 100, "{s3_age: [{bucket: backups, prefix: db/, older_than: 26h}, {bucket: backups, prefix: empty/}, {bucket: nobodys}]}")
	for i := range 25 {
		b.fake.Store("backups", awstest.Object{Key: fmt.Sprintf("db/%02d +.gz", i), At: b.now.Add(-time.Duration(25-i) * time.Hour), Size: 10})
	}
	b.fake.Store("backups", awstest.Object{Key: "db/zz/", At: b.now}) // a folder
	b.fake.Page(7)
	err := b.minute()
	if err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("%v; want the bucket that is not there", err)
	}
	b.want(`aws_s3_newest_age_seconds{bucket="backups",prefix="db/"}`, "3600")
	b.want(`aws_s3_objects{bucket="backups",prefix="db/"}`, "25")
	b.want(`aws_s3_newest_limit_seconds{bucket="backups",prefix="empty/"}`, "93600")
	b.want(`aws_s3_newest_age_seconds{bucket="backups",prefix="empty/"}`, "-")
	b.want(`aws_s3_objects{bucket="backups",prefix="empty/"}`, "0")
	b.minutes(5)
	b.want(`aws_s3_newest_age_seconds{bucket="backups",prefix="db/"}`, "3900")
	if n := b.fake.Count("ListObjectsV2"); n != 6 { // four pages, and two
		t.Errorf("%d lists in 6 minutes; want 6", n)
	}
	b.fake.Deny("ListObjectsV2", true)
	b.now = b.now.Add(10 * time.Minute)
	if err := b.minute(); err == nil || !strings.Contains(err.Error(), "lacks the right s3:ListBucket on backups") {
		t.Errorf("%v; want the right that lacks", err)
	}
}
