package services

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// What Apache httpd says of itself. Source: httpd.apache.org 2.4, mod_status, read 30 November 2026. Its figures per second and per request, and its
// load of the processor, are means since the start, and left out.
var (
	apacheWorkers  = &metric.Desc{Name: "apache_workers", Help: "Workers by state: idle, starting, reading, sending, keepalive, dns, closing, logging, finishing (of a graceful reload), cleanup; the look itself is one that sends"}
	apacheSlots    = &metric.Desc{Name: "apache_worker_slots", Help: "Places of the scoreboard (ServerLimit x ThreadLimit); MaxRequestWorkers may be far less"}
	apacheRequests = &metric.Desc{Name: "apache_requests_total", Kind: metric.Counter, Help: "Requests"}
	apacheSent     = &metric.Desc{Name: "apache_sent_bytes_total", Kind: metric.Counter, Unit: metric.Bytes, Help: "Bytes sent"}
	apacheSeconds  = &metric.Desc{Name: "apache_request_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Time spent on requests"}
	apacheProcs    = &metric.Desc{Name: "apache_processes", Help: "Processes: all, and of these stopping"}
	apacheConns    = &metric.Desc{Name: "apache_connections", Help: "Connections: all, and of these waiting, writing, keepalive, closing"}
	apacheStart    = &metric.Desc{Name: "apache_start_time_seconds", Unit: metric.Seconds, Help: "When the parent process started"}
	apacheConfigs  = &metric.Desc{Name: "apache_generation", Help: "Generation of the configuration, one more with each reload"}
)

// Apache is asked by its page server-status, which takes a worker: with none free it does not answer.
var Apache = system{
	name: "apache", schemes: map[string]string{"http": "80", "https": "443"},
	found: "http://127.0.0.1/server-status?auto",
	missing: "enable it (a2enmod status) with `<Location /server-status> SetHandler server-status; Require local </Location>`, " +
		`or name where it is: collect.apache: {url: "http://127.0.0.1:8081/server-status?auto"}`,
	descs: []*metric.Desc{
		apacheWorkers, apacheSlots, apacheRequests, apacheSent, apacheSeconds, apacheProcs, apacheConns, apacheStart, apacheConfigs,
	},
	look: lookApache,
}.spec()

func lookApache(ctx context.Context, t *target, b *batch) error {
	u := t.at("/server-status?auto")
	if !strings.Contains(u, "?") {
		u += "?auto"
	}
	a, err := t.page(ctx, u, nil)
	if err != nil {
		return ofServer(err, a, "apache")
	}
	if a.code != http.StatusOK || !strings.Contains(string(a.body), "\nScoreboard: ") {
		err := a.unexpected()
		if strings.HasPrefix(a.server, "Apache") {
			err = notOpened("%s: no server-status at %s", a.status, u)
		}
		return err
	}
	return apacheStatus(string(a.body), b)
}

// apacheKeys are the lines that are figures; those that are not here are means, of the host, or the scoreboard's.
var apacheKeys = map[string]struct {
	d     *metric.Desc
	times float64
	kv    []string
}{
	"Total Accesses": {apacheRequests, 1, nil}, "Total kBytes": {apacheSent, 1024, nil}, "Total Duration": {apacheSeconds, 1e-3, nil},
	"Processes": {apacheProcs, 1, []string{"state", "all"}}, "Stopping": {apacheProcs, 1, []string{"state", "stopping"}},
	"ConnsTotal": {apacheConns, 1, []string{"state", "all"}}, "ConnsAsyncWriting": {apacheConns, 1, []string{"state", "writing"}},
	"ConnsAsyncWaitIO": {apacheConns, 1, []string{"state", "waiting"}}, "ConnsAsyncKeepAlive": {apacheConns, 1, []string{"state", "keepalive"}},
	"ConnsAsyncClosing": {apacheConns, 1, []string{"state", "closing"}}, "ParentServerConfigGeneration": {apacheConfigs, 1, nil},
}

// apacheLetters are the states of a worker. A dot is a place without one.
var apacheLetters = map[rune]string{
	'_': "idle", 'S': "starting", 'R': "reading", 'W': "sending", 'K': "keepalive", 'D': "dns", 'C': "closing", 'L': "logging",
	'G': "finishing", 'I': "cleanup",
}

func apacheStatus(text string, b *batch) error {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "Scoreboard" {
			apacheScoreboard(value, b)
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if key == "ServerUptimeSeconds" && err == nil {
			b.add(apacheStart, float64(b.Time.Unix())-v)
		}
		f, ok := apacheKeys[key]
		if !ok {
			continue
		}
		if err != nil || v < 0 {
			return fmt.Errorf("server-status: %s: want a number, have %.20q", key, value)
		}
		b.add(f.d, v*f.times, f.kv...)
	}
	return nil
}

func apacheScoreboard(board string, b *batch) {
	counts := map[string]float64{"idle": 0, "reading": 0, "sending": 0, "keepalive": 0, "finishing": 0}
	for _, letter := range board {
		if state, ok := apacheLetters[letter]; ok {
			counts[state]++
		}
	}
	for state, n := range counts {
		b.add(apacheWorkers, n, "state", state)
	}
	b.add(apacheSlots, float64(len(board)))
}
