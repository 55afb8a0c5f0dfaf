package dashboards

import (
	"html"
	"html/template"
	"net/url"
	"regexp"
	"strings"
)

// maxMarkdown bounds what is rendered, in bytes: a runbook that is longer is no first aid.
const maxMarkdown = 64 << 10

// Markdown renders what runbooks are written in: headings, paragraphs, lists, quotes, fenced code, `code`,
// **strong**, *emphasis* and [links](url). All else is text: every character that comes in is escaped before a tag is put
// around it, and links go to http, https or a path of this site alone.
func Markdown(text []byte) template.HTML {
	text = text[:min(len(text), maxMarkdown)]
	var m marker
	for line := range strings.Lines(strings.ReplaceAll(strings.ToValidUTF8(string(text), "\ufffd"), "\r\n", "\n")) {
		m.line(strings.TrimRight(line, "\n"))
	}
	m.closeAll()
	return template.HTML(m.out.String()) //nolint:gosec // escaped in inline and in line
}

// marker is the state of a rendering: the block that is open and the text gathered for it.
type marker struct {
	out   strings.Builder
	list  string // ul, ol or nothing
	block string // p, li, blockquote or nothing: tag that text waits for
	text  []string
	fence bool
}

var (
	bullet  = regexp.MustCompile(`^ {0,3}[*+-] +(.*)$`)
	ordered = regexp.MustCompile(`^ {0,3}[0-9]{1,3}[.)] +(.*)$`)
	heading = regexp.MustCompile(`^(#{1,6}) +(.*?)#* *$`)
)

func (m *marker) line(line string) {
	if strings.HasPrefix(strings.TrimSpace(line), "```") {
		if m.fence {
			m.out.WriteString("</code></pre>\n")
		} else {
			m.closeAll()
			m.out.WriteString("<pre tabindex=\"0\"><code>")
		}
		m.fence = !m.fence
		return
	}
	if m.fence {
		m.out.WriteString(html.EscapeString(line) + "\n")
		return
	}
	if h := heading.FindStringSubmatch(line); h != nil {
		m.closeAll()
		tag := "h" + string('0'+rune(len(h[1])))
		m.out.WriteString("<" + tag + ">" + inline(h[2]) + "</" + tag + ">\n")
		return
	}
	if b := bullet.FindStringSubmatch(line); b != nil {
		m.item("ul", b[1])
		return
	}
	if o := ordered.FindStringSubmatch(line); o != nil {
		m.item("ol", o[1])
		return
	}
	if strings.TrimSpace(line) == "" {
		m.flush()
		return
	}
	quote := strings.HasPrefix(line, ">")
	switch {
	case m.block != "" && quote == (m.block == "blockquote"): // goes on
	case quote:
		m.closeAll()
		m.block = "blockquote"
	default:
		m.closeAll()
		m.block = "p"
	}
	m.text = append(m.text, strings.TrimSpace(strings.TrimPrefix(line, ">")))
}

func (m *marker) item(list, text string) {
	m.flush()
	if m.list != list {
		m.closeAll()
		m.out.WriteString("<" + list + ">\n")
		m.list = list
	}
	m.block, m.text = "li", []string{text}
}

// flush writes the block that is open.
func (m *marker) flush() {
	if m.block != "" {
		m.out.WriteString("<" + m.block + ">" + inline(strings.Join(m.text, " ")) + "</" + m.block + ">\n")
	}
	m.block, m.text = "", nil
}

func (m *marker) closeAll() {
	m.flush()
	if m.list != "" {
		m.out.WriteString("</" + m.list + ">\n")
	}
	m.list = ""
	if m.fence {
		m.out.WriteString("</code></pre>\n")
	}
	m.fence = false
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	strong   = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	emphasis = regexp.MustCompile(`\*([^*\s][^*]*)\*`)
	anchor   = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)\)`)
)

// inline renders what stands within a line. Code is set apart first: nothing in it is a mark.
func inline(text string) string {
	var out strings.Builder
	at := 0
	for _, loc := range codeSpan.FindAllStringSubmatchIndex(text, -1) {
		out.WriteString(marks(text[at:loc[0]]))
		out.WriteString("<code>" + html.EscapeString(text[loc[2]:loc[3]]) + "</code>")
		at = loc[1]
	}
	out.WriteString(marks(text[at:]))
	return out.String()
}

// prose renders guidance: a line with marks, in which each command can be copied.
func prose(text string) template.HTML {
	html := strings.ReplaceAll(inline(text), "</code>", `</code><button type="button" class="copy">Copy</button>`)
	return template.HTML(html) //nolint:gosec // inline escapes, so that no other </code> can be there
}

// marks renders links, strong and emphasis; the address of a link is no place for marks.
func marks(text string) string {
	var out strings.Builder
	at := 0
	for _, loc := range anchor.FindAllStringSubmatchIndex(text, -1) {
		out.WriteString(stress(text[at:loc[0]]))
		label, to := stress(text[loc[2]:loc[3]]), text[loc[4]:loc[5]]
		if safeLink(to) {
			out.WriteString(`<a href="` + html.EscapeString(to) + `">` + label + "</a>")
		} else {
			out.WriteString(label)
		}
		at = loc[1]
	}
	out.WriteString(stress(text[at:]))
	return out.String()
}

func stress(text string) string {
	text = strong.ReplaceAllString(html.EscapeString(text), "<strong>$1</strong>")
	return emphasis.ReplaceAllString(text, "<em>$1</em>")
}

func safeLink(to string) bool {
	u, err := url.Parse(to)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "" && u.Host == "")
}
