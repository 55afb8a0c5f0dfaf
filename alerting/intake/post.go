package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Post is how the command line speaks to a router: it posts in to one of the paths above and decodes the
// answer into out, which may be nil. The error has the router's own words.
func Post(ctx context.Context, client *http.Client, base, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxSmall))
	if err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	if resp.StatusCode/100 != 2 {
		var text string
		if json.Unmarshal(data, &text) != nil {
			text = resp.Status + " " + string(bytes.TrimSpace(data))
		}
		return errors.New(text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	return nil
}
