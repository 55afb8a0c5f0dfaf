package agent

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProfilesAreForTheAgentsOwnUser(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "debug")
	text := "data: " + t.TempDir() + "\nlisten: 127.0.0.1:0\ncollect: off\nstore: off\n"
	a, end := run(t, parsed(t, "%s", text+"web: {debug_socket: "+socket+"}\n"))
	defer end()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	await(t, func() bool { _, err := os.Stat(socket); return err == nil })
	resp, err := client.Get("http://agent/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	info, err := os.Stat(socket)
	if err != nil || resp.StatusCode != http.StatusOK || info.Mode().Perm() != 0o600 {
		t.Errorf("status %d, mode %v, %v; want a profile behind mode 0600", resp.StatusCode, info.Mode(), err)
	}
	if err := a.Reload(t.Context(), parsed(t, "%s", text), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get("http://agent/debug/pprof/"); err == nil {
		t.Error("switched off by a reload, it answers still")
	}
	if _, err := ParseConfig("t.yaml", []byte("web: {debug_socket: relative}\n")); err == nil || !strings.Contains(err.Error(), "web.debug_socket: want an absolute path") {
		t.Errorf("a relative path: %v", err)
	}
}
