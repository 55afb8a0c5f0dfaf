package door

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// The budget of passwords. A check costs 50 ms of CPU and more, so that wrong ones must not keep right ones out: what
// was checked is remembered, few are checked at once, few may wait, and who fails must slow down.
const (
	rightFor = 10 * time.Minute // a right password is believed without a check
	wrongFor = time.Minute
	maxKept  = 1024 // checked passwords, and senders that failed, each
	maxTries = 5    // that fail in a row, of one name from one address
	tryAgain = 5 * time.Second
	maxLine  = 16              // checks that wait
	maxWait  = 5 * time.Second // for a turn
)

// slowDown says that somebody failed too often, or that too many try at once.
type slowDown struct{ after time.Duration }

func (e slowDown) Error() string {
	return fmt.Sprintf("too many logins failed: try again in %v", e.after)
}

func (e slowDown) seconds() string {
	return strconv.Itoa(int((e.after + time.Second - 1) / time.Second))
}

type digest [sha256.Size]byte

// logins checks passwords.
type logins struct {
	key   [32]byte // of the digests: the passwords themselves are not kept
	turns *turns
	now   func() time.Time

	mu    sync.Mutex
	kept  map[digest]outcome
	tries map[digest]tries
	took  time.Duration // of the last check
}

type outcome struct {
	right bool
	until time.Time
}

// tries are how often somebody failed, less one for each tryAgain since.
type tries struct {
	n  int
	at time.Time
}

func newLogins() *logins {
	l := &logins{
		turns: newTurns(max(1, runtime.GOMAXPROCS(0)/2), maxLine), now: time.Now, took: 50 * time.Millisecond,
		kept: map[digest]outcome{}, tries: map[digest]tries{},
	}
	_, _ = rand.Read(l.key[:]) // never fails
	return l
}

// digest is of parts that cannot run into each other.
func (l *logins) digest(parts ...string) (d digest) {
	h := hmac.New(sha256.New, l.key[:])
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	h.Sum(d[:0])
	return d
}

// check returns nil for the right password of name; users are hashes by name.
func (l *logins) check(ctx context.Context, users map[string]string, from, name, password string) error {
	hash, known := users[name]
	pair, who := l.digest(name, hash, password), l.digest(from, name)
	l.mu.Lock()
	o, kept := l.kept[pair]
	if kept && l.now().Before(o.until) {
		l.mu.Unlock()
		if o.right && known {
			return nil
		}
		return errWrong
	}
	wait := l.waitOf(who)
	l.mu.Unlock()
	if wait > 0 {
		return slowDown{wait}
	}
	right, err := l.compare(ctx, known, hash, password)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o = outcome{right, l.now().Add(wrongFor)}
	if right {
		o.until = l.now().Add(rightFor)
		delete(l.tries, who)
	} else {
		l.failed(who)
	}
	keep(l.kept, pair, o)
	if !right {
		return errWrong
	}
	return nil
}

// compare checks a password in its turn. For a name that is not there it takes as long and costs nothing, so that
// neither the time tells which names there are nor made-up names use up the CPU.
func (l *logins) compare(ctx context.Context, known bool, hash, password string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if !known {
		l.mu.Lock()
		took := l.took
		l.mu.Unlock()
		select {
		case <-time.After(took):
		case <-ctx.Done():
		}
		return false, nil
	}
	leave, err := l.turns.take(ctx)
	if err != nil {
		return false, slowDown{maxWait}
	}
	defer leave()
	began := time.Now()
	right := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	l.mu.Lock()
	l.took = time.Since(began)
	l.mu.Unlock()
	return right, nil
}

// waitOf is how long who must wait before the next try; l.mu is held.
func (l *logins) waitOf(who digest) time.Duration {
	t := l.tries[who]
	passed := l.now().Sub(t.at)
	if over := t.n - int(passed/tryAgain) - maxTries; over >= 0 {
		return tryAgain - passed%tryAgain
	}
	return 0
}

func (l *logins) failed(who digest) {
	t := l.tries[who]
	now := l.now()
	t.n = max(0, t.n-int(now.Sub(t.at)/tryAgain)) + 1
	t.at = now
	keep(l.tries, who, t)
}

// keep bounds a map; which entry goes is left to the map's order, which no sender can choose.
func keep[V any](m map[digest]V, k digest, v V) {
	if _, ok := m[k]; !ok && len(m) >= maxKept {
		for old := range m {
			delete(m, old)
			if len(m) < maxKept*9/10 {
				break
			}
		}
	}
	m[k] = v
}

// turns lets few at once and a bounded number wait.
type turns struct {
	at   chan struct{}
	line chan struct{}
}

func newTurns(atOnce, inLine int) *turns {
	return &turns{at: make(chan struct{}, atOnce), line: make(chan struct{}, atOnce+inLine)}
}

// take waits for a turn and returns what gives it back. It errs when the line is full or ctx ends.
func (t *turns) take(ctx context.Context) (leave func(), err error) {
	select {
	case t.line <- struct{}{}:
	default:
		return nil, errLine
	}
	select {
	case t.at <- struct{}{}:
		return func() { <-t.at; <-t.line }, nil
	case <-ctx.Done():
		<-t.line
		return nil, errLine
	}
}
