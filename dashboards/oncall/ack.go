package oncall

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// ackForm is the page that a link in a message opens: it asks, and changes nothing, since whatever reads messages follows their
// links.
type ackForm struct {
	Problem alerting.ProblemView
	Action  string
	May     bool
}

// askAck is that page. It is bound to one incident.
func (p *Pages) askAck(r *http.Request) dashboards.Page {
	key := r.PathValue("id")
	if p.opts.View == nil || p.opts.AckLink == nil {
		return dashboards.Message(http.StatusNotFound, "No such page", "This node does not send pages. Open the board of a router.")
	}
	if err := p.opts.AckLink(key, r.URL.Query()); err != nil {
		return dashboards.Message(http.StatusGone, "The link does not work", "The reason: "+err.Error()+". The board has what is wrong now.")
	}
	found, ok := byKey(p.opts.View(), key)
	if !ok {
		return dashboards.Message(http.StatusNotFound, "Nothing to acknowledge", "The incident is resolved, or another router has it. The board has what is wrong now.")
	}
	form := ackForm{Problem: found, Action: "/problems/" + url.PathEscape(key) + "/ack?" + url.Values{"until": {r.URL.Query().Get("until")}, "sig": {r.URL.Query().Get("sig")}}.Encode()}
	form.May = p.opts.People != nil && (p.opts.MayAct == nil || p.opts.MayAct(r))
	return dashboards.Page{
		Name: "board", Title: "Acknowledge", Up: &dashboards.Link{Path: "/board", Label: "Board"},
		Sections: []dashboards.Section{{ID: "summary", Parts: []dashboards.Part{{ID: "ack", Template: "ack-form", Data: form}}}},
	}
}

// ack acknowledges the incident of such a link.
func (p *Pages) ack(r *http.Request) (url.Values, error) {
	key := r.PathValue("id")
	if p.opts.AckLink == nil {
		return nil, errors.New("this node does not send pages")
	}
	if err := p.opts.AckLink(key, r.URL.Query()); err != nil {
		return nil, err
	}
	found, err := p.opts.People.Acknowledge(r.Context(), key, p.opts.Who(r), false)
	return url.Values{"problem": {found.ID}, "done": {"taken"}}, err
}

func byKey(v alerting.View, key string) (alerting.ProblemView, bool) {
	for _, pv := range v.Problems {
		if pv.Key == key {
			return pv, true
		}
	}
	return alerting.ProblemView{}, false
}
