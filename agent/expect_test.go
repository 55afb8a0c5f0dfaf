package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/testport"
)

// life is one life of an agent that looks for Riak.
type life struct {
	t   *testing.T
	a   *Agent
	job *job
	got map[string]float64
}

// liveWith begins a life in the data folder, with more of the configuration.
func liveWith(t *testing.T, data, more string) *life {
	t.Helper()
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf("data: %s\nlisten: %s\nnode: {name: riak-1}\nrules: off\nroute: off\n%s\n", data, testport.Free(t), more)))
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, got: map[string]float64{}}
	if l.a, err = New(cfg, Hooks{Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	l.a.collect.setBase(cfg)
	l.a.collect.expected = openExpected(data, time.Now, l.a.log, l.a.damaged)
	plans, err := collectorPlans(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plans {
		if p.spec.Name != "riak" {
			continue
		}
		if l.job, err = l.a.collect.open(cfg, p); err != nil {
			t.Fatal(err)
		}
		l.a.collect.jobs = []*jobAtWork{{plan: p, node: cfg.nodeName(), job: l.job}}
	}
	l.job.deliver = func(b *metric.Batch) {
		for _, s := range b.Samples {
			l.got[s.Desc.Name] = s.Value
		}
	}
	return l
}

func (l *life) end() {
	l.t.Helper()
	if err := errors.Join(l.a.web.close(), l.a.folder.close()); err != nil {
		l.t.Error(err)
	}
}

// TestWhatWasSeenOnceIsMissed: power is lost, and the agent is back before the database.
func TestWhatWasSeenOnceIsMissed(t *testing.T) {
	data := t.TempDir()
	riak := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "MochiWeb/2.20.0 WebMachine/1.11.1 (greased slide to failure)")
		if r.URL.Path == "/ping" {
			fmt.Fprint(w, "OK")
			return
		}
		fmt.Fprint(w, `{"nodename":"riak1@127.0.0.1","connected_nodes":[],"ring_members":["riak1@127.0.0.1"],"ring_num_partitions":64,"riak_kv_version":"3.2.3"}`)
	}))
	url := riak.URL
	lives := func(configured bool) *life {
		more := "" // the default address, where nobody listens here
		if configured {
			more = "collect: {riak: {url: '" + url + "'}}"
		}
		l := liveWith(t, data, more)
		l.job.collect(t.Context())
		return l
	}
	l := lives(false)
	if !l.job.status().Absent {
		t.Errorf("never seen, not configured: %+v; want it absent", l.job.status())
	}
	l.end()

	l = lives(true)
	if s := l.job.status(); !s.Up || l.got["riak_listening"] != 1 {
		t.Errorf("it is there: %+v, %v; want it seen", s, l.got)
	}
	if err := l.a.collect.forget("riak"); err == nil || !strings.Contains(err.Error(), "is configured") {
		t.Errorf("forgetting what is configured: %v", err)
	}
	l.end()

	riak.Close()
	for name, configured := range map[string]bool{"configured": true, "seen before": false} {
		l = lives(configured)
		listening, told := l.got["riak_listening"]
		if s := l.job.status(); s.Absent || s.Up || !told || listening != 0 {
			t.Errorf("%s, and the agent is new: %+v, %v; want an outage", name, s, l.got)
		}
		l.end()
	}

	l = lives(false)
	if err := l.a.collect.forget("riak"); err != nil || !l.a.collect.jobs[0].forgotten.Load() {
		t.Errorf("forget: %v", err)
	}
	if err := l.a.collect.forget("riak"); err == nil {
		t.Error("forgotten twice: no error")
	}
	if err := l.a.collect.forget("host_load"); err == nil {
		t.Error("what is no service was forgotten")
	}
	l.end()
	if l = lives(false); !l.job.status().Absent {
		t.Errorf("forgotten: %+v; want it absent", l.job.status())
	}
	l.end()
}

func TestExpectedThatIsDamagedIsSetAside(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	for name, text := range map[string]string{"broken": "{\"riak\": ", "of another kind": "[]", "too large": strings.Repeat(" ", maxExpected+1)} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, expectedFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var told []damage.Report
			e := openExpected(dir, time.Now, log, func(r damage.Report) { told = append(told, r) })
			if len(told) != 1 || told[0].Aside == "" || e.has("riak") {
				t.Errorf("reports %+v, expected %v", told, e.seen)
			}
			e.note("riak")
			if again := openExpected(dir, time.Now, log, func(r damage.Report) { t.Error(r) }); !again.has("riak") {
				t.Error("what was seen since is not kept")
			}
		})
	}
	if err := os.WriteFile(filepath.Join(dir, expectedFile), []byte(`{"riak":"2026-11-30T00:00:00Z","nobody":"2026-11-30T00:00:00Z","host_load":"2026-11-30T00:00:00Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if e := openExpected(dir, time.Now, log, func(damage.Report) {}); len(e.seen) != 1 {
		t.Errorf("expected are %v; want the service alone", e.seen)
	}
}
