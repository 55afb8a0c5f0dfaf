package riak

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest"
	"github.com/navcloud/binnacle/collectors/host"
)

func TestJudgeRiak(t *testing.T) {
	old, young := &host.Process{ID: "7/1", Age: time.Hour}, &host.Process{ID: "8/2", Age: 10 * time.Second}
	all := ringFacts{members: 3, connected: 3, owned: 6, owner: true}
	for name, c := range map[string]struct {
		facts stateFacts
		want  nodeState
		on    string
	}{
		"it runs":                                {stateFacts{ring: all, pb: pbOK}, stateRunning, ""},
		"nothing is known of the ring yet":       {stateFacts{pb: pbOK}, stateRunning, ""},
		"stopped by a signal":                    {stateFacts{process: &host.Process{Stopped: true}, pingReason: reasonTimeout}, stateFrozen, evProcessStopped},
		"neither listener answers":               {stateFacts{pingReason: reasonTimeout, pb: pbSilent}, stateFrozen, evSilent},
		"HTTP alone does not answer":             {stateFacts{pingReason: reasonTimeout, pb: pbOK}, stateBlind, evPBAnswers},
		"HTTP alone refuses":                     {stateFacts{pingReason: reasonConnect, pb: pbSecured}, stateBlind, evPBAnswers},
		"its process is gone":                    {stateFacts{pingReason: reasonConnect, processKnown: true}, stateDown, evProcessGone},
		"nobody listens, and /proc is not known": {stateFacts{pingReason: reasonConnect}, stateDown, evRefused},
		"its process is young":                   {stateFacts{pingReason: reasonConnect, processKnown: true, process: young}, stateStarting, evRefused},
		"young, and it served before":            {stateFacts{pingReason: reasonConnect, processKnown: true, process: young, ran: true}, stateDown, evRefused},
		"its routes are not there yet":           {stateFacts{pingReason: reasonHTTP, processKnown: true, process: young}, stateStarting, evOddAnswer},
		"something else has the port":            {stateFacts{pingReason: reasonHTTP, processKnown: true, process: old}, stateBlind, evOddAnswer},
		"it left":                                {stateFacts{pingReason: reasonConnect, processKnown: true, left: true}, stateLeft, evOwnsNothing},
		"it left and is started again":           {stateFacts{pingReason: reasonConnect, processKnown: true, process: young, left: true}, stateStarting, evRefused},
		"a member that owns nothing yet":         {stateFacts{ring: ringFacts{members: 3, connected: 3}}, stateJoining, evOwnsNothing},
		"a member that owns nothing any more":    {stateFacts{ring: ringFacts{members: 3, connected: 3, owner: true}}, stateLeaving, evOwnsNothing},
		"riak admin says that it leaves":         {stateFacts{ring: all, status: "leaving"}, stateLeaving, evMemberStatus},
		"one node alone":                         {stateFacts{ring: ringFacts{members: 1, connected: 1, owned: 16, owner: true}}, stateRunning, ""},
		"it sees itself alone":                   {stateFacts{ring: ringFacts{members: 3, connected: 1, owned: 6, owner: true}}, stateIsolated, evFewMembers},
		"one of two is away":                     {stateFacts{ring: ringFacts{members: 2, connected: 1, owned: 8, owner: true}}, stateRunning, ""},
		"it refuses requests":                    {stateFacts{ring: all, refuses: true}, stateOverloaded, evRefusesWork},
		"a vnode refuses to tell":                {stateFacts{ring: all, statsReason: reasonOverload, statsFailing: time.Second}, stateOverloaded, evRefusesWork},
		"its disk is full":                       {stateFacts{ring: all, diskUsed: 0.96, refuses: true}, stateDiskFull, evDiskFull},
		"security is on":                         {stateFacts{ring: all, secured: true, pb: pbSecured}, stateSecured, evSecurity},
		"only protocol buffers say so":           {stateFacts{ring: all, pb: pbSecured}, stateSecured, evSecurity},
		"it refuses our login":                   {stateFacts{ring: all, pb: pbDenied}, stateBlind, evLoginFailed},
		"their certificate is not trusted":       {stateFacts{ring: all, pb: pbUntrusted}, stateTLS, evNotTrusted},
		"that of HTTP is not trusted":            {stateFacts{pingReason: reasonTLS, pb: pbOK}, stateTLS, evNotTrusted},
		"figures fail once":                      {stateFacts{ring: all, statsReason: reasonCalcTimeout, statsFailing: 15 * time.Second}, stateRunning, evNoFigures},
		"figures fail for long":                  {stateFacts{statsReason: reasonCalcTimeout, statsFailing: time.Minute}, stateBlind, evNoFigures},
	} {
		t.Run(name, func(t *testing.T) {
			got, on := judge(c.facts)
			if got != c.want || c.on != "" && !slices.Contains(on, c.on) {
				t.Errorf("judge = %s on %v, want %s on %s", got, on, c.want, c.on)
			}
		})
	}
}

// playedNode is an agent's collector beside riak3 of a stand-in.
func playedNode(t *testing.T, s *collectorstest.Riak, state, more string) collectors.Collector {
	t.Helper()
	opt := defaults
	if err := yaml.Unmarshal([]byte(s.Config("riak3")+"unit: []\n"+more), &opt); err != nil {
		t.Fatal(err)
	}
	c, err := newCollector(collectors.Env{
		Options: opt, Root: collectors.Root(t.TempDir()), State: state, Node: "n", Expected: true, HTTP: s, Dial: s.Dial, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stateOf collects until the state stands, and returns it.
func stateOf(t *testing.T, c collectors.Collector) string {
	t.Helper()
	state := ""
	for range 4 {
		b := &metric.Batch{Time: time.Now()}
		_ = c.Collect(t.Context(), b) // blind or not: the state is told
		for _, s := range b.Samples {
			if s.Desc == descState && s.Value == 1 {
				state = s.Labels.Get("state")
			}
		}
		time.Sleep(15 * time.Second)
	}
	return state
}

func TestRiakStatesOfTheStandIn(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, collectorstest.RiakAuthority(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ situation, more, want string }{
		{"healthy", "", "running"},
		{"joining", "", "joining"},
		{"join-staged", "", "joining"},
		{"node-killed", "", "down"},
		{collectorstest.RiakIsolated, "", "isolated"},
		{collectorstest.RiakFrozen, "", "frozen"},
		{collectorstest.RiakAllDown, "", "down"},
		{collectorstest.RiakPBDown, "", "running"},
		{collectorstest.RiakSecurity, "ca_file: " + ca, "secured"},
		{collectorstest.RiakSecurity, "", "secured"},
		{"leaving", "", "running"}, // it owns five partitions still, and /stats alone does not say that they go
	} {
		t.Run(c.situation+" "+filepath.Base(c.more), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := collectorstest.NewRiakInProcess()
				col := playedNode(t, s, "", c.more)
				s.Play(c.situation)
				if got := stateOf(t, col); got != c.want {
					t.Errorf("the state is %s, want %s", got, c.want)
				}
			})
		})
	}
}

// authority is a file with the certificate of a server, which signed itself.
func authority(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRiakProtocolBuffersAuthority holds that the certificate is checked against ca_file, and a stranger's is told. In a bubble a handshake
// has all the time it needs.
func TestRiakProtocolBuffersAuthority(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	other, ours := authority(t, srv), filepath.Join(t.TempDir(), "riak.pem")
	if err := os.WriteFile(ours, collectorstest.RiakAuthority(), 0o600); err != nil {
		t.Fatal(err)
	}
	right, wrong := secret.New(collectorstest.Password), secret.New("wrong")
	for name, c := range map[string]struct {
		caFile, user string
		password     secret.Secret
		want         pbSeen
	}{
		"without ca_file":                      {"", "", secret.Secret{}, pbSecured},
		"of another authority":                 {other, "", secret.Secret{}, pbUntrusted},
		"a login, to one of another authority": {other, collectorstest.User, right, pbUntrusted}, // it is told no password
		"a login":                              {ours, collectorstest.User, right, pbSecured},
		"a wrong password":                     {ours, collectorstest.User, wrong, pbDenied},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := collectorstest.NewRiakInProcess()
				s.Play(collectorstest.RiakSecurity)
				r := playedNode(t, s, "", "").(*collector)
				r.opt.CAFile, r.opt.User, r.opt.Password = c.caFile, c.user, c.password
				var err error
				if r.trust, err = collectors.TrustAt("127.0.0.1:8087", c.caFile); err != nil {
					t.Fatal(err)
				}
				if got := r.pbPing(t.Context()); got != c.want {
					t.Errorf("have %v, want %v", got, c.want)
				}
			})
		})
	}
}

// TestRiakExpectedIsMissed holds that a node which ended before its agent is down and not absent, and that one which nobody has
// seen is so where it is expected.
func TestRiakExpectedIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := collectorstest.NewRiakInProcess()
		dir := t.TempDir()
		if got := stateOf(t, playedNode(t, s, dir, "")); got != "running" {
			t.Fatal(got)
		}
		s.Play(collectorstest.RiakAllDown)
		if got := stateOf(t, playedNode(t, s, dir, "")); got != "down" {
			t.Errorf("the state is %q after a restart of the agent, want down", got)
		}
		if got := stateOf(t, playedNode(t, s, "", "")); got != "down" {
			t.Errorf("the state is %q where it is expected, want down", got)
		}
	})
}

// TestRiakOfAPrivateAuthority holds that HTTPS works with ca_file, and that without it the fault is told.
func TestRiakOfAPrivateAuthority(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") }))
	defer srv.Close()
	ca := authority(t, srv)
	for caFile, want := range map[string]string{"": "tls", ca: ""} {
		opt := defaults
		opt.URL, opt.PB, opt.CAFile = srv.URL, "", caFile
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { // where no deadline passes while it waits for the network
			c, err := newCollector(collectors.Env{
				Options: opt, Root: collectors.Root(dir), Node: "n", HTTP: &http.Transport{DisableKeepAlives: true}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.(*collector).ping(t.Context()).reason; got != want {
				t.Errorf("ca_file %q: ping says %q, want %q", filepath.Base(caFile), got, want)
			}
		})
	}
	if _, err := newCollector(collectors.Env{Options: Options{
		URL: srv.URL, Cluster: "riak", DataDir: "/", StatsEvery: time.Minute, AdminEvery: time.Minute, CAFile: "/nowhere.pem",
	}, Now: time.Now}); err == nil || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("a ca_file that is not there: %v", err)
	}
}
