package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/alerting"
)

// fakeQueue holds messages as SQS does: what was received is hidden for a minute, and comes again until it is deleted.
type fakeQueue struct {
	mu      sync.Mutex
	ms      []aws.Message
	hidden  map[string]time.Time
	dead    int
	deleted int
	redrive int // receptions after which a message goes to the dead letters; 0: never
	fail    error
	alarms  []aws.Alarm
	skew    time.Duration
	asked   int
}

func (f *fakeQueue) Skew() time.Duration { return f.skew }

func (f *fakeQueue) send(bodies ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range bodies {
		f.ms = append(f.ms, aws.Message{ID: fmt.Sprint(len(f.ms)), Body: b, Sent: time.Now()})
	}
}

func (f *fakeQueue) take() (out []aws.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for i := 0; i < len(f.ms) && len(out) < 10; i++ {
		m := &f.ms[i]
		if m.Body == "" || f.hidden[m.ID].After(now) {
			continue
		}
		if m.Received++; f.redrive > 0 && m.Received > f.redrive {
			m.Body = ""
			f.dead++
			continue
		}
		f.hidden[m.ID] = now.Add(time.Minute)
		m.Receipt = m.ID
		out = append(out, *m)
	}
	return out
}

func (f *fakeQueue) Receive(ctx context.Context, _ string) ([]aws.Message, error) {
	f.mu.Lock()
	err := f.fail
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(aws.PollWait); ; {
		if out := f.take(); len(out) > 0 || !time.Now().Before(end) {
			return out, nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *fakeQueue) Delete(_ context.Context, _ string, ms []aws.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range ms {
		for i := range f.ms {
			if f.ms[i].ID == m.Receipt && f.ms[i].Body != "" {
				f.ms[i].Body = ""
				f.deleted++
			}
		}
	}
	return nil
}

func (f *fakeQueue) Alarms(context.Context) ([]aws.Alarm, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.alarms, f.fail
}

func (f *fakeQueue) left() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.ms {
		if m.Body != "" {
			n++
		}
	}
	return n
}

// queueOf runs a reader of f until the test's bubble is to end.
func queueOf(t *testing.T, f *fakeQueue, b *board, leads func() bool) (*Intake, *CloudQueue, func()) {
	t.Helper()
	f.hidden = map[string]time.Time{}
	i := New(Options{Put: b.put, Config: Config{AWS: AWSConfig{Queue: "https://sqs.eu-west-1.amazonaws.com/1/q"}}, Folder: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	q := i.CloudQueue(f, leads, func() []alerting.Record { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = q.Reconcile(ctx) })
	wg.Go(func() {
		for ctx.Err() == nil {
			if q.Run(ctx) != nil {
				time.Sleep(time.Second) // as the agent's roster does
			}
		}
	})
	return i, q, func() { cancel(); wg.Wait() }
}

func always() bool { return true }

// A backlog of 10,000 with duplicates, in no order, and poison in it: what fires at last is what the newest word of each says.
func TestABacklogOfTenThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const alarms, rounds = 500, 10
		rng := rand.New(rand.NewPCG(1, 2))
		var bodies []string
		want := map[string]bool{}
		begin := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
		for a := range alarms {
			arn := fmt.Sprintf("arn:aws:cloudwatch:eu-west-1:1:alarm:a%d", a)
			for r := range rounds {
				state := []string{"ALARM", "OK"}[rng.IntN(2)]
				want[arn] = state == "ALARM"
				body := event("CloudWatch Alarm State Change", arn, fmt.Sprintf(`{"alarmName":"a%d","state":{"value":%q,"timestamp":%q}}`,
					a, state, begin.Add(time.Duration(r)*time.Minute).UTC().Format("2006-01-02T15:04:05.000-0700")))
				bodies = append(bodies, body, body)
			}
		}
		for range 20 {
			bodies = append(bodies, "poison")
		}
		rng.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
		f, b := &fakeQueue{redrive: 5}, newBoard()
		f.send(bodies...)
		i, _, end := queueOf(t, f, b, always)
		defer end()
		time.Sleep(10 * time.Minute)
		firing := 0
		for _, is := range want {
			if is {
				firing++
			}
		}
		if b.count() != firing || f.left() != 0 || f.dead != 20 || f.deleted != 2*alarms*rounds {
			t.Errorf("%d fire, %d left, %d dead, %d deleted; want %d, 0, 20, %d", b.count(), f.left(), f.dead, f.deleted, firing, 2*alarms*rounds)
		}
		for _, a := range b.alarms {
			if !want[a.Labels["alarm_arn"]] {
				t.Errorf("%s fires; its last word was OK", a.Labels["alarm_arn"])
			}
		}
		if s, _ := i.Cloud(); s.Received < uint64(len(bodies)) || !s.Leads || s.Reconciled.IsZero() {
			t.Errorf("status %+v", s)
		}
	})
}

// Without a dead-letter queue poison is given up in the end, and told.
func TestPoisonIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := &fakeQueue{}, newBoard()
		f.send("poison", stateOf("ALARM", "2026-11-29T10:00:00.000+0000", ""))
		i, _, end := queueOf(t, f, b, always)
		defer end()
		time.Sleep(3 * time.Minute)
		if f.left() != 1 || b.count() != 1 {
			t.Errorf("%d left, %d fire; want the poison alone, and the alarm", f.left(), b.count())
		}
		time.Sleep(10 * time.Minute)
		if s, _ := i.Cloud(); f.left() != 0 || s.Poison != 1 {
			t.Errorf("%d left, %d given up; want 0, 1", f.left(), s.Poison)
		}
	})
}

// A router that leads no more takes nothing, and the one that leads then knows what the other took.
func TestOnlyWhoLeadsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := &fakeQueue{}, newBoard()
		leads := false
		var mu sync.Mutex
		_, _, end := queueOf(t, f, b, func() bool { mu.Lock(); defer mu.Unlock(); return leads })
		defer end()
		f.send(stateOf("ALARM", "2026-11-29T10:00:00.000+0000", ""))
		time.Sleep(time.Minute)
		if b.count() != 0 || f.left() != 1 || f.asked != 0 {
			t.Errorf("%d fire, %d left, asked %d; want nothing touched", b.count(), f.left(), f.asked)
		}
		mu.Lock()
		leads = true
		mu.Unlock()
		time.Sleep(30 * time.Second)
		if b.count() != 1 || f.left() != 0 || f.asked != 1 {
			t.Errorf("%d fire, %d left, asked %d; want the alarm taken and AWS asked", b.count(), f.left(), f.asked)
		}
		mu.Lock()
		leads = false
		mu.Unlock()
		time.Sleep(time.Minute)
		f.send(stateOf("OK", "2026-11-29T10:01:00.000+0000", ""))
		time.Sleep(time.Minute)
		if b.count() != 1 || f.left() != 1 {
			t.Errorf("%d fire, %d left; want the word kept for who leads", b.count(), f.left())
		}
	})
}

// AWS that throttles, or refuses a key, delays and loses nothing.
func TestAWSThatRefusesDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := &fakeQueue{fail: errors.New("ExpiredToken")}, newBoard()
		f.send(stateOf("ALARM", "2026-11-29T10:00:00.000+0000", ""))
		i, _, end := queueOf(t, f, b, always)
		defer end()
		time.Sleep(2 * time.Minute)
		if s, _ := i.Cloud(); b.count() != 0 || s.Fault == "" {
			t.Errorf("%d fire, fault %q; want none and the fault", b.count(), s.Fault)
		}
		f.mu.Lock()
		f.fail = nil
		f.mu.Unlock()
		time.Sleep(6 * time.Minute)
		if s, _ := i.Cloud(); b.count() != 1 || s.Fault != "" {
			t.Errorf("%d fire, fault %q; want 1 and none", b.count(), s.Fault)
		}
	})
}

// What was lost on the way is found within five minutes: a start, an end, a deletion, a contributor.
func TestReconcile(t *testing.T) {
	at := func(m int) time.Time { return time.Now().Add(time.Duration(m-60) * time.Minute) }
	arn := func(n string) string { return "arn:aws:cloudwatch:eu-west-1:1:alarm:" + n }
	alarm := func(n, state string, m int) cloudAlarm {
		return cloudAlarm{Name: n, ARN: arn(n), State: state, Changed: at(m)}
	}
	part := func(n, id string, m int) cloudAlarm {
		c := alarm(n, stateAlarm, m)
		c.Contributor = id
		return c
	}
	b := newBoard()
	var w cloudWatch
	apply := func(in []alerting.Input, _ undo) { _ = b.put(t.Context(), in...) }
	for _, c := range []cloudAlarm{
		alarm("stays", stateAlarm, 1), alarm("ended", stateAlarm, 1), alarm("deleted", stateAlarm, 1), part("parts", "a", 1), part("parts", "b", 1),
		{Name: "far", ARN: "arn:aws:cloudwatch:us-east-1:2:alarm:far", State: stateAlarm, Changed: at(1)},
	} {
		apply(w.input(c, c.Changed))
	}
	late := alarm("late", stateAlarm, 61) // it came after AWS was asked
	apply(w.input(late, late.Changed))
	off := alarm("off", stateAlarm, 2)
	off.Muted.By = actionsOff
	all := []cloudAlarm{alarm("stays", stateAlarm, 1), alarm("ended", stateOK, 5), alarm("lost", stateAlarm, 5), part("parts", "b", 1), alarm("parts", stateAlarm, 1), off, alarm("calm", stateOK, 1)}
	apply(w.reconcile(all, at(60), time.Now(), true))
	got := map[string]bool{}
	for _, a := range b.alarms {
		got[a.Rule()+a.Labels["alarm_contributor"]] = true
	}
	for _, name := range []string{"stays", "lost", "partsb", "far", "late", "off"} {
		if !got[name] {
			t.Errorf("%s does not fire: %v", name, got)
		}
		delete(got, name)
	}
	if len(got) != 0 || len(b.silences) != 1 {
		t.Errorf("%v fire too, %d silences; want none, and one for what is switched off", got, len(b.silences))
	}
	n := len(b.got)
	apply(w.reconcile(all, at(60), time.Now(), true))
	if len(b.got) != n {
		t.Errorf("the same again says %+v; want nothing", b.got[n:])
	}
	apply(w.reconcile(all, at(60+24*60), at(60+13*60), true))
	if s := b.got[len(b.got)-1]; len(b.got) == n {
		t.Error("a mute without an end was not prolonged")
	} else if _, ok := s.(alerting.Silenced); !ok && len(b.got) == n+1 {
		t.Errorf("%+v; want the mute prolonged", s)
	}
	// Contributors that nobody could be asked for are not ended.
	before := b.count()
	apply(w.reconcile([]cloudAlarm{alarm("parts", stateAlarm, 1)}, at(60+25*60), at(60+25*60), true))
	ended := false
	for _, a := range b.alarms {
		ended = ended || a.Labels["alarm_contributor"] == "b"
	}
	if !ended || b.count() > before {
		t.Errorf("contributor b: %v, %d alarms; want it to fire on", ended, b.count())
	}
}

func TestConfigOfAWS(t *testing.T) {
	for url, ok := range map[string]bool{
		"": true,
		"https://sqs.eu-west-1.amazonaws.com/1234/q":   true,
		"http://127.0.0.1:4566/000000000000/q":         true,
		"https://sqs.eu-west-1.amazonaws.com/1234":     false,
		"https://sqs.eu-west-1.amazonaws.com/1/q.fifo": false,
		"arn:aws:sqs:eu-west-1:1234:q":                 false,
		"https://u:p@sqs.eu-west-1.amazonaws.com/1/q":  false,
	} {
		if err := (AWSConfig{Queue: url}).Validate(); (err == nil) != ok {
			t.Errorf("%q: %v; want valid: %v", url, err, ok)
		}
	}
	c := Config{SNS: SNSConfig{Topics: []string{"a"}}, AWS: AWSConfig{SNS: SNSConfig{Topics: []string{"b"}, RequireV2: true}}}
	if got := c.topics(); len(got.Topics) != 2 || !got.RequireV2 {
		t.Errorf("topics %+v; want both, and version 2 required", got)
	}
}
