package main

import (
	"strings"
	"testing"
)

func TestNoErrorShowsAPassword(t *testing.T) {
	for _, url := range []string{"http://ann:hunter2@127.0.0.1:1", "http://ann:hunter2@[::1"} {
		r := remote{url: url}
		var into any
		if err := r.call(t.Context(), "GET", "/x", nil); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("call of %s = %v; want an error without the password", url, err)
		}
		if err := r.post(t.Context(), "/x", nil, nil); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("post to %s = %v; want an error without the password", url, err)
		}
		if err := r.get("/-/status", &into); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("get of %s = %v; want an error without the password", url, err)
		}
	}
}

func TestTheAgentIsNamedByTheEnvironmentAndNotShown(t *testing.T) {
	t.Setenv("BINNACLE_URL", "https://ann:hunter2@agent:9600")
	cmd := newStatus()
	if got := cmd.Flag("url").Value.String(); got != "https://ann:hunter2@agent:9600" {
		t.Errorf("--url without the flag = %q; want that of the environment", got)
	}
	if help := cmd.UsageString(); strings.Contains(help, "hunter2") || !strings.Contains(help, "ann:<secret>@agent") {
		t.Errorf("help shows a password, or not the agent:\n%s", help)
	}
}
