package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// banned are senses of words that people must not have to learn; the field's word stands behind each. Words that are plain
// English elsewhere are not here: "a queue holds messages" is fine.
var banned = []struct{ phrase, say string }{
	{`\b(is|was|are|were|has been) told( of)?\b`, "fires, is reported, notified"},
	{`\bnobody was told\b`, "nobody was notified"},
	{`\btells? of\b`, "reports"},
	{`\btold of\b`, "reported"},
	{`\busers? feels?\b`, "symptom; users notice"},
	{`\bfelt\b`, "symptom"},
	{`\b(is|are) hurt\b`, "affected"},
	{`\bwho is hurt\b`, "who is affected"},
	{`\bnobody is hurt\b`, "nobody is affected"},
	{`\bgive (it )?back\b`, "take back the acknowledgement"},
	{`\bgiven back\b`, "acknowledgement taken back"},
	{`\btaken by\b`, "acknowledged by"},
	{`\btakes? a problem\b`, "acknowledge a problem"},
	{`\bwho takes it\b`, "who acknowledges it"},
	{`\broll-?up alarm`, "group alarm"},
	{`\bone of many alike\b`, "one of N similar alarms"},
	{`\bstrangers?\b`, "unknown subject"},
	{`\bout of contact\b`, "lost contact"},
	{`\bhalf below\b`, "median"},
	{`\bwhat became of\b`, "what happened to, history"},
	{`\bwhose it is\b`, "subject"},
	{`\bwhat it sits on\b`, "subject"},
	{`\bno alarm (that )?holds\b`, "no alarm fires"},
	{`\balarms? (that )?holds?\b`, "fires"},
	{`\bit is over\b`, "it has resolved, ended"},
	{`\btells every fault\b`, "reports every error"},
}

func TestWords(t *testing.T) {
	var all []*regexp.Regexp
	for _, b := range banned {
		all = append(all, regexp.MustCompile(`(?i)`+b.phrase))
	}
	found := 0
	look := func(where, text string) {
		for n, re := range all {
			for _, at := range re.FindAllStringIndex(text, -1) {
				found++
				if found < 80 {
					from, to := max(0, at[0]-40), min(len(text), at[1]+40)
					t.Errorf("%s: …%s…: say %s", where, strings.Join(strings.Fields(text[from:to]), " "), banned[n].say)
				}
			}
		}
	}
	root := filepath.Join("..", "..")
	for _, pattern := range []string{"*.md", "docs/*.md", "dashboards/templates/*.html", "dashboards/*/templates/*.html", "alerting/rules/packs/*.yaml", "alerting/rules/runbooks/*.md", "packaging/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := filepath.Base(f)
			if name == "DECISIONS.md" || name == "CHANGELOG.md" || name == "BENCHMARKS.md" || strings.HasSuffix(name, "_test.yaml") || strings.HasSuffix(name, ".pages.yaml") {
				continue // what was written then stays as it was written
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			look(filepath.ToSlash(strings.TrimPrefix(f, root)), string(text))
		}
	}
	for _, dir := range []string{"alerting/incidents", "alerting/diagnosis", "alerting/people", "alerting/router", "alerting/pagers", "dashboards", "cmd/binnacle", "agent/health"} {
		for where, text := range literals(t, filepath.Join(root, dir)) {
			look(where, text)
		}
	}
	var help func(*cobra.Command)
	help = func(c *cobra.Command) {
		look("help of "+c.CommandPath(), c.Short+"\n"+c.Long+"\n"+c.Example+"\n"+c.Flags().FlagUsages())
		for _, sub := range c.Commands() {
			help(sub)
		}
	}
	help(newRoot())
	if found > 0 {
		t.Errorf("%d phrases in all", found)
	}
}

// literals are the texts in the code below dir, tests and imports apart, by place.
func literals(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if _, ok := n.(*ast.ImportSpec); ok {
				return false
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					p := set.Position(lit.Pos())
					out[filepath.ToSlash(strings.TrimPrefix(p.String(), filepath.Join("..", "..")))] = text
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
