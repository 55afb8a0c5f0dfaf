package collectorstest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long an answer is waited for: as long as a busy machine takes, and not for one that never comes.
func patience(silent bool) time.Duration {
	if silent {
		return 300 * time.Millisecond
	}
	return 2 * time.Minute
}

// dialKind is how a port takes a connection.
func dialKind(address, want string) string {
	c, err := net.DialTimeout("tcp", address, patience(want == "silent"))
	var timeout net.Error
	switch {
	case err == nil:
		_ = c.Close()
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silent"
	}
	return err.Error()
}

func get(t *testing.T, url, user, password string, silent bool) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	c := http.Client{Timeout: patience(silent), Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestPortsOfSituationsOnLoopback(t *testing.T) {
	s := NewRabbitMQ()
	defer s.Close()
	peer := func(from, to string) string {
		for _, p := range s.Peers(from) {
			if name, addr, _ := strings.Cut(p, "="); name == "rabbit@"+to {
				return addr
			}
		}
		t.Fatalf("%s has no peer %s", from, to)
		return ""
	}
	for _, c := range []struct{ situation, amqp2, dist2, from1, between string }{
		{"healthy", "open", "open", "open", "open"},
		{"partition-cut-unnoticed", "open", "open", "silent", "open"},
		{"paused-minority-during", "refused", "open", "silent", "open"},
		{Down, "refused", "refused", "refused", "open"},
		{"frozen-node", "open", "open", "open", "open"},
		{"healthy", "open", "open", "open", "open"},
	} {
		s.Play(c.situation)
		for what, at := range map[string][2]string{
			"AMQP of n2": {s.AMQP("n2"), c.amqp2}, "distribution of n2": {s.Dist("n2"), c.dist2},
			"n1 to n2": {peer("n1", "n2"), c.from1}, "n1 to n3": {peer("n1", "n3"), c.between},
		} {
			if got := dialKind(at[0], at[1]); got != at[1] {
				t.Errorf("%s: %s is %s, want %s", c.situation, what, got, at[1])
			}
		}
	}
}

func TestAnswersOfSituations(t *testing.T) {
	s := NewRabbitMQ()
	defer s.Close()
	if code, body := get(t, s.URL("n1")+"/api/nodes?columns=name", User, Password, false); code != 200 || !strings.Contains(body, `"rabbit@n3"`) {
		t.Errorf("nodes: %d %.80s", code, body)
	}
	if code, body := get(t, s.URL("n1")+"/api/nodes", User, "wrong", false); code != 401 || body != rabbitmqLoginFailed {
		t.Errorf("with a wrong password: %d %s", code, body)
	}
	if code, _ := get(t, s.URL("n1")+"/api/no-such-path", User, Password, false); code != 404 {
		t.Errorf("a path that was not recorded: %d, want 404", code)
	}
	s.Play("partition-cut-unnoticed")
	if code, body := get(t, s.URL("n1")+"/api/nodes", User, Password, true); code != 0 {
		t.Errorf("nodes in a cut: %d %.80s, want silence", code, body)
	}
	if code, body := get(t, s.MetricsURL("n1")+"/metrics", "", "", false); code != 200 || !strings.Contains(body, "erlang_vm_dist_node_state") {
		t.Errorf("metrics in a cut: %d %.80s", code, body)
	}
	if sit, since := s.Situation(); sit != "partition-cut-unnoticed" || time.Since(since) > time.Hour {
		t.Errorf("plays %s since %s", sit, since)
	}
}
