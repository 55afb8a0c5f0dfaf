package setup

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	statsdPort  = "127.0.0.1:8125"
	statsdOther = "127.0.0.1:8126"
)

// found puts into the fragment what this machine needs, and says what is watched without a setting.
func found(j *job, m mine) error {
	if j.Answers("http://127.0.0.1:8098/ping") != 0 {
		j.say("  found Riak on port 8098: it is watched")
	}
	switch j.Answers("http://127.0.0.1:15672/api/overview") {
	case 0:
	case http.StatusOK:
		j.say("  found RabbitMQ's management on port 15672: it is watched")
	default:
		if !m.has("collect", "rabbitmq", "user") {
			j.say("  found RabbitMQ's management on port 15672, which wants a login: set collect.rabbitmq.user and password (monitoring is enough)")
		}
	}
	if m.before == nil && !running(j.Data) && j.Taken(statsdPort) && !m.has("collect", "statsd") {
		j.say("  found another program on udp://%s: StatsD listens on %s instead", statsdPort, statsdOther)
		return m.want([]any{"udp://" + statsdOther}, false, "collect", "statsd", "listen")
	}
	return nil
}

// answers is the status of a service on this machine.
func answers(url string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// running says whether an agent has the data folder.
func running(data string) bool {
	f, err := os.Open(filepath.Join(data, "agent.lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// taken says whether somebody listens at a UDP address.
func taken(address string) bool {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = c.Close()
	return false
}
