package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/authority"
	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// world is a machine on which nothing runs.
func world(out io.Writer) World {
	return World{
		Out: out, Run: func(name string, args ...string) error { return fmt.Errorf("%s %q was run", name, args) },
		User:    func(string) (int, int, bool) { return 0, 0, false },
		Answers: func(string) int { return 0 }, Taken: func(string) bool { return false },
	}
}

func place(t *testing.T) Place {
	t.Helper()
	dir := t.TempDir()
	return Place{Config: filepath.Join(dir, "etc", "binnacle.yaml"), Data: filepath.Join(dir, "data")}
}

// runs is whether what was done went well, with what was printed.
func runs(t *testing.T, r interface {
	Run(context.Context, World) error
}, w World,
) (string, error) {
	t.Helper()
	var out strings.Builder
	w.Out = &out
	err := r.Run(t.Context(), w)
	return out.String(), err
}

// tree is every file with its content.
func tree(t *testing.T, p Place) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, root := range []string{p.dir(), p.Data} {
		_ = filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				out[path] = info.Mode().String() + string(b)
			}
			return nil
		})
	}
	return out
}

func same(a, b map[string]string) (differ []string) {
	for k := range a {
		if a[k] != b[k] {
			differ = append(differ, k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			differ = append(differ, k)
		}
	}
	return differ
}

func serve(t *testing.T, p Place) {
	t.Helper()
	cfg, err := agent.LoadConfig(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Collect.Off = true
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- agent.Run(ctx, cfg, agent.Hooks{Log: slog.New(slog.DiscardHandler), Pages: io.Discard, Ready: func(string) { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// A router is set up, its page is tested at a stand-in, an agent runs with what was made, two nodes join it, and what is
// repeated changes nothing.
func TestThreeNodes(t *testing.T) {
	pager := alertingtest.NewPagerDuty()
	defer pager.Close()
	r := Router{Place: place(t), Listen: testport.Free(t), Admin: "maria", RoutingKey: alertingtest.RoutingKey, EventsURL: pager.URL(), SendTest: true}
	w := world(nil)
	out, err := runs(t, r, w)
	if err != nil {
		t.Fatal(err, out)
	}
	if open := pager.Incidents(); len(open) != 1 || open[0].Urgency != "low" || open[0].Status != "resolved" {
		t.Errorf("the pager has %+v; want one of low urgency, resolved", open)
	}
	password := regexp.MustCompile(`password of maria: (\S+)`).FindStringSubmatch(out)
	token := regexp.MustCompile(`binnacle join (https://\S+) (bnj_\S+)`).FindStringSubmatch(out)
	if password == nil || token == nil {
		t.Fatalf("%s\nwant a password and a command to join", out)
	}
	key, err := os.Stat(filepath.Join(authority.Dir(r.Data), "ca.key"))
	if err != nil || key.Mode().Perm() != 0o600 {
		t.Errorf("the authority's key: %v, %v; want 0600", key.Mode(), err)
	}

	before := tree(t, r.Place)
	again := Router{Place: r.Place}
	if out, err = runs(t, again, w); err != nil || len(same(before, tree(t, r.Place))) > 0 {
		t.Errorf("a second run: %v, it changed %v\n%s", err, same(before, tree(t, r.Place)), out)
	}

	serve(t, r.Place)
	ask := func(path, login, password string) int {
		tr := &http.Transport{TLSClientConfig: trust(t, authority.NodeOf(r.Data).CA())}
		defer tr.CloseIdleConnections()
		q, _ := http.NewRequestWithContext(t.Context(), "GET", "https://"+r.Listen+path, nil)
		if login != "" {
			q.SetBasicAuth(login, password)
		}
		resp, err := (&http.Client{Transport: tr}).Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if a, b := ask("/-/status", "", ""), ask("/-/status", "maria", password[1]); a != 401 || b != 200 {
		t.Errorf("status: %d without a login, %d for maria; want 401, 200", a, b)
	}

	cfg, err := agent.LoadConfig(r.Config)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"web-1", "web-2"} {
		line, err := Invite(cfg, "")
		if err != nil {
			t.Fatal(err)
		}
		n := Node{Place: place(t), URL: "https://" + r.Listen, Token: strings.Fields(line)[3], Name: name}
		if i == 0 {
			n.Token = token[2]
		}
		if out, err := runs(t, n, w); err != nil {
			t.Fatal(err, out)
		}
		node, err := agent.LoadConfig(n.Config)
		if err != nil || node.PublicName() != name || len(node.Rules.Routers) != 1 {
			t.Fatalf("%v, routers %v of %s", err, node.Rules.Routers, node.PublicName())
		}
		found, err := agent.CheckLive(t.Context(), node, false)
		if err != nil || len(found) != 1 || found[0].Level != 0 {
			t.Errorf("%s reaches its router: %+v, %v", name, found, err)
		}
		before := tree(t, n.Place)
		if out, err := runs(t, n, w); err != nil || len(same(before, tree(t, n.Place))) > 0 {
			t.Errorf("joining again: %v, it changed %v\n%s", err, same(before, tree(t, n.Place)), out)
		}
		if line, err = Invite(cfg, name); err != nil {
			t.Fatal(err)
		}
		lost := n
		lost.Token, lost.Again = strings.Fields(line)[3], true
		login := filepath.Join(filepath.Dir(n.Config), "secrets", "router-token")
		old, _ := os.ReadFile(login) // its absence is seen below
		if out, err := runs(t, lost, w); err != nil || !strings.Contains(out, "joins again: as asked") {
			t.Errorf("joining with --again: %v\n%s", err, out)
		}
		if now, err := os.ReadFile(login); err != nil || len(old) == 0 || string(now) == string(old) {
			t.Errorf("%v: it has its old login after it joined again", err)
		}
		if _, err := runs(t, Router{Place: n.Place}, w); err == nil || !strings.Contains(err.Error(), "has joined") {
			t.Errorf("a node is set up as a router: %v", err)
		}
	}
	have, err := door.Tokens(cfg.Web.TokensPath(cfg.Data))
	if err != nil || len(have) != 3 {
		t.Errorf("tokens %+v, %v; want those of two nodes and of this machine", have, err)
	}
	if _, err := runs(t, Node{Place: r.Place, URL: "https://" + r.Listen, Token: token[2]}, w); err == nil || !strings.Contains(err.Error(), "is a router") {
		t.Errorf("a router joins: %v", err)
	}
	if err := (Undo{Place: r.Place}).Run(World{Out: io.Discard}); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("undo while it runs: %v", err)
	}
}

// Undo leaves what setup did not make, and a second one finds nothing.
func TestUndo(t *testing.T) {
	p, w := place(t), world(nil)
	own := map[string]string{p.Config: "log: {level: warn}\n", filepath.Join(p.Data, "ledger.db"): "history"}
	for path, text := range own {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, p)
	if out, err := runs(t, Router{Place: p, Listen: "127.0.0.1:0", Admin: "maria", RoutingKey: alertingtest.RoutingKey}, w); err != nil {
		t.Fatal(err, out)
	}
	if err := os.WriteFile(filepath.Join(p.dir(), "secrets", ".new-1"), []byte("a killed run's"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := (Undo{Place: p}).Run(World{Out: &out}); err != nil {
		t.Fatal(err)
	}
	if d := same(before, tree(t, p)); len(d) > 0 {
		t.Errorf("after undo %v differ", d)
	}
	out.Reset()
	if err := (Undo{Place: p}).Run(World{Out: &out}); err != nil || !strings.Contains(out.String(), "nothing to take back") {
		t.Errorf("undo again: %v %s", err, out.String())
	}
	if err := (Undo{Place: p, Purge: true}).Run(World{Out: &out}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after purge: %v", err)
	}
	if err := (Undo{Place: Place{p.Config, filepath.Dir(p.Config)}, Purge: true}).Run(World{Out: &out}); err == nil {
		t.Error("a folder that is no data folder was purged")
	}
}

// What a person wrote is read and never changed; what cannot be is said before anything is changed.
func TestWhatAPersonWroteStays(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		r      Router
		wrong  string
	}{
		"nothing":                       {"", Router{}, ""},
		"the package's file":            {"data: DATA\nroute:\n  mode: shadow\n", Router{}, ""},
		"an address":                    {"listen: 127.0.0.1:9700\n", Router{}, ""},
		"an address, and another asked": {"listen: 127.0.0.1:9700\n", Router{Listen: "127.0.0.1:9701"}, "change it there"},
		"a routing key":                 {"route: {pagerduty: {routing_key: " + alertingtest.RoutingKey + "}}\n", Router{RoutingKey: strings.Repeat("a", 32)}, "change it there"},
		"a mode":                        {"route: {mode: 'on'}\n", Router{}, ""},
		"an error":                      {"rout: {mode: 'on'}\n", Router{}, "did you mean"},
		"an address that is none":       {"", Router{Listen: "9600"}, "host:port"},
		"a routing key that is none":    {"", Router{RoutingKey: "short"}, "routing_key"},
	} {
		t.Run(name, func(t *testing.T) {
			p := place(t)
			if err := os.MkdirAll(p.dir(), 0o755); err != nil {
				t.Fatal(err)
			}
			if tc.config != "" {
				if err := os.WriteFile(p.Config, []byte(strings.ReplaceAll(tc.config, "DATA", p.Data)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, p)
			tc.r.Place = p
			if tc.r.Listen == "" {
				if _, err := os.Stat(p.Config); err != nil || !strings.Contains(tc.config, "listen") {
					tc.r.Listen = "127.0.0.1:9601"
				}
			}
			out, err := runs(t, tc.r, world(nil))
			if (err == nil) != (tc.wrong == "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
				t.Fatalf("%v\n%s\nwant %q", err, out, tc.wrong)
			}
			after := tree(t, p)
			if tc.config != "" && before[p.Config] != after[p.Config] {
				t.Error("the file of a person was changed")
			}
			if _, ok := after[p.fragment()]; ok != (err == nil) {
				t.Errorf("setup.yaml is there: %v after %v", ok, err)
			}
		})
	}
}

// Without rights, and on a full disk, nothing is changed and the words say what to do.
func TestRefusedBeforeTheFirstChange(t *testing.T) {
	w := world(nil)
	if _, err := runs(t, Router{Place: Place{DefaultConfig, DefaultData}}, w); err == nil || !strings.Contains(err.Error(), "as root") {
		t.Errorf("without rights: %v", err)
	}
	p := place(t)
	p.Data = "/proc/binnacle"
	if _, err := runs(t, Router{Place: p}, w); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("a data folder that cannot be: %v", err)
	}
	if _, err := os.Stat(p.dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the configuration's folder was made: %v", err)
	}
}

// What the agent would refuse is refused before a certificate, a secret or a login is made of it.
func TestWhatIsAskedForIsLookedAtFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		r    Router
		want string
	}{
		"a host with a space":      {Router{Hosts: []string{"a b"}}, "web.hosts"},
		"a listen without a port":  {Router{Listen: "9600"}, "--listen"},
		"a key that is none":       {Router{RoutingKey: "short"}, "routing_key"},
		"a region that is none":    {Router{RoutingKey: strings.Repeat("k", 32), Region: "mars"}, "region"},
		"a test without any pager": {Router{SendTest: true}, "--routing-key-file"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.r.Place = place(t)
			out, err := runs(t, tc.r, world(nil))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("%v, want %s, and that nothing was changed", err, tc.want)
			}
			if _, err := os.Stat(tc.r.dir()); !errors.Is(err, os.ErrNotExist) || out != "" {
				t.Errorf("the configuration's folder was made: %v, %s", err, out)
			}
		})
	}
	r := Router{Place: place(t), Hosts: []string{"router.example"}, RoutingKey: strings.Repeat("k", 32)}
	if out, err := runs(t, r, world(nil)); err != nil || !strings.Contains(out, "https://router.example:9600 (login admin") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := runs(t, Router{Place: r.Place, Region: "eu"}, world(nil)); err != nil {
		t.Errorf("a region after the key: %v\n%s", err, out)
	}
}

// Ended after any step, a second run makes the rest.
func TestHalfIsMadeWhole(t *testing.T) {
	whole := place(t)
	r := Router{Place: whole, Listen: "127.0.0.1:9601", Admin: "maria"}
	if out, err := runs(t, r, world(nil)); err != nil {
		t.Fatal(err, out)
	}
	n := authority.NodeOf(whole.Data)
	for _, lost := range []string{whole.fragment(), whole.web(), whole.client(), whole.secret("commands"), n.Cert(), n.Key(), n.CA(), filepath.Join(whole.Data, "tokens.yaml"), authority.Dir(whole.Data)} {
		if err := os.RemoveAll(lost); err != nil {
			t.Fatal(err)
		}
		if out, err := runs(t, r, world(nil)); err != nil {
			t.Errorf("without %s: %v\n%s", lost, err, out)
		}
		if _, err := os.Stat(lost); err != nil {
			t.Errorf("%s was not made again: %v", lost, err)
		}
		if _, err := authority.Open(authority.Dir(whole.Data), time.Now); err != nil {
			t.Error(err)
		}
		if tr := trust(t, n.CA()); tr == nil {
			t.Error("the authority's certificate is not that of the node's")
		}
	}
}
