// Package docs holds the documentation: Markdown that the program carries, so that what /docs shows fits the version that
// runs. It imports nothing of ours.
package docs

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

//go:embed *.md img/*.svg
var files embed.FS

// Schema is the JSON Schema of the configuration, draft 2020-12.
//
//go:embed schema.json
var Schema []byte

// Page is one page of the documentation.
type Page struct {
	Name  string // as in /docs/NAME
	Title string
}

// first are the pages in the order in which a reader wants them; the others follow by name.
var first = []string{"quick-start", "install", "tasks", "adopting", "comparison", "alarms", "rules", "pages", "fleet", "capacity", "retention", "pagers", "sources", "heartbeats", "aws", "reliability", "sizing", "backup", "upgrades", "troubleshooting", "configuration", "settings"}

// Pages lists the documentation, in the order of reading.
func Pages() []Page {
	names := slices.Clone(first)
	all, _ := fs.Glob(files, "*.md") // the pattern is right
	for _, f := range all {
		if name := strings.TrimSuffix(f, ".md"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	out := make([]Page, len(names))
	for n, name := range names {
		text, _ := Source(name)
		out[n] = Page{name, title(text)}
	}
	return out
}

// title is the first heading.
func title(source []byte) string {
	first, _, _ := bytes.Cut(source, []byte("\n")) // a string of it all would stay as long as its first line does
	return strings.TrimSpace(strings.TrimPrefix(string(first), "#"))
}

// Source returns the Markdown of a page.
func Source(name string) ([]byte, bool) {
	b, err := files.ReadFile(name + ".md")
	return b, err == nil
}

// Images has the pictures below img/.
func Images() fs.FS {
	sub, err := fs.Sub(files, "img")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// HTML renders a page whose links to other pages begin with base, "/docs/" say. Links to what is not documentation lead to
// the project's repository.
func HTML(name, base string) (template.HTML, bool) {
	source, ok := Source(name)
	if !ok {
		return "", false
	}
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(links(base), 100))),
	)
	var b bytes.Buffer
	if err := md.Convert(source, &b); err != nil {
		return template.HTML(template.HTMLEscapeString(string(source))), true //nolint:gosec // escaped
	}
	return template.HTML(b.String()), true //nolint:gosec // our own text, without raw HTML
}

// repository is where files beside docs/ can be read.
const repository = "https://github.com/navcloud/binnacle/blob/main/"

// links makes links between the files of the repository into links between pages.
type links string

func (base links) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			n.Destination = []byte(base.to(string(n.Destination)))
		case *ast.Image:
			n.Destination = []byte(string(base) + string(n.Destination))
		}
		return ast.WalkContinue, nil
	})
}

func (base links) to(dest string) string {
	file, anchor, _ := strings.Cut(dest, "#")
	if anchor != "" {
		anchor = "#" + anchor
	}
	switch {
	case file == "" || strings.Contains(file, "://") || strings.HasPrefix(file, "/"):
		return dest
	case strings.HasPrefix(file, "../"):
		return repository + path.Clean(strings.TrimPrefix(file, "../")) + anchor
	}
	return fmt.Sprintf("%s%s%s", string(base), strings.TrimSuffix(file, ".md"), anchor)
}
