package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// asProgram makes the test's own binary be the program: a script sees exit codes and both outputs as an
// operator does.
const asProgram = "BINNACLE_SCRIPT"

func init() {
	if os.Getenv(asProgram) != "" {
		os.Exit(program(os.Args[1:]))
	}
}

// TestScripts plays testdata/*.txtar. The file session is what a terminal shows: after each command, behind
// "> ", what it prints on both outputs, and at last its exit code in brackets unless that is 0. A line "..."
// stands for any lines. The other files stand around the commands; README.yaml is the first configuration
// that the README shows. $TAKEN is an address on which something listens, $NOBODY one on which nothing does.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			playScript(t, file)
		})
	}
}

func playScript(t *testing.T, file string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("README.yaml", readmeConfig(t))
	var session string
	for _, f := range archive.Files {
		if f.Name == "session" {
			session = string(f.Data)
			continue
		}
		put(f.Name, f.Data)
	}
	addresses := strings.NewReplacer("$TAKEN", taken(t), "$NOBODY", "127.0.0.1:1")
	commands := regexp.MustCompile(`(?m)^> (.*)\n`).FindAllStringSubmatchIndex(session, -1)
	if len(commands) == 0 {
		t.Fatalf("%s has no command", file)
	}
	for i, at := range commands {
		end := len(session)
		if i+1 < len(commands) {
			end = commands[i+1][0]
		}
		command := session[at[2]:at[3]]
		want := addresses.Replace(session[at[1]:end])
		got := runCommand(t, dir, addresses.Replace(command))
		if !shows(got, want) {
			t.Errorf("> %s\n%s\nwant\n%s", command, got, want)
		}
	}
}

// runCommand runs a line of "binnacle ARGUMENTS", with VARIABLE=value before it where wanted.
func runCommand(t *testing.T, dir, line string) string {
	t.Helper()
	before, after, ok := strings.Cut(line, "binnacle")
	if !ok {
		t.Fatalf("%q does not run binnacle", line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // one that ought to refuse may run on
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], strings.Fields(after)...)
	cmd.Dir = dir
	cmd.Env = append([]string{asProgram + "=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}, strings.Fields(before)...)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		out = append(out, "["+strconv.Itoa(code)+"]\n"...)
	} else if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), dir, "$WORK")
}

// shows tells whether got is want, in which a line "..." is any lines.
func shows(got, want string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = regexp.MustCompile(`(?m)^\\\.\\\.\\\.\n`).ReplaceAllString(pattern, `(?s:.*)`)
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(got)
}

func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// readmeConfig returns the first YAML that the README shows.
func readmeConfig(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("README.md shows no YAML")
	}
	return []byte(block)
}
