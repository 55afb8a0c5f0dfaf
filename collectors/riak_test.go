package collectors

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
)

// riakWorld is a collector whose answers change between looks.
type riakWorld struct {
	t    *testing.T
	c    Collector
	env  Env
	http fixtureHTTP
}

func newRiakWorld(t *testing.T, fixture string) *riakWorld {
	t.Helper()
	text, err := os.ReadFile("testdata/" + fixture + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := Lookup("riak")
	c, env := newCollector(t, spec, t.TempDir(), txtar.Parse(text))
	return &riakWorld{t, c, env, env.HTTP.(fixtureHTTP)}
}

// look collects and returns the samples by their text, as far as they begin with prefix.
func (w *riakWorld) look(prefix string) (map[string]float64, error) {
	w.t.Helper()
	spec, _ := Lookup("riak")
	b, err := collectOnce(spec, w.c, w.env)
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
		w := newRiakWorld(t, "riak")
		if _, err := w.look(""); err != nil {
			t.Fatal(err)
		}
		clear(w.http)
		time.Sleep(15 * time.Second)
		got, err := w.look("riak_")
		var blind *BlindError
		if !errors.As(err, &blind) || blind.Reason != "connect" || errors.Is(err, ErrAbsent) {
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
		w := newRiakWorld(t, "riak")
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
		w := newRiakWorld(t, "riak-nodedown")
		has := func(want bool) {
			t.Helper()
			got, err := w.look("riak_fallback_vnodes")
			if err != nil || (len(got) == 1) != want {
				t.Errorf("have %v, %v; want it told: %v", got, err, want)
			}
		}
		has(true)
		a := w.http["stats"]
		w.http["stats"] = fixtureAnswer{200, bytes.Replace(a.body, []byte("{'riak1@127.0.0.1',6}"), []byte("{'riak1@127.0.0.1',7}"), 1)}
		time.Sleep(time.Minute)
		has(false)
		time.Sleep(riakSettled)
		has(true)
	})
}

func TestRiakAnswersThatEndTooSoonOrTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRiakWorld(t, "riak")
		whole := w.http["stats"].body
		for name, body := range map[string][]byte{
			"half":  whole[:len(whole)/2],
			"20 MB": append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), 20<<20)...),
			"null":  []byte("null"),
			"list":  []byte("[1]"),
		} {
			w.http["stats"] = fixtureAnswer{200, body}
			time.Sleep(time.Minute)
			got, err := w.look("riak_up")
			var blind *BlindError
			if !errors.As(err, &blind) || blind.Reason != "parse" || got["riak_up{}"] != 0 || len(got) != 1 {
				t.Errorf("%s: %v, %v; want parse", name, got, err)
			}
		}
	})
}

func TestRiakProtocolBufferPing(t *testing.T) {
	for answer, want := range map[string]float64{"\x00\x00\x00\x01\x02": 1, "\x00\x00\x00\x02\x00x": 0, "HTTP/1.1 400": 0, "": 0} {
		synctest.Test(t, func(t *testing.T) {
			w := newRiakWorld(t, "riak")
			w.c.(*riak).env.Dial = func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() {
					var b [5]byte
					_, _ = io.ReadFull(there, b[:])
					if string(b[:]) == string(riakPBRequest) {
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
	err := riakOptions{URL: "riak", PB: "8087", DataDir: "data", StatsEvery: time.Hour}.Validate()
	for _, want := range []string{"url:", "pb:", "cluster:", "data_dir:", "stats_every: 1h0m0s is outside 1s to 5m"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v; want in it %q", err, want)
		}
	}
	if err := riakDefaults.Validate(); err != nil {
		t.Error(err)
	}
}

// FuzzRiakFigures states that no answer, however wrong, makes a series twice or a value that is no number.
func FuzzRiakFigures(f *testing.F) {
	f.Add([]byte(`{"nodename":"a@b","ring_members":["a@b","a@b"],"ring_ownership":"[{a@b,1},{a@b,2}]","node_gets":1e999,"disk":[{"id":"/"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &riak{opt: riakDefaults, env: Env{Now: time.Now}, failures: map[string]float64{}, totals: map[string]float64{}}
		var stats riakStats
		if json.Unmarshal(body, &stats) != nil {
			return
		}
		b := &metric.Batch{}
		r.figures(riakOut{b, "riak"}, stats)
		spec, _ := Lookup("riak")
		checkBatch(t, spec, b)
	})
}
