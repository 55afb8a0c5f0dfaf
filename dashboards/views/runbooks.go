package views

import (
	"html/template"
	"net/http"
	"strings"
	"unicode"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// group is the runbooks of one pack, by the first word of their names.
type group struct {
	Name  string
	Rules []string
}

type runbookText struct {
	Rule string
	HTML template.HTML
	Open []alerting.ProblemView // problems of this rule, now
}

func (p *Pages) runbooks(*http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "runbooks", Title: "Runbooks"}
	if p.opts.Runbooks == nil || p.opts.Runbook == nil {
		return dashboards.Message(http.StatusNotFound, "No runbooks", "This node carries no runbooks.")
	}
	var groups []group
	for _, rule := range p.opts.Runbooks() {
		name := firstWord(rule)
		if n := len(groups); n == 0 || groups[n-1].Name != name {
			groups = append(groups, group{Name: name})
		}
		g := &groups[len(groups)-1]
		g.Rules = append(g.Rules, rule)
	}
	pg.Sections = []dashboards.Section{{ID: "index", Hush: true, Parts: []dashboards.Part{{ID: "runbook-index", Template: "runbook-index", Data: groups}}}}
	return pg
}

func (p *Pages) runbook(r *http.Request) dashboards.Page {
	rule := r.PathValue("rule")
	var text []byte
	ok := false
	if p.opts.Runbook != nil {
		text, ok = p.opts.Runbook(rule)
	}
	if !ok {
		pg := dashboards.Message(http.StatusNotFound, "No runbook", "There is no built-in runbook for "+rule+". The rule may carry one elsewhere: see its annotation runbook_url.")
		pg.Name = "runbooks"
		return pg
	}
	rt := runbookText{Rule: rule, HTML: dashboards.Markdown(text)}
	if p.opts.View != nil {
		for _, pv := range p.opts.View().Problems {
			if pv.Root.Rule() == rule || pv.Page.Rule == rule {
				rt.Open = append(rt.Open, pv)
			}
		}
	}
	return dashboards.Page{Name: "runbooks", Title: rule, Up: &dashboards.Link{Path: "/runbooks/", Label: "Runbooks"}, Sections: []dashboards.Section{{ID: "text", Hush: true, Parts: []dashboards.Part{{ID: "runbook", Template: "runbook", Data: rt}}}}}
}

// families are the packs whose names are more than one word in capitals.
var families = []string{"NavCloud", "RabbitMQ", "CloudWatch"}

// firstWord is the pack that a rule's name begins with: Host of HostDiskFull.
func firstWord(rule string) string {
	for _, f := range families {
		if strings.HasPrefix(rule, f) {
			return f
		}
	}
	for i, c := range rule {
		if i > 0 && unicode.IsUpper(c) {
			return rule[:i]
		}
	}
	return rule
}
