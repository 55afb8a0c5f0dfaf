package dashboards

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards/charts"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/*.css assets/*.js assets/*.svg assets/vendor/*.css assets/vendor/*.js assets/vendor/*.woff2
var assetFiles embed.FS

// asset is a file that browsers keep: its path carries its hash, so that it may be kept for ever.
type asset struct {
	path, kind string
	body       []byte
}

var assetKinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2"}

// fontFile is the letters that the sheet names by its file, and the layout asks for ahead.
const fontFile = "inter-5.3.0.woff2"

// loadAssets returns the assets by file name. The files are built in: an error is one of the build.
func loadAssets() map[string]asset {
	out, font := map[string]asset{}, ""
	err := fs.WalkDir(assetFiles, "assets", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := assetFiles.ReadFile(file)
		if err != nil {
			return err
		}
		if e.Name() == fontFile {
			font = hashed(fontFile, body)
		}
		out[e.Name()] = asset{"/assets/" + hashed(e.Name(), body), assetKinds[path.Ext(file)], body}
		return nil
	})
	// A sheet stands beside the font, so that its address holds behind any path; its own hash is that of what is sent.
	for name, a := range out {
		if path.Ext(name) == ".css" && bytes.Contains(a.body, []byte(fontFile)) {
			a.body = bytes.ReplaceAll(a.body, []byte(fontFile), []byte(font))
			out[name] = asset{"/assets/" + hashed(name, a.body), a.kind, a.body}
		}
	}
	if err != nil {
		panic(fmt.Sprintf("dashboards: assets: %v", err))
	}
	return out
}

// hashed is a file's name with the hash of what it holds.
func hashed(name string, body []byte) string {
	sum, ext := sha256.Sum256(body), path.Ext(name)
	return strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
}

func (p *Pages) serveAsset(w http.ResponseWriter, r *http.Request) {
	for _, a := range p.assets {
		if a.path == r.URL.Path {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			p.write(w, r, http.StatusOK, a.kind, a.body)
			return
		}
	}
	p.serve(w, r, notFound(r))
}

func (p *Pages) templates(sets []Set) *template.Template {
	t := template.New("").Funcs(template.FuncMap{
		"asset":    func(name string) string { return p.assets[name].path },
		"ago":      func(t time.Time) stamp { return p.stamp("ago", t) },
		"left":     func(t time.Time) stamp { return p.stamp("left", t) },
		"clock":    words.Clock,
		"minute":   words.Minute,
		"prose":    prose,
		"num":      words.Number,
		"count":    func(n int) string { return words.Number(float64(n)) },
		"rate":     words.Rate,
		"seconds":  words.Seconds,
		"percent":  words.Percent,
		"plural":   words.Plural,
		"bytes":    words.Bytes,
		"duration": words.Duration,
		"segment":  url.PathEscape, // of a path: names from outside may hold a slash
		"add":      func(a, b int) int { return a + b },
	})
	// They are built in: one that does not parse is an error of the build.
	for _, from := range slices.Concat([]Set{{Templates: templateFiles}, {Templates: charts.Templates}}, sets) {
		if from.Templates != nil {
			t = template.Must(t.ParseFS(from.Templates, "templates/*.html"))
		}
	}
	return t
}

// stamp is a time as a page shows it: its age, or what is left until it.
type stamp struct {
	Kind string // ago, left
	Time time.Time
	Text string
}

func (p *Pages) stamp(kind string, t time.Time) stamp {
	if kind == "left" {
		return stamp{kind, t, words.Left(t.Sub(p.opts.Now()))}
	}
	return stamp{kind, t, words.Duration(p.opts.Now().Sub(t))}
}

// layout is what the outermost template is given.
type layout struct {
	Page
	Node, Version string
	Base          string
	At            time.Time
	Menu          []entry
	Urgent        string
	Body          []bodySection
}

type bodySection struct {
	Section
	HTML []template.HTML
}

// entry is one of the menu. Short ones stand in the bar of a phone, the rest behind "More".
type entry struct {
	Name, Path, Label, Icon string
	Head                    string // above it
	Short                   bool
	Here                    bool
}

// urgent is what the menu says beside the board.
func (p *Pages) urgent() string {
	if p.opts.Urgent == nil {
		return ""
	}
	return p.opts.Urgent()
}

// The icons are paths of 16 by 16, drawn with a line of 1.6.
var menu = []entry{
	{Name: "home", Path: "/", Label: "Home", Icon: "M2.5 7.5 8 3l5.5 4.5V13h-4V9.5h-3V13h-4z", Short: true},
	{Name: "board", Path: "/board", Label: "Board", Icon: "M2.5 3.5h11M2.5 8h11M2.5 12.5h7", Short: true},
	{Name: "timeline", Path: "/timeline", Label: "Timeline", Icon: "M8 4.5V8l2.5 1.5M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0"},
	{Name: "streams", Path: "/streams", Label: "Streams", Icon: "M2 5c2-2 4 2 6 0s4 2 6 0M2 11c2-2 4 2 6 0s4 2 6 0"},
	{Name: "nodes", Path: "/nodes", Label: "Nodes", Head: "The fleet", Icon: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01", Short: true},
	{Name: "services", Path: "/services", Label: "Services", Icon: "M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5h-4.5zM9 11.3h4.5M11.3 9v4.5"},
	{Name: "metrics", Path: "/browse", Label: "Metrics", Icon: "M2 12.5 5.5 8l3 2.5L14 3.5", Short: true},
	{Name: "systems", Path: "/systems", Label: "Systems", Icon: "M8 2v4M4 13v-3h8v3M8 6v4M2.5 13h3M10.5 13h3"},
	{Name: "capacity", Path: "/capacity", Label: "Capacity", Icon: "M2.5 13V9m3.7 4V6m3.7 7V4m3.6 9V2"},
	{Name: "explore", Path: "/explore", Label: "Explore", Icon: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10m3.7-1.3L14 14"},
	{Name: "runbooks", Path: "/runbooks/", Label: "Runbooks", Head: "People", Icon: "M3 2.5h8.5A1.5 1.5 0 0 1 13 4v9.5H4.5A1.5 1.5 0 0 1 3 12zM3 11.5h10"},
	{Name: "docs", Path: "/docs/", Label: "Documentation", Icon: "M4 2.5h5L12 5.5v8H4zM9 2.5v3h3M6 8.5h4M6 11h4"},
}

// html renders one part. What it returns was escaped by its template.
func (p *Pages) html(pt Part) (template.HTML, error) {
	var b bytes.Buffer
	if err := p.render.ExecuteTemplate(&b, pt.Template, pt.Data); err != nil {
		return "", fmt.Errorf("part %s: %w", pt.ID, err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // made by html/template just now
}

func (p *Pages) serve(w http.ResponseWriter, r *http.Request, pg Page) {
	if pg.To != "" {
		http.Redirect(w, r, pg.To, http.StatusSeeOther)
		return
	}
	l := layout{Page: pg, Node: p.opts.Node, Version: p.opts.Version, Base: p.opts.Base, At: p.opts.Now(), Urgent: p.urgent()}
	along := TimeOf(r.URL.Query()).Encode()
	for _, m := range menu {
		m.Here = m.Name == pg.Name
		if along != "" {
			m.Path += "?" + along
		}
		l.Menu = append(l.Menu, m)
	}
	var body bytes.Buffer
	err := func() error {
		for _, s := range pg.Sections {
			bs := bodySection{Section: s}
			for _, pt := range s.Parts {
				h, err := p.html(pt)
				if err != nil {
					return err
				}
				bs.HTML = append(bs.HTML, h)
			}
			l.Body = append(l.Body, bs)
		}
		return p.render.ExecuteTemplate(&body, "layout", l)
	}()
	if err != nil {
		p.opts.Log.Error("page not rendered", "path", r.URL.Path, "err", err)
		http.Error(w, "This page could not be made. The log of this agent says why.", http.StatusInternalServerError)
		return
	}
	status := pg.Status
	if status == 0 {
		status = http.StatusOK
	}
	if pg.Cookie != nil {
		pg.Cookie.Path, pg.Cookie.Secure = p.opts.Base+"/", r.TLS != nil
		http.SetCookie(w, pg.Cookie)
	}
	w.Header().Set("Cache-Control", "no-store")
	p.write(w, r, status, "text/html; charset=utf-8", p.rebase(body.Bytes()))
}

// rooted are the attributes that hold an address, where it begins at the root. Text from outside holds no quotes: the
// templates have escaped them.
var rooted = regexp.MustCompile(`( (?:href|src|action|formaction|data-live|data-wall)=")/([^/])`)

// rebase puts the path under which browsers reach the pages in front of the addresses in HTML.
func (p *Pages) rebase(html []byte) []byte {
	if p.opts.Base == "" {
		return html
	}
	return rooted.ReplaceAll(html, []byte("${1}"+strings.ReplaceAll(p.opts.Base, "$", "$$")+"/${2}"))
}

// smallest is what is worth compressing, in bytes.
const smallest = 1 << 10

func (p *Pages) write(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Vary", "Accept-Encoding")
	var out io.Writer = w
	if len(body) >= smallest && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close() // an error is that of a browser which went away
		out = z
	} else {
		h.Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.WriteHeader(status)
	if _, err := out.Write(body); err != nil {
		p.opts.Log.Debug("browser went away", "path", r.URL.Path, "err", err)
	}
}
