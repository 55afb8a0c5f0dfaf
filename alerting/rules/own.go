package rules

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// ownSeries returns a shipped pack that reads the agent's own series alone, which have no label job: an exporter or another
// agent that is scraped may have series of the same names, and what it watches has been reported by who watches it. A
// selector that says which job it wants is left as it is.
func ownSeries(name string, text []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := ownExprs(&doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return yaml.Marshal(&doc)
}

func ownExprs(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key, val := n.Content[i], n.Content[i+1]; key.Value == "expr" && val.Kind == yaml.ScalarNode {
				own, err := ownExpr(val.Value)
				if err != nil {
					return fmt.Errorf("line %d: %w", val.Line, err)
				}
				val.Value = own
			}
		}
	}
	for _, c := range n.Content {
		if err := ownExprs(c); err != nil {
			return err
		}
	}
	return nil
}

// ownExpr adds job="" to each selector that does not name a job. The text is kept as it was written but for that.
func ownExpr(text string) (string, error) {
	expr, err := promParser.ParseExpr(text)
	if err != nil {
		return "", err
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, m := range s.LabelMatchers {
			if m.Name == model.JobLabel {
				return nil
			}
		}
		s.LabelMatchers = append(s.LabelMatchers, labels.MustNewMatcher(labels.MatchEqual, model.JobLabel, ""))
		return nil
	})
	return strings.TrimSpace(expr.String()), nil
}
