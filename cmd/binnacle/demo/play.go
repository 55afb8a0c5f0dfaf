package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/collectors/collectorstest"
)

// step is one thing that happens at its time.
type step struct {
	at    time.Duration
	text  string // told on the screen; empty: nothing is
	do    func(p *play) error
	pages int // that must have been sent before: on a slow machine the script waits for them
}

// patience is how long the script waits for pages, in all.
const patience = time.Minute

// script is the incident. The disk fills first, and while its page waits the network between two zones is cut,
// which is worse and overtakes it. The times are those of the demo, from its start.
var script = []step{
	{6 * time.Second, "The disk of riak1 fills, one per cent a second.", func(p *play) error {
		p.w.riak.Play(collectorstest.RiakDiskFilling)
		return nil
	}, 0},
	{16 * time.Second, "The network between zone eu-west-1b and the others is cut: n2 is on its own.", func(p *play) error {
		p.w.rabbitmq.Play("partition-cut-unnoticed")
		p.cut(apis[1])
		return nil
	}, 0},
	{17 * time.Second, "RabbitMQ's own time-out passes: both sides go on alone.", func(p *play) error {
		p.w.rabbitmq.Play("partition-ignore-cut-noticed")
		return nil
	}, 0},
	{42 * time.Second, "The network is whole again; RabbitMQ stays split until its smaller side is started again.", func(p *play) error {
		p.w.rabbitmq.Play("partition-ignore-healed")
		p.cut()
		return nil
	}, 1},
	{48 * time.Second, "", func(p *play) error {
		p.screen.say("%s api-c is killed (pid %d).", p.clock(), p.fleet.killNode(2))
		return nil
	}, 0},
	{54 * time.Second, "Its group replaces api-c.", func(p *play) error { return p.fleet.startNode(2) }, 0},
	{60 * time.Second, "riak1 got more space.", func(p *play) error {
		p.w.riak.Play("healthy")
		return nil
	}, 2},
	{70 * time.Second, "", func(p *play) error { p.board(); return nil }, 0},
	{75 * time.Second, "RabbitMQ on n2 was started again: one cluster.", func(p *play) error {
		p.w.rabbitmq.Play("healthy")
		return nil
	}, 0},
	{76 * time.Second, "", func(p *play) error { p.evidence(); return nil }, 0},
}

// flapping is when the check on the bastion comes and goes.
const (
	flapFrom  = 12 * time.Second
	flapUntil = 72 * time.Second
	flapEvery = 6 * time.Second
)

// play is the demo under way.
type play struct {
	w       *world
	screen  *screen
	station *agent.Agent
	fleet   *fleet
	begun   time.Time
	verdict *verdict

	mu   sync.Mutex
	news []told // what the pager was told and nobody has shown yet

	raw      map[string]bool // alarms seen, each start for itself
	firing   int
	probe    bool      // the clients' check is critical
	missed   int       // events that clients have missed so far
	missedAt time.Time // when that last rose
	misses   int       // looks in a row at which it had risen
	flaps    int
	resolved time.Time // last look at which the demo was not over
	acked    map[string]bool
	lost     []string // at the end: what was lost, and why
	memory   int64    // resident, bytes
}

// told is one call to the pager and its answer.
type told struct {
	at     time.Time
	action alerting.Action
	result alerting.Result
}

func (p *play) clock() string {
	d := time.Since(p.begun).Truncate(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// cut parts one node of NavCloud from the others, or none. A real broker is left alone.
func (p *play) cut(names ...string) {
	switch {
	case p.w.bus == nil:
	case len(names) == 0:
		p.w.bus.Cut()
	default:
		p.w.bus.Cut(names)
	}
}

// quiet is how long nothing may have happened, after the last resolve, for a headless demo to end: a page too many
// would have come by then.
const quiet = 8 * time.Second

// over says whether everything that was paged has been resolved for as long as quiet.
func (p *play) over() bool {
	if p.resolved.IsZero() || p.open() {
		p.resolved = time.Now()
		return false
	}
	return time.Since(p.resolved) >= quiet
}

// open says whether the pager has an incident that is not resolved.
func (p *play) open() bool {
	return slices.ContainsFunc(p.w.pagerduty.Incidents(), func(in alertingtest.Incident) bool { return in.Status != "resolved" })
}

// run plays the script and shows what happens, until ctx ends or, headless, until it is over.
func (p *play) run(ctx context.Context, headless bool) error {
	p.raw, p.acked = map[string]bool{}, map[string]bool{}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	next, second := 0, 0
	var late time.Duration // how long the script has waited for pages
	for {
		since := time.Since(p.begun)
		for next < len(script) && script[next].at+late <= since {
			if len(p.verdict.pages) < script[next].pages && late < patience {
				late = since - script[next].at + time.Millisecond
				break
			}
			if script[next].text != "" {
				p.screen.say("%s %s", p.clock(), script[next].text)
			}
			if err := script[next].do(p); err != nil {
				return err
			}
			next++
		}
		if s := int(since / time.Second); s != second {
			second = s
			if err := p.eachSecond(ctx, since); err != nil && ctx.Err() == nil {
				return err
			}
		}
		p.show(ctx)
		if headless && next == len(script) && p.over() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// eachSecond counts, and posts what is checked from outside. Its error is a node that ended unasked.
func (p *play) eachSecond(ctx context.Context, since time.Duration) error {
	if now, err := p.view(ctx); err == nil {
		p.count(now.View)
	}
	if err := errors.Join(p.check(ctx, since), p.flap(ctx, since)); err != nil && ctx.Err() == nil {
		p.screen.say("%s %v", p.clock(), err)
	}
	p.screen.counts(p.line())
	return p.fleet.dead()
}

// check is the clients' own check of the service: whether every change reaches every device of its user. It is a
// Nagios result like that of any other prober.
func (p *play) check(ctx context.Context, since time.Duration) error {
	r := p.fleet.last()
	if r.Missed > p.missed {
		p.missed, p.missedAt, p.misses = r.Missed, time.Now(), p.misses+1
	} else if time.Since(p.missedAt) > 3*time.Second {
		p.misses = 0
	}
	bad := p.misses >= 5 // looks in a row: one says nothing yet
	if bad == p.probe || since < 5*time.Second {
		return nil
	}
	c := intake.CheckResult{
		Host: "navcloud", Service: "NavCloudEventsMissed", Output: "every change reaches every device of its user",
		Labels: map[string]string{
			alerting.LabelEntity: serviceID, alerting.LabelService: "navcloud", alerting.LabelKind: "symptom",
			alerting.LabelLayer: "symptom", alerting.LabelImpact: "users",
		},
	}
	if bad {
		c.Exit, c.Output = 2, "Devices miss changes"
	}
	p.probe = bad
	return p.post(ctx, c)
}

// flap posts a check that comes and goes.
func (p *play) flap(ctx context.Context, since time.Duration) error {
	if since < flapFrom {
		return nil
	}
	want := int((since - flapFrom) / flapEvery)
	if since > flapUntil {
		want = int((flapUntil-flapFrom)/flapEvery) | 1 // the last result is good
	}
	if p.flaps > want {
		return nil
	}
	p.flaps = want + 1
	c := intake.CheckResult{Host: bastion, Service: "ssh", Output: "SSH OK", Labels: map[string]string{alerting.LabelKind: "latency"}}
	if want%2 == 0 {
		c.Exit, c.Output = 2, "ssh on the bastion does not answer within 10 s"
	}
	return p.post(ctx, c)
}

func (p *play) post(ctx context.Context, c intake.CheckResult) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.w.listen+intake.PathCheckResult, bytes.NewReader(b))
	if err != nil {
		return err
	}
	return ask(req, nil)
}

// settling is how long the demo waits, before it says where its pages are, for all streams to be counted.
const settling = 15 * time.Second

// settle waits until the pages show what the demo says, so that nobody sees 400 of its 600 streams.
func (p *play) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for p.counted(ctx) != streams && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// counted is how many streams the nodes have reported since the demo began, by what the store of the agent answers.
func (p *play) counted(ctx context.Context) int {
	q := url.Values{"query": {fmt.Sprintf("sum(navcloud_streams_open and timestamp(navcloud_streams_open) > %d)", p.begun.Unix())}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.w.listen+"/api/v1/query?"+q.Encode(), nil)
	if err != nil {
		return 0
	}
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any
			}
		}
	}
	if err := ask(req, &answer); err != nil || len(answer.Data.Result) == 0 {
		return 0
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return int(n)
}

// view is what the router thinks now.
func (p *play) view(ctx context.Context) (now dispatch.Now, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.w.listen+"/api/v1/view", nil)
	if err == nil {
		err = ask(req, &now)
	}
	return now, err
}

var client = &http.Client{Timeout: 5 * time.Second}

func ask(req *http.Request, into any) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, bytes.TrimSpace(body))
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

// count notes every alarm that was not seen before.
func (p *play) count(v alerting.View) {
	p.firing = v.Firing
	for _, pr := range v.Problems {
		p.raw[pr.Root.Fingerprint()+pr.Since.String()] = true
		for _, e := range pr.Explained {
			p.raw[e.Alarm.Fingerprint()+e.Since.String()] = true
		}
	}
}
