package packagetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// Three nodes and an hour: the package is installed, set up and tested in three commands; two nodes join with one each; the unit's
// program runs; it is upgraded while alarms come; it is removed and purged.
func TestDebian(t *testing.T) {
	d := debian(t)
	began := time.Now()
	first, second := build(t, d)
	t.Logf("built after %v", time.Since(began).Round(time.Second))
	other := d.copied()
	t.Run("without systemd", func(t *testing.T) { d.t = t; alone(t, d, first, second) })
	t.Run("under systemd", func(t *testing.T) { other.t = t; systemd(t, other, first, second) })
}

func alone(t *testing.T, d tree, first, second string) {
	began := time.Now()
	pager := alertingtest.NewPagerDuty()
	defer pager.Close()
	nodes := []tree{d.copied(), d.copied()}

	address := testport.Free(t)
	if err := os.WriteFile(d.path("root/key"), []byte(alertingtest.RoutingKey), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("dpkg", "-i", first)
	out := d.run("binnacle", "setup", "--yes", "--listen", address, "--admin", "maria", "--routing-key-file", "/root/key", "--events-url", pager.URL(), "--send-test")
	if open := pager.Incidents(); len(open) != 1 || open[0].Urgency != "low" || open[0].Status != "resolved" {
		t.Fatalf("the pager has %+v; want the test page, of low urgency, resolved\n%s", open, out)
	}
	if !strings.Contains(out, "systemd does not run here") || !strings.Contains(out, "runuser -u binnacle") {
		t.Errorf("%s\nwant how to start it without systemd", out)
	}
	d.owned("var/lib/binnacle", 0o750, "binnacle:binnacle")
	d.owned("var/lib/binnacle/authority/ca.key", 0o600, "binnacle:binnacle")
	d.owned("etc/binnacle/secrets/pagerduty", 0o640, "root:binnacle")
	d.owned("etc/binnacle/secrets/commands", 0o600, "root:binnacle")
	d.owned("etc/binnacle/conf.d/setup.yaml", 0o640, "root:binnacle")

	s := d.start()
	// Its exit code is not 0 with a warning: there is no /proc in the tree.
	if out, _ := d.try("binnacle", "status"); !strings.Contains(out, "OK") && !strings.Contains(out, "WARNING") {
		t.Errorf("status says %s", out)
	}
	joins(t, d, nodes, first, out)
	t.Logf("three nodes after %v", time.Since(began).Round(time.Second))
	s = upgrades(t, d, s, second, address, pager)
	s.stop()
	goes(t, d)
	t.Logf("all after %v", time.Since(began).Round(time.Second))
}

// joins lets the other trees join, each with one command after the package.
func joins(t *testing.T, router tree, nodes []tree, deb, said string) {
	t.Helper()
	form := regexp.MustCompile(`binnacle join https://[^:]+:(\d+) (bnj_\S+)`)
	for i, n := range nodes {
		if i > 0 {
			said = router.run("binnacle", "token", "join")
		}
		m := form.FindStringSubmatch(said)
		if m == nil {
			t.Fatalf("%s\nwant a command to join", said)
		}
		n.run("dpkg", "-i", deb)
		n.run("binnacle", "join", "https://127.0.0.1:"+m[1], m[2], "--name", fmt.Sprint("web-", i)) // all trees have one host's name
		n.owned("var/lib/binnacle/tls/key.pem", 0o600, "binnacle:binnacle")
		if out := n.run("chroot", "--userspec=binnacle:binnacle", "/", "binnacle", "check", "--live", "--config", "/etc/binnacle/binnacle.yaml"); !strings.Contains(out, "takes the alarms of this node") {
			t.Errorf("web-%d: %s", i, out)
		}
	}
}

// upgrades replaces the program while a P1 is open and repeated; another comes after. Each pages once.
func upgrades(t *testing.T, d tree, s *service, deb, address string, pager *alertingtest.PagerDuty) *service {
	t.Helper()
	d.run("sed", "-i", "s/^  mode: shadow/  mode: 'on'/", "/etc/binnacle/binnacle.yaml")
	s.stop()
	s = d.start()
	before := len(pager.Pages())
	send := sender(t, d, address)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			send("checkout", false) // nobody answers in between
			time.Sleep(100 * time.Millisecond)
		}
	}()
	until(t, "the page before the upgrade", func() bool { return len(pager.Pages()) == before+1 })
	d.run("dpkg", "-i", deb)
	if v := d.run("dpkg-query", "-W", "-f=${Version}", "binnacle"); v != "0.2.0-1" {
		t.Errorf("version %s; want 0.2.0-1", v)
	}
	if text, err := os.ReadFile(d.path("etc/binnacle/binnacle.yaml")); err != nil || !strings.Contains(string(text), "mode: 'on'") {
		t.Errorf("the configuration was not kept: %v", err)
	}
	s.stop() // as `systemctl try-restart` does
	s = d.start()
	send("payments", true)
	until(t, "the page after the upgrade", func() bool { send("payments", true); return len(pager.Pages()) >= before+2 })
	cancel()
	<-done
	if n := len(pager.Pages()); n != before+2 {
		t.Errorf("%d pages; want %d, one for each alarm: %+v", n, before+2, pager.Pages())
	}
	return s
}

// sender sends a P1 of a service with the token of the machine's commands.
func sender(t *testing.T, d tree, address string) func(service string, must bool) {
	t.Helper()
	token, err := os.ReadFile(d.path("etc/binnacle/secrets/commands"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(d.path("var/lib/binnacle/tls/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: time.Minute}
	began := time.Now().UTC()
	return func(service string, must bool) {
		body, _ := json.Marshal([]map[string]any{{
			"labels": map[string]string{
				"alertname": "UsersSeeErrorsOf-" + service, "severity": "critical", "priority": "P1", "kind": "symptom", "impact": "users",
				"entity": "service:" + service, "service": service,
			},
			"annotations": map[string]string{"summary": "5 % of requests to " + service + " fail", "guidance": "Roll back"},
			"startsAt":    began,
		}})
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+address+"/api/v2/alerts", bytes.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if must && (err != nil || resp.StatusCode != http.StatusOK) {
			t.Errorf("an alarm of %s: %v %v", service, resp, err)
		}
	}
}

// goes removes and purges.
func goes(t *testing.T, d tree) {
	t.Helper()
	d.run("dpkg", "-r", "binnacle")
	for name, want := range map[string]bool{"usr/bin/binnacle": false, "etc/binnacle/conf.d/setup.yaml": true, "var/lib/binnacle/ledger.db": true} {
		if d.there(name) != want {
			t.Errorf("after removing, %s is there: %v", name, !want)
		}
	}
	d.run("dpkg", "--purge", "binnacle")
	for _, name := range []string{"etc/binnacle", "var/lib/binnacle", "usr/share/doc/binnacle", "usr/share/binnacle"} {
		if d.there(name) {
			t.Errorf("after purging, %s is there", name)
		}
	}
	if shadow := d.run("getent", "shadow", "binnacle"); !regexp.MustCompile(`^binnacle:[!*]`).MatchString(shadow) {
		t.Errorf("the user: %s; want it there and locked", shadow)
	}
	if out, err := d.try("find", "/", "-xdev", "-name", "*binnacle*", "-not", "-path", "/proc/*"); err == nil {
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, "/var/lib/dpkg") && !strings.HasPrefix(line, "/var/lib/systemd") {
				t.Errorf("after purging, %s is left", strings.TrimSpace(line))
			}
		}
	}
}
