package oncall

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Margins of the evidence of what is over: what was before it, and after.
const (
	pastBefore = 5 * time.Minute
	pastAfter  = 2 * time.Minute
)

// endedProof is the title and the evidence of an incident that is over; nil where there is none.
func (p *Pages) endedProof(ctx context.Context, key string) (title string, e *evidence) {
	events, _ := p.history(ctx, EventQuery{Since: p.opts.Now().Add(-problemHistory), Key: key}) // no chart is what follows from no answer
	list := deedList{Deeds: deeds(events)}
	if d := list.Paged(); d != nil && d.Priority != 0 {
		title = d.Priority.String() + " "
	}
	return title + list.Title(), p.pastProof(ctx, key, list.Deeds)
}

// pastProof is the evidence of an incident that is resolved, by its rule and its subject, which its key has; nil where that does not tell it. Its
// alarm's labels are gone: all series of the subject are drawn.
func (p *Pages) pastProof(ctx context.Context, key string, deeds []deed) *evidence {
	var began, ended time.Time
	rule := ""
	for _, d := range deeds {
		if d.Mark == "page" && began.IsZero() {
			began, rule = d.At, d.Rule()
		}
		if d.Mark == "end" {
			ended = d.At
		}
	}
	_, rest, ok := strings.Cut(key, ":"+rule+":")
	if rule == "" || !ok || !ended.After(began) {
		return nil
	}
	if i := strings.LastIndexByte(rest, ':'); i > 0 {
		rest = rest[:i] // the number of its turn
	}
	a := alerting.Alarm{Labels: map[string]string{alerting.LabelRule: rule, alerting.LabelEntity: rest}}
	for label, name := range subjectOf(a) {
		if name != "" {
			a.Labels[label] = name
		}
	}
	if p.opts.Expr == nil || p.opts.Range == nil || p.opts.Threshold == nil {
		return nil
	}
	expr, hold, ok := p.opts.Expr(rule, nil)
	if !ok {
		return nil
	}
	took := ended.Sub(began)
	to := ended.Add(max(pastAfter, took/4))
	if now := p.opts.Now(); to.After(now) {
		to = now
	}
	l := look{From: began.Add(-max(pastBefore, took/2)), To: to, Back: looksBack[0].back, path: "/problems/" + url.PathEscape(key)}
	e := &evidence{Expr: expr, Hold: hold, Past: true, look: l}
	q := url.Values{"q": {expr}, "from": {l.From.UTC().Format(time.RFC3339)}, "to": {l.To.UTC().Format(time.RFC3339)}}
	e.Explore = "/explore?" + q.Encode()
	return p.answers.Get(ctx, "past\xff"+key+"\xff"+l.end().String(), p.opts.Now(), time.Minute, evidenceTime, func(ctx context.Context) any {
		if p.measure(ctx, e, a); e.Lacks != "" {
			return (*evidence)(nil)
		}
		return e
	}).(*evidence)
}
