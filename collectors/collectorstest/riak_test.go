package collectorstest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func riakStats(t *testing.T, s http.RoundTripper, url string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url+"/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.RoundTrip(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, v
}

func TestRiakPlaysEverySituationOnEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewRiakInProcess()
		for _, sit := range RiakSituations() {
			s.Play(sit)
			for _, n := range RiakNodes {
				if a := s.answerTo(n, "/stats"); slices.Contains(riakDerived, sit) && (a.refused || a.hang) {
					continue
				}
				code, v := riakStats(t, s, s.URL(n))
				want := riakRecordedAnswer(sit, n)
				name := n + "@127.0.0.1"
				if sit == "leveldb" || sit == "leveled" {
					name = "riak4@127.0.0.1" // recorded there
				}
				if code != want.status || code == http.StatusOK && v["nodename"] != name {
					t.Errorf("%s: %s answers %d as %v, want %d as %s", sit, n, code, v["nodename"], want.status, name)
				}
			}
		}
	})
}

func TestRiakCountersGoOnAndFallOnlyAtARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewRiakInProcess()
		gets := func(n string) float64 {
			_, v := riakStats(t, s, s.URL(n))
			f, _ := v["node_gets_total"].(float64)
			return f
		}
		first := gets("riak1")
		time.Sleep(time.Minute)
		second := gets("riak1")
		if second-first != 2163 {
			t.Errorf("%v gets in a minute, want the 2163 recorded", second-first)
		}
		three := gets("riak3")
		s.Play("vnode-stuck")
		if got := gets("riak1"); got != second {
			t.Errorf("a new situation begins at %v, want %v", got, second)
		}
		s.Play("node-killed")
		if code, _ := riakStats(t, s, s.URL("riak3")); code != 0 {
			t.Errorf("a dead node answers %d", code)
		}
		s.Play("node-returning")
		if got := gets("riak3"); got >= three {
			t.Errorf("a restarted node goes on at %v", got)
		}
	})
}

func TestRiakDiskFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewRiakInProcess()
		s.Play(RiakDiskFilling)
		for _, want := range []float64{90, 94, 97, 97} {
			_, v := riakStats(t, s, s.URL("riak1"))
			disk := v["disk"].([]any)[0].(map[string]any)
			if disk["used"] != want {
				t.Errorf("the disk is used to %v %%, want %v", disk["used"], want)
			}
			time.Sleep(4 * time.Second)
		}
	})
}

func TestRiakOnPorts(t *testing.T) {
	s := NewRiak()
	defer s.Close()
	url := s.URL("riak3")
	if code, _ := riakStats(t, http.DefaultTransport, url); code != http.StatusOK {
		t.Errorf("GET /stats = %d", code)
	}
	s.Play("node-killed")
	if code, _ := riakStats(t, http.DefaultTransport, url); code != 0 {
		t.Errorf("GET /stats of a dead node = %d", code)
	}
	s.Play("healthy")
	if code, _ := riakStats(t, http.DefaultTransport, url); code != http.StatusOK {
		t.Errorf("GET /stats of one that is back = %d", code)
	}
}

func TestRiakWindowEmpties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewRiakInProcess()
		s.Play("window")
		_, first := riakStats(t, s, s.URL("riak1"))
		time.Sleep(2 * time.Minute)
		_, last := riakStats(t, s, s.URL("riak1"))
		if first["node_gets"] != 57.0 || last["node_gets"] != 0.0 {
			t.Errorf("gets of the last minute: %v at first and %v at last, want 57 and 0", first["node_gets"], last["node_gets"])
		}
	})
}
