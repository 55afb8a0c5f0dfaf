package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link leads to a file that is there, and to a heading that it has.
func TestLinks(t *testing.T) {
	pages := []string{"../README.md", "../ARCHITECTURE.md", "../CONTRIBUTING.md"}
	for _, p := range Pages() {
		pages = append(pages, p.Name+".md")
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			at := filepath.Join(filepath.Dir(page), file)
			if file == "" {
				at = page
			}
			target, err := os.ReadFile(at)
			if err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(target), anchor) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

func anchors(text []byte) (out []string) {
	for _, l := range strings.Split(string(text), "\n") {
		if h := strings.TrimLeft(l, "#"); h != l {
			out = append(out, strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(h)), ""), " ", "-"))
		}
	}
	return out
}

// Each block of shell is run by a test, or says why not. The README's first block is what `make test` and TestDemo run.
func TestShellBlocks(t *testing.T) {
	tested, untested, done := 0, 0, len(run)
	for _, p := range Pages() {
		text, _ := Source(p.Name)
		for _, l := range strings.Split(string(text), "\n") {
			switch {
			case strings.HasPrefix(l, "```sh untested:"):
				untested++
			case l == "```sh" && (p.Name == "tasks" || p.Name == "rules"): // TestTasks and TestRulesPage of cmd/binnacle run all of them
				tested++
				done++
			case l == "```sh":
				tested++
			}
		}
	}
	t.Logf("%d blocks of shell are tested, %d are not and say why", tested, untested)
	if tested > done {
		t.Errorf("%d blocks say that they are tested, %d are", tested, done)
	}
}

// run are the blocks that tests of cmd/binnacle run.
var run = []string{"go run ./cmd/binnacle demo"}

func TestHTML(t *testing.T) {
	for _, p := range Pages() {
		html, ok := HTML(p.Name, "/docs/")
		if !ok || p.Title == "" || !strings.Contains(string(html), "<h1") || strings.Contains(string(html), ".md\"") && !strings.Contains(string(html), repository) {
			t.Errorf("%s: %v, title %q", p.Name, ok, p.Title)
		}
	}
	for in, want := range map[string]string{
		"install.md": "/docs/install", "alarms.md#people": "/docs/alarms#people", "../BENCHMARKS.md": repository + "BENCHMARKS.md",
		"http://localhost:9600": "http://localhost:9600", "#people": "#people",
	} {
		if got := links("/docs/").to(in); got != want {
			t.Errorf("link %s leads to %s, want %s", in, got, want)
		}
	}
}

func TestPicturesAreSmall(t *testing.T) {
	total := int64(0)
	err := fs.WalkDir(Images(), ".", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			total += info.Size()
		}
		return err
	})
	if err != nil || total > 1<<20 {
		t.Errorf("pictures have %d bytes, %v; want 1 MiB at most", total, err)
	}
}
