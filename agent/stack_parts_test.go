package agent

import (
	"bufio"
	"database/sql"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// stackApp is the application's process: this program, told so by the environment.
const stackApp = "BINNACLE_STACK_APP"

func TestMain(m *testing.M) {
	if spec := os.Getenv(stackApp); spec != "" {
		serveStackApp(strings.Fields(spec))
		return
	}
	os.Exit(m.Run())
}

// serveStackApp answers at an address with what its database and its cache say, within a second.
func serveStackApp(at []string) {
	db, err := sql.Open("mysql", "app:app@tcp("+at[1]+")/?timeout=1s&readTimeout=1s")
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(2)
	var mu sync.Mutex
	var cache net.Conn
	ping := func() (err error) {
		mu.Lock()
		defer mu.Unlock()
		if cache == nil {
			if cache, err = net.DialTimeout("tcp", at[2], time.Second); err != nil {
				cache = nil
				return err
			}
		}
		_ = cache.SetDeadline(time.Now().Add(time.Second))
		if _, err = io.WriteString(cache, "PING\r\n"); err == nil {
			_, err = bufio.NewReader(cache).ReadString('\n')
		}
		if err != nil {
			_ = cache.Close()
			cache = nil
		}
		return err
	}
	panic(http.ListenAndServe(at[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := db.ExecContext(r.Context(), "DO 1")
		if err == nil {
			err = ping()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})))
}

// cable passes connections on until it is cut; then it passes nothing on, and closes nothing, as a network does.
type cable struct {
	net.Listener
	to  string
	cut chan struct{}
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &cable{l, to, make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(in)
		}
	}()
	return c
}

func (c *cable) pass(in net.Conn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		_ = in.Close()
		return
	}
	one := func(to, from net.Conn) {
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			select {
			case <-c.cut:
				return
			default:
			}
			if n > 0 {
				_, _ = to.Write(buf[:n])
			}
			if err != nil {
				_ = to.Close()
				return
			}
		}
	}
	go one(in, out)
	one(out, in)
}
