package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of GET /log_entries. Source: PagerDuty REST API v2, pagination, read 30 November 2026.
const (
	maxLogPage   = 100
	maxLogOffset = 10_000 // of one question; more is asked for in shorter times
	maxLogAnswer = 16 << 20
	maxLogPages  = 2000
)

// Log returns the account's log entries of a time, as the API's answers one after the other, with incidents and channels. It
// changes nothing.
func (c *Client) Log(ctx context.Context, since, until time.Time) ([]byte, error) {
	if c.cfg.Token.IsZero() {
		return nil, errors.New("route.pagerduty.token is not set: the log is read by PagerDuty's REST API")
	}
	var out []byte
	pages := 0
	for from := since; from.Before(until); from = from.Add(24 * time.Hour) {
		to := from.Add(24 * time.Hour)
		if to.After(until) {
			to = until
		}
		for offset := 0; ; offset += maxLogPage {
			if offset+maxLogPage > maxLogOffset {
				return nil, fmt.Errorf("more than %d log entries on %s: PagerDuty gives no more of them", maxLogOffset, from.UTC().Format(time.DateOnly))
			}
			if pages++; pages > maxLogPages {
				return nil, fmt.Errorf("more than %d pages of log entries: ask for fewer days", maxLogPages)
			}
			text, more, err := c.logPage(ctx, from, to, offset)
			if err != nil {
				return nil, err
			}
			out = append(append(out, text...), '\n')
			if !more {
				break
			}
		}
	}
	return out, nil
}

func (c *Client) logPage(ctx context.Context, since, until time.Time, offset int) (text []byte, more bool, err error) {
	_, api := c.cfg.urls()
	q := url.Values{
		"since": {since.UTC().Format(time.RFC3339)}, "until": {until.UTC().Format(time.RFC3339)}, "include[]": {"incidents", "channels"},
		"limit": {fmt.Sprint(maxLogPage)}, "offset": {fmt.Sprint(offset)},
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(api, "/")+"/log_entries?"+q.Encode(), nil)
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Authorization", "Token token="+c.cfg.Token.Reveal())
	req.Header.Set("Accept", "application/vnd.pagerduty+json;version=2")
	resp, err := c.wire.client.Do(req)
	if err != nil {
		return nil, false, fmt.Errorf("PagerDuty's log: %w", err)
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(io.LimitReader(resp.Body, maxLogAnswer)); err != nil {
		return nil, false, fmt.Errorf("PagerDuty's log: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, false, fmt.Errorf("PagerDuty's log: %s: %.200s", resp.Status, text)
	}
	var page struct {
		Entries *[]json.RawMessage `json:"log_entries"`
		More    bool               `json:"more"`
	}
	if err := json.Unmarshal(text, &page); err != nil || page.Entries == nil {
		return nil, false, fmt.Errorf("PagerDuty's log: want log_entries, have %.100s", text)
	}
	return text, page.More && len(*page.Entries) > 0, nil
}
