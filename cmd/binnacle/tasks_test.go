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

	"github.com/navcloud/binnacle/agent/testport"
)

// TestTasks does what docs/tasks.md says, word for word: each block of shell, in one session, with what stands below it. Ports are
// others, since a machine has each once.
func TestTasks(t *testing.T) {
	web, statsd := port(t), port(t)
	p := page{
		name: "tasks", ports: strings.NewReplacer("127.0.0.1:9600", "127.0.0.1:"+web, "127.0.0.1/8125", "127.0.0.1/"+statsd),
		files: map[string]string{"etc/conf.d/ports.yaml": fmt.Sprintf("collect: {statsd: {listen: ['udp://127.0.0.1:%s']}}\n", statsd)},
		env:   []string{"BINNACLE_URL=http://127.0.0.1:" + web},
	}
	if n := p.run(t); n != 20 {
		t.Errorf("%d blocks; want 20 tasks", n)
	}
}

// TestRulesPage does what docs/rules.md says, with the files that stand there.
func TestRulesPage(t *testing.T) {
	p := page{name: "rules", ports: strings.NewReplacer(), files: map[string]string{}}
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range regexp.MustCompile("(?s)```yaml (\\S+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		p.files[b[1]] = b[2]
	}
	if n := p.run(t); n == 0 || len(p.files) == 0 {
		t.Errorf("%d blocks, %d files", n, len(p.files))
	}
}

// page is one of the documentation whose blocks of shell are run.
type page struct {
	name  string
	ports *strings.Replacer
	files map[string]string // by name, below the folder of the session
	env   []string
}

// run runs all blocks in one session, looks for what stands below each, and returns how many there are.
func (p page) run(t *testing.T) int {
	for _, tool := range []string{"bash", "curl", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: docs/%s.md is not tested here", tool, p.name)
		}
	}
	text, err := os.ReadFile("../../docs/" + p.name + ".md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?").FindAllStringSubmatch(string(text), -1)
	dir := t.TempDir()
	p.session(t, dir, blocks)
	for i, b := range blocks {
		said, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", i)))
		if err != nil {
			t.Errorf("block %d was not reached", i+1)
			break
		}
		for line := range strings.Lines(p.ports.Replace(b[2])) {
			if want := strings.TrimSpace(line); !saysInOrder(string(said), strings.Split(want, "…")) {
				t.Errorf("block %d says\n%s\nwant %q", i+1, said, want)
			}
		}
	}
	return len(blocks)
}

// session runs the blocks in dir; what block N says is in out.N.
func (p page) session(t *testing.T, dir string, blocks [][]string) {
	var script strings.Builder
	for i, b := range blocks {
		fmt.Fprintf(&script, "exec >out.%d 2>&1\n%s", i, p.ports.Replace(b[1]))
	}
	files := map[string]string{
		"bin/binnacle": fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", asProgram, os.Args[0]),
		"script":       "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n" + script.String(),
	}
	for name, text := range p.files {
		files[name] = text
	}
	for name, text := range files {
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
	cmd.Env = append(p.env, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil && ctx.Err() != nil {
		t.Errorf("docs/%s.md did not end: %v %s", p.name, err, out)
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
func port(t *testing.T) string {
	t.Helper()
	_, p, _ := net.SplitHostPort(testport.Free(t))
	return p
}
