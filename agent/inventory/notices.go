package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// Notice is what an instance is told of its own future.
type Notice struct {
	Kind   string    // spot, lifecycle, rebalance, or the code of a scheduled event
	Text   string    // in words, without the name of the machine
	At     time.Time // when it happens; zero: nobody says
	Leaves bool      // the instance ends, and its death is expected
}

// Metadata asks an instance's own metadata, again and again with one token.
type Metadata struct{ client *imds.Client }

// NewMetadata makes one. An empty endpoint is the instance's own, a nil transport the network.
func NewMetadata(endpoint string, transport http.RoundTripper) *Metadata {
	o := imds.Options{Endpoint: endpoint, EnableFallback: aws.FalseTernary, Retryer: retry.AddWithMaxAttempts(retry.NewStandard(), 1)}
	if transport != nil {
		o.HTTPClient = &http.Client{Transport: transport}
	}
	return &Metadata{imds.New(o)}
}

// Notices are those that stand now. What is not there (404) is no notice.
// Source: EC2 user guide, "Spot Instance interruption notices", "rebalance recommendations" and "Scheduled events"; Auto Scaling user
// guide, "Retrieve the target lifecycle state through instance metadata", read November 2026.
func (m *Metadata) Notices(ctx context.Context) ([]Notice, error) {
	ctx, cancel := context.WithTimeout(ctx, askBudget)
	defer cancel()
	var out []Notice
	var errs []error
	for _, of := range []struct {
		path string
		read func(text string) ([]Notice, error)
	}{
		{"spot/instance-action", spotNotice},
		{"autoscaling/target-lifecycle-state", lifecycleNotice},
		{"events/recommendations/rebalance", rebalanceNotice},
		{"events/maintenance/scheduled", scheduledNotices},
	} {
		text, err := read(ctx, m.client, of.path, maxNotice)
		if err == nil && text != "" {
			var found []Notice
			found, err = of.read(text)
			out = append(out, found...)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("instance metadata: %s: %w", of.path, err))
		}
	}
	return out, errors.Join(errs...)
}

// maxNotice is more than any notice has, in bytes.
const maxNotice = 64 << 10

func spotNotice(text string) ([]Notice, error) {
	var v struct {
		Action string
		Time   time.Time
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	return []Notice{{Kind: "spot", Text: "AWS takes the spot instance back (" + v.Action + ")", At: v.Time, Leaves: true}}, nil
}

func lifecycleNotice(text string) ([]Notice, error) {
	switch {
	case text == "Terminated":
		return []Notice{{Kind: "lifecycle", Text: "its group ends it", Leaves: true}}, nil
	case text == "Detached", text == "Standby", strings.HasPrefix(text, "Warmed:"):
		return []Notice{{Kind: "lifecycle", Text: "its group takes it out of service (" + text + ")"}}, nil
	}
	return nil, nil
}

func rebalanceNotice(text string) ([]Notice, error) {
	var v struct{ NoticeTime time.Time }
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	return []Notice{{Kind: "rebalance", Text: "AWS advises to replace the spot instance: it may be taken back soon"}}, nil
}

// eventTimes are how scheduled events write times.
const eventTimes = "2 Jan 2006 15:04:05 MST"

func scheduledNotices(text string) (out []Notice, err error) {
	var list []struct{ Code, Description, State, NotBefore string }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	for _, e := range list {
		if e.State == "completed" || e.State == "canceled" {
			continue
		}
		n := Notice{Kind: e.Code, Text: strings.TrimSpace("AWS has planned: " + strings.ReplaceAll(e.Code, "-", " ") + ". " + e.Description)}
		n.At, _ = time.Parse(eventTimes, e.NotBefore) // without a time it is a notice all the same
		out = append(out, n)
	}
	return out, nil
}
