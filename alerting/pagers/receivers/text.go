package receivers

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/email"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

type (
	amAlert     = alert.Alert
	emailConfig = email.EmailConfig
)

func newAlert(a model.Alert, now time.Time) *amAlert { return alert.New(a, now, false) }

// texts are the templates: Alertmanager's, in which ours take the place of the default texts, so that a template that an
// operator has for Alertmanager works as it is.
type texts struct{ tmpl *template.Template }

// ours say what a page says. The labels of the route hold the page: a template of an operator's may use them too.
const ours = `
{{ define "__alertmanager" }}binnacle{{ end }}
{{ define "__alertmanagerURL" }}{{ .RouteLabels.url }}{{ end }}
{{ define "__subject" }}{{ .RouteLabels.title }}{{ end }}
{{ define "slack.default.title" }}{{ .RouteLabels.slack_title }}{{ end }}
{{ define "slack.default.fallback" }}{{ .RouteLabels.slack_title }}{{ end }}
{{ define "slack.default.text" }}{{ .RouteLabels.slack_text }}{{ end }}
{{ define "slack.default.imageurl" }}{{ .RouteLabels.chart_url }}{{ end }}
{{ define "slack.default.color" }}{{ .RouteLabels.color }}{{ end }}
{{ define "opsgenie.default.description" }}{{ .RouteLabels.text }}{{ end }}
{{ define "victorops.default.state_message" }}{{ .RouteLabels.text }}{{ end }}
{{ define "pushover.default.message" }}{{ .RouteLabels.text }}{{ end }}
{{ define "sns.default.message" }}{{ .RouteLabels.title }}
{{ .RouteLabels.text }}{{ end }}
{{ define "telegram.default.message" }}{{ .RouteLabels.title }}
{{ .RouteLabels.text }}{{ end }}
{{ define "discord.default.message" }}{{ .RouteLabels.text }}{{ end }}
{{ define "webex.default.message" }}{{ .RouteLabels.title }}
{{ .RouteLabels.text }}{{ end }}
{{ define "msteams.default.text" }}{{ .RouteLabels.markdown }}{{ end }}
{{ define "msteamsv2.default.text" }}{{ .RouteLabels.markdown }}{{ end }}
{{ define "jira.default.description" }}{{ .RouteLabels.text }}{{ end }}
{{ define "wechat.default.message" }}{{ .RouteLabels.title }}
{{ .RouteLabels.text }}{{ end }}
{{ define "rocketchat.default.text" }}{{ .RouteLabels.text }}{{ end }}
{{ define "mattermost.default.color" }}{{ .RouteLabels.color }}{{ end }}
{{ define "mattermost.default.text" }}{{ .RouteLabels.text }}{{ end }}
{{ define "email.default.subject" }}{{ .RouteLabels.title }}{{ end }}
{{ define "email.default.text" }}{{ .RouteLabels.title }}

{{ .RouteLabels.text }}
{{ end }}
{{ define "email.default.html" }}<!DOCTYPE html>
<html><body style="font-family:sans-serif;font-size:15px;line-height:1.45;color:#1b1f24">
<p style="font-size:18px;font-weight:bold;margin:0 0 12px">{{ .RouteLabels.title }}</p>
<p style="white-space:pre-line;margin:0 0 12px">{{ .RouteLabels.words }}</p>
{{ with .RouteLabels.chart_url }}<p><img src="{{ . }}" width="800" height="400" style="max-width:100%;height:auto" alt="Chart: {{ $.RouteLabels.evidence }}"></p>{{ end }}
{{ with .RouteLabels.url }}<p><a href="{{ . }}">Open on the board</a></p>{{ end }}
{{ with .RouteLabels.ack_url }}<p><a href="{{ . }}">Acknowledge</a></p>{{ end }}
</body></html>{{ end }}
`

func newTexts(o Options) (*texts, error) {
	t, err := template.FromGlobs(nil) // with Alertmanager's own
	if err != nil {
		return nil, err
	}
	if err := t.Parse(strings.NewReader(ours)); err != nil {
		return nil, err
	}
	for _, glob := range o.Templates {
		if err := t.FromGlob(glob); err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
	}
	if t.ExternalURL, err = url.Parse(o.BoardURL); err != nil {
		return nil, err
	}
	return &texts{t}, nil
}

// context puts the page where the library's templates find it.
func (t *texts) context(ctx context.Context, o Options, a alerting.Action, again bool) context.Context {
	ctx = notify.WithReceiverName(ctx, o.Name)
	ctx = notify.WithGroupKey(ctx, dedupKey(a.Key))
	ctx = notify.WithGroupLabels(ctx, model.LabelSet{alerting.LabelRule: model.LabelValue(a.Page.Rule), alerting.LabelEntity: model.LabelValue(a.Page.Entity)})
	ctx = notify.WithNow(ctx, time.Now())
	ctx = notify.WithRepeatInterval(ctx, time.Hour)
	reason := notify.ReasonFirstNotification
	if a.Kind == alerting.Resolve {
		reason = notify.ReasonAllAlertsResolved
	}
	ctx = notify.WithNotificationReason(ctx, reason)
	return notify.WithRouteLabels(ctx, spoken(o, a, again))
}

// spoken are the words of a message, as labels that templates read.
func spoken(o Options, a alerting.Action, again bool) model.LabelSet {
	title := pagerduty.Title(a.Page)
	switch {
	case a.Kind == alerting.Resolve:
		title = "Resolved: " + title
	case a.Kind == alerting.Retitle:
		title = "Now: " + title
	}
	if again {
		title = "Repeated, the answer to the first was lost: " + title
	}
	lines := body(a.Page)
	board := strings.TrimSuffix(o.BoardURL, "/")
	if board != "" && a.Key != "" {
		board += "/problems/" + url.PathEscape(a.Key)
	}
	ack := ""
	if a.Kind != alerting.Resolve {
		lines = append(lines, "Open: "+board)
		if o.AckURL != nil {
			ack = o.AckURL(a.Key)
			lines = append(lines, "Acknowledge: "+ack)
		}
	}
	words := strings.TrimSpace(strings.Join(lines, "\n")) // where the picture itself can stand
	chart := ""
	if a.Kind != alerting.Resolve && a.Page.Chart != "" {
		chart = a.Page.Chart
		lines = append(lines, "Chart: "+chart)
	}
	text := strings.TrimSpace(strings.Join(lines, "\n"))
	color := map[bool]string{true: "good", false: "danger"}[a.Kind == alerting.Resolve]
	out := model.LabelSet{}
	for k, v := range map[string]string{
		"title": title, "text": text, "url": board, "ack_url": ack, "priority": a.Page.Priority.String(), "color": color,
		"slack_title": mrkdwn.Replace(title), "slack_text": mrkdwn.Replace(words), "words": words, "chart_url": chart, "evidence": a.Page.Evidence, "markdown": strings.ReplaceAll(text, "\n", "\n\n"),
	} {
		out[model.LabelName(k)] = model.LabelValue(strings.ToValidUTF8(v, "\ufffd"))
	}
	return out
}

// body is the page as lines of a name and a text; its title is apart.
func body(p alerting.Page) []string {
	_, text, _ := strings.Cut(pagerduty.Text(p), "\n")
	var out []string
	for l := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		name, text, ok := strings.Cut(strings.TrimSpace(l), "  ")
		if !ok {
			out = append(out, strings.TrimSpace(l))
			continue
		}
		if name == "hurt" {
			name = "impact"
		}
		out = append(out, words.Capital(name)+": "+strings.TrimSpace(text))
	}
	return out
}

// mrkdwn escapes what Slack reads as a link, a mention or a channel.
// Source: Slack, "Formatting text for app surfaces", read 30 November 2026.
var mrkdwn = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
