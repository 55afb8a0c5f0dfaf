package pagerduty

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/navcloud/binnacle/alerting"
)

// Limits of an event. The body may have 512 KB; what a person can use, and what the log entry of an
// incident shows, ends long before.
// Source: PagerDuty Events API v2, "Send an alert event", read November 2026.
const (
	maxSummary = 1024 // runes
	maxDedup   = 255  // runes
	maxSource  = 255
	maxLinks   = 20
	maxHref    = 1024
	maxDetails = 60 << 10 // bytes, so that the whole stays below 64 KB
)

// Title is what a phone shows: the priority, who is hurt and what is broken, and the rule, whose name survives
// every cut.
func Title(p alerting.Page) string {
	head := p.Priority.String() + " "
	tail := ""
	if p.Rule != "" {
		tail = " [" + cutRunes(oneLine(p.Rule), maxSummary-32) + "]"
	}
	room := maxSummary - utf8.RuneCountInString(head) - utf8.RuneCountInString(tail)
	sentence := oneLine(p.Sentence)
	if sentence == "" {
		sentence = oneLine(p.Broken)
	}
	return head + cutRunes(sentence, room) + tail
}

// DedupKey is the key of an incident at PagerDuty: key itself, or where that is too long its beginning and
// a hash of the whole.
func DedupKey(key string) string {
	if utf8.RuneCountInString(key) <= maxDedup {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return string([]rune(key)[:maxDedup-33]) + "#" + hex.EncodeToString(sum[:16])
}

// Severity maps our priorities; PagerDuty's dynamic notifications wake a person for critical and error.
func severity(p alerting.Priority, low bool) string {
	switch {
	case p == alerting.P1 && !low:
		return "critical"
	case p == alerting.P2 && !low:
		return "error"
	case p <= alerting.P3:
		return "warning"
	}
	return "info"
}

func trigger(a alerting.Action, key string, low bool, client, clientURL string) *pd.V2Event {
	e := plain(a, key, low)
	p := a.Page
	e.Client, e.ClientURL = client, problemURL(clientURL, a.Key)
	e.Links, e.Images = links(p), images(p, e.ClientURL)
	if !p.Since.IsZero() {
		e.Payload.Timestamp = p.Since.UTC().Format(time.RFC3339)
	}
	e.Payload.Component, e.Payload.Group, e.Payload.Class = p.Entity, p.Service, p.Rule
	e.Payload.Details = details(p, maxDetails)
	return e
}

// problemURL is where the board shows exactly this incident, and what became of it.
func problemURL(board, key string) string {
	if board == "" || key == "" {
		return board
	}
	return strings.TrimSuffix(board, "/") + "/problems/" + url.PathEscape(key)
}

// plain is the least that PagerDuty takes; what it refused of a full event is not in it.
func plain(a alerting.Action, key string, low bool) *pd.V2Event {
	source := a.Page.Entity
	if source == "" {
		source = a.Page.Service
	}
	if source == "" {
		source = "binnacle"
	}
	return &pd.V2Event{
		RoutingKey: key, Action: "trigger", DedupKey: DedupKey(a.Key),
		Payload: &pd.V2Payload{
			Summary:  Title(a.Page),
			Source:   cutRunes(oneLine(source), maxSource),
			Severity: severity(a.Page.Priority, low),
		},
	}
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// links of a page, the runbook first. PagerDuty refuses the whole event for a link without address.
func links(p alerting.Page) []any {
	var out []any
	add := func(text, href string) {
		if (strings.HasPrefix(href, "http://") || strings.HasPrefix(href, "https://")) && len(href) <= maxHref && len(out) < maxLinks {
			out = append(out, link{Href: href, Text: text})
		}
	}
	add("Runbook", p.Runbook)
	for _, name := range slices.Sorted(maps.Keys(p.Links)) {
		add(name, p.Links[name])
	}
	return out
}

type picture struct {
	Src  string `json:"src"`
	Href string `json:"href,omitempty"`
	Alt  string `json:"alt"`
}

// images are the chart of a page, if it has one. PagerDuty wants an https address and shows it in the incident.
// Source: PagerDuty Events API v2, "The images property", read 30 November 2026.
func images(p alerting.Page, href string) []any {
	if !strings.HasPrefix(p.Chart, "https://") || len(p.Chart) > maxHref {
		return nil
	}
	return []any{picture{Src: p.Chart, Href: href, Alt: cutRunes(oneLine(p.Evidence), maxSource)}}
}

// oneLine makes s fit for a title: control characters and runs of space become one space.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "�")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// cutRunes cuts s to n runes, the last of which then is an ellipsis.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}

// Text is a page as a terminal or a chat shows it, in the order of what a person needs first.
func Text(p alerting.Page) string {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, oneLine(text))
		}
	}
	b.WriteString(Title(p) + "\n")
	line("hurt", p.Impact)
	line("broken", p.Broken)
	if !p.Since.IsZero() {
		line("since", p.Since.Format(time.RFC3339))
	}
	line("do first", p.Guidance)
	line("changed", strings.Join(p.Changed, "; "))
	line("evidence", p.Evidence)
	line("explains", explains(p))
	line("next", strings.Join(p.Behind, "; "))
	line("why", p.Reason)
	line("runbook", p.Runbook)
	return b.String()
}

// explains counts the alarms behind a page by rule, the head not among them.
func explains(p alerting.Page) string {
	if len(p.Explained) < 2 {
		return ""
	}
	count := map[string]int{}
	for _, a := range p.Explained[1:] {
		count[a.Rule()]++
	}
	rules := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	const shown = 20
	var parts []string
	for i, r := range rules {
		if i == shown {
			parts = append(parts, fmt.Sprintf("%d more rules", len(rules)-shown))
			break
		}
		parts = append(parts, fmt.Sprintf("%d %s", count[r], r))
	}
	noun := "alarms"
	if len(p.Explained) == 2 {
		noun = "alarm"
	}
	return fmt.Sprintf("%d %s: %s", len(p.Explained)-1, noun, strings.Join(parts, ", "))
}
