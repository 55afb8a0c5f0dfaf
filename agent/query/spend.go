package query

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// TooDear is why a question was ended: it used more of the processor than one may.
type TooDear struct{ Most time.Duration }

func (e TooDear) Error() string {
	return fmt.Sprintf("the question used more than %v of CPU (query.cpu): ask for fewer series, a shorter time or longer steps", e.Most)
}

// lookEvery is how often the clock of a question is read. Most end before the first time.
const lookEvery = 20 * time.Millisecond

// Spend runs f, which answers a question in its own goroutine, and ends the context that f gets once f used more than most of
// CPU time: a bound in time alone lets a question cost as much as the processor can do in it. The context's Err is then a
// TooDear. A zero most is no bound, and neither is any where the system has no clock for a thread.
func Spend(ctx context.Context, most time.Duration, f func(context.Context)) {
	if most == 0 {
		f(ctx)
		return
	}
	runtime.LockOSThread() // its clock is that of the question
	defer runtime.UnlockOSThread()
	if used, ok := threadClock(); ok {
		spend(ctx, most, used, f)
	} else {
		f(ctx)
	}
}

// spend is Spend with a clock of one's own.
func spend(ctx context.Context, most time.Duration, used func() time.Duration, f func(context.Context)) {
	s := &spending{Context: ctx, done: make(chan struct{})}
	defer context.AfterFunc(ctx, func() { s.end(ctx.Err()) })()
	defer s.end(context.Canceled)
	begun := used()
	go func() {
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		for {
			select {
			case <-s.done:
				return
			case <-look.C:
				if used()-begun > most {
					s.end(TooDear{most})
				}
			}
		}
	}()
	f(s)
}

// spending is a context that says why it ended, also to those who only know context.Canceled: what answers a question tells
// its error on.
type spending struct {
	context.Context
	done chan struct{}
	mu   sync.Mutex
	err  error
}

func (s *spending) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.done)
	}
}

// Done implements context.Context.
func (s *spending) Done() <-chan struct{} { return s.done }

// Err implements context.Context.
func (s *spending) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

type personKey struct{}

// ByPerson marks questions that a person wrote: a store bounds what they spend. Those of the agent's own pages and pools are
// known.
func ByPerson(ctx context.Context) context.Context {
	return context.WithValue(ctx, personKey{}, true)
}

// IsByPerson says whether ctx is of a question that a person wrote.
func IsByPerson(ctx context.Context) bool { return ctx.Value(personKey{}) != nil }
