package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

// TestWhatAGroupDoesNotListAnyMore: a receiver with send_resolved: false ends alarms by not listing them; one that says when they end does
// not, since what it does not list is muted.
func TestWhatAGroupDoesNotListAnyMore(t *testing.T) {
	post := func(receiver, group string, truncated int, alarms ...string) string {
		var list []string
		for _, a := range alarms {
			host, state, _ := strings.Cut(a, " ")
			if state == "" {
				state = "firing"
			}
			list = append(list, fmt.Sprintf(`{"status":%q,"labels":{"alertname":"High","instance":%q},"startsAt":"2026-11-30T10:00:00Z"}`, state, host))
		}
		return fmt.Sprintf(`{"receiver":%q,"status":"firing","alerts":[%s],"externalURL":"http://am:9093","version":"4","groupKey":%q,"truncatedAlerts":%d}`,
			receiver, strings.Join(list, ","), group, truncated)
	}
	for name, tc := range map[string]struct {
		posts []string
		want  []string // hosts whose alarms end
	}{
		"it does not list one any more":      {[]string{post("a", "g", 0, "web-1", "web-2"), post("a", "g", 0, "web-2")}, []string{"web-1"}},
		"nor one that came later":            {[]string{post("a", "g", 0, "web-1"), post("a", "g", 0, "web-1", "web-2"), post("a", "g", 0, "web-1")}, []string{"web-2"}},
		"it lists more":                      {[]string{post("a", "g", 0, "web-1"), post("a", "g", 0, "web-1", "web-2")}, nil},
		"another group":                      {[]string{post("a", "g", 0, "web-1"), post("a", "h", 0, "web-2")}, nil},
		"another receiver":                   {[]string{post("a", "g", 0, "web-1"), post("b", "g", 0, "web-2")}, nil},
		"a part of it is all that there is":  {[]string{post("a", "g", 0, "web-1", "web-2"), post("a", "g", 1, "web-2")}, nil},
		"after a part, all of it":            {[]string{post("a", "g", 0, "web-1", "web-2"), post("a", "g", 1, "web-2"), post("a", "g", 0, "web-2")}, []string{"web-1"}},
		"a receiver that says when they end": {[]string{post("a", "g", 0, "web-1", "web-2", "web-3"), post("a", "g", 0, "web-1 resolved", "web-2"), post("a", "g", 0, "web-2")}, []string{"web-1"}},
		"of one group, and mutes another":    {[]string{post("a", "g", 0, "web-1 resolved", "web-4"), post("a", "h", 0, "web-2", "web-3"), post("a", "h", 0, "web-3")}, []string{"web-1"}},
		"what cannot be read lists not all":  {[]string{post("a", "g", 0, "web-1", "web-2"), strings.Replace(post("a", "g", 0, "web-2"), `"alerts":[`, `"alerts":[{"labels":{}},`, 1)}, nil},
		"it ends once":                       {[]string{post("a", "g", 0, "web-1", "web-2"), post("a", "g", 0, "web-2"), post("a", "g", 0, "web-2")}, []string{"web-1"}},
		"it begins again and ends once more": {[]string{post("a", "g", 0, "web-1", "web-2"), post("a", "g", 0, "web-2"), post("a", "g", 0, "web-1", "web-2"), post("a", "g", 0, "web-2")}, []string{"web-1", "web-1"}},
	} {
		b := newBoard()
		mux := muxOf(New(Options{Put: b.put, View: b.view, Desk: &people.Desk{Router: b}}))
		for _, body := range tc.posts {
			call(t, mux, "POST", PathAlertmanager, body)
		}
		hosts, ended := map[string]string{}, []string(nil)
		for _, in := range b.got {
			switch in := in.(type) {
			case alerting.Firing:
				hosts[in.Alarm.Fingerprint()] = in.Alarm.Labels["instance"]
			case alerting.Ended:
				host := hosts[in.Fingerprint]
				if host == "" { // it never fired
					host = "web-1"
				}
				ended = append(ended, host)
			}
		}
		if !slices.Equal(ended, tc.want) {
			t.Errorf("%s: %v ended; want %v", name, ended, tc.want)
		}
	}
}
