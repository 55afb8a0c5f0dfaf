package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/health"
)

func newTestParts() (*roster, *[]error) {
	var ended []error
	return newRoster(slog.New(slog.DiscardHandler), func(err error) { ended = append(ended, err) }), &ended
}

func partOf(t *testing.T, p *roster, name string) health.Part {
	t.Helper()
	for _, s := range p.list() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no part %s in %+v", name, p.list())
	return health.Part{}
}

func TestAPartThatEndsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ended := newTestParts()
		c := p.crew(t.Context())
		var begun []time.Duration
		start := time.Now()
		c.work("planner", func(ctx context.Context) error {
			begun = append(begun, time.Since(start))
			switch len(begun) {
			case 1:
				return errors.New("disk on fire")
			case 2:
				panic("boo")
			}
			<-ctx.Done()
			return nil
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := partOf(t, p, "planner"); s.Error != "panic: boo" || s.Tries != 2 {
			t.Errorf("after the second end: %+v; want the panic in one line", s)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []time.Duration{0, time.Second, 3 * time.Second}; !slices.Equal(begun, want) {
			t.Errorf("begun at %v; want %v", begun, want)
		}
		if s := partOf(t, p, "planner"); s.Error != "" || s.Failures != 2 {
			t.Errorf("once it works: %+v; want it well, with 2 failures", s)
		}
		c.stop()
		if len(*ended) > 0 {
			t.Errorf("the agent ended: %v; only a vital part ends it", *ended)
		}
	})
}

func TestAVitalPartThatEndsEndsTheAgent(t *testing.T) {
	for name, tc := range map[string]struct {
		run  func(context.Context) error
		want string
	}{
		"an error":         {func(context.Context) error { return errors.New("accept: bad descriptor") }, "web ended: accept: bad descriptor"},
		"a panic":          {func(context.Context) error { panic("boo") }, "web ended: panic: boo"},
		"no error at all":  {func(context.Context) error { return nil }, "web ended: ended without an error"},
		"when it is asked": {func(ctx context.Context) error { <-ctx.Done(); return nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, ended := newTestParts()
				c := p.crew(t.Context())
				c.vital("web", tc.run)
				synctest.Wait()
				c.stop()
				got := ""
				if len(*ended) > 0 {
					got, _, _ = strings.Cut((*ended)[0].Error(), "\n")
				}
				if got != tc.want {
					t.Errorf("the agent ends with %q; want %q", got, tc.want)
				}
			})
		})
	}
}

func TestWhatCannotOpenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newTestParts()
		c := p.crew(t.Context())
		tries, late := 0, 0
		open := c.open("ship.cloudwatch", func() error {
			if tries++; tries < 10 {
				return errors.New("region: want one")
			}
			return nil
		}, func() { late++ })
		if s := partOf(t, p, "ship.cloudwatch"); open || s.Error != "region: want one" {
			t.Errorf("open %v, %+v; want the reason", open, s)
		}
		time.Sleep(time.Second + 2*time.Second + 4*time.Second + 8*time.Second + 16*time.Second + 32*time.Second + 3*time.Minute)
		synctest.Wait()
		if s := partOf(t, p, "ship.cloudwatch"); tries != 10 || late != 1 || s.Error != "" {
			t.Errorf("%d tries, opened %d times, %+v; want it open at the 10th", tries, late, s)
		}
		c.stop()
	})
}

// TestWhatOpensSlowlyHoldsNobodyUp opens a history of 12 s: the other roles go on after a moment, and hear when it is there.
func TestWhatOpensSlowlyHoldsNobodyUp(t *testing.T) {
	for name, fails := range map[string]int{"at once": 0, "at the third try": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := newTestParts()
				c := p.crew(t.Context())
				begun, tries, late := time.Now(), 0, time.Duration(0)
				open := c.openWithin(openSoon, "store", func() error {
					time.Sleep(12 * time.Second)
					if tries++; tries <= fails {
						return errors.New("no room")
					}
					return nil
				}, func() { late = time.Since(begun) })
				if s := partOf(t, p, "store"); open || time.Since(begun) != openSoon || s.Error == "" {
					t.Errorf("open %v after %v, %+v; want the rest to go on, and that it is told", open, time.Since(begun), s)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if s := partOf(t, p, "store"); late < 12*time.Second || s.Error != "" {
					t.Errorf("told after %v, %+v; want it open", late, s)
				}
				c.stop()
			})
		})
	}
}

// scripted is a role that writes down what is done to it.
type scripted struct {
	title      string
	log        *[]string
	start_     error
	change_    error
	unchanging bool
}

func (s scripted) note(what string) { *s.log = append(*s.log, what+" "+s.title) }
func (s scripted) name() string     { return s.title }
func (s scripted) start(context.Context) error {
	if s.start_ == nil {
		s.note("start")
	}
	return s.start_
}
func (s scripted) stop() error           { s.note("stop"); return nil }
func (s scripted) status(*health.Status) {}
func (s scripted) change(Config) (*change, error) {
	if s.change_ != nil || s.unchanging {
		return nil, s.change_
	}
	s.note("open")
	return &change{what: []string{s.title}, commit: func() { s.note("commit") }, cancel: func() { s.note("close") }}, nil
}

func TestRolesStopInReverse(t *testing.T) {
	bad := errors.New("bad")
	for name, tc := range map[string]struct {
		fails string
		want  string
		err   string
	}{
		"all start":        {"", "start a, start b, start c, stop c, stop b, stop a", ""},
		"the last cannot":  {"c", "start a, start b, stop b, stop a", "c: bad"},
		"the first cannot": {"a", "", "a: bad"},
	} {
		t.Run(name, func(t *testing.T) {
			var log []string
			var roles []role
			for _, n := range []string{"a", "b", "c"} {
				r := scripted{title: n, log: &log}
				if n == tc.fails {
					r.start_ = bad
				}
				roles = append(roles, r)
			}
			var s stack
			err := s.start(t.Context(), roles...)
			if err == nil {
				err = s.stop()
			}
			if got := strings.Join(log, ", "); got != tc.want || fmt.Sprint(err) != cmpErr(tc.err) {
				t.Errorf("%s; %v\nwant %s; %s", got, err, tc.want, tc.err)
			}
		})
	}
}

func cmpErr(text string) string {
	if text == "" {
		return fmt.Sprint(nil)
	}
	return text
}

func TestAChangeIsInForceInAllRolesOrInNone(t *testing.T) {
	for name, tc := range map[string]struct {
		fails string
		want  string
	}{
		"all can":         {"", "open a, open c, commit a, commit c"},
		"the last cannot": {"c", "open a, close a"},
		"one between":     {"b", "open a, close a"},
	} {
		t.Run(name, func(t *testing.T) {
			var log []string
			var s stack
			for _, n := range []string{"a", "b", "c"} {
				r := scripted{title: n, log: &log, unchanging: n == "b"}
				if n == tc.fails {
					r.change_ = errors.New("bad")
				}
				s.roles = append(s.roles, r)
			}
			what, err := s.change(Config{})
			if got := strings.Join(log, ", "); got != tc.want || (err != nil) != (tc.fails != "") {
				t.Errorf("%s; changed %v, %v\nwant %s", got, what, err, tc.want)
			}
		})
	}
}
