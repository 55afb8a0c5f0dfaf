package rules

import (
	"log/slog"
	"regexp"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/navcloud/binnacle/alerting"
)

// loader reads rule files for Prometheus' manager. What a template puts into a command of a guidance is quoted for the shell, in
// our packs and in rules of others: names come from outside, and a queue called "x; reboot" must not be a command to paste.
type loader struct{}

// Load implements promrules.GroupLoader.
func (loader) Load(file string, ignoreUnknown bool, scheme model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	groups, errs := rulefmt.ParseFile(file, ignoreUnknown, scheme, promParser, slog.New(slog.DiscardHandler))
	if groups == nil {
		return groups, errs
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if text := r.Annotations[alerting.AnnotationGuidance]; text != "" {
				r.Annotations[alerting.AnnotationGuidance] = quoted(text)
			}
		}
	}
	return groups, errs
}

// Parse implements promrules.GroupLoader.
func (loader) Parse(query string) (parser.Expr, error) { return promParser.ParseExpr(query) }

// Where in a command a value is put.
const (
	noCommand = iota // of the guidance: no command
	unquoted         // in no quotes of the shell
	inSingle         // in '
	inDouble         // in "
)

// fills is how a value is put there: as it is where it means nothing to the shell, else quoted. In single quotes only their own
// end means something; in double quotes four characters do.
// Source: POSIX.1-2024, Shell Command Language, 2.2 Quoting; read 30 November 2026.
var fills = [...]string{
	unquoted: "{{ if match `^[A-Za-z0-9_./:@%+=,-]+$` $quoted }}{{ $quoted }}{{ else }}'{{ reReplaceAll `'` `'\\''` $quoted }}'{{ end }}",
	inSingle: "{{ reReplaceAll `'` `'\\''` $quoted }}",
	inDouble: "{{ reReplaceAll `([\\\\\"$\\x60])` `\\$1` $quoted }}",
}

// noValue is an action that prints nothing by itself, or quotes by itself.
var noValue = regexp.MustCompile("^(?:if|else|end|range|with|define|template|block|break|continue|/\\*)\\b|^\\$\\w+\\s*(?::=|=)|reReplaceAll [\"`]'[\"`]")

// quoted makes the template of a guidance put values into its commands, which stand between backticks, so that the shell takes
// each as a text.
func quoted(text string) string {
	var out strings.Builder
	for at := noCommand; text != ""; {
		if strings.HasPrefix(text, "{{") {
			action, rest := cutAction(text)
			out.WriteString(fill(action, at))
			text = rest
			continue
		}
		c := text[0]
		switch {
		case c == '`' && at == noCommand:
			at = unquoted
		case c == '`':
			at = noCommand
		case c == '\\' && (at == unquoted || at == inDouble) && len(text) > 1 && text[1] != '{' && text[1] != '`':
			out.WriteByte(c) // what follows is itself
			text = text[1:]
			c = text[0]
		case c == '\'' && at == unquoted:
			at = inSingle
		case c == '\'' && at == inSingle, c == '"' && at == inDouble:
			at = unquoted
		case c == '"' && at == unquoted:
			at = inDouble
		}
		out.WriteByte(c)
		text = text[1:]
	}
	return out.String()
}

// fill is what stands for an action at a place.
func fill(action string, at int) string {
	inner, trimmed := strings.CutPrefix(strings.TrimSuffix(strings.TrimPrefix(action, "{{"), "}}"), "- ")
	left, right := "{{", ""
	if trimmed {
		left = "{{- "
	}
	if cut, ok := strings.CutSuffix(inner, " -"); ok {
		inner, right = cut, "{{- /* */ -}}"
	}
	inner = strings.TrimSpace(inner)
	if at == noCommand || inner == "" || noValue.MatchString(inner) {
		return action
	}
	return left + " $quoted := print (" + inner + ") }}" + fills[at] + right
}

// cutAction cuts a template's action off, with the texts that are quoted in it. One without an end is all of it.
func cutAction(text string) (action, rest string) {
	var in byte // the quote it is in
	for i := 2; i < len(text); i++ {
		c := text[i]
		switch {
		case in == 0 && strings.HasPrefix(text[i:], "}}"):
			return text[:i+2], text[i+2:]
		case in == 0 && (c == '"' || c == '`'):
			in = c
		case in == '"' && c == '\\':
			i++
		case c == in:
			in = 0
		}
	}
	return text, ""
}
