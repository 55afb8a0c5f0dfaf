package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting/alertingtest"
)

func TestCheckLiveReadsTheServiceAndSendsWhenAsked(t *testing.T) {
	p := alertingtest.NewPagerDuty()
	defer p.Close()
	p.Account = &alertingtest.Account{
		Token: "token", Users: []string{"ann@example.com"}, OnCall: []string{"PE1"},
		Services: []alertingtest.Service{{
			ID: "PS1", Name: "navcloud", RoutingKey: alertingtest.RoutingKey, Policy: "PE1",
			Settings: map[string]any{"alert_grouping": "time", "auto_resolve_timeout": 3600},
		}},
	}
	file := filepath.Join(t.TempDir(), "b.yaml")
	text := fmt.Sprintf("route: {pagerduty: {routing_key: %s, token: token, from: ann@example.com, events_url: %q, api_url: %[2]q}}\n", alertingtest.RoutingKey, p.URL())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(args ...string) (string, error) {
		var out strings.Builder
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append([]string{"check", "--config", file}, args...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	var code exitError
	out, err := check("--live")
	if !errors.As(err, &code) || code != 2 {
		t.Errorf("check --live ends with %v; want code 2", err)
	}
	if want := "DEFEATS US, route default: service navcloud: alert grouping (time) is on"; !strings.HasPrefix(out, want) {
		t.Errorf("check --live says\n%s\nwant first %q", out, want)
	}
	if n := len(p.Incidents()); n != 0 {
		t.Errorf("check --live opened %d incidents; it must change nothing", n)
	}
	p.Account.Services[0].Settings = nil
	if out, err = check("--send"); err != nil || !strings.Contains(out, "ok, route default: a test event was accepted and resolved") {
		t.Errorf("check --send = %v and says\n%s", err, out)
	}
	if in := p.Incidents(); len(in) != 1 || in[0].Status != "resolved" {
		t.Errorf("incidents %+v; want one, resolved", in)
	}
}
