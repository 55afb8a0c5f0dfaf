package dashboards

import (
	"bytes"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// maxMarkdown bounds what is rendered, in bytes: a runbook that is longer is no first aid.
const maxMarkdown = 64 << 10

// runbookText renders runbooks, guidanceText one paragraph of guidance. Neither knows HTML: what looks like a tag is text.
var (
	runbookText = goldmark.New(goldmark.WithParser(parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewThematicBreakParser(), 200), util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400), util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700), util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000)),
		spans(), safe())), goldmark.WithRendererOptions(pieces(false)))
	guidanceText = goldmark.New(goldmark.WithParser(parser.NewParser(
		parser.WithBlockParsers(util.Prioritized(parser.NewParagraphParser(), 1000)), spans(), safe())), goldmark.WithRendererOptions(pieces(true)))
)

func spans() parser.Option {
	return parser.WithInlineParsers(util.Prioritized(parser.NewCodeSpanParser(), 100), util.Prioritized(parser.NewLinkParser(), 200), util.Prioritized(parser.NewEmphasisParser(), 500))
}

func safe() parser.Option {
	return parser.WithASTTransformers(util.Prioritized(unlink{}, 100))
}

func pieces(copied bool) renderer.Option {
	return renderer.WithNodeRenderers(util.Prioritized(piece{html.NewConfig(), copied}, 100))
}

// Markdown renders a runbook. Links go to http, https or a path of this site alone.
func Markdown(body []byte) template.HTML {
	return render(runbookText, body[:min(len(body), maxMarkdown)])
}

// prose renders guidance: one paragraph with marks, in which each command can be copied.
func prose(line string) template.HTML {
	out := strings.TrimSpace(string(render(guidanceText, []byte(strings.Join(strings.Fields(line), " ")))))
	return template.HTML(strings.TrimSuffix(strings.TrimPrefix(out, "<p>"), "</p>")) //nolint:gosec // rendered just now
}

func render(md goldmark.Markdown, body []byte) template.HTML {
	var b bytes.Buffer
	if err := md.Convert([]byte(strings.ToValidUTF8(string(body), "\ufffd")), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(string(body))) //nolint:gosec // escaped
	}
	return template.HTML(b.String()) //nolint:gosec // all that came in is escaped: neither parser knows HTML
}

// unlink leaves the text of links that lead elsewhere than people may be sent, and of all pictures.
type unlink struct{}

func (unlink) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var bad []ast.Node
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the function returns no error
		switch x := n.(type) {
		case *ast.Link:
			if entering && !safeLink(string(x.Destination)) {
				bad = append(bad, n)
			}
		case *ast.Image:
			if entering {
				bad = append(bad, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, n := range bad {
		parent := n.Parent()
		for c := n.FirstChild(); c != nil; c = n.FirstChild() {
			parent.InsertBefore(parent, n, c)
		}
		parent.RemoveChild(parent, n)
	}
}

func safeLink(to string) bool {
	u, err := url.Parse(to)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "" && u.Host == "")
}

// piece renders what goldmark would render otherwise: blocks of code that the keyboard can scroll, and code that is copied.
type piece struct {
	html.Config
	copied bool
}

func (p piece) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindFencedCodeBlock, p.block)
	if p.copied {
		reg.Register(ast.KindCodeSpan, p.span)
	}
}

func (p piece) block(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		_, err := w.WriteString("</code></pre>\n")
		return ast.WalkContinue, err
	}
	_, err := w.WriteString(`<pre tabindex="0"><code>`)
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		p.Writer.RawWrite(w, line.Value(source))
	}
	return ast.WalkContinue, err
}

func (p piece) span(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		end := `</code><button type="button" class="copy">Copy</button>`
		if forbidden(source, n) {
			end = `</code>`
		}
		_, err := w.WriteString(end)
		return ast.WalkContinue, err
	}
	_, err := w.WriteString("<code>")
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			p.Writer.RawWrite(w, t.Segment.Value(source))
		}
	}
	return ast.WalkSkipChildren, err
}

// forbidden says whether the word before a piece of code is one that forbids it: what must not be done has no button.
func forbidden(source []byte, n ast.Node) bool {
	before, ok := n.PreviousSibling().(*ast.Text)
	if !ok {
		return false
	}
	words := append([]string{"", ""}, strings.Fields(strings.ToLower(string(before.Segment.Value(source))))...)
	last := words[len(words)-2:]
	return slices.Contains([]string{"never", "not", "no", "don't", "without"}, last[1]) || last[0] == "instead" && last[1] == "of"
}
