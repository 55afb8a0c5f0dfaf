package dashboards

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// Hit is one thing that the box in the head of every page may lead to.
type Hit struct {
	Kind  string // one of Kinds
	Path  string
	Title string
	Text  string    // beside the title
	At    time.Time // how old it is stands beside it, too; zero: nothing does
	Also  string    // more words that lead to it, which are not shown
	Badge string    // P1 to P5, or nothing
}

// The kinds of what is found, in the order in which they stand where nothing in their names tells them apart.
const (
	Problems      = "Problems"
	Alarms        = "Alarms"
	Nodes         = "Nodes"
	Services      = "Services"
	Metrics       = "Metrics"
	Incidents     = "Incidents of 30 days"
	Runbooks      = "Runbooks"
	Places        = "Pages"
	Documentation = "Documentation"
)

var kinds = []string{Problems, Alarms, Nodes, Services, Metrics, Incidents, Runbooks, Places, Documentation}

// wholeLists are where all of a kind is found, by the same words.
var wholeLists = map[string]string{Problems: "/board?q=", Metrics: "/browse?q="}

// Bounds of what is asked for and of what is shown.
const (
	mostWords  = 8
	fewOfKind  = 5 // below the box
	fewInAll   = 12
	mostOfKind = 40 // on the page
)

// places are the pages that the menu does not have, and other words for those that it has.
var places = []Hit{
	{Path: "/streams/history", Title: "Streams over time"},
	{Path: "/wall", Title: "Wall", Text: "many series as cells", Also: "heat map"},
	{Path: "/handover", Title: "Handover", Text: "a shift in figures", Also: "report on call"},
	{Path: "/styleguide", Title: "Style guide"},
}

var alsoCalled = map[string]string{
	"home": "overview start", "board": "problems alarms on call acknowledge silence", "timeline": "history incidents deploys", "streams": "connections",
	"nodes": "hosts machines agents fleet", "services": "collectors integrations", "metrics": "browse series", "systems": "clusters partitions who sees whom",
	"capacity": "forecast room planning", "explore": "promql query graph", "runbooks": "guidance", "docs": "help manual settings",
}

// found is what the words lead to, as a page and as the list below the box.
type found struct {
	Text  string
	Kinds []kindFound
	Total int
	Lacks []string // what could not be looked through
}

type kindFound struct {
	Name string
	Hits []ranked
	More int    // that are not listed
	All  string // address of all of them; empty: none
}

type ranked struct {
	Hit
	ID   int // of all that are listed
	rank int
}

// Says is the sentence that the page begins with.
func (f found) Says() string {
	switch {
	case f.Text == "":
		return "Find"
	case f.Total == 0:
		return "Nothing here is called \u201c" + f.Text + "\u201d"
	}
	return words.Plural(f.Total, "thing") + " found for \u201c" + f.Text + "\u201d"
}

// Listed is how many of them stand here.
func (f found) Listed() (n int) {
	for _, k := range f.Kinds {
		n += len(k.Hits)
	}
	return n
}

// find is the page of what the words lead to.
func (p *Pages) find(w http.ResponseWriter, r *http.Request) {
	f := p.seek(r, mostOfKind)
	pg := Page{Name: "find", Title: f.Says(), Crumb: "Find", Sought: f.Text}
	pg.Sections = []Section{{ID: "found", Hush: true, Parts: []Part{{"found-list", "found", f}}}}
	p.serve(w, r, pg)
}

// findList is the list below the box, which find.js asks for.
func (p *Pages) findList(w http.ResponseWriter, r *http.Request) {
	f := p.seek(r, fewOfKind)
	f.Kinds = short(f.Kinds)
	h, err := p.html(Part{"find-list", "find-list", f})
	if err != nil {
		p.opts.Log.Error("what was found is not shown", "err", err)
		http.Error(w, "What was found could not be shown. The log of this agent says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	p.write(w, r, http.StatusOK, "text/html; charset=utf-8", p.rebase([]byte(h)))
}

// short leaves as many as fit below the box: each kind keeps one while there is room, and of those that are named so only these.
func short(in []kindFound) (out []kindFound) {
	left, id := fewInAll, 0
	for i, k := range in {
		if left == 0 {
			break
		}
		if far := slices.IndexFunc(k.Hits, func(h ranked) bool { return h.rank == beside }); far > 0 {
			k.Hits = k.Hits[:far]
		}
		k.Hits = k.Hits[:min(len(k.Hits), max(1, left-(len(in)-i-1)))]
		left -= len(k.Hits)
		for j := range k.Hits {
			k.Hits[j].ID = id
			id++
		}
		out = append(out, k)
	}
	return out
}

// seek looks through all that there is.
func (p *Pages) seek(r *http.Request, most int) found {
	f := found{Text: words.Cut(strings.Join(strings.Fields(r.URL.Query().Get("q")), " "), MaxComment)}
	sought := strings.Fields(strings.ToLower(f.Text))
	sought = sought[:min(len(sought), mostWords)]
	if len(sought) == 0 {
		return f
	}
	by := map[string][]ranked{}
	take := func(h Hit) {
		if rank, ok := rankOf(h, sought); ok {
			by[h.Kind] = append(by[h.Kind], ranked{Hit: h, rank: rank})
		}
	}
	for _, m := range menu {
		take(Hit{Kind: Places, Path: m.Path, Title: m.Label, Also: alsoCalled[m.Name]})
	}
	for _, h := range places {
		h.Kind = Places
		take(h)
	}
	for _, seek := range p.seekers {
		if err := seek(r, take); err != nil {
			f.Lacks = append(f.Lacks, err.Error())
		}
	}
	for _, name := range kinds {
		if hits := by[name]; len(hits) > 0 {
			f.Total += len(hits)
			f.Kinds = append(f.Kinds, kindOf(name, hits, f.Text, most))
		}
	}
	slices.SortStableFunc(f.Kinds, func(a, b kindFound) int { return cmp.Compare(a.rank(), b.rank()) })
	return f
}

func kindOf(name string, hits []ranked, text string, most int) kindFound {
	slices.SortStableFunc(hits, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	k := kindFound{Name: name, More: max(0, len(hits)-most)}
	k.Hits = hits[:min(most, len(hits))]
	if at := wholeLists[name]; at != "" && k.More > 0 {
		k.All = at + url.QueryEscape(text)
	}
	return k
}

// rank is how near the nearest of a kind is. What is wrong now comes first where its name says so.
func (k kindFound) rank() int {
	if rank := k.Hits[0].rank; k.Name != Problems || rank == beside {
		return rank
	}
	return -1
}

// How near a hit is, the nearest first.
const (
	isTitle = iota
	beginsTitle
	beginsWord
	inTitle
	beside
)

// rankOf says how near a hit is to the words, and false where one of them is nowhere in it.
func rankOf(h Hit, sought []string) (int, bool) {
	title := strings.ToLower(h.Title)
	rest := ""
	rank := beginsTitle
	for _, w := range sought {
		if h.Kind == Metrics {
			w = strings.ReplaceAll(w, ".", "_") // as StatsD's clients write names
		}
		at := strings.Index(title, w)
		switch {
		case at == 0:
		case at > 0 && wordBegins(h.Title, title, at):
			rank = max(rank, beginsWord)
		case at > 0:
			rank = max(rank, inTitle)
		default:
			if rest == "" {
				rest = strings.ToLower(h.Text + "\n" + h.Also + "\n" + h.Badge)
			}
			if !strings.Contains(rest, w) {
				return 0, false
			}
			rank = beside
		}
	}
	if strings.Join(sought, " ") == title {
		rank = isTitle
	}
	return rank, true
}

// wordBegins says whether a word of a name begins there: after what is no letter or digit, or with a capital.
func wordBegins(name, lower string, at int) bool {
	before := lower[at-1]
	if before < 'a' && (before < '0' || before > '9') {
		return true
	}
	return len(name) == len(lower) && name[at] >= 'A' && name[at] <= 'Z'
}
