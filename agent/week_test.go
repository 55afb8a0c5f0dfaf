package agent

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/store"
)

// quietListener is a listener on which nobody calls, and on which faked time passes.
type quietListener struct {
	net.Listener
	done chan struct{}
	once sync.Once
}

func (l *quietListener) Accept() (net.Conn, error) {
	<-l.done
	return nil, net.ErrClosed
}

func (l *quietListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// TestDaysOfAnAgent runs a whole agent through a day of faked time, and through a week where BINNACLE_CHAOS is set, with a
// reload every two hours: a destination that cannot open at first, rules that are damaged once.
func TestDaysOfAnAgent(t *testing.T) {
	days := 1
	if os.Getenv("BINNACLE_CHAOS") != "" {
		days = 7
	}
	base := "data: " + t.TempDir() + "\nlisten: 127.0.0.1:0\ninterval: 5m\nnode: {name: n}\n" +
		"collect: {statsd: off, riak: off, rabbitmq: off, varnish: off, host_disk: {interval: 1h}}\nrules: {packs: [self], interval: 5m}\nroute: {mode: shadow}\n"
	synctest.Test(t, func(t *testing.T) {
		a, err := New(parsed(t, "%s", base+"ship: {remote_write: {url: 'https://127.0.0.1:1/x', ca_file: /nowhere.pem}}\n"), Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		a.web.now.listener = &quietListener{Listener: a.web.now.listener, done: make(chan struct{})}
		a.web.newAPI = func(*store.Store) http.Handler { return http.NotFoundHandler() } // that of OTLP never ends
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		begun, goroutines := time.Now(), 0
		for hour := 2; hour <= days*24; hour += 2 {
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			text, refused := base, hour == 14
			switch {
			case hour < 8:
				if got := a.roster.fault("ship.remote_write"); !strings.Contains(got, "nowhere.pem") {
					t.Errorf("hour %d: the destination says %q; want why it cannot open", hour, got)
				}
				text += "ship: {remote_write: {url: 'https://127.0.0.1:1/x', ca_file: /nowhere.pem}}\n"
			case refused:
				text = strings.Replace(text, "interval: 5m}", "interval: 5m, files: [/nowhere/*.yaml]}", 1)
			case hour%4 == 0:
				text = strings.Replace(text, "{interval: 1h}", "{interval: 30m}", 1)
			}
			if err := a.Reload(ctx, parsed(t, "%s", text), nil); (err != nil) != refused {
				t.Errorf("hour %d: reload %v", hour, err)
			}
			s := a.Status()
			for _, f := range s.Faults() {
				if f.Level == health.ExitCritical || f.Of == "rules" || hour >= 8 && !refused && f.Of != "reload" && !strings.HasPrefix(f.Of, "collect.") {
					t.Errorf("hour %d: %+v", hour, f)
				}
			}
			for _, c := range s.Collectors {
				if age := s.At.Sub(c.LastRun); !c.Absent && !c.LastRun.IsZero() && age > time.Hour+time.Minute {
					t.Errorf("hour %d: %s ran %v ago", hour, c.Name, age)
				}
			}
			if n := runtime.NumGoroutine(); hour == 12 {
				goroutines = n
			} else if hour > 12 && n > goroutines+10 {
				t.Fatalf("hour %d: %d goroutines, %d at noon", hour, n, goroutines)
			}
		}
		s := a.Status()
		if s.At.Sub(begun) < time.Duration(days)*24*time.Hour || s.Store == nil || s.Store.Oldest.After(begun.Add(time.Hour)) {
			t.Errorf("at %v the store reaches back to %+v; want all of it", s.At, s.Store)
		}
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
