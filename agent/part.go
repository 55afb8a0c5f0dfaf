package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/health"
)

// Bounds of the pause before a part that ended, or could not open, is tried again. It doubles.
const (
	firstPause = time.Second
	maxPause   = time.Minute
)

// steady is how long a part must have worked before it counts as well again.
const steady = 10 * time.Second

// roster knows how each part of the agent is that works by itself.
type roster struct {
	log  *slog.Logger
	fail func(error) // ends the agent

	mu sync.Mutex
	by map[string]*health.Part
}

func newRoster(log *slog.Logger, fail func(error)) *roster {
	return &roster{log: log, fail: fail, by: map[string]*health.Part{}}
}

// up notes that a part works, and logs it when that is news.
func (p *roster) up(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	s := p.by[name]
	if s == nil {
		p.by[name] = &health.Part{Name: name, Since: now}
		return
	}
	if s.Error != "" {
		p.log.Info("part works again", "part", name, "after", now.Sub(s.Since).Round(time.Second), "tries", s.Tries)
		*s = health.Part{Name: name, Since: now, Failures: s.Failures}
	}
}

// down notes why a part does not work, and logs it when that is news.
func (p *roster) down(name string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.by[name]
	if s == nil {
		s = &health.Part{Name: name}
		p.by[name] = s
	}
	text := errText(err)
	if s.Error == "" {
		s.Since, s.Tries = time.Now(), 0
	}
	if s.Error != text {
		p.log.Error("part does not work; it is tried again", "part", name, "err", err)
	}
	s.Error = text
	s.Tries++
	s.Failures++
}

// gone forgets a part that is not wanted any more.
func (p *roster) gone(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, name)
}

// fault is why a part does not work; empty while it does, or is not there.
func (p *roster) fault(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.by[name]; s != nil {
		return s.Error
	}
	return ""
}

// list returns all parts in the order of their names.
func (p *roster) list() []health.Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]health.Part, 0, len(p.by))
	for _, s := range p.by {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b health.Part) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// crew is what belongs together: it is started part by part, and ends as one.
type crew struct {
	roster *roster
	ctx    context.Context
	quit   context.CancelFunc
	wg     sync.WaitGroup
}

// crew makes a crew that outlives ctx: who made it says when it stops.
func (p *roster) crew(ctx context.Context) *crew {
	c := &crew{roster: p}
	c.ctx, c.quit = context.WithCancel(context.WithoutCancel(ctx))
	return c
}

// stop ends all and waits for it.
func (c *crew) stop() {
	c.quit()
	c.wg.Wait()
}

// work runs f until the crew stops. Where f fails or panics it is started again after a pause, and the part shows why. An
// end without an error is a work that is done.
func (c *crew) work(name string, f func(context.Context) error) {
	c.workAgain(name, maxPause, f)
}

// workAgain is work that waits at most so long before it is tried again: alarms wait for it.
func (c *crew) workAgain(name string, most time.Duration, f func(context.Context) error) {
	c.roster.up(name)
	c.wg.Go(func() { c.again(name, most, f) })
}

func (c *crew) again(name string, most time.Duration, f func(context.Context) error) {
	for pause := firstPause; ; pause = min(2*pause, most) {
		begun := time.Now()
		well := time.AfterFunc(steady, func() { c.roster.up(name) })
		err := guard(func() error { return f(c.ctx) })
		well.Stop()
		switch {
		case c.ctx.Err() != nil:
			return
		case err == nil: // it has done what it had to
			c.roster.gone(name)
			return
		}
		if time.Since(begun) > maxPause {
			pause = firstPause
		}
		c.roster.down(name, err)
		if !c.wait(pause) {
			return
		}
	}
}

// wait waits, and says whether the crew still works.
func (c *crew) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// vital runs f, without which nobody is paged: where it ends before the crew stops, the agent ends with the reason.
func (c *crew) vital(name string, f func(context.Context) error) {
	c.roster.up(name)
	c.wg.Go(func() {
		err := guard(func() error { return f(c.ctx) })
		if c.ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended without an error")
		}
		c.roster.down(name, err)
		c.roster.fail(fmt.Errorf("%s ended: %w", name, err))
	})
}

// open opens a part now, or tries again until it is open: then it calls late, which may be nil. It says whether it is open now.
func (c *crew) open(name string, f func() error, late func()) bool {
	err := guard(f)
	if err == nil {
		c.roster.up(name)
		return true
	}
	c.roster.down(name, err)
	c.wg.Go(func() { c.tryOpen(name, f, late) })
	return false
}

var errOpening = errors.New("it is being opened")

// openWithin is open for a part that may take long: after a while it goes on beside the rest, as if it had failed.
func (c *crew) openWithin(wait time.Duration, name string, f func() error, late func()) bool {
	soon := make(chan error)
	gone := make(chan struct{})
	c.wg.Go(func() {
		err := guard(f)
		select {
		case soon <- err:
			return
		case <-gone:
		}
		if err == nil {
			c.roster.up(name)
			late()
			return
		}
		c.roster.down(name, err)
		c.tryOpen(name, f, late)
	})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case err := <-soon:
		if err == nil {
			c.roster.up(name)
			return true
		}
		c.roster.down(name, err)
		c.wg.Go(func() { c.tryOpen(name, f, late) })
	case <-timer.C:
		close(gone)
		c.roster.down(name, errOpening)
	}
	return false
}

// tryOpen tries to open a part that did not open, until it does or the crew stops.
func (c *crew) tryOpen(name string, f func() error, late func()) {
	for pause := firstPause; c.wait(pause); pause = min(2*pause, maxPause) {
		if err := guard(f); err != nil {
			c.roster.down(name, err)
			continue
		}
		c.roster.up(name)
		if late != nil {
			late()
		}
		return
	}
}

// role is a part of the agent that has a section of the configuration.
type role interface {
	name() string
	// start opens what the role needs and sets it to work. What cannot open and need not be there is tried again by the
	// role; an error is for what the agent cannot do without, and leaves nothing open.
	start(ctx context.Context) error
	// stop ends the role: what reads ends first, then what is held is delivered.
	stop() error
	// status adds what there is to say of the role.
	status(s *health.Status)
	// change opens what a new configuration wants beside what works, and puts nothing into force. Where nothing
	// changes it returns nil.
	change(cfg Config) (*change, error)
}

// change is a configuration of a role that is open and not in force.
type change struct {
	what   []string // in words of the configuration
	commit func()   // hands over what stays and ends what goes
	cancel func()   // closes what was opened
}

// stack holds the roles that work, the first started first.
type stack struct{ roles []role }

// start starts roles in order. Where one cannot, those before it are stopped, the last first.
func (s *stack) start(ctx context.Context, roles ...role) error {
	for _, r := range roles {
		if err := r.start(ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", r.name(), err), s.stop())
		}
		s.roles = append(s.roles, r)
	}
	return nil
}

// stop stops all roles, the last first.
func (s *stack) stop() error {
	var errs []error
	for ; len(s.roles) > 0; s.roles = s.roles[:len(s.roles)-1] {
		errs = append(errs, s.roles[len(s.roles)-1].stop())
	}
	return errors.Join(errs...)
}

// change opens what cfg changes in every role and puts it into force: in all roles, or where one cannot, in none. It returns
// what has changed.
func (s *stack) change(cfg Config) (what []string, err error) {
	var open []*change
	for _, r := range s.roles {
		c, err := r.change(cfg)
		if err != nil {
			for _, c := range slices.Backward(open) {
				c.cancel()
			}
			return nil, fmt.Errorf("%s: %w", r.name(), err)
		}
		if c != nil {
			open = append(open, c)
		}
	}
	for _, c := range open {
		c.commit()
		what = append(what, c.what...)
	}
	return what, nil
}

// errText is an error in one line, for a status.
func errText(err error) string {
	if err == nil {
		return "ended without an error"
	}
	text := err.Error()
	var p *panicError
	if errors.As(err, &p) {
		text, _, _ = strings.Cut(text, "\n") // the rest is where it was
	}
	text = strings.ReplaceAll(text, "\n", "; ")
	if len(text) > 300 {
		return text[:300] + "..."
	}
	return text
}
