package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
)

func TestAPluginThatFailsIsAnAlarmAndEnds(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	plugin := filepath.Join(dir, "plugin")
	for path, text := range map[string]string{state: "2", plugin: "#!/bin/sh\nread n < " + state + "\necho \"DISK $n - / is full\"\nexit $n\n"} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	who := ""
	if os.Geteuid() == 0 {
		who = "user: root, " // the folders of tests are closed to nobody
	}
	a, end := run(t, parsed(t, "data: %s\nlisten: %s\nroute: {mode: shadow}\ncollect:\n  statsd: off\n  exec:\n    spare_disk: {command: [%s], %sinterval: 1s, retry_interval: 1s, attempts: 2}\n", t.TempDir(), testport.Free(t), plugin, who))
	defer end()
	fires := func() bool {
		for _, p := range a.route.dispatch.View().Problems {
			if p.Root.Rule() == "spare_disk" && p.Root.Annotations["summary"] == "DISK 2 - / is full" {
				return true
			}
		}
		return false
	}
	await := func(want bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); fires() != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("fires = %v after two minutes, want %v", !want, want)
			}
		}
	}
	await(true)
	awaitQuery(t, a, `exec_state{check="spare_disk",job=""} == 2`, 1)
	if err := os.WriteFile(state, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	awaitQuery(t, a, `exec_state{check="spare_disk"} == 0`, 1)
}

func TestAFileThatOthersMayWriteNamesNoPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.yaml")
	write := func(text string, mode os.FileMode) error {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadConfig(path)
		return err
	}
	const text = "collect: {exec: {x: {command: [/bin/true]}}}\n"
	if err := write(text, 0o644); err != nil {
		t.Errorf("a file of ours: %v", err)
	}
	if err := write(text, 0o666); err == nil || !strings.Contains(err.Error(), "may be written by anybody") {
		t.Errorf("a file that anybody may write: %v", err)
	}
	if err := write("interval: 10s\n", 0o666); err != nil {
		t.Errorf("one without programs: %v", err)
	}
}
