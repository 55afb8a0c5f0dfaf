package collectorstest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "embed"

	"golang.org/x/tools/txtar"
)

//go:embed riak.txtar.gz
var riakRecorded []byte

// RiakNodes are the names of the three nodes.
var RiakNodes = []string{"riak1", "riak2", "riak3"}

// Situations that are edited and not recorded: the healthy answers with another use of the disk of riak1, and with
// /ping as it is answered where security is on.
const (
	RiakSecurity    = "security"
	RiakDiskFilling = "disk-filling" // 90 % at first, 1 % more each second, up to 97 %
	RiakDiskFull    = "disk-full"    // 96 %
)

// Situations that are derived: no recording has them. Their figures are the healthy ones; who sees whom is edited.
const (
	RiakIsolated   = "isolated"   // the distribution of riak3 is cut: its listeners serve, it sees itself alone, the others two
	RiakFrozen     = "frozen"     // riak3 takes connections and never answers; the others still count it
	RiakAllDown    = "all-down"   // nobody listens anywhere
	RiakPBDown     = "pb-down"    // the protocol-buffer listener of riak3 refuses
	RiakTwoDown    = "two-down"   // riak2 and riak3 refuse, riak1 sees itself alone
	RiakOverloaded = "overloaded" // riak2 refuses five requests a second
	riakRefused    = 5            // a second
)

var riakDerived = []string{RiakIsolated, RiakFrozen, RiakAllDown, RiakPBDown, RiakTwoDown, RiakOverloaded}

// riakSees is whom each node is connected to in a derived situation, where that is not all.
var riakSees = map[string]map[string][]string{
	RiakIsolated: {"riak1": {"riak2"}, "riak2": {"riak1"}, "riak3": {}},
	RiakTwoDown:  {"riak1": {}},
}

// Riak is a cluster of three. Its methods may be used by many goroutines.
type Riak struct {
	now   func() time.Time
	mu    sync.Mutex
	sit   string
	since time.Time
	// base is what each node's counters had reached when the situation began.
	base  map[string]map[string]float64
	fault map[string][]string    // of single nodes
	ports map[string]*playedPort // nil: in process
}

// NewRiak starts a healthy cluster on ports of the loopback device. It panics when it can not listen.
func NewRiak() *Riak {
	s := NewRiakInProcess()
	s.ports = map[string]*playedPort{}
	for _, n := range RiakNodes {
		s.ports[n] = newPlayedPort(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := s.answerTo(n, r.URL.Path)
			if a.status >= http.StatusBadRequest {
				w.Header().Set("Content-Type", "text/html")
			}
			serveAnswer(w, r, a)
		}))
	}
	return s
}

// NewRiakInProcess makes a healthy cluster that is reached by Transport alone, for use in a bubble of testing/synctest.
func NewRiakInProcess() *Riak {
	s := &Riak{now: time.Now, base: map[string]map[string]float64{}}
	s.Play("healthy")
	return s
}

// RiakSituations are the names that Play takes.
func RiakSituations() []string {
	all := map[string]bool{RiakDiskFilling: true, RiakDiskFull: true, RiakSecurity: true}
	for _, name := range riakDerived {
		all[name] = true
	}
	for name := range riakAnswers() {
		sit, _, _ := strings.Cut(name, "/")
		all[sit] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// Play goes over to a situation on all nodes. Counters go on from where they were, but on a node that was
// restarted in the situation: there they begin again. It panics when there is no such situation.
func (s *Riak) Play(situation string) {
	if !slices.Contains(RiakSituations(), situation) {
		panic("collectorstest: no situation " + situation)
	}
	s.mu.Lock()
	now := s.now()
	base := map[string]map[string]float64{}
	for _, n := range RiakNodes {
		base[n] = s.counters(n, now)
	}
	if situation == "node-returning" {
		base["riak3"] = nil
	}
	s.sit, s.since, s.base = situation, now, base
	s.mu.Unlock()
	for n, p := range s.ports {
		if s.answerTo(n, "/ping").refused {
			p.set(portRefuses)
		} else {
			p.set(portOpen)
		}
	}
}

// Close ends all servers.
func (s *Riak) Close() {
	for _, p := range s.ports {
		p.set(portRefuses)
	}
}

// URL is that of a node's HTTP listener.
func (s *Riak) URL(node string) string {
	if p := s.ports[node]; p != nil {
		return "http://" + p.addr
	}
	return "http://" + node + ":8098"
}

// Config is the section collect.riak that watches node, as YAML without indentation. It asks as often as the
// schedule of the demo does; a real Riak is asked every 10 s at most.
func (s *Riak) Config(node string) string {
	pb := "''" // on loopback nobody plays it
	if s.ports == nil {
		pb = node + ":8087"
	}
	return "url: " + s.URL(node) + "\npb: " + pb + "\nstats_every: 1s\n"
}

// RoundTrip answers requests to the nodes by their names, in process.
func (s *Riak) RoundTrip(r *http.Request) (*http.Response, error) {
	a := s.answerTo(r.URL.Hostname(), r.URL.Path)
	switch {
	case a.refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case a.hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
		ContentLength: int64(len(a.body)), Body: io.NopCloser(bytes.NewReader(a.body)),
	}, nil
}

// riakAnswers are all recorded answers of /stats by "situation/node".
var riakAnswers = sync.OnceValue(func() map[string]answer {
	z, err := gzip.NewReader(bytes.NewReader(riakRecorded))
	if err != nil {
		panic("collectorstest: " + err.Error())
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic("collectorstest: " + err.Error())
	}
	out := map[string]answer{}
	for _, f := range txtar.Parse(text).Files {
		name, status, _ := strings.Cut(f.Name, " ")
		a := answer{status: http.StatusOK, body: f.Data}
		if status == "refused" {
			a = answer{refused: true}
		} else if status != "" {
			if a.status, err = strconv.Atoi(status); err != nil {
				panic("collectorstest: " + f.Name)
			}
		}
		out[name] = a
	}
	return out
})

// riakKilled are the situations in which riak3 is dead.
var riakKilled = []string{"node-killed", "node-killed-earlier"}

// riakWithin are the situations that were one failed answer within another.
var riakWithin = map[string]string{"joining-stats-timeout": "joining", "handoff-stuck-overload": "handoff-stuck"}

// riakRecordedAnswer is what node answered to /stats in a situation; what was not recorded is the answer of the
// situation around it, else the healthy one.
func riakRecordedAnswer(situation, node string) answer {
	if node == "riak3" && slices.Contains(riakKilled, situation) {
		return answer{refused: true}
	}
	for _, sit := range []string{situation, riakWithin[situation]} {
		if a, ok := riakAnswers()[sit+"/"+node]; ok {
			return a
		}
	}
	return riakAnswers()["healthy/"+node]
}

// riakWindow are the figures of riak1 in the situation window, as time goes on: t, in seconds, and the fields.
var riakWindow = sync.OnceValue(func() (all []map[string]float64) {
	d := json.NewDecoder(bytes.NewReader(riakAnswers()["window/riak1.jsonl"].body))
	for d.More() {
		var at map[string]float64
		if err := d.Decode(&at); err != nil {
			panic("collectorstest: window: " + err.Error())
		}
		all = append(all, at)
	}
	return all
})

// overlay puts the figures of the window at now into stats. Totals go on as ever.
func (s *Riak) overlay(stats map[string]any, now time.Time) {
	for _, at := range riakWindow() {
		if at["t"] > now.Sub(s.since).Seconds() {
			return
		}
		for k, v := range at {
			if _, has := stats[k]; has && !strings.HasSuffix(k, "_total") {
				stats[k] = v
			}
		}
	}
}

// answerTo finds the answer to a request to node.
func (s *Riak) answerTo(node, path string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answerHeld(node, path)
}

// answerHeld is answerTo with the lock held.
func (s *Riak) answerHeld(node, path string) answer {
	a := riakRecordedAnswer(s.sit, node)
	if b, ok := s.broken(node, path); ok {
		return b
	}
	switch {
	case s.sit == RiakAllDown, s.sit == RiakTwoDown && node != "riak1":
		return answer{refused: true}
	case s.sit == RiakFrozen && node == "riak3":
		return answer{hang: true}
	case a.refused || !slices.Contains(RiakNodes, node):
		return answer{refused: true}
	case path == "/ping" && s.secured(node):
		return answer{status: http.StatusUpgradeRequired, body: []byte("Security is enabled and Riak does not accept credentials over HTTP.")}
	case path == "/ping":
		return answer{status: http.StatusOK, body: []byte("OK")}
	case path != "/stats":
		return answer{status: http.StatusNotFound, body: []byte("<html>not found</html>")}
	case a.status != http.StatusOK:
		return a
	}
	now := s.now()
	var stats map[string]any
	if err := json.Unmarshal(a.body, &stats); err != nil {
		panic("collectorstest: " + s.sit + "/" + node + ": " + err.Error())
	}
	for k, v := range s.counters(node, now) {
		stats[k] = int64(v)
	}
	if s.sit == "window" && node == "riak1" {
		s.overlay(stats, now)
	}
	if sees, ok := riakSees[s.sit][node]; ok {
		names := []any{}
		for _, n := range sees {
			names = append(names, n+"@127.0.0.1")
		}
		stats["connected_nodes"] = names
	}
	if names, ok := stats["connected_nodes"].([]any); ok {
		stats["connected_nodes"] = s.seen(node, names)
	}
	if s.sit == RiakOverloaded && node == "riak2" {
		stats["node_get_fsm_rejected_total"] = int64(riakRefused * now.Sub(s.since).Seconds())
	}
	if used := s.diskUse(node, now); used > 0 {
		stats["disk"] = []map[string]any{{"id": "/", "size": 8256952, "used": used}}
	}
	body, err := json.Marshal(stats)
	if err != nil {
		panic("collectorstest: " + err.Error())
	}
	return answer{status: http.StatusOK, body: body}
}

// secured says whether a node has security on.
func (s *Riak) secured(node string) bool {
	return s.sit == RiakSecurity || s.has(node, RiakNodeSecured)
}

// diskUse is the use of a node's disk in percent, 0 where it is as recorded.
func (s *Riak) diskUse(node string, now time.Time) int {
	switch {
	case s.has(node, RiakNodeDiskFull), s.sit == RiakDiskFull && node == "riak1":
		return 96
	case s.sit == RiakDiskFilling && node == "riak1":
		return min(97, 90+int(now.Sub(s.since)/time.Second))
	}
	return 0
}

// counters returns a node's totals at now: they have grown since the situation began by a sixtieth of the
// recorded last minute each second. One whose last minute is not told stays; it jumps to what was
// recorded where that is more.
func (s *Riak) counters(node string, now time.Time) map[string]float64 {
	a := riakRecordedAnswer(s.sit, node)
	if s.sit == "" || a.status != http.StatusOK {
		return s.base[node]
	}
	var stats map[string]json.RawMessage
	if err := json.Unmarshal(a.body, &stats); err != nil {
		panic("collectorstest: " + s.sit + "/" + node + ": " + err.Error())
	}
	out := map[string]float64{}
	for k, raw := range stats {
		window, isTotal := strings.CutSuffix(k, "_total")
		total, err := strconv.ParseFloat(string(raw), 64)
		if !isTotal || err != nil || strings.HasPrefix(k, "riak_") || strings.HasPrefix(k, "memory_") || k == "mem_total" {
			continue
		}
		minute, err := strconv.ParseFloat(string(stats[window]), 64)
		base, has := s.base[node][k]
		if !has || err != nil {
			base = max(base, total)
		}
		if err != nil {
			minute = 0
		}
		out[k] = base + minute/60*now.Sub(s.since).Seconds()
	}
	return out
}
