package logs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEntriesOfAJournal reads an export that systemd-journal-remote wrote and journalctl read: the second message has a newline.
func TestEntriesOfAJournal(t *testing.T) {
	recorded, err := os.ReadFile("testdata/journal.export")
	if err != nil {
		t.Fatal(err)
	}
	long := "__CURSOR=c9\nMESSAGE\n" + "\x00\x00\x02\x00\x00\x00\x00\x00" + strings.Repeat("x", 128<<10) + "\nCOREDUMP\n\x02\x00\x00\x00\x00\x00\x00\x00\n\n\nPRIORITY=3\n\n"
	var cursors, messages []string
	n, err := entries(bytes.NewReader(append(append(recorded, long...), "__CURSOR=c10\nMESSAGE=half"...)), func(cursor string, message []byte) {
		cursors, messages = append(cursors, cursor), append(messages, string(message))
	})
	if err != nil || n != 3 {
		t.Fatalf("entries = %d, %v; want 3", n, err)
	}
	if messages[0] != "Server app/b1 is DOWN, reason: Layer4 connection problem" || !strings.Contains(messages[1], "\n") || len(messages[2]) != maxLine {
		t.Errorf("messages %q, the last of %d bytes", messages[:2], len(messages[2]))
	}
	if !strings.Contains(cursors[1], "i=2;") || cursors[2] != "c9" {
		t.Errorf("cursors %q", cursors)
	}
	for name, text := range map[string]string{
		"a length that is none": "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff",
		"a line without end":    "MESSAGE=" + strings.Repeat("x", 2*maxField),
	} {
		if _, err := entries(strings.NewReader(text), func(string, []byte) {}); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

// journalctl puts a program of that name in front of the path. It says its arguments, then what a script of the shell does.
func journalctl(t *testing.T, script string) (said string) {
	t.Helper()
	dir := t.TempDir()
	said = filepath.Join(dir, "args")
	text := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$*\" >>%s\n%s\n", said, script)
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return said
}

func TestAJournalIsCountedOnOverARestart(t *testing.T) {
	recorded, err := filepath.Abs("testdata/journal.export")
	if err != nil {
		t.Fatal(err)
	}
	said := journalctl(t, "case \"$*\" in *--after-cursor=*) ;; *) cat "+recorded+" ;; esac\nexec sleep 100")
	k := newBench(t, Log{Journal: &Journal{Units: []string{"haproxy.service"}, Priority: "info"}, Patterns: []Pattern{{Name: "downs_total", Match: "is DOWN"}}})
	run := func(until func() bool) {
		t.Helper()
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { done <- k.c.Run(ctx) }()
		for range 3000 {
			k.collect()
			if until() {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		k.collect()
	}
	run(func() bool { return k.sums["logs_lines_total"] == 2 })
	k.start()
	run(func() bool { text, _ := os.ReadFile(said); return strings.Count(string(text), "\n") == 2 })
	for series, want := range map[string]float64{"logs_lines_total": 2, "downs_total": 1} {
		if k.sums[series] != want {
			t.Errorf("%s = %v; want %v of %v", series, k.sums[series], want, k.sums)
		}
	}
	text, _ := os.ReadFile(said)
	if !strings.Contains(string(text), "--lines=0 --unit=haproxy.service --priority=info\n") || !strings.Contains(string(text), "--lines=all --after-cursor=s=3eedd0cb06ae42628dc69bf406ac275b;i=2;") {
		t.Errorf("it was called with\n%s", text)
	}
}

func TestAFolderOfJournalsIsReadWhole(t *testing.T) {
	of := func(j Journal) string { return strings.Join(j.args("c1"), " ") }
	if got := of(Journal{Directory: "/j"}); !strings.HasSuffix(got, "--directory=/j --merge") {
		t.Errorf("args = %s; want those of all machines and boots in the folder", got)
	}
	if got := of(Journal{}); strings.Contains(got, "--merge") {
		t.Errorf("args = %s; want this machine's journal alone", got)
	}
}

func TestJournalsFaults(t *testing.T) {
	pattern := []Pattern{{Name: "a_total", Match: "x"}}
	for want, l := range map[string]Log{
		"journal: priority":     {Journal: &Journal{Priority: "bad"}, Patterns: pattern},
		"journal: directory":    {Journal: &Journal{Directory: "x"}, Patterns: pattern},
		"journal: want names":   {Journal: &Journal{Units: []string{"--file=/etc/shadow"}}, Patterns: pattern},
		"files are another log": {Journal: &Journal{}, Files: []string{"/a"}, Patterns: pattern},
		"is whole":              {Journal: &Journal{}, Begin: "x", Patterns: pattern},
	} {
		if err := (Options{"app": l}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v; want %q", err, want)
		}
	}
}
