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
	const nodes, nobody = "fedcba9876543210fedcba9876543210", "nats://127.0.0.1:1"
	text := fmt.Sprintf("route: {pagerduty: {routing_key: %s, token: token, from: ann@example.com, events_url: %q, api_url: %[2]q}, ledger: {nats: {urls: [%q]}}}\n"+
		"rules: {routers: ['http://127.0.0.1:1'], cut_off: {pagerduty: {routing_key: %s, events_url: %[2]q}}}\n", alertingtest.RoutingKey, p.URL(), nobody, nodes)
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
	for _, want := range []string{"DEFEATS US, route default: service navcloud: alert grouping (time) is on", "DEFEATS US: ledger: nats://127.0.0.1:1: ", "advice, route default: "} {
		if !strings.Contains(out, want) {
			t.Errorf("check --live says\n%s\nwant %q", out, want)
		}
	}
	if !strings.HasPrefix(out, "DEFEATS US") {
		t.Errorf("check --live says\n%s\nwant the worst first", out)
	}
	if n := len(p.Incidents()); n != 0 {
		t.Errorf("check --live opened %d incidents; it must change nothing", n)
	}
	p.Account.Services = append(p.Account.Services, alertingtest.Service{RoutingKey: nodes})
	out, _ = check("--send")
	for _, route := range []string{"default", "cut_off"} {
		if want := "ok, route " + route + ": a test event was accepted and resolved"; !strings.Contains(out, want) {
			t.Errorf("check --send says\n%s\nwant %q", out, want)
		}
	}
	for _, in := range p.Incidents() {
		if in.Status != "resolved" || in.Urgency != "low" {
			t.Errorf("incident %+v; want it at low urgency and resolved", in)
		}
	}
}
