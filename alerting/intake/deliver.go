package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/navcloud/binnacle/alerting"
)

// An answer counts only when it is a router's own. What answers at a wrong address answers too: a proxy with a redirect or a
// login page, a TLS port with 400, a web server with 200 to everything. A node that takes those for a router believes
// for weeks that its alarms arrive.
// Source: Alertmanager 0.35 api/v2/openapi.yaml, postAlerts and getStatus, read 30 November 2026: 200 without a body, 400
// and 500 with a JSON string.

// headerRouter is on every answer of a router of ours to alarms, with its version. Others are asked for their status.
const headerRouter = "Binnacle-Router"

// errNoRouter says what is wrong with an answer.
type errNoRouter struct{ url, why string }

func (e errNoRouter) Error() string { return e.url + " is no router: " + e.why }

// weight is about how many bytes an alarm has in a post.
func weight(a alerting.Alarm) int {
	n := 200
	for _, texts := range []map[string]string{a.Labels, a.Annotations} {
		for k, v := range texts {
			n += len(k) + len(v) + 6
		}
	}
	return n
}

// send posts a batch and makes sure that a router took it.
func (c *Client) send(ctx context.Context, r *router, batch models.PostableAlerts) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	resp, text, err := c.call(ctx, http.MethodPost, r.url+"/api/v2/alerts", body)
	if err != nil {
		return err
	}
	switch status := resp.StatusCode; {
	case status/100 == 3:
		return errNoRouter{r.url, fmt.Sprintf("it answers %s to %s, which is not followed: configure the address that it leads to", resp.Status, resp.Header.Get("Location"))}
	case status == http.StatusOK && len(bytes.TrimSpace(text)) > 0:
		return errNoRouter{r.url, "it answers 200 with " + shownText(text)}
	case status == http.StatusBadRequest && !isWord(resp.Header, text):
		return errNoRouter{r.url, "it answers 400 with " + shownText(text)}
	case status != http.StatusOK && status != http.StatusBadRequest:
		return fmt.Errorf("%s: %s: %s", r.url, resp.Status, bytes.TrimSpace(text))
	}
	if resp.Header.Get(headerRouter) != "" {
		r.proves()
	} else if err := c.prove(ctx, r); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusBadRequest {
		// It took what it could read, and would not take the rest the next time either.
		c.opts.Log.Error("router refused an alarm", "router", r.url, "answer", string(bytes.TrimSpace(text)))
	}
	return nil
}

// prove asks a router for what no other server has: 200 without a body is not much of an answer.
func (c *Client) prove(ctx context.Context, r *router) error {
	r.mu.Lock()
	fresh := time.Since(r.proved) < provedFor
	r.mu.Unlock()
	if fresh {
		return nil
	}
	resp, text, err := c.call(ctx, http.MethodGet, r.url+"/api/v2/status", nil)
	if err != nil {
		return err
	}
	var status models.AlertmanagerStatus
	switch {
	case resp.StatusCode != http.StatusOK:
		return errNoRouter{r.url, "its status is " + resp.Status}
	case json.Unmarshal(text, &status) != nil || status.VersionInfo == nil || status.Cluster == nil || status.VersionInfo.Version == nil:
		return errNoRouter{r.url, "its status is " + shownText(text)}
	}
	r.proves()
	return nil
}

// proves notes that it is a router.
func (r *router) proves() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proved = time.Now()
}

// call does one call and reads what matters of the answer.
func (c *Client) call(ctx context.Context, method, url string, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(req.Header, c.opts.Header)
	if c.opts.Node != "" {
		req.Header.Set(headerNode, c.opts.Node)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", url, err)
	}
	return resp, text, nil
}

// isWord says whether an answer is what a router says of an alarm that it cannot take: a text in JSON, or its library's
// object with a message.
func isWord(h http.Header, text []byte) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	var word string
	var object struct{ Message string }
	return media == "application/json" && (json.Unmarshal(text, &word) == nil || json.Unmarshal(text, &object) == nil && object.Message != "")
}

func shownText(text []byte) string {
	const most = 120
	s := strings.Join(strings.Fields(string(text[:min(len(text), most)])), " ")
	return fmt.Sprintf("%q", s)
}

// Prove makes sure once that each router is one and takes what this node sends; the errors are in the order of the options.
func (c *Client) Prove(ctx context.Context) []error {
	errs := make([]error, len(c.routers))
	for i, r := range c.routers {
		errs[i] = c.send(ctx, r, models.PostableAlerts{})
		if errors.Is(errs[i], context.Canceled) {
			return errs
		}
	}
	return errs
}
