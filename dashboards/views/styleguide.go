package views

import (
	"net/http"

	"github.com/navcloud/binnacle/dashboards"
)

// styleguide shows the tokens and the parts of which pages are made.
func (p *Pages) styleguide(*http.Request) dashboards.Page {
	return dashboards.Page{Name: "styleguide", Title: "Style guide", Sections: []dashboards.Section{
		{ID: "guide", Hush: true, Parts: []dashboards.Part{{ID: "guide-part", Template: "styleguide"}}},
	}}
}
