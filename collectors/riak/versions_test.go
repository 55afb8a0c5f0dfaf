package riak

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/collectors"
)

// TestRiakOfOtherVersions: what is missing is not told, what is a text counts as the number in it, and what no Riak says is blindness.
// The answers are derived from a recorded one of 3.2.3. That 2.2 has fewer fields, and a node that starts fewer yet, is from the
// statistics' source.
func TestRiakOfOtherVersions(t *testing.T) {
	drop := func(prefixes ...string) func(map[string]any) {
		return func(s map[string]any) {
			maps.DeleteFunc(s, func(key string, _ any) bool {
				for _, p := range prefixes {
					if strings.HasPrefix(key, p) {
						return true
					}
				}
				return false
			})
		}
	}
	set := func(key string, v any) func(map[string]any) { return func(s map[string]any) { s[key] = v } }
	const lost = `riak_member_connected{member="riak2@127.0.0.1"}`
	for name, c := range map[string]struct {
		edit   func(map[string]any)
		want   map[string]float64
		absent []string
		blind  string
	}{
		"as recorded": {func(map[string]any) {}, map[string]float64{`riak_state{state="running"}`: 1, "riak_up{}": 1, lost: 1, "riak_connected_members{}": 3}, nil, ""},
		"2.2, which knows neither heads nor trees": {
			drop("vnode_head", "coord_local", "coord_redir_least", "coord_redir_loaded", "coord_redir_unloaded", "clusteraae", "tictacaae", "ttaaefs", "ngr", "worker"),
			map[string]float64{`riak_state{state="running"}`: 1, "riak_up{}": 1, lost: 1},
			nil, "",
		},
		"a node that starts": {drop("riak_kv_vnode", "riak_pipe_vnode", "riak_kv_version", "vnode_"), map[string]float64{"riak_up{}": 1, lost: 1}, []string{"riak_fallback_vnodes{}"}, ""},
		"numbers as texts": {
			func(s map[string]any) {
				for k, v := range s {
					if n, ok := v.(json.Number); ok {
						s[k] = n.String()
					}
				}
				s["disk"] = []any{map[string]any{"id": "/", "size": "1000", "used": "96"}}
			},
			map[string]float64{"riak_up{}": 1, lost: 1, `riak_disk_used_ratio{mount="/"}`: 0.96, `riak_state{state="disk_full"}`: 1},
			nil, "",
		},
		"no word of who is connected": {drop("connected_nodes"), map[string]float64{`riak_state{state="running"}`: 1}, []string{lost, "riak_connected_members{}"}, ""},
		"no list of who is connected": {set("connected_nodes", "undefined"), map[string]float64{`riak_state{state="running"}`: 1}, []string{lost}, ""},
		"no word of the members":      {drop("ring_members"), map[string]float64{`riak_state{state="running"}`: 1}, []string{"riak_ring_members{}"}, ""},
		"a member that is no text":    {set("connected_nodes", []any{7, "riak2@127.0.0.1", nil}), map[string]float64{lost: 1}, nil, ""},
		"another program's figures":   {func(s map[string]any) { clear(s); s["uptime"] = 7 }, map[string]float64{"riak_up{}": 0, "riak_ping_up{}": 1}, nil, reasonParse},
		"nothing at all":              {func(s map[string]any) { clear(s) }, map[string]float64{"riak_up{}": 0}, nil, reasonParse},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "riak")
				for url, a := range w.http {
					if !strings.HasSuffix(url, "stats") {
						continue
					}
					var s map[string]any
					d := json.NewDecoder(strings.NewReader(string(a.Body)))
					d.UseNumber()
					if err := d.Decode(&s); err != nil {
						t.Fatal(err)
					}
					c.edit(s)
					a.Body, _ = json.Marshal(s)
					w.http[url] = a
				}
				time.Sleep(time.Second)
				got, err := w.look("riak_")
				var blind *collectors.BlindError
				if errors.As(err, &blind) != (c.blind != "") || c.blind != "" && blind.Reason != c.blind {
					t.Errorf("error %v, want blindness %q", err, c.blind)
				}
				for key, v := range c.want {
					if have, ok := got[key]; !ok || have != v {
						t.Errorf("%s: have %v (%v), want %v", key, have, ok, v)
					}
				}
				for _, key := range c.absent {
					if v, ok := got[key]; ok {
						t.Errorf("%s is %v, want nothing", key, v)
					}
				}
			})
		})
	}
}
