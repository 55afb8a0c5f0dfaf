package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/alerting"
)

// AWSConfig says where AWS's own words come from. The section aws says who asks.
type AWSConfig struct {
	Queue string    `yaml:"queue"` // URL of the SQS queue that EventBridge, or topics, write to
	SNS   SNSConfig `yaml:"sns"`   // topics that post to us
}

// Validate says what is out of bounds.
func (c AWSConfig) Validate() error {
	var errs []error
	if c.Queue != "" {
		if err := aws.CheckQueue(c.Queue); err != nil {
			errs = append(errs, fmt.Errorf("queue: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Asker is what the queue needs of AWS.
type Asker interface {
	Receive(ctx context.Context, queue string) ([]aws.Message, error)
	Delete(ctx context.Context, queue string, ms []aws.Message) error
	Alarms(ctx context.Context) ([]aws.Alarm, error)
	Skew() time.Duration // of AWS's clock against ours, as the last list of alarms says
}

const (
	// poisonAfter is how often a message that cannot be read comes before it is given up, where no dead-letter queue took it.
	poisonAfter = 6
	// keepEvery is how often what is remembered is written and messages are deleted while many wait.
	keepEvery = time.Second
	fullBatch = 10
	// clocksDiffer is more than the second to which AWS says its time, with the way there.
	clocksDiffer = 5 * time.Second
	leadEvery    = time.Second
)

// CloudQueue reads one queue for as long as this router leads.
type CloudQueue struct {
	ask   Asker
	url   string
	leads func() bool
	open  func() []alerting.Record // incidents, which know alarms of an earlier life

	cloud *cloud
	mu    sync.Mutex
	stats CloudStats
	taken []aws.Message // handled, and not deleted yet
	kept  time.Time
}

// CloudStats are those of a queue.
type CloudStats struct {
	Queue      string      `json:"queue,omitempty"`
	Leads      bool        `json:"leads"`
	Received   uint64      `json:"received"`
	Poison     uint64      `json:"poison"`              // given up: they could not be read, and no dead-letter queue took them
	Reconciled time.Time   `json:"reconciled,omitzero"` // when AWS last said how its alarms are
	Fault      string      `json:"fault,omitempty"`     // why it could not
	Forms      []CloudForm `json:"forms,omitempty"`
}

// CloudQueue makes the reader of the configured queue, which the caller runs.
func (i *Intake) CloudQueue(ask Asker, leads func() bool, open func() []alerting.Record) *CloudQueue {
	q := &CloudQueue{ask: ask, url: i.opts.Config.AWS.Queue, leads: leads, open: open, cloud: i.cloud}
	i.mu.Lock()
	i.queue = q
	i.mu.Unlock()
	return q
}

// Cloud is what came from AWS; ok is false where nothing of it is configured.
func (i *Intake) Cloud() (s CloudStats, ok bool) {
	if !i.opts.Config.cloudWatch() {
		return s, false
	}
	i.mu.Lock()
	q := i.queue
	i.mu.Unlock()
	if q != nil {
		q.mu.Lock()
		s = q.stats
		q.mu.Unlock()
	}
	s.Queue, s.Forms = i.opts.Config.AWS.Queue, i.cloud.list()
	return s, true
}

// GroupIsWhole says that a group has all instances that it wants: that a launch failed is over, though none followed.
func (i *Intake) GroupIsWhole(ctx context.Context, group string, at time.Time) error {
	i.cloud.state.mu.Lock()
	failing := i.cloud.state.known[launchKey(group)].Firing != nil
	i.cloud.state.mu.Unlock()
	if !failing {
		return nil
	}
	in, back := i.cloud.state.own(launchKey(group), alerting.Alarm{}, false, at, at)
	if err := i.cloud.put(ctx, in...); err != nil {
		back()
		return err
	}
	i.cloud.keep()
	return nil
}

// Run reads until ctx ends. Its error is AWS's, and what was read before is not lost: it is repeated, or asked for.
func (q *CloudQueue) Run(ctx context.Context) error {
	for {
		for !q.leading() {
			select {
			case <-time.After(leadEvery):
			case <-ctx.Done():
				return nil
			}
		}
		err := q.lead(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (q *CloudQueue) leading() bool {
	leads := q.leads()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Leads = leads
	return leads
}

// lead reads until this router leads no more.
func (q *CloudQueue) lead(ctx context.Context) error {
	q.cloud.state.recall(q.open())
	if in := q.cloud.state.repeat(); len(in) > 0 {
		if err := q.cloud.put(ctx, in...); err != nil {
			return err
		}
	}
	for ctx.Err() == nil && q.leading() {
		ms, err := q.ask.Receive(ctx, q.url)
		if err == nil && !q.leading() {
			break // they are another router's, which gets them when they show again
		}
		if err == nil {
			err = q.batch(ctx, ms)
		}
		if err == nil && (len(ms) < fullBatch || time.Since(q.kept) >= keepEvery) {
			err = q.flush(ctx)
		}
		if err != nil {
			return errors.Join(err, q.flush(context.WithoutCancel(ctx)))
		}
	}
	return q.flush(context.WithoutCancel(ctx))
}

// batch takes messages. One that cannot be read stays in the queue, which moves it to its dead letters.
func (q *CloudQueue) batch(ctx context.Context, ms []aws.Message) error {
	q.mu.Lock()
	q.stats.Received += uint64(len(ms))
	q.mu.Unlock()
	for _, m := range ms {
		came := m.Sent
		if came.IsZero() {
			came = time.Now()
		}
		err := q.cloud.hears(ctx, []byte(m.Body), came)
		switch {
		case err == nil, errors.Is(err, errUnknownForm):
			q.taken = append(q.taken, m)
		case errors.Is(err, errUnreadable):
			if m.Received < poisonAfter {
				continue
			}
			q.cloud.log.Error("a message of the queue is given up: it cannot be read, and no dead-letter queue took it",
				"id", m.ID, "times", m.Received, "begins", m.Body[:min(len(m.Body), maxWordDetail)], "err", err)
			q.mu.Lock()
			q.stats.Poison++
			q.mu.Unlock()
			q.taken = append(q.taken, m)
		default:
			return err // the router has no room: they come again
		}
	}
	return nil
}

// flush writes what is remembered, and only then deletes what it came from.
func (q *CloudQueue) flush(ctx context.Context) error {
	q.cloud.keep()
	q.kept = time.Now()
	for part := range slices.Chunk(q.taken, fullBatch) {
		if err := q.ask.Delete(ctx, q.url, part); err != nil {
			q.taken = nil // they come again, and say nothing new
			return err
		}
	}
	q.taken = nil
	return nil
}

// Reconcile asks AWS how its alarms are, as soon as this router leads and then every few minutes, until ctx ends. It works where
// the queue does not, and a right that it lacks switches nothing else off.
func (q *CloudQueue) Reconcile(ctx context.Context) error {
	var last time.Time
	for {
		if !q.leading() {
			last = time.Time{}
		} else if time.Since(last) >= aws.ReconcileEvery {
			last = time.Now()
			q.tried(ctx, q.reconcile(ctx))
		}
		select {
		case <-time.After(leadEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// tried notes how it went.
func (q *CloudQueue) tried(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	was := q.stats.Fault
	if q.stats.Fault = ""; err != nil {
		q.stats.Fault = err.Error()
	} else {
		q.stats.Reconciled = time.Now()
	}
	if now := q.stats.Fault; (was == "") != (now == "") {
		q.cloud.log.Warn("CloudWatch's alarms are held against what came", "failing", now != "", "err", err)
	}
}

func (q *CloudQueue) reconcile(ctx context.Context) error {
	q.cloud.state.recall(q.open())
	asked := time.Now()
	list, part := q.ask.Alarms(ctx)
	if part != nil && !errors.Is(part, aws.ErrPart) {
		return part
	}
	if skew := q.ask.Skew(); skew.Abs() > clocksDiffer {
		asked = asked.Add(skew) // what AWS says is dated by its own clock
	}
	all := make([]cloudAlarm, 0, len(list))
	for _, a := range list {
		if a.Changed.IsZero() {
			a.Changed = asked
		}
		if a.ARN != "" && slices.Contains([]string{stateAlarm, stateOK, stateBlind}, a.State) {
			all = append(all, asCloud(a))
		}
	}
	in, back := q.cloud.state.reconcile(all, asked, time.Now(), true)
	for part := range slices.Chunk(in, 500) {
		if err := q.cloud.put(ctx, part...); err != nil {
			back()
			return err
		}
	}
	q.cloud.keep()
	return part
}

// asCloud is an alarm as AWS was asked for it.
func asCloud(a aws.Alarm) cloudAlarm {
	c := cloudAlarm{
		Name: a.Name, ARN: a.ARN, Description: a.Description, State: a.State, Reason: a.Reason, Changed: a.Changed, Contributor: a.Contributor,
		Attributes: a.Attributes,
	}
	for _, m := range a.Metrics {
		dims := map[string]string{}
		for _, d := range m.Dimensions {
			dims[d.Name] = d.Value
		}
		c.addMetric(cloudMetric{m.Namespace, m.Name, dims})
	}
	switch {
	case a.MutedBy != "":
		c.Muted.By = byMuteRule + a.MutedBy
	case a.Suppressed != "":
		c.Muted.By = "its suppressor (" + strings.ToLower(a.Suppressed) + ")"
	case a.Disabled:
		c.Muted.By = actionsOff
	}
	return c
}
