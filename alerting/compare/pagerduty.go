package compare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// logEntry is what is read of an entry of PagerDuty's log.
// Source: PagerDuty REST API v2, GET /log_entries, with incidents and channels included, read 30 November 2026.
type logEntry struct {
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	Agent     struct {
		Type    string `json:"type"`
		Summary string `json:"summary"`
	} `json:"agent"`
	Incident struct {
		ID      string `json:"id"`
		Number  int    `json:"incident_number"`
		Summary string `json:"summary"`
		Title   string `json:"title"`
		Urgency string `json:"urgency"`
	} `json:"incident"`
	Service struct {
		Summary string `json:"summary"`
	} `json:"service"`
	Channel json.RawMessage `json:"channel"`
}

// PagerDuty makes incidents of log entries: the answers of its API, a list of entries, or entries one after the other. skipped
// are entries without an incident or a time, and those of types that say nothing here are none.
func PagerDuty(text []byte) (out []*Incident, skipped int, err error) {
	entries, err := entriesOf(text)
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(entries, func(a, b logEntry) int { return a.CreatedAt.Compare(b.CreatedAt) })
	by := map[string]*Incident{}
	for _, e := range entries {
		if e.Incident.ID == "" || e.CreatedAt.IsZero() {
			skipped++
			continue
		}
		i := by[e.Incident.ID]
		if i == nil {
			i = &Incident{ID: e.Incident.ID, Start: e.CreatedAt, To: e.Service.Summary}
			by[i.ID] = i
			out = append(out, i)
		}
		if i.Title == "" {
			i.Title = cmp.Or(e.Incident.Title, e.Incident.Summary, "incident "+e.Incident.ID)
		}
		i.take(e)
	}
	for _, i := range out {
		if len(i.Messages) == 0 { // low urgency, or the log's user may not see who was notified
			i.Messages = []time.Time{i.Start}
		}
	}
	return out, skipped, nil
}

// take adds what an entry says.
func (i *Incident) take(e logEntry) {
	kind := strings.TrimSuffix(strings.TrimSuffix(e.Type, "_reference"), "_log_entry")
	switch kind {
	case "trigger":
		alarms, rules := alarmsIn(string(e.Channel))
		i.add(alarms, rules)
	case "notify":
		i.Messages = append(i.Messages, e.CreatedAt)
	case "acknowledge":
		if i.AckedBy == "" {
			i.AckedBy = cmp.Or(e.Agent.Summary, "somebody")
		}
	case "resolve":
		i.End = e.CreatedAt
		i.Alone = i.AckedBy == "" && !strings.HasPrefix(e.Agent.Type, "user")
	}
}

func entriesOf(text []byte) (out []logEntry, err error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("log entries: want JSON: %w", err)
		}
		var page struct {
			Entries []logEntry `json:"log_entries"`
		}
		var list []logEntry
		var one logEntry
		switch {
		case raw[0] == '[':
			if err := json.Unmarshal(raw, &list); err != nil {
				return nil, fmt.Errorf("log entries: %w", err)
			}
			out = append(out, list...)
		case json.Unmarshal(raw, &page) == nil && page.Entries != nil:
			out = append(out, page.Entries...)
		case json.Unmarshal(raw, &one) == nil && one.Type != "":
			out = append(out, one)
		default:
			return nil, fmt.Errorf("log entries: want those of PagerDuty's GET /log_entries, have %.60s", raw)
		}
	}
	return out, nil
}

var (
	// label is a line of Alertmanager's own text for PagerDuty: " - alertname = HighLatency".
	label = regexp.MustCompile(`^\s*-\s*([a-zA-Z_][a-zA-Z0-9_]*) = (.*)$`)
	named = regexp.MustCompile(`"alertname"\s*:\s*"([^"\\]+)"`)
)

// alarmsIn reads the alarms in the details of a trigger. Alertmanager's own template lists the labels of each; others name at
// least a rule.
func alarmsIn(channel string) (alarms, rules []string) {
	var v any
	if json.Unmarshal([]byte(channel), &v) != nil {
		return nil, nil
	}
	each(v, func(text string) {
		set := map[string]string{}
		done := func() {
			if len(set) > 0 {
				alarms = append(alarms, alerting.Alarm{Labels: set}.Fingerprint())
				if r := set["alertname"]; r != "" {
					rules = append(rules, r)
				}
			}
			set = map[string]string{}
		}
		in := false
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			switch {
			case strings.TrimSpace(line) == "Labels:":
				done()
				in = true
			case in && label.MatchString(line):
				m := label.FindStringSubmatch(line)
				set[m[1]] = m[2]
			case in:
				done()
				in = false
			}
		}
		done()
	})
	for _, m := range named.FindAllStringSubmatch(channel, -1) {
		rules = append(rules, m[1])
	}
	return alarms, rules
}

// each calls f for every text in a JSON value.
func each(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, x := range v {
			each(x, f)
		}
	case map[string]any:
		for _, x := range v {
			each(x, f)
		}
	}
}
