package riak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// world is a collector whose answers change between looks.
type world struct {
	t    *testing.T
	c    collectors.Collector
	env  collectors.Env
	http fixture.HTTP
}

func newWorld(t *testing.T, name string) *world {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	c, env := fixture.New(t, Spec, t.TempDir(), txtar.Parse(text))
	return &world{t, c, env, env.HTTP.(fixture.HTTP)}
}

// look collects and returns the samples by their text, as far as they begin with prefix.
func (w *world) look(prefix string) (map[string]float64, error) {
	w.t.Helper()
	b, err := fixture.CollectOnce(Spec, w.c, w.env)
	out := map[string]float64{}
	for _, s := range b.Samples {
		if strings.HasPrefix(s.Desc.Name, prefix) {
			out[s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
		}
	}
	return out, err
}

func TestRiakThatWasSeenAndIsGoneIsNotAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "riak")
		if _, err := w.look(""); err != nil {
			t.Fatal(err)
		}
		clear(w.http)
		time.Sleep(15 * time.Second)
		got, err := w.look("riak_")
		var blind *collectors.BlindError
		if !errors.As(err, &blind) || blind.Reason != "connect" || errors.Is(err, collectors.ErrAbsent) {
			t.Errorf("error %v, want connect and not absent", err)
		}
		if got["riak_listening{}"] != 0 || got["riak_up{}"] != 0 || got[`riak_stats_failures_total{reason="connect"}`] != 1 {
			t.Errorf("have %v, want not listening", got)
		}
		for name := range got {
			if strings.HasPrefix(name, "riak_node_ops") || strings.HasPrefix(name, "riak_ring") {
				t.Errorf("%s is told by nobody", name)
			}
		}
	})
}

func TestRiakStatsAreAskedForNoFasterThanTheyMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "riak")
		for i, want := range []int{1, 0, 1, 0, 1} { // every 5 s, with 10 s between
			got, err := w.look("riak_up")
			if err != nil || len(got) != want {
				t.Errorf("look %d: %d answers of /stats, %v; want %d", i, len(got), err, want)
			}
			time.Sleep(5*time.Second - 10*time.Millisecond)
		}
	})
}

func TestRiakFallbackVnodesAreNotToldWhileOwnersChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "riak-nodedown")
		has := func(want bool) {
			t.Helper()
			got, err := w.look("riak_fallback_vnodes")
			if err != nil || (len(got) == 1) != want {
				t.Errorf("have %v, %v; want it told: %v", got, err, want)
			}
		}
		has(true)
		a := w.http["stats"]
		w.http["stats"] = fixture.Answer{Status: 200, Body: bytes.Replace(a.Body, []byte("{'riak1@127.0.0.1',6}"), []byte("{'riak1@127.0.0.1',7}"), 1)}
		time.Sleep(time.Minute)
		has(false)
		time.Sleep(settled)
		has(true)
	})
}

func TestRiakAnswersThatEndTooSoonOrTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "riak")
		whole := w.http["stats"].Body
		for name, body := range map[string][]byte{
			"half":  whole[:len(whole)/2],
			"20 MB": append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), 20<<20)...),
			"null":  []byte("null"),
			"list":  []byte("[1]"),
		} {
			w.http["stats"] = fixture.Answer{Status: 200, Body: body}
			time.Sleep(time.Minute)
			got, err := w.look("riak_up")
			var blind *collectors.BlindError
			if !errors.As(err, &blind) || blind.Reason != "parse" || got["riak_up{}"] != 0 || len(got) != 1 {
				t.Errorf("%s: %v, %v; want parse", name, got, err)
			}
		}
	})
}

func TestRiakProtocolBufferPing(t *testing.T) {
	for answer, want := range map[string]float64{"\x00\x00\x00\x01\x02": 1, "\x00\x00\x00\x02\x00x": 0, "HTTP/1.1 400": 0, "": 0} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "riak")
			w.c.(*collector).env.Dial = func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() {
					var b [5]byte
					_, _ = io.ReadFull(there, b[:])
					if string(b[:]) == "\x00\x00\x00\x01\x01" {
						_, _ = there.Write([]byte(answer))
					}
					_ = there.Close()
				}()
				return here, nil
			}
			got, err := w.look("riak_pb_up")
			if err != nil || got["riak_pb_up{}"] != want {
				t.Errorf("answer %q: %v, %v; want %v", answer, got, err, want)
			}
		})
	}
}

func TestRiakOptionsTellEveryFault(t *testing.T) {
	err := Options{URL: "riak", PB: "8087", DataDir: "data", StatsEvery: time.Hour}.Validate()
	for _, want := range []string{"url:", "pb:", "cluster:", "data_dir:", "stats_every: 1h0m0s is outside 1s to 5m"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v; want in it %q", err, want)
		}
	}
	if err := defaults.Validate(); err != nil {
		t.Error(err)
	}
}

// FuzzRiakFigures states that no answer, however wrong, makes a series twice or a value that is no number.
func FuzzRiakFigures(f *testing.F) {
	f.Add([]byte(`{"nodename":"a@b","ring_members":["a@b","a@b"],"ring_ownership":"[{a@b,1},{a@b,2}]","node_gets":1e999,"disk":[{"id":"/"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &collector{opt: defaults, env: collectors.Env{Now: time.Now}, failures: map[string]float64{}, totals: map[string]float64{}}
		var stats figures
		if json.Unmarshal(body, &stats) != nil {
			return
		}
		b := &metric.Batch{}
		r.figures(output{b, "riak"}, stats)
		fixture.Check(t, Spec, b)
	})
}
