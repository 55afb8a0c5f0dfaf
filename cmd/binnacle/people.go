package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// askTimeout bounds one question to an agent.
const askTimeout = 10 * time.Second

// now asks for all that the router thinks.
func (r *remote) now(ctx context.Context) (dispatch.Now, error) {
	var n dispatch.Now
	return n, r.call(ctx, http.MethodGet, "/api/v1/view", &n)
}

// maxEvents is how much of the history is asked for; the agent gives no more at once.
const maxEvents = 100_000

// history asks what happened since then, oldest first; kinds may be empty for all.
func (r *remote) history(ctx context.Context, since time.Time, kinds ...ledger.Kind) ([]ledger.Event, error) {
	q := url.Values{"since": {since.UTC().Format(time.RFC3339)}, "limit": {fmt.Sprint(maxEvents)}}
	for _, k := range kinds {
		q.Add("kind", string(k))
	}
	var events []ledger.Event
	return events, r.call(ctx, http.MethodGet, "/api/v1/history?"+q.Encode(), &events)
}

// call asks the agent and tells its own words where it refuses; into may be nil.
func (r *remote) call(ctx context.Context, method, path string, into any) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.url, "/")+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no agent answers: %w", err)
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxAnswer)
	if resp.StatusCode != http.StatusOK {
		text := resp.Status
		if resp.StatusCode == http.StatusNotFound && method == http.MethodGet {
			text += "; does that agent have the role route?"
		}
		_ = json.NewDecoder(body).Decode(&text) // who is no agent answers otherwise
		return errors.New(text)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	return nil
}

// post tells the agent something.
func (r *remote) post(ctx context.Context, path string, in, out any) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	return intake.Post(ctx, client, r.url, path, in, out)
}

// whoami names the person at this terminal, behind sudo too; empty when nobody knows.
func whoami() string { return cmp.Or(os.Getenv("SUDO_USER"), os.Getenv("USER")) }

// span reads a duration for people: 90m, 1h30m, 2d, 1w.
func span(flag, text string) (time.Duration, error) {
	d, err := words.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("--%s: %w", flag, err)
	}
	if d <= 0 {
		return 0, fmt.Errorf("--%s: want more than nothing, have %q", flag, text)
	}
	return d, nil
}

// moment reads a time: RFC 3339, or the clock on the wall of this machine, the day left out for the next time
// that the clock shows it.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return earlier(t), nil
		}
	}
	if t, err := time.ParseInLocation("15:04", text, now.Location()); err == nil {
		y, m, d := now.Date()
		at := time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, now.Location())
		if !at.After(now) {
			at = time.Date(y, m, d+1, t.Hour(), t.Minute(), 0, 0, now.Location())
		}
		if before := earlier(at); before.After(now) {
			at = before
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("--%s: want a time like 22:30, 2026-11-24T22:30 or 2026-11-24T22:30:00Z, have %q", flag, text)
}

// turns are by how much clocks are set back: half an hour on Lord Howe Island, an hour elsewhere, two at Troll.
var turns = []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour}

// earlier is the first of the times that a clock shows alike, where clocks are set back in between: work that is announced too early
// costs nothing.
func earlier(t time.Time) time.Time {
	for _, d := range turns {
		if before := t.Add(-d); before.Format(time.DateTime) == t.Format(time.DateTime) {
			return before
		}
	}
	return t
}

// twice says that a clock shows this time again later.
func twice(t time.Time) bool {
	return slices.ContainsFunc(turns, func(d time.Duration) bool { return t.Add(d).Format(time.DateTime) == t.Format(time.DateTime) })
}

// clock writes a time for people: the time alone on the same day.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("2 Jan 15:04:05")
}

// plain takes out what would steer a terminal: titles come from outside.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			return ' '
		}
		return c
	}, s)), " ")
}

// on writes an alarm as its rule and where it is.
func on(a alerting.Alarm) string {
	return plain(strings.TrimSuffix(a.Rule()+" on "+cmp.Or(a.Labels[alerting.LabelEntity], a.Labels["instance"]), " on "))
}
