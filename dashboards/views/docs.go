package views

import (
	"html/template"
	"net/http"

	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/docs"
)

// docPage is one page of the documentation, with the list of all.
type docPage struct {
	Name string
	All  []docs.Page
	HTML template.HTML
}

// docs shows the documentation of the version that runs.
func (p *Pages) docs(r *http.Request) dashboards.Page {
	all := docs.Pages()
	name := r.PathValue("page")
	if name == "" {
		name = all[0].Name
	}
	html, ok := docs.HTML(name, "/docs/")
	if !ok {
		pg := dashboards.Message(http.StatusNotFound, "No such page", "The documentation has no page "+name+".")
		pg.Name = "docs"
		return pg
	}
	title := name
	for _, d := range all {
		if d.Name == name {
			title = d.Title
		}
	}
	data := docPage{name, all, html}
	return dashboards.Page{Name: "docs", Title: title, Sections: []dashboards.Section{{ID: "text", Hush: true, Parts: []dashboards.Part{{ID: "doc", Template: "doc", Data: data}}}}}
}
