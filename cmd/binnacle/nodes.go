package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
)

func newNodes() *cobra.Command {
	var o remote
	asJSON := false
	cmd := &cobra.Command{
		Use: "nodes", Short: "List all nodes that an agent's store has heard of, the worst first; exits 2 while one is silent, 1 while one is ill or an instance of Auto Scaling has no agent", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			nodes, err := health.Fleet(cmd.Context(), o.query, time.Now())
			if err != nil && len(nodes) == 0 {
				return err
			}
			missing, gone := health.FindMissing(cmd.Context(), o.query, time.Now())
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return errors.Join(err, gone, enc.Encode(nodesAndMissing(nodes, missing)))
			}
			if err := errors.Join(err, gone, printNodes(inColour(cmd.OutOrStdout()), nodes), printMissing(cmd.OutOrStdout(), missing)); err != nil {
				return err
			}
			if len(nodes) > 0 { // the worst first
				switch nodes[0].Word() {
				case "silent":
					return exitError(health.ExitCritical)
				case "ill":
					return exitError(health.ExitWarning)
				}
			}
			if slices.ContainsFunc(missing, health.Missing.Wants) {
				return exitError(health.ExitWarning)
			}
			return nil
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// nodeOrMissing is a node, or, where Missing is set, one that should be there: Node is its instance then, or empty.
type nodeOrMissing struct {
	health.Node
	Missing *health.Missing `json:",omitempty"`
}

// nodesAndMissing is one list of both, the nodes first.
func nodesAndMissing(nodes []health.Node, missing []health.Missing) []nodeOrMissing {
	out := make([]nodeOrMissing, 0, len(nodes)+len(missing))
	for _, n := range nodes {
		out = append(out, nodeOrMissing{Node: n})
	}
	for _, m := range missing {
		out = append(out, nodeOrMissing{health.Node{Node: m.Instance, Group: m.Group}, &m})
	}
	return out
}

func printNodes(out io.Writer, nodes []health.Node) error {
	if len(nodes) == 0 {
		_, err := fmt.Fprintln(out, "No agent has told this store of itself in the last hour. Agents do so by ship.remote_write.")
		return err
	}
	var table bytes.Buffer // colours are for whole lines: what lays out the columns writes cell by cell
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "node\tzone\tgroup\tis\tversion\thow it is, and what it ships")
	for _, n := range nodes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(n.Node), or(n.AZ), or(n.Group), n.Word(), or(n.Version), plain(n.Health()+" Ships "+n.Ships()+"."))
	}
	fmt.Fprintf(w, "\n%s: %s\n", words.Plural(len(nodes), "node"), health.Words(nodes))
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := table.WriteTo(out)
	return err
}

// printMissing names instances without an agent, and groups that lack some.
func printMissing(out io.Writer, missing []health.Missing) error {
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nMissing:")
	for _, m := range missing {
		if _, err := fmt.Fprintln(out, "  "+plain(m.String())); err != nil {
			return err
		}
	}
	return nil
}

// or writes a dash for what is not there: an empty cell looks like a fault of the table.
func or(s string) string {
	if s = plain(s); s == "" {
		return "-"
	}
	return s
}

// query asks the Prometheus API of the agent.
func (r *remote) query(ctx context.Context, promql string, at time.Time) ([]query.Series, error) {
	q := url.Values{"query": {promql}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	var answer struct {
		Data struct {
			ResultType string `json:"resultType"`
			Result     []struct {
				Metric map[string]string  `json:"metric"`
				Value  [2]json.RawMessage `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := r.call(ctx, http.MethodGet, "/api/v1/query?"+q.Encode(), &answer); err != nil {
		if strings.Contains(err.Error(), "404") {
			return nil, errors.New("that agent keeps no history (store: off); ask one that does with --url")
		}
		return nil, err
	}
	out := make([]query.Series, 0, len(answer.Data.Result))
	for _, s := range answer.Data.Result {
		text := ""
		if err := json.Unmarshal(s.Value[1], &text); err != nil {
			return nil, fmt.Errorf("answer to %q: %w", promql, err)
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("answer to %q: %w", promql, err)
		}
		out = append(out, query.Series{Labels: s.Metric, Points: []query.Point{{T: at, V: v}}})
	}
	return out, nil
}
