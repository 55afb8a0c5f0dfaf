package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/collectors/collectorstest/rabbitmqrig"
)

// situation is one row of the table: what is done to a real cluster of three, and what a person is sent. What it waits for is a
// state, since a busy machine takes its time.
type situation struct {
	name     string
	handling string // what the brokers do in a partition: ignore, pause_minority, autoheal
	quick    bool   // played by make test; make rig plays all
	last     bool   // the brokers are not whole after it: nothing can follow
	play     func(p *play)
	pages    []page // that open, in order; with none nobody is sent anything
	one      []page // of which exactly one opens, whichever is told first
	maybe    []page // that may open besides, as it falls
}

// page is an incident as it opens.
type page struct{ priority, rule, subject, title string }

func (w page) is(c alertingtest.Call) bool {
	return strings.Contains(c.Key, ":"+w.rule+":"+w.subject) && strings.HasPrefix(c.Summary, w.priority+" ") && strings.Contains(c.Summary, w.title)
}

// play is a situation that is played.
type play struct {
	*testing.T
	c     *rabbitmqrig.Cluster
	f     *realFleet
	units string // folder of what a service manager would say of each node
	begin time.Time
}

// stateLimit is how long any state may take to come: ten times as long as on a machine with nothing else to do.
const stateLimit = 10 * time.Minute

func (p *play) do(err error) {
	p.Helper()
	must(p.T, err)
	p.begin = time.Now()
}

// until waits for a state, counted from what was done last.
func (p *play) until(what string, holds func() bool) {
	p.Helper()
	p.f.until(p.T, what, p.begin, stateLimit, holds)
}

// in says whether the nodes are in these states; "" is any.
func (p *play) in(states ...string) func() bool {
	return func() bool {
		p.f.mu.Lock()
		defer p.f.mu.Unlock()
		for i, s := range states {
			if s != "" && p.f.state[i+1] != s {
				return false
			}
		}
		return true
	}
}

func (p *play) whole() bool {
	const side = "n1+n2+n3"
	return p.f.all("running", side, side, side) && p.f.connected()
}

// fires says whether an alarm of this rule fires about a node: a P3 is on the board, and wakes nobody.
func (p *play) fires(rule, node string) func() bool {
	return func() bool {
		return p.f.value(p.T, fmt.Sprintf(`count(ALERTS{alertname=%q,node=%q,alertstate="firing"})`, rule, node)) > 0
	}
}

// back waits until all is whole after a heal. RabbitMQ 3.10 may leave the application of a node stopped for good then; its page
// must come, and what its guidance says must help.
func (p *play) back(n int) {
	p.Helper()
	fires := func() bool {
		return p.f.value(p.T, `count(ALERTS{alertname="RabbitMQAppNotBack",alertstate="firing"})`) > 0
	}
	p.until("back, or told that it is not", func() bool { return p.whole() || fires() })
	if !fires() {
		return
	}
	p.until("its own page", func() bool {
		return slices.ContainsFunc(p.f.opened(), func(c alertingtest.Call) bool { return strings.Contains(c.Key, ":RabbitMQAppNotBack:") })
	})
	p.operator(n, "timeout 60 rabbitmqctl stop_app && rabbitmqctl start_app || true")
	p.do(nil)
	if !p.in("running", "running", "running")() {
		p.do(p.c.Signal(n, syscall.SIGKILL))
		must(p.T, p.c.Wait(p.Context(), n))
		p.do(p.c.Boot(n))
	}
	p.until("whole", p.whole)
}

func (p *play) opened(n int) func() bool {
	return func() bool { return len(p.f.opened()) >= n }
}

// titled says whether an incident's title has text in it.
func (p *play) titled(text string) func() bool {
	return func() bool {
		return slices.ContainsFunc(p.f.pd.Incidents(), func(in alertingtest.Incident) bool { return strings.Contains(in.Title, text) })
	}
}

// operator runs a command line at a node, as the guidance of a page says it, and wants it to end well.
func (p *play) operator(n int, line string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 2*time.Minute)
	defer cancel()
	out, err := p.c.Command(ctx, n, line)
	if err != nil {
		p.Errorf("n%d: %v", n, err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	p.Logf("n%d$ %s: %.120s", n, line, first)
}

// unit sets what the service manager says of a node.
func (p *play) unit(n int, active string) {
	p.Helper()
	text := "LoadState=loaded\nActiveState=" + active + "\nResult=success\n"
	must(p.T, os.WriteFile(filepath.Join(p.units, fmt.Sprintf("n%d", n)), []byte(text), 0o600))
}

// quiet waits until nobody was sent anything for a while, so that what else may come has come.
func (p *play) quiet(d time.Duration) {
	p.Helper()
	last, since := len(p.f.opened()), time.Now()
	p.f.until(p.T, "nothing more is sent for "+d.String(), time.Now(), stateLimit+d, func() bool {
		if n := len(p.f.opened()); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) >= d
	})
}

// opened are the calls that opened incidents.
func (f *realFleet) opened() []alertingtest.Call {
	return slices.DeleteFunc(f.pd.Calls(), func(c alertingtest.Call) bool { return !c.Opened })
}

// TestRealSituations plays the table, all situations of one handling on one cluster, each with an agent of its own that knows
// nothing of the one before. BINNACLE_RIG plays all of it, BINNACLE_RIG=cut,frozen those with one of
// these in their name.
func TestRealSituations(t *testing.T) {
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("real brokers are started only where BINNACLE_REAL is set")
	}
	if err := rabbitmqrig.Available(); err != nil {
		t.Skip(err)
	}
	for _, handling := range []string{"autoheal", "pause_minority", "ignore"} {
		tick := 8 * time.Second
		if handling == "ignore" {
			tick = time.Minute
		}
		rows := slices.DeleteFunc(slices.Concat(situations, orders, sequences), func(s situation) bool { return s.handling != handling || !wantedHere(s) })
		if len(rows) == 0 {
			continue
		}
		t.Run(handling, func(t *testing.T) {
			c, err := rabbitmqrig.Start(t.Context(), t.TempDir(), rabbitmqrig.Options{Handling: handling, Tick: tick})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
			ctx, cancel := context.WithCancel(context.Background())
			wait := c.Load(ctx)
			t.Cleanup(func() { cancel(); wait() })
			for _, s := range rows {
				if !t.Run(s.name, func(t *testing.T) { playSituation(t, c, s) }) && s.last {
					return
				}
			}
		})
	}
}

func wantedHere(s situation) bool {
	switch only := os.Getenv("BINNACLE_RIG"); only {
	case "":
		return s.quick
	case "1":
		return true
	default:
		return slices.ContainsFunc(strings.Split(only, ","), func(part string) bool { return strings.Contains(s.name, part) })
	}
}

func playSituation(t *testing.T, c *rabbitmqrig.Cluster, s situation) {
	p := &play{T: t, c: c, units: t.TempDir(), begin: time.Now()}
	for n := 1; n <= rabbitmqrig.Size; n++ {
		p.unit(n, "active")
	}
	p.f = newRealFleet(t, c, p.units)
	p.until("healthy", p.whole)
	p.quiet(15 * time.Second) // the graph of the fleet is made of what was collected
	if in := p.f.opened(); len(in) > 0 {
		t.Fatalf("healthy, and paged: %+v", in)
	}
	broken := time.Now()
	s.play(p)
	p.quiet(20 * time.Second)
	if !p.whole() {
		t.Error("not whole at the end")
	}
	got := p.f.opened()
	for _, call := range got {
		t.Logf("sent after %.1f s: %s (%s)", call.At.Sub(broken).Seconds(), call.Summary, call.Key)
	}
	for _, in := range p.f.pd.Incidents() {
		t.Logf("now %s: %s", in.Status, in.Title)
	}
	for _, w := range s.pages {
		i := slices.IndexFunc(got, w.is)
		if i < 0 {
			t.Errorf("nobody was sent %+v", w)
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	if len(s.one) > 0 {
		i := slices.IndexFunc(got, func(c alertingtest.Call) bool {
			return slices.ContainsFunc(s.one, func(w page) bool { return w.is(c) })
		})
		if i < 0 {
			t.Errorf("nobody was sent one of %+v", s.one)
		} else {
			got = slices.Delete(got, i, i+1)
		}
	}
	for _, call := range got {
		if !slices.ContainsFunc(s.maybe, func(w page) bool { return w.is(call) }) {
			t.Errorf("nobody wants %q, %s", call.Summary, call.Key)
		}
	}
	for _, call := range p.f.pd.Calls() {
		if (call.Status >= 400 || call.Status == 0) && !strings.HasPrefix(call.Action, "HEAD ") { // which keeps a connection warm
			t.Errorf("refused: %+v", call)
		}
	}
}
