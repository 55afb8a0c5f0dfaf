package rules

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	promrules "github.com/prometheus/prometheus/rules"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting"
)

// played are rules that a test evaluates by itself.
type played struct {
	groups []*promrules.Group
	teller *teller
}

func (p *played) rules() (out []promrules.Rule) {
	for _, g := range p.groups {
		out = append(out, g.Rules()...)
	}
	return out
}

func newPlayed(t *testing.T, st *store.Store, files []string, now func() time.Time, tell func([]alerting.Input)) *played {
	t.Helper()
	external, err := url.Parse("http://b:9600")
	if err != nil {
		t.Fatal(err)
	}
	p := &played{}
	query := promrules.EngineQueryFunc(st.Engine(), st.Queryable())
	p.teller = newTeller(external, tell, &eyes{query: query, list: p.rules}, now)
	m := promrules.NewManager(&promrules.ManagerOptions{
		GroupLoader:          loader{},
		NameValidationScheme: model.UTF8Validation, ExternalURL: external, QueryFunc: query, AppendableV2: st.Appendable(), Queryable: st.Queryable(),
		Context: t.Context(), NotifyFunc: p.teller.notify, ResendDelay: resend, Logger: slog.New(slog.DiscardHandler), Parser: promParser,
	})
	groups, errs := m.LoadGroups(10*time.Second, labels.EmptyLabels(), "http://b:9600", nil, false, files...)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, g := range groups {
		p.groups = append(p.groups, g)
		for _, r := range g.Rules() {
			if a, ok := r.(*promrules.AlertingRule); ok {
				a.SetRestored(true)
			}
		}
	}
	return p
}

// watch is a store with rules of the shipped packs, played second by second.
type watch struct {
	t   *testing.T
	st  *store.Store
	run *played
	now time.Time
	got []alerting.Input
}

func newWatch(t *testing.T, start time.Time, packs ...string) *watch {
	t.Helper()
	w := &watch{t: t, now: start}
	var files []string
	for _, name := range packs {
		all, err := selectPacks([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(file, all[0].Text, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	st, err := store.Open(t.TempDir(), store.Options{
		Retention: time.Hour, RetentionSize: 1 << 30, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w.st = st
	w.run = newPlayed(t, st, files, func() time.Time { return w.now }, func(in []alerting.Input) { w.got = append(w.got, in...) })
	return w
}

// play lets time pass in steps of 10 s; tell appends what collectors say at each.
func (w *watch) play(d time.Duration, tell func(b *metric.Batch)) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(10 * time.Second)
		b := &metric.Batch{Time: w.now}
		tell(b)
		if err := w.st.Append(w.t.Context(), "x", b.Time, b.Samples); err != nil {
			w.t.Fatal(err)
		}
		for _, g := range w.run.groups {
			g.Eval(w.t.Context(), w.now)
		}
		if w.now.Second()%20 == 0 {
			w.run.teller.again(w.t.Context())
		}
	}
}

// last is what was said last of a rule's alarm.
func (w *watch) last(rule string) (fires bool, a alerting.Alarm, at int) {
	of := map[string]alerting.Alarm{}
	for n, i := range w.got {
		switch i := i.(type) {
		case alerting.Firing:
			of[i.Alarm.Fingerprint()] = i.Alarm
			if i.Alarm.Rule() == rule {
				fires, a, at = true, i.Alarm, n
			}
		case alerting.Ended:
			if of[i.Fingerprint].Rule() == rule {
				fires, at = false, n
			}
		}
	}
	return fires, a, at
}

var (
	descReady     = &metric.Desc{Name: "rabbitmq_queue_messages_ready"}
	descWatched   = &metric.Desc{Name: "rabbitmq_queue_watched"}
	descConsumers = &metric.Desc{Name: "rabbitmq_queue_consumers"}
	descBlind     = &metric.Desc{Name: "binnacle_check_blind_seconds"}
)

func unread(b *metric.Batch, ready, consumers float64) {
	kv := []string{"node", "n1", "cluster", "c", "vhost", "/", "queue", "events"}
	b.Add(descReady, ready, kv...)
	b.Add(descWatched, 1, kv...)
	b.Add(descConsumers, consumers, kv...)
}

// blindFor says that the check of queues has not answered for d.
func blindFor(b *metric.Batch, d time.Duration) {
	b.Add(descBlind, d.Seconds(), "node", "n1", "collector", "rabbitmq", "check", "queue_metrics")
}

// TestWhatCannotBeSeenStaysAsItWas: the plugin that tells of queues is switched off while 302,252 messages are unread.
func TestWhatCannotBeSeenStaysAsItWas(t *testing.T) {
	const rule = "RabbitMQQueueUnread"
	start := time.Now().Add(-2 * time.Hour).Truncate(time.Minute)
	begin := func(t *testing.T) *watch {
		w := newWatch(t, start, "rabbitmq")
		w.play(5*time.Minute, func(b *metric.Batch) { unread(b, 302_252, 0); blindFor(b, 0) })
		if fires, _, _ := w.last(rule); !fires {
			t.Fatal("it never fired")
		}
		return w
	}
	// off lets the plugin be off for d.
	off := func(w *watch, d time.Duration) {
		since := w.now
		w.play(d, func(b *metric.Batch) {
			blind := w.now.Sub(since)
			if blind < 30*time.Second {
				blind = 0
			}
			blindFor(b, blind)
		})
	}
	t.Run("blind for long", func(t *testing.T) {
		w := begin(t)
		off(w, 20*time.Minute)
		fires, a, at := w.last(rule)
		if !fires || !strings.Contains(a.Annotations[alerting.AnnotationNotSeen], "no answer of queue_metrics of rabbitmq on n1") {
			t.Errorf("blind: fires %v, %v; want it frozen", fires, a.Annotations)
		}
		if n := len(w.got) - at; n > 1+len(w.got)/4 && a.EndsAt.Before(w.now) {
			t.Errorf("it was not repeated: its end is %v at %v", a.EndsAt, w.now)
		}
		w.play(10*time.Minute, func(b *metric.Batch) { unread(b, 302_252, 0); blindFor(b, 0) })
		if fires, a, _ := w.last(rule); !fires || a.Annotations[alerting.AnnotationNotSeen] != "" {
			t.Errorf("seen again and unread: fires %v, %v; want it as before", fires, a.Annotations)
		}
		for _, i := range w.got {
			if _, ended := i.(alerting.Ended); ended {
				t.Errorf("something ended: %+v", i)
			}
		}
	})
	t.Run("read meanwhile", func(t *testing.T) {
		w := begin(t)
		off(w, 20*time.Minute)
		w.play(10*time.Minute, func(b *metric.Batch) { unread(b, 3, 1); blindFor(b, 0) })
		if fires, _, _ := w.last(rule); fires {
			t.Error("seen again and read: it fires; want its end")
		}
	})
	t.Run("read, all the while seen", func(t *testing.T) {
		w := begin(t)
		w.play(2*time.Minute, func(b *metric.Batch) { unread(b, 3, 1); blindFor(b, 0) })
		if fires, _, _ := w.last(rule); fires {
			t.Error("read: it fires; want its end at once")
		}
	})
	t.Run("the queue is gone, and every check answers", func(t *testing.T) {
		w := begin(t)
		w.play(5*time.Minute, func(b *metric.Batch) { blindFor(b, 0) })
		if fires, _, _ := w.last(rule); fires {
			t.Error("gone: it fires; want its end")
		}
	})
	t.Run("another collector is blind", func(t *testing.T) {
		w := begin(t)
		w.play(5*time.Minute, func(b *metric.Batch) {
			unread(b, 3, 1)
			b.Add(descBlind, 600, "node", "n1", "collector", "riak", "check", "stats")
		})
		if fires, _, _ := w.last(rule); fires {
			t.Error("read: it fires; want its end")
		}
	})
	t.Run("an earlier life told of it", func(t *testing.T) {
		w := begin(t)
		_, a, _ := w.last(rule)
		off(w, 20*time.Minute)
		w.run.teller.known, w.run.teller.held = map[string]bool{}, map[string]*held{}
		expr := ""
		for _, r := range w.run.rules() {
			if r.Name() == rule {
				expr = r.Query().String()
			}
		}
		if !w.run.teller.keep(a, expr, time.Minute) || !w.run.teller.firing(a.Fingerprint()) {
			t.Error("after a restart it is ended; want it frozen")
		}
		w.play(10*time.Minute, func(b *metric.Batch) { unread(b, 3, 1); blindFor(b, 0) })
		if fires, _, _ := w.last(rule); fires {
			t.Error("seen again and read: it fires; want its end")
		}
	})
}

func TestWhatIsBehindUnlessEndsNothing(t *testing.T) {
	for expr, want := range map[string]string{
		"up == 0 unless planned": "up",
		"(a > 0 unless on (node) (b or c)) and max_over_time(d[1m:10s]) > 0": "a d",
		"(x unless (y unless z)) or last_over_time(w[5m])":                   "x w",
		"sum(rate(a[1m])) / b": "a b",
	} {
		x, err := promParser.ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(selected(x), " "); got != want {
			t.Errorf("%s: %s; want %s", expr, got, want)
		}
	}
}
