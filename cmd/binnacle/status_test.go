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
