package intake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// PathAlertmanager takes what a running Alertmanager tells a webhook receiver, so that shadow mode has its alarms, and
// `binnacle compare` its notifications.
const PathAlertmanager = "/api/v1/alertmanager"

// webhookEnd is how long an alarm fires on that a webhook told of: Alertmanager repeats those that fire every repeat_interval,
// 4 h where nothing else is set.
const webhookEnd = 5 * time.Hour

// webhook is the body of version 4. Source: Alertmanager 0.35 notify/webhook, template.Data, read 30 November 2026.
type webhook struct {
	Version     string            `json:"version"`
	GroupKey    string            `json:"groupKey"`
	Status      string            `json:"status"`
	Receiver    string            `json:"receiver"`
	GroupLabels map[string]string `json:"groupLabels"`
	ExternalURL string            `json:"externalURL"`
	Alerts      []json.RawMessage `json:"alerts"`
	Truncated   uint64            `json:"truncatedAlerts"`
}

// Notice is one notification of another Alertmanager.
type Notice struct {
	Key      string // of its group at its receiver
	Receiver string
	Source   string // whose notification it is
	Title    string
	Resolved bool
	Alarms   []string // fingerprints of those that fire
	At       time.Time
}

func (i *Intake) postWebhook(w http.ResponseWriter, r *http.Request) {
	var hook webhook
	if err := read(w, r, maxBody, &hook); err != nil {
		i.fail(w, status(err), err)
		return
	}
	if hook.GroupKey == "" || hook.Receiver == "" || hook.Status != "firing" && hook.Status != "resolved" {
		i.fail(w, http.StatusBadRequest, errors.New("want what Alertmanager sends to a webhook: groupKey, receiver, and status firing or resolved"))
		return
	}
	if len(hook.Alerts) > maxPosted {
		i.fail(w, http.StatusRequestEntityTooLarge, fmt.Errorf("more than %d alarms in one notification", maxPosted))
		return
	}
	in, n, bad := i.hooked(hook, time.Now())
	if !i.put(w, r, in...) {
		return
	}
	if i.opts.Noticed != nil {
		i.opts.Noticed(n)
	}
	if len(bad) > 0 {
		i.bad.Add(uint64(len(bad)))
		i.fail(w, http.StatusBadRequest, fmt.Errorf("%d of %d alarms could not be read, the others count: %w", len(bad), len(hook.Alerts), errors.Join(bad[:min(len(bad), 10)]...)))
		return
	}
	w.WriteHeader(http.StatusOK)
}

// hooked is what a notification says: the inputs of a router, and the notification itself.
func (i *Intake) hooked(hook webhook, now time.Time) (in []alerting.Input, n Notice, bad []error) {
	by := "alertmanager"
	if u, err := url.Parse(hook.ExternalURL); err == nil && u.Host != "" {
		by += " " + u.Host
	}
	i.senders.heard(by, now)
	in = append(in, alerting.Heard{Sender: by})
	n = Notice{Key: hook.Receiver + " " + hook.GroupKey, Receiver: hook.Receiver, Source: by, Resolved: hook.Status == "resolved", At: now}
	var rules, over []string
	for at, text := range hook.Alerts {
		var of struct{ Status string }
		a, err := readAlarm(text)
		if err == nil {
			err = json.Unmarshal(text, &of)
		}
		cut := false
		if err == nil {
			a, cut, err = bounded(a)
		}
		if err != nil {
			bad = append(bad, badAlarm{at, err})
			continue
		}
		if cut {
			i.cut.Add(1)
		}
		fp := a.Fingerprint()
		if of.Status == "resolved" {
			in, over = append(in, alerting.Ended{Fingerprint: fp, Sender: by}), append(over, fp)
			continue
		}
		if a.StartsAt.IsZero() || a.StartsAt.After(now) {
			a.StartsAt = now
		}
		a.EndsAt = now.Add(webhookEnd)
		in = append(in, alerting.Firing{Alarm: a, Sender: by})
		n.Alarms = append(n.Alarms, fp)
		if r := a.Rule(); !slices.Contains(rules, r) {
			rules = append(rules, r)
		}
	}
	i.alarms.Add(uint64(len(in) - 1))
	whole := hook.Truncated == 0 && len(bad) == 0 && len(hook.Alerts) > 0
	for _, fp := range i.listed.ended(groupOf{by, hook.Receiver, hook.GroupKey}, n.Alarms, over, whole, now) {
		in = append(in, alerting.Ended{Fingerprint: fp, Sender: by})
	}
	const most = 5
	if len(rules) > most {
		rules = append(rules[:most], "…")
	}
	n.Title = cmp.Or(strings.Join(rules, ", "), hook.GroupLabels["alertname"], "resolved")
	return in, n, bad
}
