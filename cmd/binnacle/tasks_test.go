package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTasks does what docs/tasks.md says, word for word: each block of shell, in one session, with what stands below it. Ports are
// others, since a machine has each once.
func TestTasks(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed: the tasks of docs/tasks.md are not tested here")
		}
	}
	text, err := os.ReadFile("../../docs/tasks.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	web, statsd := port(t, "tcp"), port(t, "udp")
	ports := strings.NewReplacer("127.0.0.1:9600", "127.0.0.1:"+web, "127.0.0.1/8125", "127.0.0.1/"+statsd)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 20 {
		t.Errorf("%d blocks; want 20 tasks", len(blocks))
	}
	var script strings.Builder
	for i, b := range blocks {
		fmt.Fprintf(&script, "exec >out.%d 2>&1\n%s", i, ports.Replace(b[1]))
	}
	if err := os.MkdirAll(filepath.Join(dir, "etc", "conf.d"), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"bin/binnacle":          fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", asProgram, os.Args[0]),
		"etc/conf.d/ports.yaml": fmt.Sprintf("collect: {statsd: {listen: ['udp://127.0.0.1:%s']}}\n", statsd),
		"script":                "trap 'kill $(jobs -p)' EXIT\n" + script.String(),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "script")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + dir, "BINNACLE_URL=http://127.0.0.1:" + web}
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		t.Errorf("the tasks did not end: %v %s", err, out)
	}
	for i, b := range blocks {
		said, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", i)))
		if err != nil {
			t.Errorf("task %d was not reached", i+1)
			break
		}
		for line := range strings.Lines(ports.Replace(b[2])) {
			if want := strings.TrimSpace(line); !saysInOrder(string(said), strings.Split(want, "…")) {
				t.Errorf("task %d says\n%s\nwant %q", i+1, said, want)
			}
		}
	}
}

// saysInOrder says whether the parts stand in a text one after the other.
func saysInOrder(text string, parts []string) bool {
	for _, p := range parts {
		_, rest, ok := strings.Cut(text, strings.TrimSpace(p))
		if !ok {
			return false
		}
		text = rest
	}
	return true
}

// port is one that is free now.
func port(t *testing.T, network string) string {
	t.Helper()
	var a net.Addr
	if network == "tcp" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		a = l.Addr()
	} else {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a = c.LocalAddr()
	}
	_, p, _ := net.SplitHostPort(a.String())
	return p
}
