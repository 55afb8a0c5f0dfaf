package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting/rules"
)

func newRulesCoverage() *cobra.Command {
	var r remote
	var asJSON, all bool
	cmd := &cobra.Command{
		Use: "coverage", Short: "Say which alerting rules of a running agent can fire, and which hosts no rule watches; exit code 1 where a rule of your files cannot", Args: cobra.NoArgs,
		Long: "Say which alerting rules of a running agent can fire: whose series do not exist, or have no such labels; whose threshold was never near in what is\n" +
			"stored; which fire always, or fired and nobody ever acted on them; and hosts that no rule that could wake a person sees. The agent looks a minute\n" +
			"after its start and after other rules, each hour while one cannot fire, and daily, at 5 % of a core.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var c rules.Coverage
			if err := r.get("/api/v1/rules/coverage", &c); err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(c)
			}
			if c.At.IsZero() {
				return errors.New("the agent has not looked yet: it does so a minute after its start; or its rules are off")
			}
			writeCoverage(cmd.OutOrStdout(), c, all)
			if len(c.Dead()) > 0 {
				return exitError(health.ExitWarning)
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().BoolVar(&all, "all", false, "name each rule, also what cannot be said of it")
	return cmd
}

// writeCoverage writes a line for each finding, the gravest first.
func writeCoverage(w io.Writer, c rules.Coverage, all bool) {
	fmt.Fprintf(w, "%s at %s, over %s of history\n", words.Plural(len(c.Rules), "rule"), c.At.UTC().Format(time.RFC3339), words.Duration(c.History))
	away := map[string]int{}
	for _, r := range c.Rules {
		name := r.Rule
		switch {
		case r.Pack != "" && r.Dead():
			away[r.Pack]++
			if !all {
				continue
			}
			name += " (pack " + r.Pack + ")"
		case r.File != "":
			name += " (" + filepath.Base(r.File) + ")"
		}
		said := false
		for _, f := range r.Findings {
			dead := f.Kind == rules.NoSeries || f.Kind == rules.NoMatch
			switch {
			case dead:
				fmt.Fprintf(w, "  cannot fire: %s: %s\n", plain(name), plain(f.Text))
			case all || f.Kind != rules.Unsaid && (f.Kind != rules.NeverNear || r.Pack == ""):
				fmt.Fprintf(w, "  %s: %s: %s\n", f.Kind, plain(name), plain(f.Text))
			default:
				continue
			}
			said = true
		}
		if all && !said {
			fmt.Fprintf(w, "  can fire: %s\n", plain(name))
		}
	}
	var packs []string
	for _, p := range slices.Sorted(maps.Keys(away)) {
		packs = append(packs, fmt.Sprintf("%s (%d)", p, away[p]))
	}
	if len(packs) > 0 {
		fmt.Fprintf(w, "  not here: what rules of shipped packs watch: %s\n", strings.Join(packs, ", "))
	}
	for _, h := range c.Hosts {
		fmt.Fprintf(w, "  unwatched: no rule that could wake a person sees %s\n", plain(h))
	}
}
