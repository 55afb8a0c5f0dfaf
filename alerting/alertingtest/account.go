package alertingtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Account is what the REST API tells of an account besides its incidents. Without one the fake takes any token
// and any routing key of the right form.
type Account struct {
	Token    string
	Users    []string // mail addresses
	Services []Service
	OnCall   []string // IDs of escalation policies for which somebody is on call
}

// Service is a service of an account. Settings are those of the REST API, put over those of a new service.
type Service struct {
	ID, Name, RoutingKey, Policy string
	Settings                     map[string]any
}

// fresh is a service as binnacle wants it.
func (s Service) fresh() map[string]any {
	m := map[string]any{
		"id": s.ID, "type": "service", "name": s.Name, "status": "active", "alert_creation": "create_alerts_and_incidents",
		"auto_resolve_timeout": nil, "acknowledgement_timeout": 1800, "alert_grouping": nil,
		"alert_grouping_parameters":           map[string]any{"type": nil},
		"auto_pause_notifications_parameters": map[string]any{"enabled": false, "timeout": nil},
		"incident_urgency_rule":               map[string]any{"type": "constant", "urgency": "severity_based"},
		"escalation_policy":                   map[string]any{"id": s.Policy, "type": "escalation_policy_reference", "summary": s.Policy},
		"integrations": []any{
			map[string]any{"id": s.ID + "M", "type": "generic_email_inbound_integration", "email_filter_mode": nil},
			map[string]any{"id": s.ID + "I", "type": "events_api_v2_inbound_integration", "integration_key": s.RoutingKey},
		},
	}
	for k, v := range s.Settings {
		m[k] = v
	}
	return m
}

// knows says whether a service of the account has the routing key.
func (a *Account) knows(key string) bool {
	return a == nil || slices.ContainsFunc(a.Services, func(s Service) bool { return s.RoutingKey == key })
}

// opens says whether the header of authorization is that of the account.
func (a *Account) opens(header string) bool {
	if a == nil {
		return strings.HasPrefix(header, "Token token=") || strings.HasPrefix(header, "Bearer ")
	}
	return header == "Token token="+a.Token || header == "Bearer "+a.Token
}

// serve answers GET /services, /users and /oncalls; services come a page of two at a time.
func (a *Account) serve(w http.ResponseWriter, r *http.Request) bool {
	if a == nil || r.Method != http.MethodGet {
		return false
	}
	list, more := []any{}, false
	switch r.URL.Path {
	case "/services":
		var offset int
		_, _ = fmt.Sscan(r.URL.Query().Get("offset"), &offset) // none is 0
		for _, s := range a.Services[min(offset, len(a.Services)):min(offset+2, len(a.Services))] {
			list = append(list, s.fresh())
		}
		more = offset+2 < len(a.Services)
	case "/users":
		for _, u := range a.Users {
			list = append(list, map[string]any{"id": "U", "email": u})
		}
	case "/oncalls":
		if id := r.URL.Query().Get("escalation_policy_ids[]"); slices.Contains(a.OnCall, id) {
			list = append(list, map[string]any{"escalation_level": 1})
		}
	default:
		return false
	}
	b, _ := json.Marshal(map[string]any{r.URL.Path[1:]: list, "more": more})
	reply(w, http.StatusOK, string(b))
	return true
}
