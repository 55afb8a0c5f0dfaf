package alertingtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// view is an incident as the REST API shows it.
func view(in *Incident) map[string]any {
	v := map[string]any{
		"id": in.ID, "type": "incident", "incident_number": in.Number, "incident_key": in.Key, "title": in.Title,
		"status": in.Status, "urgency": in.Urgency, "created_at": in.OpenedAt.UTC().Format(time.RFC3339),
		"last_status_change_by": map[string]any{"type": "user_reference", "summary": in.By},
	}
	if in.Status == "acknowledged" {
		v["acknowledgements"] = []any{map[string]any{"acknowledger": map[string]any{"type": "user_reference", "summary": in.By}}}
		if !in.Until.IsZero() {
			v["pending_actions"] = []any{
				map[string]any{"type": "escalate", "at": in.OpenedAt.UTC().Format(time.RFC3339)}, map[string]any{"type": "unacknowledge", "at": in.Until.UTC().Format(time.RFC3339)},
			}
		}
	}
	return v
}

type restBody struct {
	Incidents []struct {
		ID, Title, Status string
		Priority          *struct{ ID string }
		Level             int `json:"escalation_level"`
	}
	Note struct{ Content string }
}

// rest serves GET and PUT /incidents, GET /incidents/{id}, POST /incidents/{id}/notes, GET /priorities.
func (p *PagerDuty) rest(w http.ResponseWriter, r *http.Request, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Call{Action: r.Method + " " + r.URL.Path, Status: http.StatusOK}
	defer func() { p.put(c) }()
	fail := func(status, code int, text string) {
		c.Status, c.Why = status, text
		reply(w, status, fmt.Sprintf(`{"error":{"message":%q,"code":%d}}`, text, code))
	}
	if !p.Account.opens(r.Header.Get("Authorization")) {
		fail(http.StatusUnauthorized, 2006, "You are not authorized")
		return
	}
	if p.over("rest", restRate) {
		w.Header().Set("ratelimit-reset", "30")
		fail(http.StatusTooManyRequests, 2020, "Rate Limit Exceeded")
		return
	}
	w.Header().Set("ratelimit-limit", strconv.Itoa(restRate))
	if r.Method != http.MethodGet && r.Header.Get("From") == "" {
		fail(http.StatusBadRequest, 1008, "Requester User Not Found")
		return
	}
	var b restBody
	if len(body) > 0 && json.Unmarshal(body, &b) != nil {
		fail(http.StatusBadRequest, 2001, "Invalid Input Provided")
		return
	}
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case p.Account.serve(w, r):
	case r.Method == http.MethodGet && r.URL.Path == "/priorities" && !p.NoPriorities:
		reply(w, 200, `{"priorities":[{"id":"PR1","name":"P1"},{"id":"PR2","name":"P2"},{"id":"PR3","name":"P3"}]}`)
	case r.Method == http.MethodGet && r.URL.Path == "/incidents":
		p.listIncidents(w, r)
	case len(part) == 2 && part[0] == "incidents" && r.Method == http.MethodGet && p.find(part[1]) != nil:
		b, _ := json.Marshal(map[string]any{"incident": view(p.find(part[1]))})
		reply(w, http.StatusOK, string(b))
	case r.Method == http.MethodPut && r.URL.Path == "/incidents":
		p.manage(w, b, &c)
	case len(part) == 3 && part[0] == "incidents" && part[2] == "notes" && r.Method == http.MethodPost && p.find(part[1]) != nil:
		in := p.find(part[1])
		in.Notes = append(in.Notes, b.Note.Content)
		p.annotate(*in, "", b.Note.Content)
		c.Incident, c.Key, c.Summary, c.Status = in.Number, in.Key, b.Note.Content, http.StatusCreated
		reply(w, c.Status, `{"note":{}}`)
	default:
		fail(http.StatusNotFound, 2100, "Not Found")
	}
}

func (p *PagerDuty) find(id string) *Incident {
	if i := slices.IndexFunc(p.incidents, func(in *Incident) bool { return in.ID == id }); i >= 0 {
		return p.incidents[i]
	}
	return nil
}

func (p *PagerDuty) listIncidents(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	for _, in := range p.incidents {
		if k := r.URL.Query().Get("incident_key"); k == "" || k == in.Key {
			list = append(list, view(in))
		}
	}
	b, _ := json.Marshal(map[string]any{"incidents": list, "more": false})
	reply(w, http.StatusOK, string(b))
}

func (p *PagerDuty) manage(w http.ResponseWriter, b restBody, c *Call) {
	list := []any{}
	for _, x := range b.Incidents {
		in := p.find(x.ID)
		if in == nil {
			continue
		}
		if x.Title != "" {
			in.Title = x.Title
		}
		if x.Priority != nil {
			in.Priority = x.Priority.ID
		}
		if x.Status == "acknowledged" || x.Status == "resolved" {
			p.become(in, x.Status, "")
		}
		if x.Level > 0 {
			in.Level = x.Level
			p.become(in, "triggered", "")
		}
		c.Incident, c.Key, c.Summary = in.Number, in.Key, x.Title
		list = append(list, view(in))
	}
	data, _ := json.Marshal(map[string]any{"incidents": list})
	reply(w, http.StatusOK, string(data))
}

// hook delivers a v3 webhook, in the background; p.mu is held.
func (p *PagerDuty) hook(kind string, in Incident) {
	if p.WebhookURL == "" {
		return
	}
	id := fmt.Sprintf("%d-%s-%d", in.Number, kind, len(p.calls))
	event := map[string]any{
		"id": id, "event_type": kind, "resource_type": "incident", "occurred_at": time.Now().UTC().Format(time.RFC3339Nano),
		"data": map[string]any{
			"id": in.ID, "type": "incident", "number": in.Number, "status": in.Status,
			"incident_key": in.Key, "title": in.Title, "urgency": in.Urgency,
		},
	}
	p.post(id, event, in.By)
}

// Annotate is a note that a person writes at PagerDuty.
func (p *PagerDuty) Annotate(key, by, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.incidents {
		if in.Key == key && in.Status != "resolved" {
			in.Notes = append(in.Notes, text)
			p.annotate(*in, by, text)
		}
	}
}

// annotate tells of a note: of its incident there is a reference alone. p.mu is held.
// Source: PagerDuty "Webhooks Overview", event data type incident_note, read 30 November 2026.
func (p *PagerDuty) annotate(in Incident, by, text string) {
	if p.WebhookURL == "" {
		return
	}
	id := fmt.Sprintf("%d-note-%d", in.Number, len(in.Notes))
	p.post(id, map[string]any{
		"id": id, "event_type": "incident.annotated", "resource_type": "incident", "occurred_at": time.Now().UTC().Format(time.RFC3339Nano),
		"agent": nil, "client": nil, "data": map[string]any{
			"id": "N" + id, "type": "incident_note", "content": text, "trimmed": false,
			"incident": map[string]any{"id": in.ID, "type": "incident_reference", "summary": in.Title},
		},
	}, by)
}

func (p *PagerDuty) post(id string, event map[string]any, by string) {
	if by != "" {
		event["agent"] = map[string]any{"type": "user_reference", "summary": by}
	}
	body, _ := json.Marshal(map[string]any{"event": event})
	times := 1
	if p.DeliverTwice {
		times = 2
	}
	p.work.Go(func() {
		for range times {
			p.deliver(id, body)
		}
	})
}

func (p *PagerDuty) deliver(id string, body []byte) {
	mac := hmac.New(sha256.New, []byte(p.WebhookSecret))
	_, _ = mac.Write(body)
	req, err := http.NewRequest(http.MethodPost, p.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-PagerDuty-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
	req.Header.Set("X-Webhook-Id", id)
	c := http.Client{Timeout: 5 * time.Second, Transport: p.WebhookTransport}
	if resp, err := c.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}
