package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/PagerDuty/go-pagerduty/webhookv3"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
)

// Bounds of webhooks.
// Source: PagerDuty "Webhooks Overview" and "Webhook Behavior", read November 2026: at least once, up to 55 KB
// guaranteed, an answer within 5 s, retries for 48 h on 5xx and 429; other 4xx drop the delivery, and
// three dropped in a row switch the subscription off for a day.
const (
	maxWebhook  = 256 << 10
	seenWebhook = 4096
	putDeadline = 4 * time.Second
)

// Webhook receives v3 webhooks: acknowledgements, resolves and notes of people, each once, and of what an incident is the
// latest by PagerDuty's own time: a delivery that failed is repeated for two days, after those that came later.
type Webhook struct {
	secrets func() []secret.Secret
	put     Put
	keyOf   KeyOf
	log     *slog.Logger

	mu    sync.Mutex
	seen  map[string]bool
	order []string
	last  map[string]time.Time // when the last event of an incident occurred
	keys  map[string]string    // of incidents, by their IDs at PagerDuty: a note has no key
}

// KeyOf returns the dedup key of an incident by its ID at PagerDuty; "" where it is not known.
type KeyOf func(ctx context.Context, id string) string

// NewWebhook makes the handler, which lives as long as the router: what was seen must outlive a change of the secrets.
// Without a secret it refuses everything: who can post here can make the router believe that a person has it.
// keyOf is asked for incidents that no webhook told of before.
func NewWebhook(secrets func() []secret.Secret, put Put, keyOf KeyOf, log *slog.Logger) *Webhook {
	return &Webhook{
		secrets: secrets, put: put, keyOf: keyOf, log: log, seen: map[string]bool{}, last: map[string]time.Time{}, keys: map[string]string{},
	}
}

type webhookBody struct {
	Event struct {
		ID    string    `json:"id"`
		Type  string    `json:"event_type"`
		At    time.Time `json:"occurred_at"`
		Agent *struct {
			Type    string `json:"type"`
			Summary string `json:"summary"`
		} `json:"agent"`
		Data struct {
			ID          string `json:"id"`
			IncidentKey string `json:"incident_key"`
			Content     string `json:"content"` // of a note
			Incident    *struct {
				ID          string `json:"id"`
				IncidentKey string `json:"incident_key"`
			} `json:"incident"`
		} `json:"data"`
	} `json:"event"`
}

func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "want POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	if err != nil {
		http.Error(w, "body: "+err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if !h.signed(r, body) {
		h.log.Warn("webhook with a wrong signature", "from", r.RemoteAddr)
		http.Error(w, "signature does not match", http.StatusForbidden)
		return
	}
	var b webhookBody
	if err := json.Unmarshal(body, &b); err != nil {
		http.Error(w, "body: "+err.Error(), http.StatusBadRequest)
		return
	}
	h.learn(b.Event.Data.ID, b.Event.Data.IncidentKey)
	id := b.Event.ID // of the body, which is signed; a header is not
	var in alerting.Input
	if b.Event.Type == annotated {
		in = h.note(r.Context(), b)
	} else if in = b.input(); in != nil && !h.newest(b.key(), b.Event.At) {
		in = nil
	}
	if in != nil && h.first(id) {
		if err := h.deliver(r, in); err != nil {
			h.forget(id) // it comes again
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		h.occurred(b.key(), b.Event.At)
	}
	w.WriteHeader(http.StatusAccepted)
}

const annotated = "incident.annotated"

// note is what a person wrote at PagerDuty; nil for a note of our own that comes back. Its event has a reference to the incident
// and no key, and the name of nobody where it was written by the REST API.
// Source: PagerDuty "Webhooks Overview", event data type incident_note, read 30 November 2026.
func (h *Webhook) note(ctx context.Context, b webhookBody) alerting.Input {
	text, by := strings.TrimSpace(b.Event.Data.Content), ""
	if b.Event.Agent != nil {
		by = b.Event.Agent.Summary
	}
	if text == "" || strings.HasSuffix(text, noteMark) || b.Event.Data.Incident == nil {
		return nil
	}
	id, key := b.Event.Data.Incident.ID, b.key()
	if key == "" {
		h.mu.Lock()
		key = h.keys[id]
		h.mu.Unlock()
	}
	if key == "" && h.keyOf != nil && id != "" {
		ctx, cancel := context.WithTimeout(ctx, putDeadline/2)
		defer cancel()
		key = h.keyOf(ctx, id)
		h.learn(id, key)
	}
	if key == "" {
		h.log.Warn("a note at PagerDuty on an incident that is not known here", "incident", id)
		return nil
	}
	return alerting.Noted{Key: key, By: someone(by), Text: cutRunes(text, maxNote), At: b.Event.At}
}

// learn notes which key an incident has.
func (h *Webhook) learn(id, key string) {
	if id == "" || key == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.keys) >= seenWebhook {
		clear(h.keys)
	}
	h.keys[id] = key
}

func (h *Webhook) signed(r *http.Request, body []byte) bool {
	for _, s := range h.secrets() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !s.IsZero() && webhookv3.VerifySignature(r, s.Reveal()) == nil {
			return true
		}
	}
	return false
}

func (h *Webhook) deliver(r *http.Request, in alerting.Input) error {
	ctx, cancel := context.WithTimeout(r.Context(), putDeadline)
	defer cancel()
	return h.put(ctx, in)
}

// key is the dedup key of the incident.
func (b webhookBody) key() string {
	if b.Event.Data.IncidentKey == "" && b.Event.Data.Incident != nil {
		return b.Event.Data.Incident.IncidentKey
	}
	return b.Event.Data.IncidentKey
}

// input returns nil for what the router need not know, a test ping among it.
func (b webhookBody) input() alerting.Input {
	key, by := b.key(), ""
	if b.Event.Agent != nil {
		by = b.Event.Agent.Summary
	}
	if key == "" {
		return nil
	}
	switch b.Event.Type {
	case "incident.acknowledged":
		return alerting.Acked{Key: key, By: someone(by), Pager: true}
	case "incident.unacknowledged":
		return alerting.Acked{Key: key, By: by, Undo: true, Pager: true}
	case "incident.resolved":
		return alerting.Closed{Key: key, By: by}
	}
	return nil
}

// newest says whether nothing of an incident that occurred later was told.
func (h *Webhook) newest(key string, at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return at.IsZero() || !at.Before(h.last[key])
}

func (h *Webhook) occurred(key string, at time.Time) {
	if key == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.last[key]; !ok && len(h.last) >= seenWebhook {
		for old, t := range h.last { // those that are repeated no more
			if at.Sub(t) > 48*time.Hour {
				delete(h.last, old)
			}
		}
		if len(h.last) >= seenWebhook {
			clear(h.last)
		}
	}
	if at.After(h.last[key]) {
		h.last[key] = at
	}
}

// first says whether id was not seen before, and remembers it.
func (h *Webhook) first(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id == "" {
		return true
	}
	if h.seen[id] {
		return false
	}
	h.seen[id] = true
	h.order = append(h.order, id)
	if len(h.order) > seenWebhook {
		delete(h.seen, h.order[0])
		h.order = h.order[1:]
	}
	return true
}

func (h *Webhook) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.seen, id)
}
