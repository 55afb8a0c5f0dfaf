package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// What Varnish keeps in shared memory. Source: varnish-cache.org 7.1, varnish-counters(7), read 30 November 2026; what its happy says of backends
// without a probe, and its uptimes of a frozen child, by trial on Varnish 7.1.1. MAIN is the child's and begins at zero with each; MGT is the manager's.
var (
	varnishChild    = &metric.Desc{Name: "varnish_child_running", Help: "1 while the child runs that serves users"}
	varnishStarts   = &metric.Desc{Name: "varnish_child_ends_total", Kind: metric.Counter, Help: "Ends of a child that nobody asked for: died, dumped, panic, stopped; another one starts at once, with an empty cache"}
	varnishRequests = &metric.Desc{Name: "varnish_requests_total", Kind: metric.Counter, Help: "Requests of clients"}
	varnishLookups  = &metric.Desc{Name: "varnish_cache_lookups_total", Kind: metric.Counter, Help: "Lookups by result: hit, miss, hitpass, hitmiss"}
	varnishGrace    = &metric.Desc{Name: "varnish_cache_hit_grace_total", Kind: metric.Counter, Help: "Hits on objects that were too old, among the hits: a sick backend is invisible meanwhile"}
	varnishBackend  = &metric.Desc{Name: "varnish_backend_up", Help: "1 while a backend with a probe is well: three of its last eight were good"}
	varnishBackendR = &metric.Desc{Name: "varnish_backend_requests_total", Kind: metric.Counter, Help: "Requests to backends by result: sent, fail, unhealthy (not tried), busy"}
	varnishFetch    = &metric.Desc{Name: "varnish_fetch_failed_total", Kind: metric.Counter, Help: "Fetches that failed"}
	varnishSessions = &metric.Desc{Name: "varnish_sessions_total", Kind: metric.Counter, Help: "Sessions: accepted, queued (waited for a thread), dropped (no room to wait)"}
	varnishThreads  = &metric.Desc{Name: "varnish_threads", Help: "Threads"}
	varnishFailed   = &metric.Desc{Name: "varnish_threads_failed_total", Kind: metric.Counter, Help: "Threads that could not be made"}
	varnishLimited  = &metric.Desc{Name: "varnish_threads_limited_total", Kind: metric.Counter, Help: "Times that more threads were wanted than may be"}
	varnishQueue    = &metric.Desc{Name: "varnish_thread_queue", Help: "Sessions that wait for a thread"}
	varnishEvicted  = &metric.Desc{Name: "varnish_objects_evicted_total", Kind: metric.Counter, Help: "Objects that were let go for room"}
	varnishStorage  = &metric.Desc{Name: "varnish_storage_bytes", Unit: metric.Bytes, Help: "Storage: used, free"}
	varnishStart    = &metric.Desc{Name: "varnish_start_time_seconds", Unit: metric.Seconds, Help: "When a process started: manager, child"}
)

// Varnish is read by its own varnishstat, since shared memory is its only door; for it the agent's user is in the group varnish.
var Varnish = system{
	name: "varnish", schemes: map[string]string{"instance": ""},
	found: "instance:///default", missing: "add the agent's user to the group varnish (usermod -aG varnish binnacle), and restart the agent",
	descs: []*metric.Desc{
		varnishChild, varnishStarts, varnishRequests, varnishLookups, varnishGrace, varnishBackend, varnishBackendR, varnishFetch, varnishSessions, varnishThreads,
		varnishFailed, varnishLimited, varnishQueue, varnishEvicted, varnishStorage, varnishStart,
	},
	look: lookVarnish,
}.spec()

// varnishMemory is what is remembered of an instance: a backend that was never well has no probe, and a child whose uptime
// stands still is frozen.
type varnishMemory struct {
	probed map[string]bool
	uptime [2]float64 // of the manager and the child
	moved  time.Time
}

const (
	varnishProbes = 3                // good ones of the last eight: the default of .threshold
	varnishStill  = 10 * time.Second // uptime moves each second
)

var varnishOptions = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

func lookVarnish(ctx context.Context, t *target, b *batch) error {
	args := []string{"-1", "-j", "-t", "1"}
	if t.address != "default" {
		if !varnishOptions.MatchString(t.address) || strings.HasPrefix(t.address, "-") {
			return fmt.Errorf("instance: want a folder or a name, have %.40q", t.address)
		}
		args = append(args, "-n", t.address)
	}
	run := t.env.Run
	if run == nil {
		run = collectors.Command
	}
	text, err := run(ctx, "varnishstat", args...)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return &fs.PathError{Op: "run", Path: "varnishstat", Err: syscall.ENOENT}
	case err != nil && ctx.Err() == nil:
		if t.varnishForbidden() {
			return inState(stateUnauthorised, "%v: its shared memory may not be read", err)
		}
		return &fs.PathError{Op: "varnishstat", Path: t.address, Err: syscall.ECONNREFUSED}
	case err != nil:
		return err
	}
	var answer struct {
		Counters map[string]json.RawMessage `json:"counters"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("varnishstat: want JSON, have %.60q", text)
	}
	if answer.Counters == nil { // before 6.5 the counters stood beside the timestamp
		if err := json.Unmarshal(text, &answer.Counters); err != nil {
			return fmt.Errorf("varnishstat: %w", err)
		}
	}
	return varnishState(varnishCounters(answer.Counters), t, b)
}

// varnishFigure is a counter. A history of probes fills 64 bits, more than a float holds.
type varnishFigure struct {
	float64
	bits uint64
}

func varnishCounters(raw map[string]json.RawMessage) map[string]varnishFigure {
	out := map[string]varnishFigure{}
	for name, text := range raw {
		var c struct {
			Value json.Number `json:"value"`
		}
		if json.Unmarshal(text, &c) != nil {
			continue
		}
		if v, err := c.Value.Float64(); err == nil {
			n, _ := strconv.ParseUint(c.Value.String(), 10, 64) // 0 for what is no history
			out[name] = varnishFigure{v, n}
		}
	}
	return out
}

// varnishForbidden says whether there is shared memory that is not for us: varnishstat has the same words for that and for none.
func (t *target) varnishForbidden() bool {
	folders := []string{filepath.Join("/var/lib/varnish", t.address)}
	if filepath.IsAbs(t.address) {
		folders = []string{t.address}
	}
	if t.address == "default" {
		folders = t.env.Root.Glob("var/lib/varnish/*")
	}
	return slices.ContainsFunc(folders, func(dir string) bool {
		_, err := os.ReadDir(t.env.Root.Path(filepath.Join(dir, "_.vsm_mgt")))
		return errors.Is(err, fs.ErrPermission)
	})
}

func varnishState(counters map[string]varnishFigure, t *target, b *batch) error {
	m, _ := t.memory.(*varnishMemory)
	if m == nil {
		m = &varnishMemory{probed: map[string]bool{}, moved: b.Time}
		t.memory = m
	}
	if _, ok := counters["MGT.uptime"]; !ok {
		return errors.New("varnishstat: want MGT.uptime")
	}
	for reason, key := range map[string]string{"died": "MGT.child_died", "dumped": "MGT.child_dump", "panic": "MGT.child_panic", "stopped": "MGT.child_stop"} {
		if v, ok := counters[key]; ok {
			b.add(varnishStarts, v.float64, "reason", reason)
		}
	}
	up, running := counters["MAIN.uptime"]
	b.bool(varnishChild, running)
	if !running {
		b.add(varnishStart, float64(b.Time.Unix())-counters["MGT.uptime"].float64, "process", "manager")
		return inState(stateDown, "its child does not run; the manager does")
	}
	if now := [2]float64{counters["MGT.uptime"].float64, up.float64}; now != m.uptime {
		m.uptime, m.moved = now, b.Time
	} else if b.Time.Sub(m.moved) >= varnishStill {
		return inState(stateFrozen, "its shared memory stands still for %v", b.Time.Sub(m.moved).Round(time.Second))
	}
	b.add(varnishStart, float64(b.Time.Unix())-counters["MGT.uptime"].float64, "process", "manager")
	b.add(varnishStart, float64(b.Time.Unix())-up.float64, "process", "child")
	varnishFigures(counters, b)
	varnishBackends(counters, m, b)
	return nil
}

var varnishKeys = []struct {
	key string
	d   *metric.Desc
	kv  []string
}{
	{"MAIN.client_req", varnishRequests, nil},
	{"MAIN.cache_hit", varnishLookups, []string{"result", "hit"}},
	{"MAIN.cache_miss", varnishLookups, []string{"result", "miss"}},
	{"MAIN.cache_hitpass", varnishLookups, []string{"result", "hitpass"}},
	{"MAIN.cache_hitmiss", varnishLookups, []string{"result", "hitmiss"}},
	{"MAIN.cache_hit_grace", varnishGrace, nil},
	{"MAIN.backend_req", varnishBackendR, []string{"result", "sent"}},
	{"MAIN.backend_fail", varnishBackendR, []string{"result", "fail"}},
	{"MAIN.backend_unhealthy", varnishBackendR, []string{"result", "unhealthy"}},
	{"MAIN.backend_busy", varnishBackendR, []string{"result", "busy"}},
	{"MAIN.fetch_failed", varnishFetch, nil},
	{"MAIN.sess_conn", varnishSessions, []string{"state", "accepted"}},
	{"MAIN.sess_queued", varnishSessions, []string{"state", "queued"}},
	{"MAIN.sess_dropped", varnishSessions, []string{"state", "dropped"}},
	{"MAIN.threads", varnishThreads, nil},
	{"MAIN.threads_failed", varnishFailed, nil},
	{"MAIN.threads_limited", varnishLimited, nil},
	{"MAIN.thread_queue_len", varnishQueue, nil},
	{"MAIN.n_lru_nuked", varnishEvicted, nil},
}

func varnishFigures(counters map[string]varnishFigure, b *batch) {
	for _, f := range varnishKeys {
		if v, ok := counters[f.key]; ok {
			b.add(f.d, v.float64, f.kv...)
		}
	}
	for key, v := range counters {
		kind, rest, _ := strings.Cut(key, ".")
		storage, what, ok := strings.Cut(rest, ".")
		if !ok || kind != "SMA" && kind != "SMF" {
			continue
		}
		if state := map[string]string{"g_bytes": "used", "g_space": "free"}[what]; state != "" {
			b.add(varnishStorage, v.float64, "storage", collectors.Label(storage), "state", state)
		}
	}
}

// varnishBackends reads happy, which holds the last 64 probes, the newest in the lowest bit. It is 0 for a backend without a probe as
// for one that was never well: until one was, there is no figure.
func varnishBackends(counters map[string]varnishFigure, m *varnishMemory, b *batch) {
	for key, v := range counters {
		name, ok := strings.CutSuffix(key, ".happy")
		if !ok || !strings.HasPrefix(name, "VBE.") {
			continue
		}
		vcl, backend, _ := strings.Cut(strings.TrimPrefix(name, "VBE."), ".")
		m.probed[name] = m.probed[name] || v.bits > 0 || counters[name+".unhealthy"].float64 > 0
		if m.probed[name] {
			b.bool(varnishBackend, bits.OnesCount8(uint8(v.bits)) >= varnishProbes, "backend", collectors.Label(backend), "vcl", collectors.Label(vcl))
		}
	}
	for name := range m.probed {
		if _, ok := counters[name+".happy"]; !ok {
			delete(m.probed, name) // of a VCL that was discarded
		}
	}
}
