package receivers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/opsgenie"

	"github.com/navcloud/binnacle/alerting"
)

// Acknowledge says at Opsgenie or JSM that a person acknowledged the incident elsewhere. Nothing else has a call for that: then it is
// accepted, and the board shows who has it.
// Source: Opsgenie Alert API, "Acknowledge Alert", read 30 November 2026; JSM Operations has the same call.
func (r *Receiver) Acknowledge(ctx context.Context, _, key string) alerting.Result {
	if len(r.cfg.load.OpsGenieConfigs) != 1 || r.wire == nil {
		return alerting.Result{Outcome: alerting.Accepted}
	}
	body, err := json.Marshal(map[string]string{"source": "binnacle", "note": "acknowledged at the board"})
	if err != nil {
		return alerting.Result{Outcome: alerting.Refused, Detail: err.Error()}
	}
	return r.track(ctx, func(ctx context.Context) notify.NotifyVerdict {
		_, verdict := r.opsgenie(ctx, http.MethodPost, alias(key)+"/acknowledge", body)
		return verdict
	})
}

// alias is what the library makes of a group key.
func alias(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(dedupKey(key)))) }

// opsgenie makes one call about an alert.
func (r *Receiver) opsgenie(ctx context.Context, method, path string, body []byte) ([]byte, notify.NotifyVerdict) {
	c := r.cfg.load.OpsGenieConfigs[0]
	u := strings.TrimSuffix(c.APIURL.String(), "/") + "/v2/alerts/" + path + "?identifierType=alias"
	req, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return nil, notify.Unrecoverable(err, notify.DefaultReason)
	}
	key, err := apiKey(c)
	if err != nil {
		return nil, notify.Unrecoverable(err, notify.DefaultReason)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "GenieKey "+key)
	resp, err := r.wire.RoundTrip(req)
	if err != nil {
		return nil, notify.Retry(0, err, notify.DefaultReason)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return nil, notify.Retry(0, fmt.Errorf("it answers %s", resp.Status), notify.DefaultReason)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, notify.Retry(0, err, notify.DefaultReason)
	}
	return answer, notify.Success()
}

func apiKey(c *opsgenie.OpsGenieConfig) (string, error) {
	if c.APIKey != "" {
		return string(c.APIKey), nil
	}
	b, err := os.ReadFile(c.APIKeyFile)
	return strings.TrimSpace(string(b)), err
}

// Answers says whether State knows anything: at Opsgenie and JSM.
func (r *Receiver) Answers() bool { return len(r.cfg.load.OpsGenieConfigs) == 1 && r.wire != nil }

// State is what a service knows of an incident. The zero State is that of one nobody acted on, or that is not known.
type State struct {
	Acked, Closed bool
	By            string
}

// State asks for an incident. What cannot be asked is not known, and asked again.
// Source: Opsgenie Alert API, "Get Alert", read 30 November 2026.
func (r *Receiver) State(ctx context.Context, key string) (s State) {
	var answer struct {
		Data struct {
			Status       string `json:"status"`
			Acknowledged bool   `json:"acknowledged"`
			Owner        string `json:"owner"`
			Report       struct {
				AcknowledgedBy string `json:"acknowledgedBy"`
				ClosedBy       string `json:"closedBy"`
			} `json:"report"`
		} `json:"data"`
	}
	res := r.track(ctx, func(ctx context.Context) notify.NotifyVerdict {
		body, v := r.opsgenie(ctx, http.MethodGet, alias(key), nil)
		if v.Err() == nil {
			if err := json.Unmarshal(body, &answer); err != nil {
				return notify.Retry(0, err, notify.DefaultReason)
			}
		}
		return v
	})
	if res.Outcome != alerting.Accepted {
		return State{}
	}
	d := answer.Data
	if d.Status == "closed" {
		return State{Closed: true, By: d.Report.ClosedBy}
	}
	return State{Acked: d.Acknowledged, By: cmp.Or(d.Report.AcknowledgedBy, d.Owner)}
}
